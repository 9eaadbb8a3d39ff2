#include "balance.h"
#include "container/table.h"
#include "memory/heap.h"

#include <inttypes.h>

/* One pane on one partition of inference.validated. */
struct account {
    struct pane_key key; /* spans of `text` */
    char *text;          /* owned: model, version */
    int32_t partition;
    int64_t closes_ms;
    uint64_t events, counted; /* validated; and of these, those that balance_judged let count */
    uint64_t rows, doubled;   /* published once; and again */
    bool published, source_eaten;
};
struct window {
    struct pane_key key; /* spans of `text` */
    char *text;          /* owned */
    uint64_t n_current;
    struct place place;
};
struct row {
    char *model; /* owned */
    uint64_t counts[BALANCE_COUNTS];
};
struct starts {
    int64_t *list; /* owned: the first offset of each partition's log, [count] */
    size_t count;
};

struct balance {
    struct differences *differences; /* borrowed */
    struct starts sources, panes;
    int64_t *clocks; /* owned, [clock_count]: by partition of inference.validated */
    size_t clock_count;
    struct table *accounts;     /* owned: key and partition → struct account, owned */
    struct table *windows;      /* owned: key → struct window, owned */
    struct table *measurements; /* owned: id and revision → the balance itself */
    struct table *rows;         /* owned: model → struct row, owned */
    struct table *pane_starts;  /* owned: panes' partition and source → int64_t, owned: the end of
                                   the first pane seen */
    struct account **sorted;    /* owned, [table_count(accounts)]: by window_order */
};

struct balance *balance_create(struct differences *differences)
{
    struct balance *balance = heap_zeroed(1, sizeof *balance);
    balance->differences = differences;
    balance->accounts = table_create();
    balance->windows = table_create();
    balance->measurements = table_create();
    balance->rows = table_create();
    balance->pane_starts = table_create();
    return balance;
}

static void open_partition(struct starts *starts, int32_t partition, int64_t first)
{
    REQUIRE((size_t)partition == starts->count);
    starts->list = heap_resized(starts->list, starts->count + 1, sizeof *starts->list);
    starts->list[starts->count++] = first;
}

void balance_open_source(struct balance *balance, int32_t partition, int64_t first)
{
    open_partition(&balance->sources, partition, first);
}

void balance_open_panes(struct balance *balance, int32_t partition, int64_t first)
{
    open_partition(&balance->panes, partition, first);
}

static void count(struct balance *balance, struct span model, enum balance_count what,
                  uint64_t more)
{
    const struct span name = model.size == 0 ? span_text("?") : model;
    struct row *row = table_find(balance->rows, name);
    if (row == NULL) {
        row = heap_zeroed(1, sizeof *row);
        row->model = span_copied(name);
        (void)table_put(balance->rows, name, row);
    }
    row->counts[what] += more;
}

void balance_uncounted(struct balance *balance, struct span model, enum balance_count why)
{
    count(balance, model, why, 1);
}

static struct pane_key key_copied(const struct pane_key *key, char **out_text)
{
    struct pane_key copy = *key;
    char *text = heap_zeroed(key->model.size + key->version.size + 1, 1);
    if (key->model.size > 0)
        memcpy(text, key->model.bytes, key->model.size);
    if (key->version.size > 0)
        memcpy(text + key->model.size, key->version.bytes, key->version.size);
    copy.model = span_of(text, key->model.size);
    copy.version = span_of(text + key->model.size, key->version.size);
    copy.segment = span_of(NULL, 0);
    *out_text = text;
    return copy;
}

static struct account *account_of(struct balance *balance, const struct pane_key *key,
                                  int32_t partition)
{
    struct buffer name = {0};
    pane_key_write(key, &name);
    buffer_format(&name, "@%d", (int)partition);
    struct account *account = table_find(balance->accounts, buffer_span(&name));
    if (account == NULL) {
        account = heap_zeroed(1, sizeof *account);
        account->key = key_copied(key, &account->text);
        account->partition = partition;
        account->closes_ms = INT64_MAX;
        (void)table_put(balance->accounts, buffer_span(&name), account);
    }
    buffer_fini(&name);
    return account;
}

void balance_event(struct balance *balance, const struct pane_key *key, int64_t closes_ms,
                   int32_t partition, bool counts)
{
    struct account *account = account_of(balance, key, partition);
    account->closes_ms = closes_ms;
    account->events++;
    account->counted += counts;
}

void balance_clock(struct balance *balance, int32_t partition, int64_t time_ms)
{
    if (partition < 0)
        return;
    const size_t index = (size_t)partition;
    if (index >= balance->clock_count) {
        balance->clocks = heap_resized(balance->clocks, index + 1, sizeof *balance->clocks);
        for (size_t i = balance->clock_count; i <= index; i++)
            balance->clocks[i] = INT64_MIN;
        balance->clock_count = index + 1;
    }
    if (time_ms > balance->clocks[index])
        balance->clocks[index] = time_ms;
}

static char *pane_text(const struct pane_key *key, int32_t partition)
{
    struct buffer text = {0};
    pane_key_write(key, &text);
    buffer_format(&text, " of partition %d", (int)partition);
    char *copy = span_copied(buffer_span(&text));
    buffer_fini(&text);
    return copy;
}

/* Panes of one partition of inference.validated are published in the order of their closing: where
 * panes were eaten, the first that is left says how far. */
static void note_start(struct balance *balance, const struct pane_key *key, int32_t partition,
                       struct place place)
{
    const int32_t name[2] = {place.partition, partition};
    const struct span where = span_of(name, sizeof name);
    if (table_find(balance->pane_starts, where) != NULL)
        return;
    int64_t *end_ms = heap_zeroed(1, sizeof *end_ms);
    *end_ms = key->end_ms;
    (void)table_put(balance->pane_starts, where, end_ms);
}

void balance_pane(struct balance *balance, const struct pane_key *key,
                  const struct pane_offsets *source, uint64_t rows, struct place place)
{
    const int32_t partition = source->partition;
    struct account *account = account_of(balance, key, partition);
    note_start(balance, key, partition, place);
    if ((size_t)partition < balance->sources.count &&
        source->first < balance->sources.list[partition])
        account->source_eaten = true;
    if (!account->published) {
        account->published = true;
        account->rows = rows;
        return;
    }
    account->doubled += rows;
    char *text = difference_place(place);
    difference_add(balance->differences, "doubled_pane", pane_text(key, partition),
                   heap_format("published again at %s, with %" PRIu64 " rows", text, rows));
    heap_release(text);
    count(balance, key->model, BALANCE_DOUBLED, rows);
}

/* May panes of this model and source that end so early have been eaten? */
static bool is_eaten(const struct balance *balance, struct span model, int32_t partition,
                     int64_t end_ms)
{
    if (balance->panes.count == 0)
        return false;
    const int32_t place = topic_partition(model, (int32_t)balance->panes.count);
    if (balance->panes.list[place] == 0)
        return false;
    const int32_t name[2] = {place, partition};
    const int64_t *start_ms = table_find(balance->pane_starts, span_of(name, sizeof name));
    return start_ms == NULL || end_ms <= *start_ms;
}

static bool is_closed(const struct balance *balance, const struct account *account)
{
    const size_t index = (size_t)account->partition;
    return account->published ||
           (index < balance->clock_count && balance->clocks[index] > account->closes_ms);
}

static void settle_account(struct balance *balance, const struct account *account)
{
    const struct span model = account->key.model;
    const bool on_time = account->key.part == PART_ON_TIME;
    const enum balance_count good = on_time ? BALANCE_ON_TIME : BALANCE_LATE;
    if (!is_closed(balance, account)) {
        count(balance, model, BALANCE_OPEN, account->counted);
        return;
    }
    if (!account->published && is_eaten(balance, model, account->partition, account->key.end_ms)) {
        count(balance, model, BALANCE_OUT_OF_REACH, account->counted);
        return;
    }
    uint64_t lost = 0;
    if (account->events > account->rows) {
        lost = account->events - account->rows;
        difference_add(balance->differences, "lost", pane_text(&account->key, account->partition),
                       heap_format("%" PRIu64 " validated events, %" PRIu64 " rows in the pane",
                                   account->events, account->rows));
    } else if (account->rows > account->events && !account->source_eaten) {
        difference_add(balance->differences, "unsourced",
                       pane_text(&account->key, account->partition),
                       heap_format("%" PRIu64 " rows in the pane, %" PRIu64 " validated events",
                                   account->rows, account->events));
    }
    const uint64_t missing = lost < account->counted ? lost : account->counted;
    count(balance, model, BALANCE_LOST, missing);
    count(balance, model, good, account->counted - missing);
}

/* ---- Measurements */

static int window_order(const struct pane_key *left, const struct pane_key *right)
{
    int order = span_order(left->model, right->model);
    order = order != 0 ? order : span_order(left->version, right->version);
    order = order != 0 ? order : (int)left->role - (int)right->role;
    if (order == 0 && left->start_ms != right->start_ms)
        order = left->start_ms < right->start_ms ? -1 : 1;
    return order;
}

static int account_order(const void *left_, const void *right_)
{
    const struct account *const *left = left_, *const *right = right_;
    return window_order(&(*left)->key, &(*right)->key);
}

static void note_window(struct balance *balance, const struct pane_key *key, uint64_t n_current,
                        struct place place)
{
    struct buffer name = {0};
    pane_key_write(key, &name);
    struct window *window = table_find(balance->windows, buffer_span(&name));
    if (window == NULL) {
        window = heap_zeroed(1, sizeof *window);
        window->key = key_copied(key, &window->text);
        window->n_current = n_current;
        window->place = place;
        (void)table_put(balance->windows, buffer_span(&name), window);
    } else if (window->n_current != n_current) {
        difference_add(balance->differences, "window", difference_place(place),
                       heap_format("n_current is %" PRIu64 ", and %" PRIu64
                                   " in another measurement of its window",
                                   n_current, window->n_current));
    }
    buffer_fini(&name);
}

void balance_measurement(struct balance *balance, const char *id, int32_t revision,
                         const struct pane_key *window, uint64_t n_current, struct place place)
{
    char *name = heap_format("%s@%d", id, (int)revision);
    if (table_put(balance->measurements, span_text(name), balance) != NULL)
        difference_add(balance->differences, "doubled_measurement", difference_place(place),
                       heap_format("%s revision %d is there twice", id, (int)revision));
    else if (revision == 0)
        note_window(balance, window, n_current, place);
    heap_release(name);
}

/* The first account of the window's model, version and role that begins in it or later. */
static size_t first_in(const struct balance *balance, const struct pane_key *window)
{
    size_t low = 0, high = table_count(balance->accounts);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (window_order(&balance->sorted[middle]->key, window) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_same_series(const struct pane_key *left, const struct pane_key *right)
{
    return span_equal(left->model, right->model) && span_equal(left->version, right->version) &&
           left->role == right->role;
}

/* Panes of an older contract revision count only if their cells are the same: then what is known is
 * a least and a most. */
static void settle_window(struct balance *balance, const struct window *window)
{
    const struct pane_key *key = &window->key;
    uint64_t most = 0, newest = 0;
    int32_t revision = INT32_MIN;
    for (size_t i = first_in(balance, key); i < table_count(balance->accounts); i++) {
        const struct account *account = balance->sorted[i];
        if (!is_same_series(&account->key, key) || account->key.start_ms >= key->end_ms)
            break;
        if (account->key.part != PART_ON_TIME || account->rows == 0)
            continue;
        most += account->rows;
        if (account->key.revision > revision) {
            revision = account->key.revision;
            newest = 0;
        }
        newest += account->key.revision == revision ? account->rows : 0;
    }
    for (size_t q = 0; q < balance->clock_count; q++)
        if (is_eaten(balance, key->model, (int32_t)q, key->start_ms))
            return;
    if (window->n_current >= newest && window->n_current <= most)
        return;
    difference_add(balance->differences, "window", difference_place(window->place),
                   heap_format("n_current is %" PRIu64 ", and the panes of its window have %" PRIu64
                               " rows on time",
                               window->n_current, most));
}

/* ---- The end */

void balance_settle(struct balance *balance)
{
    const size_t count = table_count(balance->accounts);
    balance->sorted = heap_zeroed(count + 1, sizeof *balance->sorted);
    struct table_entry *accounts = table_sorted(balance->accounts);
    for (size_t i = 0; i < count; i++) {
        balance->sorted[i] = accounts[i].value;
        settle_account(balance, balance->sorted[i]);
    }
    heap_release(accounts);
    if (count > 1)
        qsort(balance->sorted, count, sizeof(struct account *), account_order);
    struct table_entry *windows = table_sorted(balance->windows);
    for (size_t i = 0; i < table_count(balance->windows); i++)
        settle_window(balance, windows[i].value);
    heap_release(windows);
}

size_t balance_rows(const struct balance *balance)
{
    return table_count(balance->rows);
}

struct balance_row balance_row(const struct balance *balance, size_t index)
{
    REQUIRE(index < table_count(balance->rows));
    struct table_entry *entries = table_sorted(balance->rows);
    const struct row *row = entries[index].value;
    struct balance_row out = {.model = row->model};
    memcpy(out.counts, row->counts, sizeof out.counts);
    heap_release(entries);
    return out;
}

/* Releases what release gives back of each value, the values and the table. */
static void table_finish(struct table *table, void (*release)(void *value))
{
    size_t cursor = 0;
    for (void *value; (value = table_next(table, &cursor, NULL)) != NULL;) {
        if (release != NULL)
            release(value);
        heap_release(value);
    }
    table_destroy(table);
}

static void account_release(void *value)
{
    heap_release(((struct account *)value)->text);
}

static void window_release(void *value)
{
    heap_release(((struct window *)value)->text);
}

static void row_release(void *value)
{
    heap_release(((struct row *)value)->model);
}

void balance_destroy(struct balance *balance)
{
    if (balance == NULL)
        return;
    table_finish(balance->accounts, account_release);
    table_finish(balance->windows, window_release);
    table_finish(balance->rows, row_release);
    table_finish(balance->pane_starts, NULL);
    table_destroy(balance->measurements);
    heap_release(balance->sources.list);
    heap_release(balance->panes.list);
    heap_release(balance->clocks);
    heap_release(balance->sorted);
    heap_release(balance);
}
