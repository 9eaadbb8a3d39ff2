#!/usr/bin/env python3
"""Writes exact_sum_golden.jsonl: lists of doubles and their exact sums, by Python's rational arithmetic.

Each line: kind (sum | squares), values and the correctly rounded sum as hexadecimal doubles, and the canonical record
(limbs of 32 bits from 2^-1074 up, of the sum's sign). Squares are cut off below 2^-1074; those of |value| >= 2^512 count as
2^1024. Run: exact_sum_golden.py > exact_sum_golden.jsonl
"""
import json
import math
import random
import struct
from fractions import Fraction

UNIT = Fraction(1, 2**1074)
random.seed(20150521)


def any_double():
    while True:
        (value,) = struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))
        if math.isfinite(value):
            return value


def near(exponent, spread):
    return math.ldexp(random.uniform(-1, 1), exponent + random.randint(-spread, spread))


def square_units(value):
    if abs(value) >= 2.0**512:
        return 2 ** (1024 + 1074)
    return (Fraction(value) ** 2 / UNIT).__floor__()


def rounded(units):
    try:
        return float(units * UNIT)
    except OverflowError:
        return math.copysign(math.inf, -1 if units < 0 else 1)


def line(kind, values):
    if kind == "sum":
        units = int(sum(Fraction(value) for value in values) / UNIT)
    else:
        units = sum(square_units(value) for value in values)
    sign, rest, limbs = (-1 if units < 0 else 1), abs(units), []
    while rest:
        limbs.append(sign * (rest & 0xFFFFFFFF))
        rest >>= 32
    first = 0
    while limbs and limbs[0] == 0:
        limbs.pop(0)
        first += 1
    sum_text = rounded(units).hex()
    print(json.dumps({"kind": kind, "values": [value.hex() for value in values], "sum": sum_text,
                      "record": {"first": first, "limbs": limbs}}))


TINY, HUGE = 2.0**-1074, math.ldexp(2 - 2.0**-52, 1023)
SPECIAL = [
    [], [0.0], [-0.0], [-0.0, -0.0], [1.0, -1.0], [1e308, 1.0, -1e308], [0.1] * 10, [TINY], [-TINY, TINY], [TINY] * 7,
    [HUGE], [HUGE, HUGE], [-HUGE, -HUGE], [HUGE, HUGE, -HUGE], [HUGE, 2.0**969], [HUGE, 2.0**970],
    [HUGE, 2.0**970, -TINY], [-HUGE, -(2.0**970)], [2.0**-1022, -TINY], [2.0**-1022 - TINY, TINY],
    [1.0, 2.0**-53], [1.0, 2.0**-53, TINY], [1.0, 2.0**-53, -TINY], [1.0 + 2.0**-52, 2.0**-53],
    [-1.0, -(2.0**-53)], [-1.0, -(2.0**-53), -TINY], [2.0**32, -1.0], [2.0**64, -TINY], [-(2.0**64), TINY],
    [1e16, 1.0, -1e16], [1.5 * 2.0**-1074 * 2, TINY], [2.0**1023, -(2.0**1023), 3.0],
]
for values in SPECIAL:
    line("sum", values)
    line("squares", values)
for value in [2.0**-500, 2.0**-537, 1.5 * 2.0**-537, 2.0**-538, 3.0 * 2.0**-512, 2.0**-511 * (1 + 2.0**-52), 2.0**500,
              2.0**511 * (2 - 2.0**-52), 2.0**512, -(2.0**512), 1e200, 1e160, 1.0 + 2.0**-52, 0.1, -0.1]:
    line("squares", [value])
    line("squares", [value, TINY, 1.0])
for count in [1, 2, 3, 5, 10, 30]:
    for _ in range(12):
        line("sum", [any_double() for _ in range(count)])
        line("squares", [any_double() for _ in range(count)])
        scale = random.randint(-1000, 1000)
        line("sum", [near(scale, 5) for _ in range(count)])
        line("squares", [near(random.randint(-560, 530), 40) for _ in range(count)])
        half = [near(scale, 30) for _ in range(count)]
        line("sum", half + [-value for value in half] + [near(scale - 60, 3)])
        line("sum", [near(-1060, 20) for _ in range(count)])
