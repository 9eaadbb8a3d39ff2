/* bench_record.h: the event that is measured: 28 fields in 269 bytes of Avro, typed as a team
 * would.
 *
 * Seven of the envelope (event_id, event_time, model_name, model_version, entity_id, prediction,
 * latency_ms), features of 16 nullable doubles (n0 …) and 4 nullable texts (c0 …), a nullable
 * confidence. Every record has the same size; id and time lie at known places.
 */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H
#include "avro/schema.h"
#include "memory/buffer.h"

enum {
    BENCH_RECORD_FIELDS = 28,
    BENCH_RECORD_NUMBERS = 16,
    BENCH_RECORD_TEXTS = 4,
    BENCH_RECORD_SIZE = 269,
    BENCH_RECORD_ID_AT = 1, /* behind its length */
    BENCH_RECORD_ID_SIZE = 36,
    BENCH_RECORD_TIME_AT = BENCH_RECORD_ID_AT + BENCH_RECORD_ID_SIZE,
    BENCH_RECORD_TIME_SIZE = 6 /* of our days, always */
};

struct bench_record {
    double numbers[BENCH_RECORD_NUMBERS];
    const char *texts[BENCH_RECORD_TEXTS];
    double score;
    bool is_fraud;
};

struct schema *bench_record_schema(void);               /* new */
struct bench_record bench_record_draw(uint64_t *state); /* of a stream of chance */
/* Appends. */
void bench_record_encode(const struct bench_record *record, const struct schema *schema,
                         struct buffer *out);
#endif
