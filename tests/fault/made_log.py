"""A log made for the tests, and what a second, independent implementation says of it: nothing here is shared with C.

Goal: many events (two versions, several columns, late ones, too late ones, broken ones) whose windows are known
exactly: values are multiples of 2^-20 below 16, so sums and sums of squares are integers of numpy.
"""
import collections
import fractions
import json
import subprocess

import numpy
import pane_ledger
import result_set
import stack

PANE, WINDOW, LATENESS, CORRECTION = 60_000, 300_000, 30_000, 300_000
START = 1_600_000_200_000 // WINDOW * WINDOW
STEP = 60                   # ms of the log's time from one arrival to the next
SCALE = 1 << 20
COLUMNS = ["x0", "x1", "x2", "x3"]
KINDS = ["red", "green", "blue"]
CONTRACT = """\
model: chaos
task: regression
owner: nobody
runbook: https://runbooks.example/chaos
columns:
  x0: {type: number, range: [0, 16]}
  x1: {type: number, range: [0, 16]}
  x2: {type: number, range: [0, 16]}
  x3: {type: number, range: [0, 16]}
  kind: {type: category, values: [red, green, blue]}
windows: {pane: 1m, rolling: [5m], lateness: 30s, correction: 5m}
monitors:
  - {drift: psi, columns: [x0, x1, x2, x3, kind], window: 5m, reference: baseline, warn: 0.1, critical: 0.25}
  - {quality: nulls, columns: "*", window: 5m, max: 0}
retrain: {when: [drift.critical], for: 3 windows, cooldown: 3650d, min_labels: 0}
"""
ONE_BAD_OF = 200
BAD = ['{"event_id": "bad", "event_ti', 'nothing of the kind', '[1, 2]', None, None, None]   # None: a field is wrong
BATCH = 100_000


class MadeLog:
    """count events by a seed: files in a folder, and the columns as arrays."""

    def __init__(self, folder, count, seed):
        self.folder, self.count = folder, count
        self.contract, self.reference, self.path = folder / "made.yaml", folder / "made.csv", folder / "made.jsonl"
        self.contract.write_text(CONTRACT)
        random = numpy.random.default_rng(seed)
        self.write_reference(random)
        numbers = numpy.arange(count)
        self.arrival = START + numbers * STEP
        luck = random.random(count)
        delay = random.integers(0, 2_000, count)
        delay[luck < 0.03] += random.integers(LATENESS, CORRECTION, count)[luck < 0.03]
        delay[luck < 0.005] += 2 * CORRECTION
        self.time = self.arrival - delay
        self.version = random.integers(1, 3, count)
        self.values = [self.column(random, place) for place in range(len(COLUMNS))]
        self.kind = random.integers(0, len(KINDS), count)
        self.bad = random.integers(0, ONE_BAD_OF, count) == 0
        self.bad[0] = False
        self.write()

    def column(self, random, place):
        """Half-way through, one column begins to drift: alerts and a retraining follow."""
        units = random.integers(0, 8 * SCALE, self.count)
        if place == 1:
            units[self.count // 2:] += 6 * SCALE
        return units

    def write_reference(self, random):
        rows = random.integers(0, 8 * SCALE, (2_000, len(COLUMNS))) / SCALE
        lines = [",".join([*map(repr, map(float, row)), KINDS[number % 3], "0.5"]) for number, row in enumerate(rows)]
        self.reference.write_text("\n".join([",".join([*COLUMNS, "kind", "prediction"]), *lines]) + "\n")

    def write(self):
        with open(self.path, "w") as file:
            for first in range(0, self.count, BATCH):
                part = slice(first, first + BATCH)
                columns = [(units[part] / SCALE).tolist() for units in self.values]
                file.writelines(self.line(first + place, *fields) for place, fields in enumerate(zip(
                    self.arrival[part].tolist(), self.time[part].tolist(), self.version[part].tolist(),
                    self.bad[part].tolist(), self.kind[part].tolist(), *columns)))

    def line(self, number, arrival, time, version, bad, kind, *values):
        features = ", ".join(f'"{name}": {value!r}' for name, value in zip(COLUMNS, values))
        model = "chaos"
        if bad:
            text = BAD[number % len(BAD)]
            if text is not None:
                return text + "\n"
            wrong = ('"x2": ', '"x9": ') if number % 2 else ('"x0": ', '"x0": "high", "y": ')
            features = features.replace(*wrong)
            model = "nobody" if number % 5 == 0 else model
        return (f'{{"event_id": "e{number}", "event_time": {time}, "arrival_time": {arrival}, '
                f'"model_name": "{model}", "model_version": "{version}", '
                f'"features": {{{features}, "kind": "{KINDS[kind]}"}}, "prediction": 0.5}}\n')

    # ---- What must be found

    def expected_panes(self):
        """(version, start, part) → [events, per column: rows, sum, squares, least, greatest], in units of 1/SCALE."""
        start = self.time // PANE * PANE
        part = numpy.where(self.arrival <= start + PANE + LATENESS, 0,
                           numpy.where(self.arrival <= start + PANE + CORRECTION, 1, 2))
        good = ~self.bad & (part < 2)
        keys = numpy.stack([self.version[good], start[good], part[good]])
        unique, place = numpy.unique(keys, axis=1, return_inverse=True)
        order = numpy.argsort(place, kind="stable")
        cuts = numpy.flatnonzero(numpy.diff(place[order], prepend=-1))
        counts = numpy.diff(numpy.append(cuts, len(order)))
        panes = {tuple(key): [count] for key, count in zip(unique.T.tolist(), counts.tolist())}
        for units in self.values:
            sorted_units = units[good][order]
            found = [numpy.add.reduceat(sorted_units, cuts), numpy.add.reduceat(sorted_units * sorted_units, cuts),
                     numpy.minimum.reduceat(sorted_units, cuts), numpy.maximum.reduceat(sorted_units, cuts)]
            for key, *numbers in zip(unique.T.tolist(), *(array.tolist() for array in found)):
                panes[tuple(key)].append([panes[tuple(key)][0], *numbers])
        return panes

    @staticmethod
    def expected_windows(panes):
        """(version, start, revision) → rows. Revision 1 only where something came late."""
        parts = collections.defaultdict(lambda: [0, 0])
        for (version, start, part), (events, *_) in panes.items():
            parts[version, start // WINDOW * WINDOW][part] += events
        windows = {}
        for (version, start), (on_time, late) in parts.items():
            windows[version, start, 0] = on_time
            if late:
                windows[version, start, 1] = on_time + late
        return windows

    # ---- What was found

    @staticmethod
    def found_panes(bootstrap):
        panes = {}
        for _, value, _ in pane_ledger.records_of(bootstrap, "window.panes"):
            pane = pane_ledger.decoded(value, "window.panes")
            kept = panes.setdefault((int(pane["version"]), pane["start"], ["ON_TIME", "LATE"].index(pane["part"])),
                                    [0, *([0, fractions.Fraction(0), fractions.Fraction(0), None, None]
                                          for _ in COLUMNS)])
            kept[0] += pane["events"]
            for column in pane["columns"]:
                if column["name"] not in COLUMNS or column["finite"] == 0:
                    continue
                mine = kept[1 + COLUMNS.index(column["name"])]
                assert sum(column["cells"]) == column["finite"]
                mine[0] += column["finite"]
                mine[1] += pane_ledger.exact(column["sum"]) * SCALE
                mine[2] += pane_ledger.exact(column["squares"]) * SCALE * SCALE
                least, greatest = column["minimum"] * SCALE, column["maximum"] * SCALE
                mine[3] = least if mine[3] is None else min(mine[3], least)
                mine[4] = greatest if mine[4] is None else max(mine[4], greatest)
        return panes

    @staticmethod
    def found_windows(measurements):
        """(version, start, revision) → the set of row counts that its measurements name: one, if they agree."""
        windows = collections.defaultdict(set)
        for measurement in map(json.loads, measurements):
            windows[int(measurement["version"]), measurement["window_start"], measurement["revision"]].add(
                measurement["n_current"])
        return windows

    def analyzed(self):
        output = self.folder / "analyzed.jsonl"
        if not output.exists():
            with open(output, "w") as file:
                subprocess.run([stack.BUILD / "bin" / "plumb", "analyze", "--contract", self.contract, "--reference",
                                self.reference, self.path, "--output", "jsonl"], stdout=file, check=True, timeout=900)
        return result_set.of_lines(output.read_text().splitlines())

    # ---- The reckoning

    def check(self, pipeline):
        """(windows, differing, lost, duplicated); fails with what differs first."""
        panes, found = self.expected_panes(), self.found_panes(pipeline.bootstrap)
        differing = [key for key in panes.keys() | found.keys() if panes.get(key) != found.get(key)]
        live, analyzed = result_set.of_pipeline(pipeline), self.analyzed()
        windows, measured = self.expected_windows(panes), self.found_windows(live["measurement"])
        wrong = [key for key in windows.keys() | measured.keys() if {windows.get(key, 0)} != measured.get(key, {0})]
        ids = collections.Counter(pane_ledger.records_of(pipeline.bootstrap, "inference.validated",
                                                         lambda message: message.key()))
        good = {f"e{number}".encode() for number in numpy.flatnonzero(~self.bad).tolist()}
        lost, duplicated = len(good - ids.keys()), sum(ids.values()) - len(ids)
        letters = collections.Counter(json.loads(line)["line"] for line in pipeline.read("dead-letters"))
        injected = collections.Counter((numpy.flatnonzero(self.bad) + 1).tolist())
        said = result_set.difference(live, analyzed, "live", "analyze")
        figures = (len(panes) + len(windows), len(differing) + len(wrong), lost, duplicated)
        assert figures[1:] == (0, 0, 0) and letters == injected and ids.keys() == good and not said, "\n".join([
            f"windows {figures[0]} differing {figures[1]} lost {lost} duplicated {duplicated}",
            f"panes, first: {[(key, found.get(key), panes.get(key)) for key in sorted(differing)[:2]]}",
            f"windows, first: {[(key, measured.get(key), windows.get(key)) for key in sorted(wrong)[:3]]}",
            f"dead letters: {sorted((letters - injected).items())[:3]} too many, "
            f"{sorted((injected - letters).items())[:3]} too few", said])
        self.check_order(live)
        return figures

    @staticmethod
    def check_order(live):
        """What concerns the same thing comes in the order of its windows."""
        last = {}
        for measurement in map(json.loads, live["measurement"]):
            what = tuple(measurement[name] for name in ("version", "kind", "column", "metric", "revision"))
            assert last.get(what, -1) < measurement["window_start"], measurement
            last[what] = measurement["window_start"]
        for alert in map(json.loads, live["alert"]):
            assert last.get(alert["fingerprint"], -1) <= alert["time"], alert
            last[alert["fingerprint"]] = alert["time"]
