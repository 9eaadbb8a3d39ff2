#include "redis/store_slot.h"

static uint16_t crc16(struct span text)
{
    unsigned crc = 0;
    for (size_t i = 0; i < text.size; i++) {
        crc ^= (unsigned)text.bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000u) != 0 ? (crc << 1) ^ 0x1021u : crc << 1;
        crc &= 0xffffu;
    }
    return (uint16_t)crc;
}

uint16_t store_slot(struct span key)
{
    const uint8_t *open = key.size == 0 ? NULL : memchr(key.bytes, '{', key.size);
    if (open != NULL) {
        const size_t left = key.size - (size_t)(open + 1 - key.bytes);
        const uint8_t *close = memchr(open + 1, '}', left);
        if (close != NULL && close > open + 1)
            key = span_of(open + 1, (size_t)(close - open - 1));
    }
    return crc16(key) % STORE_SLOT_COUNT;
}

bool store_redirect_read(struct span text, struct store_redirect *out_redirect)
{
    char words[320], verb[8], place[300];
    unsigned slot;
    if (text.size >= sizeof words)
        return false;
    memcpy(words, text.bytes, text.size);
    words[text.size] = '\0';
    if (sscanf(words, "%7s %5u %299s", verb, &slot, place) != 3 || slot >= STORE_SLOT_COUNT)
        return false;
    struct store_redirect redirect = {.ask = strcmp(verb, "ASK") == 0, .slot = (uint16_t)slot};
    if (!redirect.ask && strcmp(verb, "MOVED") != 0)
        return false;
    char *colon = strrchr(place, ':'); /* the last: an IPv6 address has several */
    if (colon == NULL || colon - place >= (long)sizeof redirect.host)
        return false;
    char *rest;
    const long port = strtol(colon + 1, &rest, 10);
    if (*rest != '\0' || port < 1 || port > 65535)
        return false;
    redirect.port = (int)port;
    const size_t size = (size_t)(colon - place);
    if (size != 1 || place[0] != '?') /* ?: it does not know its own name */
        memcpy(redirect.host, place, size);
    *out_redirect = redirect;
    return true;
}
