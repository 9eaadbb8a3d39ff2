#include "avro/place.h"

static size_t write_frames(const struct place *place, char *text)
{
    if (place == NULL)
        return 0;
    const size_t size = write_frames(place->up, text);
    if (size >= PLACE_TEXT_SIZE - 1)
        return size;
    const size_t room = PLACE_TEXT_SIZE - size;
    const int more = place->name == NULL
                         ? snprintf(text + size, room, "[%zu]", place->index)
                         : snprintf(text + size, room, "%s%s", size == 0 ? "" : ".", place->name);
    const size_t whole = size + (size_t)(more < 0 ? 0 : more);
    return whole < PLACE_TEXT_SIZE ? whole : PLACE_TEXT_SIZE - 1;
}

const char *place_text(const struct place *place, char out_text[PLACE_TEXT_SIZE])
{
    out_text[0] = '\0';
    (void)write_frames(place, out_text);
    return out_text;
}
