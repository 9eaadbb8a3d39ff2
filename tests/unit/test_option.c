/* Goal: options say what they promise: order of origins, kinds, prefixes, repeats, messages, help.
 * Method: a table like a service's is read from arguments, the environment and a file written here;
 * each fault by its text. What is printed is read back from a file that stands in for stdout. */
#include "config/option.h"
#include "memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

static const struct option_row service_rows[] = {
    {"partitions", OPTION_NUMBER, "8", NULL, "how many partitions new topics get", false},
    {"arrival", OPTION_CHOICE, "broker", "broker|header|event-time",
     "where a record's arrival comes from, which decides whether it is late and so to which "
     "window it belongs",
     false},
    {"bounded", OPTION_FLAG, NULL, NULL, "stop when everything there has been read", false},
    {"contract", OPTION_TEXT, NULL, NULL, "a contract; may be given several times", false},
    {"f", OPTION_TEXT, NULL, NULL, "a file", false},
    {.name = NULL},
};
static const struct option_row life_rows[] = {
    {"config", OPTION_TEXT, NULL, NULL, "file of options", false},
    {"redis", OPTION_TEXT, "redis://127.0.0.1:6379", NULL, "where Redis is", false},
    {"kafka.bootstrap.servers", OPTION_TEXT, "127.0.0.1:9092", NULL, "where Kafka is", false},
    {"kafka.*", OPTION_PREFIX, NULL, NULL, "any property of librdkafka", false},
    {"transaction-interval", OPTION_DURATION, "250ms", NULL, "between commits", false},
    {"log-level", OPTION_CHOICE, "info", "debug|info|warn|error", "least level", false},
    {"token", OPTION_TEXT, NULL, NULL, "who we are", true},
    {"partitions", OPTION_NUMBER, "1", NULL, "hidden by the service's own row", false},
    {"help", OPTION_FLAG, NULL, NULL, "print this and stop", false},
    {.name = NULL},
};

static struct option_set *set_create(void)
{
    const struct option_row *const tables[] = {service_rows, life_rows};
    return option_set_create(tables, COUNT_OF(tables));
}

/* Reads the NULL-ended arguments. */
static enum fault set_read(struct option_set *set, const char *const arguments[],
                           struct reason *out_reason)
{
    char *copies[16];
    int count = 0;
    for (; arguments[count] != NULL; count++)
        copies[count] = heap_text(arguments[count]);
    const enum fault fault = option_set_read(set, count, copies, out_reason);
    for (int i = 0; i < count; i++)
        heap_release(copies[i]);
    return fault;
}
#define READ(set, reason, ...) set_read((set), (const char *const[]){__VA_ARGS__, NULL}, (reason))

static char *file_write(const char *text)
{
    char *path = heap_text("/tmp/test_option_XXXXXX");
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(file), 0);
    return path;
}

static void assert_refused(enum fault expected, const char *text, const char *const arguments[])
{
    struct option_set *set = set_create();
    struct reason reason = {{0}};
    assert_int_equal(set_read(set, arguments, &reason), expected);
    assert_string_equal(reason.text, text);
    option_set_destroy(set);
}
#define REFUSED(fault, text, ...)                                                                  \
    assert_refused((fault), (text), (const char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
    (void)state;
    struct option_set *set = set_create();
    assert_int_equal(option_set_read(set, 0, NULL, NULL), FAULT_NONE);
    assert_int_equal(option_number(set, "partitions"), 8);
    assert_string_equal(option_text(set, "arrival"), "broker");
    assert_int_equal(option_duration_ms(set, "transaction-interval"), 250);
    assert_false(option_flag(set, "bounded"));
    assert_null(option_text(set, "contract"));
    assert_null(option_text(set, "kafka.linger.ms"));
    assert_false(option_is_given(set, "partitions"));
    assert_int_equal(option_positional_count(set), 0);
    assert_string_equal(option_repeated(set, "redis", 0), "redis://127.0.0.1:6379");
    assert_null(option_repeated(set, "redis", 1));
    assert_null(option_repeated(set, "contract", 0));
    option_set_destroy(set);
    option_set_destroy(NULL);
}

static void test_arguments(void **state)
{
    (void)state;
    struct option_set *set = set_create();
    assert_int_equal(READ(set, NULL, "first", "--partitions", "32", "--arrival=header", "--bounded",
                          "-f", "x.yaml", "--contract", "a", "-", "--contract=b=c",
                          "--token=", "--", "--last"),
                     FAULT_NONE);
    assert_int_equal(option_number(set, "partitions"), 32);
    assert_string_equal(option_text(set, "arrival"), "header");
    assert_true(option_flag(set, "bounded"));
    assert_string_equal(option_text(set, "f"), "x.yaml");
    assert_string_equal(option_text(set, "token"), "");
    assert_true(option_is_given(set, "token"));
    assert_string_equal(option_text(set, "contract"), "b=c");
    assert_string_equal(option_repeated(set, "contract", 0), "a");
    assert_string_equal(option_repeated(set, "contract", 1), "b=c");
    assert_null(option_repeated(set, "contract", 2));
    assert_int_equal(option_positional_count(set), 3);
    assert_string_equal(option_positional(set, 0), "first");
    assert_string_equal(option_positional(set, 1), "-");
    assert_string_equal(option_positional(set, 2), "--last");
    option_set_destroy(set);
}

static void test_prefixes(void **state)
{
    (void)state;
    struct option_set *set = set_create();
    assert_int_equal(READ(set, NULL, "--kafka.linger.ms", "5", "--kafka.acks=all",
                          "--kafka.bootstrap.servers", "k:9092", "--kafka.linger.ms=7"),
                     FAULT_NONE);
    assert_string_equal(option_text(set, "kafka.linger.ms"), "7");
    assert_string_equal(option_text(set, "kafka.bootstrap.servers"), "k:9092");
    const char *name = NULL, *value = NULL;
    static const char *const spellings[] = {"kafka.", "kafka.*", "kafka"};
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        assert_true(option_prefixed(set, spellings[i], 0, &name, &value));
        assert_string_equal(name, "acks");
        assert_string_equal(value, "all");
        assert_true(option_prefixed(set, spellings[i], 1, &name, &value));
        assert_string_equal(name, "linger.ms");
        assert_string_equal(value, "7");
        assert_false(option_prefixed(set, spellings[i], 2, &name, &value));
    }
    option_set_destroy(set);
}

static void test_origins(void **state)
{
    (void)state;
    char *path = file_write("# options\n"
                            "partitions: 4\n"
                            "arrival: event-time\n"
                            "bounded: true\n"
                            "contract: [one, two]\n"
                            "transaction-interval: 2m\n"
                            "kafka: {linger.ms: 1, ssl: {ca.location: /ca}}\n");
    assert_int_equal(setenv("PLUMB_CONFIG", path, 1), 0);
    assert_int_equal(setenv("PLUMB_ARRIVAL", "broker", 1), 0);
    assert_int_equal(setenv("PLUMB_PARTITIONS", "5", 1), 0);
    assert_int_equal(setenv("PLUMB_KAFKA_LINGER_MS", "2", 1), 0);
    assert_int_equal(setenv("PLUMB_KAFKA_A__B___C", "3", 1), 0);
    assert_int_equal(setenv("PLUMB_SOMETHING_ELSE", "x", 1), 0);
    assert_int_equal(setenv("KAFKA_BOOTSTRAP_SERVERS", "env:9092", 1), 0);
    assert_int_equal(setenv("REDIS_URL", "redis://env", 1), 0);
    assert_int_equal(setenv("LOG_LEVEL", "warn", 1), 0);
    assert_int_equal(setenv("PLUMB_LOG_LEVEL", "debug", 1), 0);
    struct option_set *set = set_create();
    struct reason reason = {{0}};
    assert_int_equal(READ(set, &reason, "--partitions", "6"), FAULT_NONE);
    assert_int_equal(option_number(set, "partitions"), 6);
    assert_string_equal(option_text(set, "arrival"), "broker");
    assert_true(option_flag(set, "bounded"));
    assert_string_equal(option_repeated(set, "contract", 0), "one");
    assert_string_equal(option_repeated(set, "contract", 1), "two");
    assert_null(option_repeated(set, "contract", 2));
    assert_int_equal(option_duration_ms(set, "transaction-interval"), 120000);
    assert_string_equal(option_text(set, "kafka.linger.ms"), "2");
    assert_string_equal(option_text(set, "kafka.ssl.ca.location"), "/ca");
    assert_string_equal(option_text(set, "kafka.a-b_c"), "3");
    assert_string_equal(option_text(set, "kafka.bootstrap.servers"), "env:9092");
    assert_string_equal(option_text(set, "redis"), "redis://env");
    assert_string_equal(option_text(set, "log-level"), "debug");
    option_set_destroy(set);
    assert_int_equal(setenv("PLUMB_PARTITIONS", "many", 1), 0);
    REFUSED(FAULT_FILE_MALFORMED, "environment: PLUMB_PARTITIONS: not a whole number: 'many'", "x");
    static const char *const variables[] = {"PLUMB_CONFIG",
                                            "PLUMB_ARRIVAL",
                                            "PLUMB_PARTITIONS",
                                            "PLUMB_KAFKA_LINGER_MS",
                                            "PLUMB_KAFKA_A__B___C",
                                            "PLUMB_SOMETHING_ELSE",
                                            "REDIS_URL",
                                            "LOG_LEVEL",
                                            "KAFKA_BOOTSTRAP_SERVERS",
                                            "PLUMB_LOG_LEVEL"};
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        assert_int_equal(unsetenv(variables[i]), 0);
    assert_int_equal(unlink(path), 0);
    heap_release(path);
}

static void test_refused_arguments(void **state)
{
    (void)state;
    REFUSED(FAULT_OPTION_INVALID, "--partitions: not a whole number: 'x'", "--partitions", "x");
    REFUSED(FAULT_OPTION_INVALID, "--partitions: not a whole number: ' 1'", "--partitions= 1");
    REFUSED(FAULT_OPTION_INVALID, "--partitions: not a whole number: '99999999999999999999'",
            "--partitions=99999999999999999999");
    REFUSED(FAULT_OPTION_INVALID, "--arrival: not one of broker|header|event-time: 'head'",
            "--arrival", "head");
    REFUSED(FAULT_OPTION_INVALID,
            "--transaction-interval: not a duration (250ms, 30s, 1h, 7d): '10'",
            "--transaction-interval", "10");
    REFUSED(FAULT_OPTION_INVALID, "--partitons: no such option (did you mean --partitions?)",
            "--partitons", "3");
    REFUSED(FAULT_OPTION_INVALID, "--entirely: no such option", "--entirely");
    REFUSED(FAULT_OPTION_INVALID, "--kafka.: no such option", "--kafka.", "x");
    REFUSED(FAULT_OPTION_INVALID, "-redis: no such option (did you mean --redis?)", "-redis", "x");
    REFUSED(FAULT_OPTION_INVALID, "--redis: needs a value", "--redis");
    REFUSED(FAULT_OPTION_INVALID, "--redis: needs a value", "--redis", "--bounded");
    REFUSED(FAULT_OPTION_INVALID, "--bounded: takes no value", "--bounded=yes");
}

static void assert_file_refused(const char *text, const char *expected)
{
    char *path = file_write(text);
    char *whole = heap_format("%s:%s", path, expected);
    REFUSED(FAULT_FILE_MALFORMED, whole, "--config", path);
    heap_release(whole);
    assert_int_equal(unlink(path), 0);
    heap_release(path);
}

static void test_refused_files(void **state)
{
    (void)state;
    REFUSED(FAULT_FILE_UNREADABLE, "/nowhere/at/all: No such file or directory", "--config",
            "/nowhere/at/all");
    assert_file_refused("redis: x\npartitions: seven\n", "2:13: partitions: not a whole number: "
                                                         "'seven'");
    assert_file_refused("partitons: 3\n",
                        "1:12: partitons: no such option (did you mean partitions?)");
    assert_file_refused("redis: {host: x}\n", "1:8: redis: a value is needed here");
    assert_file_refused("- redis\n", "1:1: NAME: value is expected");
    assert_file_refused("redis: x\nredis: y\n", "2:1: key 'redis' again, first in line 1");
}

static void test_durations(void **state)
{
    (void)state;
    int64_t ms = -1;
    assert_true(option_parse_duration("0ms", &ms));
    assert_int_equal(ms, 0);
    assert_true(option_parse_duration("250ms", &ms));
    assert_int_equal(ms, 250);
    assert_true(option_parse_duration("30s", &ms));
    assert_int_equal(ms, 30000);
    assert_true(option_parse_duration("2m", &ms));
    assert_int_equal(ms, 120000);
    assert_true(option_parse_duration("1h", &ms));
    assert_int_equal(ms, 3600000);
    assert_true(option_parse_duration("3650d", &ms));
    assert_int_equal(ms, 315360000000);
    static const char *const refused[] = {"",
                                          "1",
                                          "h",
                                          "-1h",
                                          "1.5h",
                                          "1 h",
                                          "1w",
                                          "1hh",
                                          "+1h",
                                          "99999999999999999999ms",
                                          "106751991168d",
                                          "1h "};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_false(option_parse_duration(refused[i], &ms));
    assert_int_equal(ms, 315360000000);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"threshold", "columns", "window", "warn", "max", NULL};
    assert_string_equal(option_nearest("treshold", names), "threshold");
    assert_string_equal(option_nearest("colunms", names), "columns");
    assert_string_equal(option_nearest("windows", names), "window");
    assert_string_equal(option_nearest("mx", names), "max");
    assert_null(option_nearest("", names));
    assert_null(option_nearest("x", names));
    assert_null(option_nearest("severity", names));
    char name[200];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_null(option_nearest(name, names));
}

/* What the call prints to stdout; heap text. */
static char *printed(const struct option_set *set, bool help)
{
    (void)fflush(stdout);
    FILE *file = tmpfile();
    assert_non_null(file);
    const int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    if (help)
        option_help(set, "plumb-validator [OPTION…]", "checks every record and says why not");
    else
        option_print(set);
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    assert_int_equal(close(kept), 0);
    rewind(file);
    char *text = heap_zeroed(1, 16384);
    const size_t size = fread(text, 1, 16383, file);
    assert_true(size > 0 && size < 16383);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void test_help(void **state)
{
    (void)state;
    struct option_set *set = set_create();
    assert_int_equal(READ(set, NULL, "-h"), FAULT_NONE);
    assert_true(option_flag(set, "help"));
    char *text = printed(set, true);
    assert_non_null(strstr(text, "checks every record and says why not\n\nusage: plumb-validator"));
    assert_non_null(strstr(text, "  --partitions NUMBER       how many partitions new topics get "
                                 "(default: 8)\n"));
    assert_non_null(strstr(text, "  --arrival broker|header|event-time\n"
                                 "                            where a record's arrival"));
    assert_non_null(strstr(text, "  -f TEXT                   a file\n"));
    assert_non_null(strstr(text, "  --kafka.NAME VALUE        any property of librdkafka\n"));
    assert_null(strstr(text, "hidden by the service's own row"));
    for (const char *line = text; *line != 0; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    heap_release(text);
    option_set_destroy(set);
}

static void test_print(void **state)
{
    (void)state;
    struct option_set *set = set_create();
    assert_int_equal(READ(set, NULL, "--token", "abc", "--kafka.sasl.password=p1",
                          "--kafka.acks=all", "--redis=redis://me:pw@host:1/0", "--contract=a",
                          "--contract=b"),
                     FAULT_NONE);
    char *text = printed(set, false);
    assert_string_equal(text, "partitions=8  # default\n"
                              "arrival=broker  # default\n"
                              "contract=a  # argument\n"
                              "contract=b  # argument\n"
                              "redis=redis://me:***@host:1/0  # argument\n"
                              "kafka.bootstrap.servers=127.0.0.1:9092  # default\n"
                              "kafka.acks=all  # argument\n"
                              "kafka.sasl.password=***  # argument\n"
                              "transaction-interval=250ms  # default\n"
                              "log-level=info  # default\n"
                              "token=***  # argument\n");
    heap_release(text);
    option_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
