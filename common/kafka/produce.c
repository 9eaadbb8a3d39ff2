#include "kafka/produce.h"

static void *unqualified(const uint8_t *bytes)
{
    return (void *)(uintptr_t)bytes; /* librdkafka copies (F_COPY) and does not write through it */
}

static rd_kafka_headers_t *headers_of(const struct record *record)
{
    if (record->header_count == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct header *header = &record->headers[i];
        (void)rd_kafka_header_add(headers, header->name, -1, header->value.bytes,
                                  (ssize_t)header->value.size);
    }
    return headers;
}

rd_kafka_resp_err_t produce_record(rd_kafka_t *producer, rd_kafka_topic_t *topic,
                                   const struct record *record)
{
    rd_kafka_headers_t *headers = headers_of(record);
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = unqualified(record->key.bytes), .size = record->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = unqualified(record->value.bytes), .size = record->value.size}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(producer, fields, headers == NULL ? 5 : 6);
    if (error == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    /* A full queue leaves the headers ours. Other refusals may have freed them (librdkafka
     * before 2.12, issue 4628): they end the transaction or the command, so a leak is the lesser
     * evil. */
    if (headers != NULL && code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_headers_destroy(headers);
    return code;
}
