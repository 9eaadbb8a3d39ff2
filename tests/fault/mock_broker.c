/* mock_broker.c: librdkafka's mock cluster as a process that a real service connects to.
 *
 *   mock_broker BROKERS TOPIC:PARTITIONS…     first says "bootstrap HOST:PORT,…"
 *
 * Then it reads a command a line, and answers "ok" or "no: why" to each; the end of its input ends
 * it:
 *
 *   errors API NAME COUNT          the next COUNT requests of this kind are answered by this error
 *   error BROKER API NAME          the next one at this broker
 *   clear API                      no more
 *   down|up BROKER                 BROKER from 1
 *   rtt BROKER MS
 *   coordinator group|transaction KEY BROKER
 *   leader TOPIC PARTITION BROKER
 *
 * The mock knows neither aborts nor committed offsets of transactions: it is for errors, not for
 * exactly once.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 5, ERRORS_MAX = 1000 };

static const struct api {
    const char *name;
    int16_t key;
} apis[] = {
    {"Produce", 0},          {"Fetch", 1},           {"ListOffsets", 2},
    {"Metadata", 3},         {"OffsetFetch", 9},     {"FindCoordinator", 10},
    {"JoinGroup", 11},       {"Heartbeat", 12},      {"LeaveGroup", 13},
    {"SyncGroup", 14},       {"InitProducerId", 22}, {"AddPartitionsToTxn", 24},
    {"AddOffsetsToTxn", 25}, {"EndTxn", 26},         {"TxnOffsetCommit", 28},
};

static const char no_such_api[] = "no such API", no_such_error[] = "no such error",
                  refused[] = "refused", usage[] = "no such command";

static int16_t api_of(const char *name)
{
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        if (strcmp(apis[i].name, name) == 0)
            return apis[i].key;
    }
    return -1;
}

static rd_kafka_resp_err_t error_of(const char *name)
{
    const struct rd_kafka_err_desc *list;
    size_t count;
    rd_kafka_get_err_descs(&list, &count);
    for (size_t i = 0; i < count; i++) {
        if (list[i].name != NULL && strcmp(list[i].name, name) == 0)
            return list[i].code;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/* NULL: done; else why not. */
static const char *push_errors(rd_kafka_mock_cluster_t *cluster, char *const words[])
{
    const int16_t api = api_of(words[1]);
    const rd_kafka_resp_err_t error = error_of(words[2]);
    const size_t count = (size_t)strtoul(words[3], NULL, 10);
    if (api < 0)
        return no_such_api;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || count > ERRORS_MAX)
        return no_such_error;
    rd_kafka_resp_err_t errors[ERRORS_MAX];
    for (size_t i = 0; i < count; i++)
        errors[i] = error;
    rd_kafka_mock_push_request_errors_array(cluster, api, count, errors);
    return NULL;
}

static const char *push_error(rd_kafka_mock_cluster_t *cluster, char *const words[])
{
    const int16_t api = api_of(words[2]);
    const rd_kafka_resp_err_t error = error_of(words[3]);
    if (api < 0)
        return no_such_api;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return no_such_error;
    const int broker = number(words[1]);
    return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api, 1, error, 0) ==
                   RD_KAFKA_RESP_ERR_NO_ERROR
               ? NULL
               : refused;
}

static const char *clear_errors(rd_kafka_mock_cluster_t *cluster, const char *name)
{
    const int16_t api = api_of(name);
    if (api < 0)
        return no_such_api;
    rd_kafka_mock_clear_request_errors(cluster, api);
    return NULL;
}

static const char *obey(rd_kafka_mock_cluster_t *cluster, char *const words[], size_t count)
{
    rd_kafka_resp_err_t error;
    if (count == 4 && strcmp(words[0], "errors") == 0)
        return push_errors(cluster, words);
    if (count == 4 && strcmp(words[0], "error") == 0)
        return push_error(cluster, words);
    if (count == 2 && strcmp(words[0], "clear") == 0)
        return clear_errors(cluster, words[1]);
    if (count == 2 && strcmp(words[0], "down") == 0)
        error = rd_kafka_mock_broker_set_down(cluster, number(words[1]));
    else if (count == 2 && strcmp(words[0], "up") == 0)
        error = rd_kafka_mock_broker_set_up(cluster, number(words[1]));
    else if (count == 3 && strcmp(words[0], "rtt") == 0)
        error = rd_kafka_mock_broker_set_rtt(cluster, number(words[1]), number(words[2]));
    else if (count == 4 && strcmp(words[0], "coordinator") == 0)
        error = rd_kafka_mock_coordinator_set(cluster, words[1], words[2], number(words[3]));
    else if (count == 4 && strcmp(words[0], "leader") == 0)
        error = rd_kafka_mock_partition_set_leader(cluster, words[1], number(words[2]),
                                                   number(words[3]));
    else
        return usage;
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : refused;
}

static void listen_to(rd_kafka_mock_cluster_t *cluster)
{
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[WORDS_MAX], *rest = line;
        size_t count = 0;
        while (count < WORDS_MAX && (words[count] = strtok_r(rest, " \n", &rest)) != NULL)
            count++;
        const char *why = count == 0 ? usage : obey(cluster, words, count);
        (void)printf("%s%s\n", why == NULL ? "ok" : "no: ", why == NULL ? "" : why);
        (void)fflush(stdout);
    }
}

int main(int argc, char *argv[])
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: mock_broker BROKERS TOPIC:PARTITIONS...\n");
        return 2;
    }
    char text[200];
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    rd_kafka_mock_cluster_t *cluster =
        client == NULL ? NULL : rd_kafka_mock_cluster_new(client, number(argv[1]));
    if (cluster == NULL) {
        (void)fprintf(stderr, "mock_broker: no cluster\n");
        return 70;
    }
    for (int i = 2; i < argc; i++) {
        char *colon = strchr(argv[i], ':');
        if (colon == NULL)
            return 2;
        *colon = '\0';
        if (rd_kafka_mock_topic_create(cluster, argv[i], number(colon + 1), 1) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return 70;
    }
    (void)printf("bootstrap %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    (void)fflush(stdout);
    listen_to(cluster);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(client);
    return 0;
}
