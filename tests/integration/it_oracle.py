"""The numbers themselves, recomputed by someone else.

Goal: agreement between our own drivers is not truth: counts and PSI must be what pandas and numpy make of the raw
files. (Sums and squares are checked by it_kill.py, in window.panes.)
Method: native PSI (20 quantile cells of the reference, cut at nearest-rank quantiles) written a second time, from its
definition, per day and column; every DRIFT measurement of the example is compared, and none may be missing.
"""
import gzip
import json

import numpy
import pandas
import pytest
import stack

DAY = 86_400_000
COLUMNS = ["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "prediction", "score"]
EMPTY_SHARE = 1e-4


@pytest.fixture(scope="module")
def events():
    with gzip.open(stack.EXAMPLE / "events.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    frame = pandas.DataFrame([row["features"] | {"prediction": row["prediction"], "score": row["scores"]["up"],
                                                 "time": row["event_time"]} for row in rows])
    return frame.assign(day=frame["time"] // DAY * DAY)


@pytest.fixture(scope="module")
def reference():
    return pandas.read_csv(stack.EXAMPLE / "reference.csv", dtype=str).map(float)   # Python parses to the last bit


@pytest.fixture(scope="module")
def measured(analyzed):
    return [json.loads(line) for line in analyzed["measurement"]]


def quantile_cuts(values):
    """The smallest value with at least k n / 20 values at or below it, ties merged, the maximum itself no cut."""
    ordered, n = numpy.sort(values), len(values)
    ranks = [-(-k * n // 20) for k in range(1, 20)]
    cuts = numpy.unique([ordered[rank - 1] for rank in ranks])
    return cuts[cuts < ordered[-1]]


def cell_counts(values, cuts, low, high):
    """[underflow, cells …, overflow]; cell i is (cut i-1, cut i]. The example has neither null nor NaN."""
    inside = values[(values >= low) & (values <= high)]
    cells = numpy.bincount(numpy.searchsorted(cuts, inside, side="left"), minlength=len(cuts) + 1)
    return numpy.concatenate([[numpy.sum(values < low)], cells, [numpy.sum(values > high)]])


def native_psi(old, new):
    cuts, low, high = quantile_cuts(old), old.min(), old.max()
    counts = numpy.array([cell_counts(side, cuts, low, high) for side in (old, new)], dtype=float)
    counts = counts[:, counts.sum(axis=0) > 0]
    p, q = (numpy.where(row == 0, EMPTY_SHARE, row / row.sum()) for row in counts)
    return float(numpy.sum((q - p) * numpy.log(q / p)))


def test_psi_is_what_numpy_says(events, reference, measured):
    drift = {(m["window_start"], m["column"]): m for m in measured if m["kind"] == "DRIFT" and m["revision"] == 0}
    days = dict(list(events.groupby("day")))
    assert set(drift) == {(day, column) for day in days for column in COLUMNS}
    for (day, column), m in drift.items():
        expected = native_psi(reference[column].to_numpy(float), days[day][column].to_numpy(float))
        assert m["metric"] == "psi" and m["window_end"] == day + DAY
        if m["state"] != "INSUFFICIENT_DATA" or m["value"] is not None:
            assert m["value"] == pytest.approx(expected, rel=1e-9, abs=1e-15), (day, column)


def test_counts_are_what_pandas_says(events, reference, measured):
    rows = events.groupby("day").size().to_dict()
    for m in measured:
        assert m["n_current"] == rows[m["window_start"]], m["id"]
        if m["kind"] == "DRIFT":
            assert m["n_reference"] == len(reference)


def test_contributions_are_parts_of_the_value(measured):
    for m in measured:
        shares = [contribution["share"] for contribution in m["contributions"]]
        assert shares == sorted(shares, reverse=True), m["id"]
        if m["kind"] == "DRIFT" and m["value"]:
            assert sum(shares) <= max(1.0, m["value"]) * (1 + 1e-9), m["id"]


def test_states_follow_from_value_bound_and_rows(measured):
    watched = {"vicprice", "vicdemand", "transfer"}
    for m in (m for m in measured if m["kind"] == "DRIFT"):
        if m["n_current"] < 30:
            assert m["state"] == "INSUFFICIENT_DATA", m["id"]
        elif m["column"] in watched and m["value"] > 1.0:   # far over any small-sample bound of 21 cells
            assert m["state"] == "BREACH", m["id"]
        elif m["column"] not in watched or m["value"] < 0.1:
            assert m["state"] == "OK", m["id"]


def test_quality_finds_nothing_wrong_where_nothing_is(events, reference, measured):
    """Nulls, ranges and unseen answers, counted by pandas: the example has none, and each day says so."""
    features = events[COLUMNS[:6]]
    assert not events[COLUMNS].isna().any().any()
    assert ((features >= 0) & (features <= 1)).all().all()
    assert set(events["prediction"]) <= set(reference["prediction"])
    quality = [m for m in measured if m["kind"] == "QUALITY"]
    assert {m["window_start"] for m in quality} == set(events["day"])
    assert {m["metric"] for m in quality} >= {"nulls", "range", "unseen"}
    assert all(m["value"] == 0 and m["state"] in ("OK", "INSUFFICIENT_DATA") for m in quality)
