/* fold_fixture.h: one shard of one service outside any driver: give it records and time, look at
 * what it publishes, and take its state through save and load, as a crash and restore would.
 *
 * What a delta forgets, a test sees: state may be saved after every step, or saved and restored
 * from the sum of all deltas.
 */
#ifndef FOLD_FIXTURE_H
#define FOLD_FIXTURE_H
#include "container/table.h"
#include "model/baseline.h"
#include "service/outputs.h"

enum fold_care { FOLD_PLAIN, FOLD_SAVED, FOLD_RESTORED, FOLD_CARE_COUNT };

struct fold {
    const struct service *service;
    const struct catalog *catalog;
    enum fold_care care;
    void *shard;
    struct outputs *outputs;
    struct changes *changes;
    struct table *stored; /* field → struct buffer: the sum of all deltas */
    int64_t offset;
};

/* Adds a revision of a contract to the catalog; baseline NULL: it names none. */
void fold_contract(struct catalog *catalog, const char *yaml, int32_t revision,
                   int64_t effective_from_ms, const struct baseline *baseline);
void fold_baseline(struct catalog *catalog, const struct baseline *baseline);
void fold_open(struct fold *fold, const struct service *service, const struct catalog *catalog,
               enum fold_care care);
/* Takes value. The service's answer. */
enum fault fold_give(struct fold *fold, enum topic topic, json_t *value);
enum fault fold_advance(struct fold *fold, enum topic topic, int64_t time_ms);
enum fault fold_restore(struct fold *fold);
size_t fold_stored(const struct fold *fold);                /* entries in the stored state */
size_t fold_size(const struct fold *fold);                  /* records published since fold_clear */
json_t *fold_output(const struct fold *fold, size_t index); /* new reference */
double fold_counted(const struct fold *fold, const char *metric,
                    const char *label); /* since fold_clear */
void fold_clear(struct fold *fold);
void fold_close(struct fold *fold);
#endif
