#include "difference.h"
#include "memory/heap.h"

#include <inttypes.h>

void difference_add(struct differences *differences, const char *kind, char *place, char *what)
{
    differences->all++;
    if (differences->count < DIFFERENCE_MAX) {
        differences->list[differences->count++] =
            (struct difference){.kind = kind, .place = place, .what = what};
        return;
    }
    heap_release(place);
    heap_release(what);
}

char *difference_place(struct place place)
{
    return heap_format("%s:%d offset %" PRId64, topic_row(place.topic)->name, (int)place.partition,
                       place.offset);
}

void difference_fini(struct differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        heap_release(differences->list[i].place);
        heap_release(differences->list[i].what);
    }
    *differences = (struct differences){0};
}
