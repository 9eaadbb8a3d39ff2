#include "passage.h"
#include "memory/heap.h"

struct input {
    enum topic topic;
    int32_t partition;
    int64_t first, passed;
    uint8_t *there, *judged; /* owned bitmaps */
    struct passage_counts counts;
};
struct output {
    enum topic topic;
    int32_t partition;
    int64_t *seen_from; /* owned: NULL: nothing was eaten; of each input the first source seen, else
                           INT64_MAX; [input_count] */
};
struct passage {
    struct differences *differences; /* borrowed */
    struct input *inputs;            /* owned, [input_count] */
    struct output *outputs;          /* owned, [output_count] */
    size_t input_count, output_count;
};

struct passage *passage_create(struct differences *differences)
{
    struct passage *passage = heap_zeroed(1, sizeof *passage);
    passage->differences = differences;
    return passage;
}

void passage_open_input(struct passage *passage, enum topic topic, int32_t partition, int64_t first,
                        int64_t passed)
{
    REQUIRE(passage->output_count == 0);
    passage->inputs =
        heap_resized(passage->inputs, passage->input_count + 1, sizeof *passage->inputs);
    const size_t bits = passed > first ? (size_t)(passed - first) : 0;
    passage->inputs[passage->input_count++] =
        (struct input){.topic = topic,
                       .partition = partition,
                       .first = first,
                       .passed = passed,
                       .there = heap_zeroed(bits / 8 + 1, 1),
                       .judged = heap_zeroed(bits / 8 + 1, 1)};
}

void passage_open_output(struct passage *passage, enum topic topic, int32_t partition,
                         int64_t first)
{
    passage->outputs =
        heap_resized(passage->outputs, passage->output_count + 1, sizeof *passage->outputs);
    struct output *output = &passage->outputs[passage->output_count++];
    *output = (struct output){.topic = topic, .partition = partition};
    if (first == 0)
        return;
    output->seen_from = heap_zeroed(passage->input_count + 1, sizeof *output->seen_from);
    for (size_t i = 0; i < passage->input_count; i++)
        output->seen_from[i] = INT64_MAX;
}

static struct input *input_of(const struct passage *passage, struct place place)
{
    for (size_t i = 0; i < passage->input_count; i++)
        if (passage->inputs[i].topic == place.topic &&
            passage->inputs[i].partition == place.partition)
            return &passage->inputs[i];
    return NULL;
}

static const struct output *output_of(const struct passage *passage, struct place place)
{
    for (size_t i = 0; i < passage->output_count; i++)
        if (passage->outputs[i].topic == place.topic &&
            passage->outputs[i].partition == place.partition)
            return &passage->outputs[i];
    return NULL;
}

static bool is_in(const struct input *input, int64_t offset)
{
    return offset >= input->first && offset < input->passed;
}

/* The bit's former value. */
static bool bit_set(uint8_t *bits, int64_t index)
{
    const uint8_t mask = (uint8_t)(1u << (index % 8));
    const bool was = (bits[index / 8] & mask) != 0;
    bits[index / 8] |= mask;
    return was;
}

static bool bit_is(const uint8_t *bits, int64_t index)
{
    return (bits[index / 8] >> (index % 8) & 1) != 0;
}

void passage_input(struct passage *passage, struct place source)
{
    struct input *input = input_of(passage, source);
    if (input == NULL || !is_in(input, source.offset))
        return;
    (void)bit_set(input->there, source.offset - input->first);
    input->counts.passed++;
}

bool passage_judged(struct passage *passage, struct place turned_up, struct place source)
{
    struct input *input = input_of(passage, source);
    const struct output *output = output_of(passage, turned_up);
    if (input == NULL)
        return false;
    if (output != NULL && output->seen_from != NULL) {
        int64_t *from = &output->seen_from[input - passage->inputs];
        *from = *from == INT64_MAX ? source.offset : *from;
    }
    if (!is_in(input, source.offset))
        return false;
    if (!bit_set(input->judged, source.offset - input->first))
        return true;
    char *text = difference_place(source);
    difference_add(passage->differences, "doubled", difference_place(turned_up),
                   heap_format("%s is in an output already", text));
    heap_release(text);
    input->counts.doubled++;
    return false;
}

/* From this source offset on no output of the input's can have been eaten. */
static int64_t reach_of(const struct passage *passage, const struct input *input)
{
    int64_t reach = 0;
    for (size_t i = 0; i < passage->output_count; i++) {
        const struct output *output = &passage->outputs[i];
        if (output->seen_from == NULL)
            continue;
        const int64_t from = output->seen_from[input - passage->inputs];
        reach = from > reach ? from : reach;
    }
    return reach;
}

void passage_settle(struct passage *passage)
{
    for (size_t i = 0; i < passage->input_count; i++) {
        struct input *input = &passage->inputs[i];
        const int64_t reach = reach_of(passage, input);
        for (int64_t offset = input->first; offset < input->passed; offset++) {
            const int64_t index = offset - input->first;
            const bool there = bit_is(input->there, index);
            if (there == bit_is(input->judged, index))
                continue;
            const struct place place = {input->topic, input->partition, offset};
            if (!there) {
                difference_add(passage->differences, "unsourced", difference_place(place),
                               heap_text("an output names it, and there is no such record"));
                continue;
            }
            if (offset < reach) {
                input->counts.out_of_reach++;
                continue;
            }
            input->counts.missing++;
            difference_add(
                passage->differences, "missing", difference_place(place),
                heap_text("the validator has passed it, and it is in neither inference.validated "
                          "nor inference.dead-letter"));
        }
    }
}

struct passage_counts passage_counts(const struct passage *passage, enum topic topic)
{
    struct passage_counts sum = {0};
    for (size_t i = 0; i < passage->input_count; i++) {
        const struct input *input = &passage->inputs[i];
        if (input->topic != topic)
            continue;
        sum.passed += input->counts.passed;
        sum.missing += input->counts.missing;
        sum.doubled += input->counts.doubled;
        sum.out_of_reach += input->counts.out_of_reach;
    }
    return sum;
}

void passage_destroy(struct passage *passage)
{
    if (passage == NULL)
        return;
    for (size_t i = 0; i < passage->input_count; i++) {
        heap_release(passage->inputs[i].there);
        heap_release(passage->inputs[i].judged);
    }
    for (size_t i = 0; i < passage->output_count; i++)
        heap_release(passage->outputs[i].seen_from);
    heap_release(passage->inputs);
    heap_release(passage->outputs);
    heap_release(passage);
}
