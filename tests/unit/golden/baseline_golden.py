#!/usr/bin/env python3
"""Writes baseline_golden.json: the cut and counts of services/example/reference.csv, straight from the definition.

Numbers: the smallest value with at least k n / 20 values <= it, k = 1 to 19, ties merged, the maximum dropped; counts are
[underflow, cells, overflow, null, nan, unseen]. prediction is a category. Run: baseline_golden.py reference.csv >
baseline_golden.json
"""
import csv
import json
import sys
from fractions import Fraction

with open(sys.argv[1], newline="") as file:
    rows = list(csv.DictReader(file))

columns = {}
for name in ["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "score"]:
    values = sorted(float(row[name]) for row in rows)
    cuts = []
    for k in range(1, 20):
        cut = next(value for i, value in enumerate(values)
                   if i + 1 >= Fraction(k * len(values), 20))
        if cut < values[-1] and cut not in cuts:
            cuts.append(cut)
    bounds = cuts + [values[-1]]
    cells = [sum(1 for value in values if value <= high and (i == 0 or value > bounds[i - 1]))
             for i, high in enumerate(bounds)]
    columns[name] = {"cuts": cuts, "minimum": values[0], "maximum": values[-1], "values": [],
                     "counts": [0] + cells + [0, 0, 0, 0]}
answers = sorted({row["prediction"] for row in rows})
columns["prediction"] = {"cuts": [], "minimum": None, "maximum": None, "values": answers,
                         "counts": [sum(row["prediction"] == answer for row in rows) for answer in answers] + [0, 0, 0]}
print(json.dumps({"rows": len(rows), "columns": columns}, indent=1))
