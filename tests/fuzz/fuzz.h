/* fuzz.h: what a fuzz target defines: one input, which must neither crash, leak nor hang. */
#ifndef FUZZ_H
#define FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
#endif
