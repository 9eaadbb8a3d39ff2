"""What the oracle knows of contracts, baselines and events: the definitions of DESIGN.md 2.4 and INTERFACES.md
("native", Contracts), written anew in Python over exact integers. No source of the services is used.
"""
import bisect
import functools
import json
import math

UNIT = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
TYPES = {"number": {int, float}, "category": {str, int, bool, float}, "boolean": {bool}, "text": {str},
         "id": {str, int}}
YEAR_1, YEAR_9999 = -62_135_596_800_000, 253_402_300_799_999
OWN = ("prediction", "score", "confidence", "latency_ms")
EMPTY_SHARE = 1e-4
ROWS_MIN = 30
CONTRIBUTIONS_MAX = 5
INFINITY = math.inf
MODERATE = 2.0 ** -43, 2.0 ** 40


def duration(text):
    digits = text.rstrip("mshd")
    return int(digits) * UNIT[text[len(digits):]]


class Column:
    """A column of a contract. `fits` is the quick test that most values pass."""

    def __init__(self, name, rule):
        self.name, self.type = name, rule["type"]
        self.types = TYPES[self.type]
        self.required = rule.get("required", True)
        self.low, self.high = rule.get("range", (-INFINITY, INFINITY) if self.type == "number" else (None, None))
        self.values = frozenset(rule["values"]) if "values" in rule else None
        self.nulls_rate = rule.get("nulls", {}).get("max_rate")
        self.on_type = rule.get("on_type", "reject")
        self.on_violation = rule.get("on_violation", "flag")
        self.on_unseen = rule.get("on_unseen", self.on_violation)

    def violation(self, value, missing):
        """(reason, action), or None where there is none."""
        if missing:
            return ("missing_column", self.on_type) if self.required else None
        if value is None:
            lets_some = self.on_violation == "reject" and self.nulls_rate is not None and self.nulls_rate > 0
            return "null_value", "flag" if lets_some else self.on_violation
        if type(value) not in self.types:
            return "type_mismatch", self.on_type
        if value != value:
            return "not_a_number", self.on_violation
        if self.low is not None and not self.low <= value <= self.high:
            return "range", self.on_violation
        if self.values is not None and category(value) not in self.values:
            return "unseen_value", self.on_unseen
        return None


class Monitor:
    def __init__(self, rule, contract):
        self.kind = "DRIFT" if "drift" in rule else "QUALITY"
        self.metric = rule["drift" if "drift" in rule else "quality"]
        self.window = duration(rule["window"])
        self.warn, self.critical, self.max = rule.get("warn"), rule.get("critical"), rule.get("max")
        columns = rule["columns"] if isinstance(rule["columns"], list) else [rule["columns"]]
        everything = [column.name for column in contract.columns if column.type not in ("text", "id")] + ["prediction"]
        if contract.task == "binary":
            everything.append("score")
        self.columns = [name for given in columns for name in (everything if given == "*" else [given])]


class Contract:
    def __init__(self, record):
        rule = json.loads(record["text"])
        windows = rule.get("windows", {})
        self.model, self.revision, self.effective_from = rule["model"], record["revision"], record["effective_from"]
        self.task, self.positive = rule["task"], rule.get("positive")
        self.pane = duration(windows.get("pane", "1m"))
        self.lateness = duration(windows.get("lateness", "30s"))
        self.correction = duration(windows.get("correction", "1h"))
        self.skew = duration(windows.get("skew", "5m"))
        self.columns = [Column(name, column) for name, column in rule["columns"].items()]
        self.tests = [(column.name, column.types, column.low, column.high, column.values, column)
                      for column in self.columns]
        self.monitors = [Monitor(monitor, self) for monitor in rule.get("monitors", ())]
        self.lengths = sorted({monitor.window for monitor in self.monitors})
        self.hashes = {named["version"]: named["hash"] for named in record["baselines"]}

    def allowance(self, revision):
        return self.correction if revision else self.lateness

    def lateness_of(self, time, arrival):
        if time > arrival + self.skew:
            return "future"
        end = time // self.pane * self.pane + self.pane
        if arrival <= end + self.lateness:
            return "on_time"
        return "late" if arrival <= end + self.correction else "too_late"

    def judge(self, event):
        """((reason, column), None) of an event to be rejected, else (None, the violations let through, by column)."""
        flags = None
        prediction, features = event["prediction"], event["features"]
        if prediction is None and event.get("status", "OK") == "OK":
            return ("missing_prediction", "prediction"), None
        if prediction != prediction:
            flags = [("prediction", "not_a_number")]
        score = (event.get("scores") or {}).get(self.positive)
        for name, answer in (("score", score), ("confidence", event.get("confidence")),
                             ("latency_ms", event.get("latency_ms"))):
            if answer != answer:
                flags = flags or []
                flags.append((name, "not_a_number"))
        get = features.get
        for name, types, low, high, values, column in self.tests:
            value = get(name)
            if type(value) in types and (low is None or low <= value <= high) and (values is None or value in values):
                continue
            found = column.violation(value, name not in features)
            if found is None:
                continue
            reason, action = found
            if action == "reject":
                return (reason, name), None
            flags = flags or []  # what is only counted goes with the record as well: windows measure it
            flags.append((name, reason))
        return None, flags


def category(value):
    """The text of a value as a category: 1 for 1.0, shortest digits for other doubles."""
    kind = type(value)
    if kind is str:
        return value
    if kind is bool:
        return "true" if value else "false"
    if kind is int or value == math.floor(value):
        return str(int(value))
    return next(text for digits in (15, 16, 17) if float(text := f"{value:.{digits}g}") == value)


# ---- Cells

class Place:
    """A column that is counted, and its cells: of its baseline, else those that the contract gives."""

    def __init__(self, name, contract, baseline):
        self.name = name
        rule = next((column for column in contract.columns if column.name == name), None)
        self.rule, self.contract = rule, contract
        if rule is not None:
            self.is_number = rule.type == "number"
        else:
            self.is_number = name != "prediction" or contract.task in ("regression", "ranking")
        record = None if baseline is None else baseline.get(name)
        if record is not None and (record["type"] == "NUMBER") != self.is_number:
            record = None
        self.reference = None if record is None else record["counts"]
        self.rows = 0 if record is None else sum(record["counts"])
        self.hash = None if record is None else record["hash"]
        self.cuts = self.minimum = self.maximum = None
        values = []
        if record is not None and record["minimum"] is not None:
            self.cuts, self.minimum, self.maximum = record["cuts"], record["minimum"], record["maximum"]
            known = len(self.cuts) + 3
        else:
            if record is not None:
                values = record["values"]
            elif rule is not None and rule.type == "boolean":
                values = ["false", "true"]
            elif rule is not None and rule.type == "category" and rule.values is not None:
                values = sorted(rule.values, key=lambda value: value.encode())
            known = len(values)
        self.known = {}     # (type, value) → its cell, as found before
        self.cells_of = {value: index for index, value in enumerate(values)}
        self.null, self.nan, self.unseen, self.count = known, known + 1, known + 2, known + 3
        self.cut = (tuple(self.cuts), self.minimum, self.maximum) if self.cuts is not None else tuple(values)

    def values(self, events):
        name = self.name
        if self.rule is not None:
            return [event["features"].get(name) for event in events]
        if name == "score":
            return [(event.get("scores") or {}).get(self.contract.positive) for event in events]
        return [event.get(name) for event in events]

    def counted(self, events):
        """(cells, finite, sum, squares, minimum, maximum); sums are integers that count 2^-1074."""
        cells = [0] * self.count
        if not self.is_number:
            known = self.known
            for value in self.values(events):
                cell = known.get((type(value), value))
                if cell is None:
                    cell = known[type(value), value] = self.category_cell(value)
                cells[cell] += 1
            return cells, 0, 0, 0, None, None
        cuts, low, high = self.cuts, self.minimum, self.maximum
        if cuts is None:
            low, high = INFINITY, -INFINITY
        find, finite = bisect.bisect_left, []
        for value in self.values(events):
            if type(value) is float and low <= value <= high:
                cells[1 + find(cuts, value)] += 1
                finite.append(value)
                continue
            cells[self.odd_cell(value)] += 1
            if type(value) in (int, float) and -INFINITY < value < INFINITY:
                finite.append(float(value))
        if not finite:
            return cells, 0, 0, 0, None, None
        least, most = min(finite), max(finite)
        return cells, len(finite), *exact_sums(finite, least, most), least + 0.0, most + 0.0

    def odd_cell(self, value):
        """The cell of what is no float within the bounds."""
        if value is None:
            return self.null
        if type(value) not in (int, float):
            return self.unseen
        value = float(value)
        if value != value:
            return self.nan
        if self.cuts is None:
            return self.unseen
        if value < self.minimum:
            return 0
        return self.null - 1 if value > self.maximum else 1 + bisect.bisect_left(self.cuts, value)

    def category_cell(self, value):
        if value is None:
            return self.null
        kind = type(value)
        if self.name == "prediction" and self.contract.task == "binary":
            if kind is str:
                positive = value in ("1", "true", self.contract.positive)
            else:
                positive = value == 1
            return self.cells_of.get("1" if positive else "0", self.unseen)
        if self.rule is not None and (self.rule.type in ("text", "id") or (self.rule.type == "boolean" and
                                                                            kind is not bool)):
            return self.unseen
        if value != value:
            return self.nan
        return self.cells_of.get(value if kind is str else category(value), self.unseen)


class Layout:
    """Which columns of a version are counted under a contract, and into which cells."""

    def __init__(self, contract, version, baselines):
        self.contract = contract
        named = contract.hashes.get(version, contract.hashes.get(""))
        owner = version if version in contract.hashes else ""
        baseline = None if named is None else baselines[contract.model, owner, named]
        read = {name for monitor in contract.monitors for name in monitor.columns}
        names = [column.name for column in contract.columns] + list(OWN)
        self.places = [Place(name, contract, baseline) for name in names if name in read]
        self.index = {place.name: index for index, place in enumerate(self.places)}
        self.cut = tuple((place.name, place.cut) for place in self.places)


def exact_sums(numbers, least, most):
    """(sum, sum of squares) of finite floats, both counting 2^-1074."""
    if least >= MODERATE[0] and most <= MODERATE[1]:    # all are multiples of 2^-96: the usual case, cheaply
        scaled = [int(number * 2.0 ** 96) for number in numbers]
        return sum(scaled) << 1074 - 96, sum([number * number for number in scaled]) << 1074 - 192
    total = squares = 0
    for value in numbers:
        number, parts = value.as_integer_ratio()
        size = parts.bit_length()
        total += number << 1075 - size
        # A square's bits below 2^-1074 are cut off; from 2^512 on it is no double, and counts as 2^1024.
        if -2.0 ** 512 < value < 2.0 ** 512:
            shift = 1076 - 2 * size
            squares += number * number << shift if shift >= 0 else number * number >> -shift
        else:
            squares += 1 << 2098
    return total, squares


def limbs(total):
    """The canonical record of a sum that counts 2^-1074."""
    sign, rest, found, first = (-1 if total < 0 else 1), abs(total), [], 0
    if rest:
        first = ((rest & -rest).bit_length() - 1) // 32
        rest >>= 32 * first
    while rest:
        found.append(sign * (rest & 0xffffffff))
        rest >>= 32
    return {"first": first, "limbs": found}


# ---- Fates

def fate_of_json(event):
    """(reason, column) of JSON that is no event; None of one that is. In the order of the schema's fields."""
    for name in ("event_id", "event_time", "model_name", "model_version"):
        value = event.get(name)
        if value is None or value == "":
            return "missing_field", name
        if name == "event_time" and (type(value) is not int or not YEAR_1 <= value <= YEAR_9999):
            return "invalid_field", name
    features = event.get("features")
    if type(features) is not dict:
        return ("missing_field" if features is None else "invalid_field"), "features"
    for name, value in features.items():
        if type(value) in (list, dict):
            return "type_mismatch", name
    if "prediction" not in event:
        return "missing_field", "prediction"
    if type(event["prediction"]) in (list, dict):
        return "invalid_field", "prediction"
    if any(type(score) not in (int, float) for score in (event.get("scores") or {}).values()):
        return "invalid_field", "scores"
    return None


FORMS = {"raw": "malformed", "cut": "malformed", "alien": "schema_unknown", "none": "no_value"}


# ---- Measures

@functools.lru_cache(None)
def chi2_quantile(share, freedom):
    """By bisection of the regularised lower incomplete gamma function's series."""
    half = freedom / 2

    def below(x):
        term = total = 1 / half
        step = half
        while abs(term) > total * 1e-17:
            step += 1
            term *= x / step
            total += term
        return total * math.exp(-x + half * math.log(x) - math.lgamma(half))

    low, high = 1e-9, 1000.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle / 2) < share else (low, middle)
    return (low + high) / 2


def rounded(value):
    return float(f"{value:.11e}")


def psi(reference, current):
    """(value, parts by cell, cells used)."""
    n_reference, n_current = sum(reference), sum(current)
    parts, used = [], 0
    log = math.log
    for expected, here in zip(reference, current):
        if expected or here:
            p = expected / n_reference if expected else EMPTY_SHARE
            q = here / n_current if here else EMPTY_SHARE
            parts.append((q - p) * log(q / p))
            used += 1
        else:
            parts.append(0.0)
    return math.fsum(parts), parts, used


def drift(monitor, place, cells, rows):
    """The measurement's fields that its numbers decide."""
    value, state, shares = None, "INSUFFICIENT_DATA", []
    if place.rows and rows:
        value, parts, used = psi(place.reference, cells)
        if value > 0:
            largest = sorted((part for part in parts if part), key=abs, reverse=True)[:CONTRIBUTIONS_MAX]
            shares = [part / value for part in largest]
    bounds = [bound for bound in (monitor.warn, monitor.critical) if bound is not None]
    critical = monitor.critical is not None and value is not None and rounded(value) >= rounded(monitor.critical)
    threshold = None if not bounds else bounds[-1] if critical else bounds[0]
    if value is not None and rows >= ROWS_MIN and place.rows >= ROWS_MIN:
        noise = 0 if used < 2 else chi2_quantile(0.999, used - 1) * (1 / place.rows + 1 / rows)
        breach = bounds and rounded(value) >= rounded(bounds[0]) and rounded(value) >= rounded(noise)
        state = "BREACH" if breach else "OK"
    return value, threshold, state, place.rows, place.hash, shares


def quality(monitor, place, cells, rows, flagged):
    """flagged: rows out of range, rows with a value not listed."""
    rule, count = place.rule, None
    threshold = monitor.max
    if monitor.metric == "nulls":
        count = cells[place.null]
        if threshold is None and rule is not None:
            threshold = rule.nulls_rate
    elif monitor.metric == "range":
        count = flagged[0]
    else:
        listed = rule is not None and rule.values is not None
        if place.reference is not None or listed or (rule is not None and rule.type == "boolean"):
            count = max(cells[place.unseen], flagged[1] if listed else 0)
    if count is None or not rows:
        return None, threshold, "INSUFFICIENT_DATA", 0, None, []
    value = count / rows
    breach = threshold is not None and rounded(value) > rounded(threshold)
    return value, threshold, "BREACH" if breach else "OK", 0, None, []
