/* log.h: one line an event to stderr, logfmt or JSON: time, level, service, event and facts.
 *
 * error: a person must act. warn: we coped, and the line says how. info: life-cycle only. debug:
 * anything. Never feature values or payload. Only services (and common/service) log above debug. A
 * warning or error of the same event with the same texts (numbers may differ) is written at most
 * once in 10 s; those between are counted and said once ("suppressed=N"): in its next line, or in
 * one of their own when anything is logged after the 10 s or the process ends. Texts longer than 1
 * KiB are cut.
 *
 * Thread   any (a mutex).     Memory  256 remembered warnings.     Cost  one write(2) a line.
 */
#ifndef LOG_H
#define LOG_H
#include "check/check.h"
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
struct log_fact {
    const char *name;
    enum { LOG_FACT_END, LOG_FACT_TEXT, LOG_FACT_NUMBER } kind;
    const char *text;
    int64_t number;
};
#define LOG_TEXT(name_, text_)                                                                     \
    ((struct log_fact){.name = (name_), .kind = LOG_FACT_TEXT, .text = (text_)})
#define LOG_NUMBER(name_, number_)                                                                 \
    ((struct log_fact){.name = (name_), .kind = LOG_FACT_NUMBER, .number = (int64_t)(number_)})
#define LOG_END ((struct log_fact){.kind = LOG_FACT_END})
/* log_write(LOG_INFO, "assigned", LOG_TEXT("topic", name), LOG_NUMBER("partition", p)); */
#define log_write(level, event, ...)                                                               \
    log_facts((level), (event), (const struct log_fact[]){__VA_ARGS__, LOG_END})

void log_open(const char *service, enum log_level least, int json); /* json 0: logfmt */
int log_level_parse(const char *text,
                    enum log_level *out_level); /* 1 where it is one of debug info warn error */
void log_facts(enum log_level level, const char *event, const struct log_fact *facts);
#endif
