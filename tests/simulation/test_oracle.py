"""The oracle says ok of what is right, and finds what is not.

usage: test_oracle.py seeds|mutations|stamps ORACLE_CHECK [SEEDS]

Goal: (1) on what the services do in-process with 30 random logs, cut at random, the oracle and they agree; (2) each
single thing that a fault could do to the topics is found: a test that cannot fail proves nothing. Method: (2) takes the
dump of one small run, does one change to it, and wants the oracle to name it. (3) Stamps, where the broker says when
records arrive, on a few lines written by hand.
"""
import copy
import gc
import math
import pathlib
import subprocess
import sys
import unittest

import oracle

program, seed_count = None, 30
SMALL_SEED, SMALL_EVENTS = 3, 4000     # 4 partitions, with the reference run


class Seeds(unittest.TestCase):
    def test_agree(self):
        with subprocess.Popen([program, "1", str(seed_count)], stdout=subprocess.PIPE) as run:
            said = subprocess.run([sys.executable, "-B", pathlib.Path(oracle.__file__)], stdin=run.stdout, text=True,
                                  stdout=subprocess.PIPE, check=False)
        self.assertEqual(run.returncode, 0)
        self.assertEqual(said.stdout.splitlines(), [f"seed {seed} ok" for seed in range(1, seed_count + 1)])


class Mutations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        gc.disable()
        whole = subprocess.run([program, str(SMALL_SEED), "1", str(SMALL_EVENTS)], stdout=subprocess.PIPE, check=True)
        (cls.lines,) = oracle.seeds(whole.stdout.splitlines(keepends=True))

    def setUp(self):
        self.lines = list(type(self).lines)

    def places(self, *begin, where=lambda line: True):
        return [index for index, line in enumerate(self.lines) if line[:len(begin)] == list(begin) and where(line)]

    def taken(self, *begin, where=lambda line: True):
        """A line to be changed, from the middle of those that begin so; it is a copy."""
        found = self.places(*begin, where=where)
        index = found[len(found) // 2]
        self.lines[index] = copy.deepcopy(self.lines[index])
        return index, self.lines[index]

    def found(self, words):
        difference = oracle.check(self.lines)
        self.assertIsNotNone(difference, "not found")
        self.assertIn(words, difference)

    def out(self, topic, where=lambda record: True):
        return self.taken("out", topic, where=lambda line: where(line[4]))

    def test_nothing(self):
        self.assertIsNone(oracle.check(self.lines))

    def test_cut_off(self):
        del self.lines[-1]
        self.found("cut off")

    # ---- Fates

    def valid(self, lateness="on_time"):
        return self.taken("valid", where=lambda line: line[7] == lateness)

    def test_validated_lost(self):
        index, _ = self.valid()
        del self.lines[index]
        self.found("neither validated nor a dead letter")

    def test_validated_twice(self):
        index, line = self.valid()
        self.lines.insert(index, line)
        self.found("validated twice")

    def test_both_fates(self):
        _, line = self.valid()
        topic, _, partition = line[3].rpartition(":")
        self.lines.insert(-1, ["dead", topic, int(partition), line[4], "malformed", ""])
        self.found("dead letter of what was validated")

    def test_dead_letter_lost(self):
        index, _ = self.taken("dead")
        del self.lines[index]
        self.found("neither validated nor a dead letter")

    def test_dead_letter_twice(self):
        index, line = self.taken("dead")
        self.lines.insert(index, line)
        self.found("a dead letter already")

    def test_other_reason(self):
        self.taken("dead")[1][4] = "other"
        self.found("expected ['dead'")

    def test_other_column(self):
        self.taken("dead", where=lambda line: line[5] == "x")[1][5] = "y"
        self.found("expected ['dead'")

    def test_fate_of_nothing(self):
        self.taken("dead")[1][3] += 1_000_000
        self.found("neither validated nor a dead letter")

    def test_arrival_shifted(self):
        self.valid()[1][5] += 1
        self.found("arrival")

    def test_lateness_changed(self):
        self.valid("late")[1][7] = "on_time"
        self.found("expected late")

    def test_revision_changed(self):
        self.taken("valid", where=lambda line: line[8] == 2)[1][8] = 1
        self.found("by revision 2")

    def test_duplicate_not_recognised(self):
        self.taken("valid", where=lambda line: line[9] == 1)[1][9] = 0
        self.found("a duplicate")

    def test_duplicate_of_nothing(self):
        self.taken("valid", where=lambda line: line[6] == "EVENT" and line[9] == 0)[1][9] = 1
        self.found("no duplicate")

    def test_sighting_moved_out_of_the_horizon(self):
        """The horizon decides, and what is recognised is no more than what it asks for."""
        self.taken("begin")[1][4] = 1
        self.found("no duplicate")

    def test_other_partition_of_label(self):
        ids = {line[7]["event_id"] for line in self.lines if line[:2] == ["in", "ground.truth"]}
        places = {(f"{line[1]}:{line[2]}", line[3]): line[7] for line in self.lines if line[0] == "in"}
        _, line = self.taken("valid", where=lambda line: line[6] == "EVENT" and
                             places[line[3], line[4]]["event_id"] in ids)
        line[1] += 1
        self.found("in two partitions")

    def test_input_lost(self):
        index, _ = self.taken("in")
        del self.lines[index]
        self.found("the log has")

    def test_input_twice(self):
        index, line = self.taken("in")
        self.lines[index - 1] = line
        self.found("twice")

    # ---- Panes

    def change_column(self, change, where=lambda column: column["finite"] > 0):
        _, line = self.out(oracle.PANES, lambda pane: any(map(where, pane["columns"])))
        change(next(filter(where, line[4]["columns"])))

    def test_pane_lost(self):
        index, _ = self.out(oracle.PANES)
        del self.lines[index]
        self.found("is there 0 times")

    def test_pane_twice(self):
        index, line = self.out(oracle.PANES)
        self.lines.insert(index, line)
        self.found("is there 2 times")

    def test_late_pane_on_time(self):
        self.out(oracle.PANES, lambda pane: pane["part"] == "LATE")[1][4]["part"] = "ON_TIME"
        self.found("times")

    def test_pane_of_nothing(self):
        index, line = self.out(oracle.PANES)
        line = copy.deepcopy(line)
        line[4]["start"] += 10 ** 10
        self.lines.insert(index, line)
        self.found("a pane of no rows")

    def test_events_changed(self):
        self.out(oracle.PANES)[1][4]["events"] += 1
        self.found("events, not")

    def test_pane_offsets_changed(self):
        self.out(oracle.PANES)[1][4]["offsets"][0]["last"] += 1
        self.found("offsets")

    def test_count_changed(self):
        def change(column):
            column["cells"][2] += 1
        self.change_column(change)
        self.found("cells is")

    def test_row_in_another_cell(self):
        def change(column):
            index = next(index for index, count in enumerate(column["cells"]) if count)
            column["cells"][index] -= 1
            column["cells"][index - 1] += 1
        self.change_column(change)
        self.found("cells is")

    def test_fields_changed(self):
        for name in ("finite", "minimum", "maximum", "range", "values", "nulls", "type"):
            with self.subTest(name):
                self.setUp()

                def change(column, name=name):
                    value = column[name]
                    column[name] = math.nextafter(value, math.inf) if isinstance(value, float) else value + 1
                self.change_column(change)
                self.found(f"{name} is")

    def test_last_bit_of_sums(self):
        for name in ("sum", "squares"):
            with self.subTest(name):
                self.setUp()

                def change(column, name=name):
                    column[name]["limbs"][0] += 1 if column[name]["limbs"][0] > 0 else -1
                self.change_column(change, lambda column, name=name: column[name]["limbs"])
                self.found(f"{name} is")

    def test_value_of_input_changed(self):
        """The rows decide: a feature that is one bit off, in the input instead of the output."""
        accepted = {(line[3], line[4]) for line in self.lines if line[0] == "valid" and line[7] == "on_time"}
        _, line = self.taken("in", "inference.events", where=lambda line: line[6] == "avro" and (
            f"{line[1]}:{line[2]}", line[3]) in accepted and isinstance(line[7]["features"].get("y"), float))
        line[7]["features"]["y"] = math.nextafter(line[7]["features"]["y"], math.inf)
        self.found("column y")

    def test_cut_of_baseline_changed(self):
        first = self.lines[self.places("table", "model.contracts")[0]][2]["baselines"][0]["hash"]
        _, line = self.taken("table", "model.baselines", where=lambda line: line[2]["column"] == "x" and
                             line[2]["hash"] == first)
        cuts = line[2]["cuts"]
        cuts[len(cuts) // 2] = (cuts[len(cuts) // 2] + cuts[len(cuts) // 2 + 1]) / 2
        self.found("column x cells")

    # ---- Measurements

    def measurement(self, **fields):
        return self.out(oracle.MEASUREMENTS, lambda record: all(record[name] == value for name, value in fields.items())
                        and record["value"])

    def test_measurement_lost(self):
        for revision in (0, 1):
            with self.subTest(revision):
                self.setUp()
                index, _ = self.measurement(revision=revision)
                del self.lines[index]
                self.found("not measured")

    def test_measurement_twice(self):
        index, line = self.measurement()
        self.lines.insert(index, line)
        self.found("measured twice")

    def test_measurement_of_nothing(self):
        index, line = self.measurement(revision=0)
        line = copy.deepcopy(line)
        line[4] |= {"window_start": 0, "window_end": 300_000, "id": "other"}
        self.lines.insert(index, line)
        self.found("a measurement of no window")

    def test_revision_besides(self):
        index, line = self.measurement(revision=1)
        line = copy.deepcopy(line)
        line[4]["revision"] = 2
        self.lines.insert(index, line)
        self.found("a measurement of no window")

    def test_shared_id(self):
        first = self.measurement(metric="psi", revision=0)[1][4]
        self.measurement(metric="nulls", revision=0)[1][4]["id"] = first["id"]
        self.found("one id for")

    def test_id_of_one_revision(self):
        self.measurement(revision=1)[1][4]["id"] = "other"
        self.found("different ids")

    def test_value_changed(self):
        self.measurement(metric="psi")[1][4]["value"] *= 1 + 1e-11
        self.found("value is")
        self.setUp()
        record = self.measurement(metric="nulls")[1][4]
        record["value"] = math.nextafter(record["value"], 1)
        self.found("value is")

    def test_measurement_fields_changed(self):
        for name, value in (("n_current", 1), ("n_reference", 1), ("threshold", 0.9), ("state", "NO_DATA"),
                            ("reference_hash", "other"), ("reference", "previous"), ("contract_revision", 9),
                            ("offsets", [])):
            with self.subTest(name):
                self.setUp()
                self.measurement(metric="psi", model="m")[1][4][name] = value
                self.found(f"{name.replace('_revision', ' revision')} {'are' if name == 'offsets' else 'is'}")

    def test_contribution_changed(self):
        self.measurement(metric="psi")[1][4]["contributions"][0]["share"] += 1e-8
        self.found("contributions are")

    # ---- Clocks and order

    def test_clock_falls(self):
        for topic in ("inference.events", oracle.VALIDATED, oracle.PANES, oracle.MEASUREMENTS, oracle.ALERTS):
            with self.subTest(topic):
                self.setUp()
                index, line = self.taken("clock", topic)
                line = copy.deepcopy(line)
                line[5] -= 1
                line[3] += 1
                self.lines.insert(index + 1, line)
                self.found("falls from")

    def test_clock_that_a_record_contradicts(self):
        index, line = self.valid()
        self.lines.insert(index, ["clock", oracle.VALIDATED, line[1], line[2] - 0.5, line[3], line[5] + 1])
        self.found("after a clock of")
        for topic in (oracle.PANES, oracle.MEASUREMENTS, oracle.ALERTS):
            with self.subTest(topic):
                self.setUp()
                index, (_, _, partition, offset, record) = self.out(topic)
                source = {oracle.PANES: f"{oracle.VALIDATED}:{record.get('offsets', [{}])[0].get('partition')}",
                          oracle.MEASUREMENTS: f"{oracle.PANES}:{partition}",
                          oracle.ALERTS: f"{oracle.MEASUREMENTS}:{partition}"}[topic]
                self.lines.insert(index, ["clock", topic, partition, offset - 0.5, source, 10 ** 15])
                self.lines = [line for line in self.lines if line[0] != "clock" or line[5] == 10 ** 15]
                self.found("after a clock of")

    def test_validated_order(self):
        first, line = self.valid()
        second = next(index for index in self.places("valid", line[1]) if index > first and
                      self.lines[index][3] == line[3] and self.lines[index][6] == "EVENT")
        other = self.lines[second]
        self.lines[first], self.lines[second] = other[:1] + line[1:3] + other[3:], line[:1] + other[1:3] + line[3:]
        self.found(f"has {line[3]}")

    def test_order_of_measurements(self):
        """The places of two swapped, offsets aside: the later window came first."""
        first, line = self.measurement(model="m", revision=0)
        second = next(index for index in self.places("out", oracle.MEASUREMENTS) if index > first and
                      self.lines[index][4]["model"] == "m" and self.lines[index][4]["revision"] == 0 and
                      self.lines[index][4]["window_end"] > line[4]["window_end"])
        other = self.lines[second]
        self.lines[first], self.lines[second] = line[:4] + [other[4]], other[:4] + [line[4]]
        self.found("comes after")

    def test_offset_repeated(self):
        first, line = self.out(oracle.ALERTS)
        index = self.places("out", oracle.ALERTS)[-1]
        self.assertGreater(index, first)
        self.lines[index] = self.lines[index][:3] + [line[3], self.lines[index][4]]
        self.found("has offset")

    # ---- Alerts, triggers, decisions

    def test_judgement_lost(self):
        for topic in (oracle.ALERTS, oracle.TRIGGERS):
            with self.subTest(topic):
                self.setUp()
                index, _ = self.out(topic)
                del self.lines[index]
                self.found(f"{topic} lacks")

    def test_judgement_twice(self):
        for topic in (oracle.ALERTS, oracle.TRIGGERS):
            with self.subTest(topic):
                self.setUp()
                last = self.places("out", topic)[-1]
                line = self.lines[last]
                self.lines.insert(last + 1, line[:3] + [line[3] + 1, line[4]])
                self.lines = [line for line in self.lines if line[0] != "clock"]
                self.found(f"{topic} has twice")

    def test_judgement_changed(self):
        self.out(oracle.ALERTS)[1][4]["sentence"] += "."
        self.found("alerts lacks")

    def test_judgement_besides(self):
        index = next(index for index, line in enumerate(self.lines) if line[:2] == ["expected", oracle.TRIGGERS])
        del self.lines[index]
        self.found("retrain.triggers has besides")


class Stamps(unittest.TestCase):
    """Of one source: its records are appended at 1000, 2000 … and validated in two partitions."""

    def setUp(self):
        self.inputs = [["in", "inference.events", 0, offset, offset, 1000 * (offset + 1), "avro", {}]
                       for offset in range(4)]
        self.words = []

    def valid(self, offset, arrival, appended, partition=0):
        self.words.append(["valid", partition, len(self.words), "inference.events:0", offset, arrival, "EVENT",
                           "on_time", 1, 0, appended])

    def clock(self, time, appended):
        self.words.append(["clock", oracle.VALIDATED, 0, len(self.words), "inference.events:0", time, appended])

    def found(self, words=None):
        run = oracle.Run(oracle.Dump([["begin", 1, 4, "broker", 600000], *self.inputs, *self.words]))
        try:
            for line in self.words:
                if line[0] == "valid":
                    run.arrival_of(self.inputs[line[4]][5], line)
            run.check_stamps()
        except oracle.Difference as difference:
            self.assertIsNotNone(words, difference)
            self.assertIn(words, str(difference))
        else:
            self.assertIsNone(words, "not found")

    def test_right(self):
        self.valid(0, 1000, 1001)
        self.valid(1, 2000, 2005, 1)
        self.clock(2000, 2005)
        self.clock(3100, 3350)
        self.valid(2, 3100, 3350)
        self.valid(3, 4000, 4300)
        self.found()

    def test_below_the_append_time(self):
        self.valid(1, 1999, 2600)
        self.found("appended at 2000 arrives at 1999")

    def test_lifted_within_the_allowance(self):
        self.valid(1, 2100, 2349)
        self.found("arrives at 2100")

    def test_lifted_too_far(self):
        self.valid(0, 1001 + oracle.LIFT_MAX, 5000)
        self.found(f"arrives at {1001 + oracle.LIFT_MAX}")

    def test_falls_over_partitions(self):
        self.valid(0, 2300, 2600)
        self.valid(1, 2000, 2601, 1)
        self.found("after one at 2300")

    def test_below_a_clock_in_another_partition(self):
        self.clock(2100, 2400)
        self.valid(1, 2000, 2401, 1)
        self.found("after a clock of 2100")

    def test_order(self):
        self.valid(1, 2000, 2100)
        self.valid(0, 2000, 2300, 1)
        self.found("is validated after")

    def test_clock_ahead(self):
        self.clock(2100, 2349)
        self.found("says 2100")


if __name__ == "__main__":
    what, program = sys.argv[1:3]
    if len(sys.argv) > 3:
        seed_count = int(sys.argv[3])
    unittest.main(argv=sys.argv[:1], defaultTest=what.capitalize())
