"""The oracle: reads dumps of simulated runs (sim_dump.h) and says of each whether it is what the log asks for.

usage: oracle.py < DUMPS        one line a seed: "seed N ok" or "seed N FAILED: what differs first, and where"

Goal: every promise of DESIGN.md 2 about the topics' content, checked by code that shares none with the services: each
input has exactly one fate; panes, windows and measurements hold exactly the rows that their definitions give them, with
the same bits; clocks never lie. Method: everything is computed anew from the recorded input; sums are integers.
"""
import collections
import gc
import json
import operator
import sys

import oracle_model

VALIDATED, PANES, MEASUREMENTS, ALERTS = "inference.validated", "window.panes", "measurements", "alerts"
TRIGGERS, DECISIONS = "retrain.triggers", "rollout.decisions"
ALLOWANCE = 250     # how long after the broker's time a record may still turn up
LIFT_MAX = 1500     # no fetch of the simulation takes longer, and a partition where records wait is not at its end
COUNTERS = {"range": 0, "unseen_value": 1, "null_value": 2, "missing_column": 2, "type_mismatch": 3, "not_a_number": 3}
COLUMN_FIELDS = ("name", "cells", "finite", "sum", "squares", "minimum", "maximum", "range", "values", "nulls", "type")
COLUMN = operator.itemgetter(*COLUMN_FIELDS)
PARTS = {"on_time": "ON_TIME", "late": "LATE"}


class Difference(Exception):
    pass


def require(truth, *what):
    if not truth:
        raise Difference(" ".join(str(part) for part in what))


class Dump:
    """The lines of one seed, by kind; their order within a kind is that of the offsets."""

    def __init__(self, lines):
        self.inputs, self.valid, self.dead, self.outputs, self.expected, tables = [], [], [], [], [], []
        self.sequence = []     # outputs, validated records and clocks, as they came
        for line in lines:
            kind = line[0]
            if kind == "in":
                self.inputs.append(line)
            elif kind == "valid":
                self.valid.append(line)
                self.sequence.append(line)
            elif kind == "dead":
                self.dead.append(line)
            elif kind == "out":
                self.outputs.append(line)
                self.sequence.append(line)
            elif kind == "clock":
                self.sequence.append(line)
            elif kind == "expected":
                self.expected.append(line)
            elif kind == "table":
                tables.append(line)
            elif kind == "begin":
                _, self.seed, self.count, self.arrival, self.horizon = line
        self.baselines = collections.defaultdict(dict)
        self.contracts = collections.defaultdict(list)   # model → newest first
        for _, topic, record in tables:
            if topic == "model.baselines":
                self.baselines[record["model"], record["version"], record["hash"]][record["column"]] = record
            else:
                contract = oracle_model.Contract(record)
                self.contracts[contract.model].append(contract)
        for revisions in self.contracts.values():
            revisions.sort(key=lambda contract: -contract.revision)

    def records(self, *topics):
        return [line for line in self.outputs if line[1] in topics]


class Group:
    """The rows of one pane on one partition."""
    __slots__ = ("events", "offsets", "flags")

    def __init__(self):
        self.events, self.offsets, self.flags = [], [], []


class Run:
    """One seed's check, step by step; each step uses what the ones before have found to be right."""

    def __init__(self, dump):
        self.dump = dump
        self.groups = collections.defaultdict(Group)
        self.ledger = collections.Counter()
        self.sightings = {}        # (partition, event_id) → when it came last, in tenths of the horizon
        self.layouts = {}
        self.windows = collections.defaultdict(lambda: collections.defaultdict(list))
        self.partition_of = {}     # (topic, model) → partition

    # ---- Fates

    def check_fates(self):
        """Every input once, in exactly one of inference.validated and inference.dead-letter."""
        dump, fates, places = self.dump, {}, {}
        require(len(dump.inputs) == dump.count, len(dump.inputs), "inputs are there, the log has", dump.count)
        require(len({line[4] for line in dump.inputs}) == dump.count, "an input is there twice")
        for line in dump.valid:
            place = line[3], line[4]
            if place in fates:
                raise Difference(f"validated twice: {place}")
            fates[place] = line
        for line in dump.dead:
            place = f"{line[1]}:{line[2]}", line[3]
            other = fates.get(place)
            require(other is None, "dead letter of what was", "validated:" if other and other[0] == "valid" else
                    "a dead letter already:", *place)
            fates[place] = line
        sources = collections.defaultdict(dict)     # topic → partition → its name as a source
        for line in dump.inputs:
            _, topic, partition, offset, number, _, _, value = line
            source = sources[topic].get(partition) or sources[topic].setdefault(partition, f"{topic}:{partition}")
            found = fates.pop((source, offset), None)
            if found is None:
                raise Difference(f"neither validated nor a dead letter: {source} {offset} line {number}")
            if topic == "ground.truth":
                self.check_label(line, found)
            else:
                self.check_event(line, found)
            if found[0] == "valid" and places.setdefault(value["event_id"], found[1]) != found[1]:
                raise Difference(f"records of {value['event_id']} are in two partitions")
        require(not fates, "a fate of no input:", next(iter(fates), None))

    def arrival_of(self, arrival, found):
        """The arrival that the log says, or the append time; lifted where the broker says it: a clock had been sent
        that lay so far behind the broker's time. check_stamps sees to it that it never falls."""
        if self.dump.arrival == "header" or found[0] != "valid":
            return arrival
        stamped = found[5]
        if stamped != arrival and not arrival < stamped <= min(found[-1] - ALLOWANCE, arrival + LIFT_MAX):
            raise Difference(f"{found[3]} {found[4]} appended at {arrival} arrives at {stamped}, is validated at "
                             f"{found[-1]}")
        return stamped

    def check_label(self, line, found):
        _, topic, partition, offset, number, arrival, _, value = line
        if value["label"] is None:
            expected = ["dead", topic, partition, offset, "missing_field", "label"]
        else:
            arrival = self.arrival_of(arrival, found)
            expected = ["valid", found[1], found[2], f"{topic}:{partition}", offset, arrival, "LABEL", "none", 0, 0]
        require(found[:10] == expected, "label in line", number, "is", found, "expected", expected)

    def check_event(self, line, found):
        _, topic, partition, offset, number, arrival, form, value = line
        self.ledger["seen"] += 1
        reason = None
        if form in oracle_model.FORMS:
            reason = oracle_model.FORMS[form], ""
        elif form == "json":
            reason = oracle_model.fate_of_json(value)
        if reason is None:
            time, revisions = value["event_time"], self.dump.contracts.get(value["model_name"], ())
            for contract in revisions:
                if contract.effective_from <= time:
                    reason, flags = contract.judge(value)
                    break
            else:
                reason = ("no_contract_yet" if revisions else "unknown_model"), ""
        if reason is not None:
            self.ledger["rejected"] += 1
            expected = ["dead", topic, partition, offset, *reason]
            require(found == expected, "event in line", number, "is", found, "expected", expected)
            return
        arrival = self.arrival_of(arrival, found)
        lateness = contract.lateness_of(time, arrival)
        duplicate = self.is_duplicate(partition, value["event_id"], arrival)
        if found[0] != "valid" or found[5:10] != [arrival, "EVENT", lateness, contract.revision, duplicate]:
            raise Difference(f"event in line {number} is {found}, expected {lateness} by revision {contract.revision}, "
                             f"arrival {arrival}, {'a' if duplicate else 'no'} duplicate")
        if duplicate:
            self.ledger["duplicate"] += 1
            return
        self.ledger[lateness] += 1
        part = PARTS.get(lateness)
        if part is None:
            return
        group = self.groups[value["model_name"], value["model_version"], value.get("role", "CHAMPION"),
                            contract.revision, time // contract.pane * contract.pane, part, found[1]]
        group.events.append(value)
        group.offsets.append(found[2])
        if flags:
            group.flags.extend(flags)

    def is_duplicate(self, partition, event_id, arrival):
        """Whether an accepted event of the id came in this tenth of the horizon or in one of the ten before."""
        width = -(-self.dump.horizon // 10)
        piece, before = arrival // width, self.sightings.get((partition, event_id))
        self.sightings[partition, event_id] = piece
        return before is not None and piece - before <= -(-self.dump.horizon // width)

    # ---- Panes

    def contract(self, model, revision):
        return next((one for one in self.dump.contracts.get(model, ()) if one.revision == revision), None)

    def layout(self, model, version, revision):
        key = model, version, revision
        if key not in self.layouts:
            self.layouts[key] = oracle_model.Layout(self.contract(model, revision), version, self.dump.baselines)
        return self.layouts[key]

    def check_panes(self):
        """Each pane of each partition once, with exactly its rows; what it holds goes into its windows."""
        found = collections.defaultdict(list)
        for line in self.dump.records(PANES):
            pane = line[4]
            source = pane["offsets"][0]["partition"] if pane["offsets"] else None
            key = (pane["model"], pane["version"], pane["role"], pane["contract_revision"], pane["start"], pane["part"],
                   source)
            found[key].append(pane)
        events = collections.Counter()
        for key, group in self.groups.items():
            panes = found.pop(key, [])
            require(len(panes) == 1, "pane", *key, "is there", len(panes), "times")
            self.check_pane(key, group, panes[0])
            events[panes[0]["part"]] += panes[0]["events"]
        require(not found, "a pane of no rows:", next(iter(found), None))
        self.check_ledger(events)

    def check_ledger(self, events):
        ledger = self.ledger
        require(events["ON_TIME"] == ledger["on_time"] and events["LATE"] == ledger["late"], "panes hold", dict(events),
                "of", dict(ledger))
        parts = events["ON_TIME"] + events["LATE"] + ledger["too_late"] + ledger["future"] + ledger["rejected"] + \
            ledger["duplicate"]
        require(ledger["seen"] == parts, "seen", ledger["seen"], "is not the sum of its parts", parts)

    def check_pane(self, key, group, pane):
        model, version, role, revision, start, part, partition = key
        layout = self.layout(model, version, revision)
        contract = layout.contract
        require(pane["end"] == start + contract.pane and pane["segment"] is None and pane["feed"] == "VALIDATED" and
                pane["chunks"] == 1, "pane", *key, "is", {**pane, "columns": []})
        require(pane["events"] == len(group.events), "pane", *key, "has", pane["events"], "events, not",
                len(group.events))
        span = [{"partition": partition, "first": min(group.offsets), "last": max(group.offsets)}]
        require(pane["offsets"] == span, "pane", *key, "has offsets", pane["offsets"], "not", span)
        counters = collections.Counter(group.flags)
        require(len(pane["columns"]) == len(layout.places), "pane", *key, "has", len(pane["columns"]), "columns")
        flagged, cells = [], []
        for place, column in zip(layout.places, pane["columns"]):
            here, finite, total, squares, minimum, maximum = place.counted(group.events)
            flags = [0, 0, 0, 0]
            for (name, reason), count in counters.items():
                if name == place.name and reason in COUNTERS:
                    flags[COUNTERS[reason]] += count
            expected = (place.name, here, finite, oracle_model.limbs(total), oracle_model.limbs(squares), minimum,
                        maximum, *flags)
            zeros = (minimum == 0 and repr(column["minimum"]) != "0.0") or (maximum == 0 and
                                                                            repr(column["maximum"]) != "0.0")
            if zeros or COLUMN(column) != expected:
                found, wanted, name = next(three for three in zip(COLUMN(column), expected, COLUMN_FIELDS)
                                           if repr(three[0]) != repr(three[1]))
                raise Difference(f"pane {key} column {place.name} {name} is {found}, not {wanted}")
            cells.append(here)
            flagged.append(flags[:2])
        for length in contract.lengths:
            window = self.windows[model, version, role, length, start // length * length]
            window[revision, part].append((cells, flagged, span[0]))

    # ---- Measurements

    def check_measurements(self):
        found, ids = {}, {}
        for line in self.dump.records(MEASUREMENTS):
            record = line[4]
            key = (record["model"], record["version"], record["role"], record["window_end"] - record["window_start"],
                   record["window_start"], record["kind"], record["column"], record["metric"], record["revision"])
            require(key not in found, "measured twice:", *key)
            found[key] = record
            require(ids.setdefault(record["id"], key[:-1]) == key[:-1], "one id for", key, "and", ids[record["id"]])
        require(len(ids) == len({key[:-1] for key in found}), "a measurement's revisions have different ids")
        for window, parts in self.windows.items():
            for revision in (0, 1):
                if revision == 0 or any(part == "LATE" for _, part in parts):
                    self.check_window(window, parts, revision, found)
        require(not found, "a measurement of no window:", *next(iter(found), ()))

    def check_window(self, window, parts, revision, found):
        """Measured by the newest contract revision with rows in it; rows whose cells differ are left out."""
        model, version, role, length, start = window
        names = sorted((name for name in parts if revision or name[1] == "ON_TIME"), reverse=True)
        if not names:
            return
        layout = self.layout(model, version, names[0][0])
        equal = [name for name in names if self.layout(model, version, name[0]).cut == layout.cut]
        taken = [pane for name in equal for pane in parts[name]]
        spans = spanned(pane[2] for pane in taken)
        added = {}     # index of a column → its cells and flags over all panes
        for monitor in layout.contract.monitors:
            if monitor.window != length:
                continue
            for name in monitor.columns:
                index = layout.index[name]
                if index not in added:
                    added[index] = [list(map(sum, zip(*(pane[what][index] for pane in taken)))) for what in (0, 1)]
                place, (cells, flagged) = layout.places[index], added[index]
                rows = sum(cells)
                record = found.pop((*window, monitor.kind, name, monitor.metric, revision), None)
                where = f"{model}@{version} {role} {length // 60000}m from {start} {monitor.kind} {name} " \
                        f"{monitor.metric} revision {revision}"
                require(record is not None, "not measured:", where)
                if monitor.kind == "DRIFT":
                    fields = oracle_model.drift(monitor, place, cells, rows)
                else:
                    fields = oracle_model.quality(monitor, place, cells, rows, flagged)
                self.check_measurement(record, where, monitor, fields, rows)
                require(record["offsets"] == spans, where, "offsets are", record["offsets"], "not", spans)
                require(record["contract_revision"] == layout.contract.revision, where, "contract revision is",
                        record["contract_revision"], "not", layout.contract.revision)

    @staticmethod
    def check_measurement(record, where, monitor, fields, rows):
        value, threshold, state, n_reference, reference_hash, shares = fields
        expected = {"segment": None, "preset": None, "p_value": None, "e_value": None, "n_current": rows,
                    "n_reference": n_reference, "threshold": threshold, "state": state,
                    "reference_hash": reference_hash, "reference": "baseline" if monitor.kind == "DRIFT" else None}
        for name, wanted in expected.items():
            require(record[name] == wanted, where, name, "is", record[name], "not", wanted)
        same = record["value"] == value
        if not same and monitor.kind == "DRIFT" and value is not None and record["value"] is not None:
            same = abs(record["value"] - value) <= 1e-12 * abs(value)
        require(same, where, "value is", record["value"], "not", value)
        found = [part["share"] for part in record["contributions"]]
        require(len(found) == len(shares) and all(abs(a - b) <= 1e-9 for a, b in zip(found, shares)), where,
                "contributions are", found, "not", shares)

    # ---- Order and clocks

    def finding_time(self, record):
        """Stream time at which a measurement counts: the longest allowance of the contracts in force in its window."""
        model, start, end, revision = (record[name] for name in ("model", "window_start", "window_end", "revision"))
        allowances = [self.contract(model, record["contract_revision"]).allowance(revision)]
        for contract in self.dump.contracts[model]:
            if contract.effective_from < end:
                allowances.append(contract.allowance(revision))
                if contract.effective_from <= start:
                    break
        return end + max(allowances)

    def said_at(self, topic, record):
        """(its source, the stream time that a record must have waited for, what orders records of equal time)."""
        if topic == PANES:
            contract = self.contract(record["model"], record["contract_revision"])
            source = record["offsets"][0]["partition"]
            return f"{VALIDATED}:{source}", record["end"] + contract.allowance(record["part"] == "LATE")
        if topic == MEASUREMENTS:
            source = f"{PANES}:{self.partition_of[PANES, record['model']]}"
            return (source, self.finding_time(record), record["window_end"], record["window_start"], record["version"])
        source = MEASUREMENTS if topic == ALERTS else None
        return f"{source}:{self.partition_of.get((source, record['model']))}", record["time"]

    def check_sequence(self):
        """Within a partition: after a clock of a source nothing older of that source; each key in the order of time."""
        for _, topic, partition, _, record in self.dump.outputs:
            known = self.partition_of.setdefault((topic, record["model"]), partition)
            require(known == partition, topic, "of", record["model"], "is in partitions", known, "and", partition)
        clocks, latest, ended, offsets = {}, {}, {}, {}
        for line in self.dump.sequence:
            if line[0] == "valid":
                _, partition, offset, source, source_offset, time, *_ = line
                topic, key = VALIDATED, (VALIDATED, partition, source)
                if source_offset <= latest.get(key, -1):
                    raise Difference(f"{topic} {partition} has {source} {source_offset} after {latest[key]}")
                latest[key] = source_offset
            elif line[0] == "clock":
                _, topic, partition, offset, source, time, *_ = line
                key = topic, partition, source
                if time < clocks.get(key, 0):
                    raise Difference(f"clock of {source} in {topic} {partition} falls from {clocks[key]} to {time}")
                clocks[key] = time
            else:
                _, topic, partition, offset, record = line
                source, time, *order = self.said_at(topic, record)
                key = topic, partition, source
                now, before = (time, *order), ended.get((key, record["model"]), ())
                if now < before:
                    raise Difference(f"{topic} {partition} {offset} at {now} comes after {before}")
                ended[key, record["model"]] = now
            if time < clocks.get(key, 0):
                raise Difference(f"{topic} {partition} {offset} of {source} is of {time}, but comes after a clock of "
                                 f"{clocks[key]}")
            place = topic, partition
            if offset <= offsets.get(place, -1):
                raise Difference(f"{topic} {partition} has offset {offset} after {offsets[place]}")
            offsets[place] = offset

    def check_stamps(self):
        """Where the broker says when records arrive: stamps never fall within a source, over all partitions, nor below
        a clock of it that was there before; a clock says a record's time, or one well behind the broker's."""
        if self.dump.arrival == "header":
            return
        appended, said = collections.defaultdict(set), collections.defaultdict(list)
        for _, topic, partition, _, _, time, *_ in self.dump.inputs:
            appended[f"{topic}:{partition}"].add(time)
        for line in self.dump.sequence:
            if line[0] == "valid":
                _, _, _, source, offset, time, *_, now = line
                said[source].append((now, 0, offset, time))
            elif line[0] == "clock" and line[1] == VALIDATED:
                _, _, _, _, source, time, now = line
                if time > now - ALLOWANCE and time not in appended[source]:
                    raise Difference(f"a clock of {source} at {now} says {time}")
                said[source].append((now, 1, 0, time))
        for source, words in said.items():
            words.sort()     # records of a transaction are there before its clock
            highest, clock, latest = 0, 0, -1
            for _, is_clock, offset, time in words:
                if is_clock:
                    clock = max(clock, time)
                    continue
                if offset <= latest:
                    raise Difference(f"{source} {offset} is validated after {latest}")
                if time < highest or time < clock:
                    raise Difference(f"{source} {offset} arrives at {time}, after " + (
                        f"one at {highest}" if time < highest else f"a clock of {clock}"))
                highest, latest = time, offset

    # ---- Alerts, triggers, decisions

    def check_judgements(self):
        for topic, names in ((ALERTS, ("fingerprint", "time", "state")), (TRIGGERS, ("trigger_id",)),
                             (DECISIONS, ("id",))):
            records = [line[4] for line in self.dump.records(topic)]
            seen = set()
            for record in records:
                key = tuple(record[name] for name in names)
                require(key not in seen, topic, "has twice", *key)
                seen.add(key)
            if self.dump.expected:
                wanted = collections.Counter(plain(line[2]) for line in self.dump.expected if line[1] == topic)
                found = collections.Counter(plain(record) for record in records)
                lacking, more = wanted - found, found - wanted
                require(not lacking, topic, "lacks", min(lacking, default=""))
                require(not more, topic, "has besides", min(more, default=""))


def spanned(spans):
    """One span a partition, from the least offset to the greatest."""
    ends = {}
    for span in spans:
        first, last = ends.get(span["partition"], (span["first"], span["last"]))
        ends[span["partition"]] = min(first, span["first"]), max(last, span["last"])
    return [{"partition": partition, "first": first, "last": last} for partition, (first, last) in sorted(ends.items())]


def plain(record):
    """Comparable text, without offsets: they depend on the partitions."""
    def stripped(node):
        if isinstance(node, dict):
            return {key: stripped(value) for key, value in node.items() if key != "offsets"}
        return [stripped(item) for item in node] if isinstance(node, list) else node
    return json.dumps(stripped(record), sort_keys=True)


def check(lines):
    """None where a seed's lines are right; else what differs first."""
    if lines[-1] != ["end"]:
        return "the dump is cut off"
    try:
        run = Run(Dump(lines))
        run.check_fates()
        run.check_panes()
        run.check_measurements()
        run.check_sequence()
        run.check_stamps()
        run.check_judgements()
    except Difference as difference:
        return str(difference)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return f"not to be read: {error!r}"     # names what nothing in the log names
    return None


def seeds(stream):
    """The parsed lines of one seed after the other."""
    lines = []
    for line in stream:
        lines.append(line)
        if line.startswith(b'["end"'):
            yield json.loads(b"[" + b",".join(lines) + b"]")
            lines.clear()
    if lines:
        yield json.loads(b"[" + b",".join(lines) + b"]")


def main():
    gc.disable()     # millions of objects, none in a cycle
    count = failed = 0
    for lines in seeds(sys.stdin.buffer):
        difference = check(lines)
        count += 1
        failed += difference is not None
        print(f"seed {lines[0][1]}", "ok" if difference is None else f"FAILED: {difference}", flush=True)
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
