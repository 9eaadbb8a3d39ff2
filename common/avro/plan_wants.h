/* plan_wants.h: the wants of a plan as a tree of their segments, and what a schema has of a path.
 * For plan_create.c and plan_read.c.
 *
 * Owner    texts are in the arena that is given; lists and tables are the branch's (_close).
 * Cost     add O(segments); search bounded, whatever unions multiply to.
 */
#ifndef PLAN_WANTS_H
#define PLAN_WANTS_H
#include "avro/plan.h"
#include "container/table.h"
#include "memory/arena.h"

#define PLAN_WANTS_NONE UINT32_MAX
enum { PLAN_WANTS_PATH_MAX = 16 };

struct plan_wants {
    struct span name;          /* the segment; empty at the root */
    struct plan_wants **below; /* owned list, in the wants' order */
    size_t below_count;
    struct table *by_name; /* owned: segment → plan_wants below; NULL: none */
    uint32_t want;         /* the first that ends here; NONE */
};

struct plan_wants *plan_wants_create(struct arena *arena, struct span name);
/* The want that the same path has already; NONE: it is now this one's. */
uint32_t plan_wants_add(struct plan_wants *root, struct arena *arena, const struct plan_path *path,
                        uint32_t want);
const struct plan_wants *plan_wants_below(const struct plan_wants *wants, const char *name);
void plan_wants_close(struct plan_wants *wants); /* and all below */

bool plan_wants_takes(enum plan_shape shape, const struct schema_node *node);
/* found: in one branch at least; fits: there with this shape. */
struct plan_wants_search {
    const struct plan_path *path;
    enum plan_shape shape;
    bool found, fits;
    size_t budget;
};
struct plan_wants_search plan_wants_search(const struct schema *writer,
                                           const struct plan_path *path, enum plan_shape shape);
/* A segment as an index of an array; false: it is none. */
bool plan_wants_index(const char *segment, uint64_t *out_index);
#endif
