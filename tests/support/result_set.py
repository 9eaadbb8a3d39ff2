"""What a run found, as something that two runs can be compared by."""
import collections
import json
import pathlib

KINDS = {"measurements": "measurement", "alerts": "alert", "triggers": "trigger"}


def without_offsets(value):
    """Offsets are Kafka's to give: the one thing in which two runs may differ."""
    if isinstance(value, dict):
        return {key: without_offsets(inner) for key, inner in value.items() if key != "offsets"}
    if isinstance(value, list):
        return [without_offsets(inner) for inner in value]
    return value


def bits(lines):
    """Lines as a multiset of texts: equal only if every number is the same bits (Python prints doubles exactly)."""
    return collections.Counter(json.dumps(without_offsets(json.loads(line)), sort_keys=True) for line in lines)


def of_folder(folder):
    """--results DIR of services/up: record kind → lines."""
    return {kind: (pathlib.Path(folder) / f"{name}.jsonl").read_text().splitlines() for name, kind in KINDS.items()}


def of_pipeline(pipeline):
    return {kind: pipeline.read(name) for name, kind in KINDS.items()}


def of_lines(lines):
    """One stream of all kinds, as plumb analyze prints it."""
    by_kind = collections.defaultdict(list)
    for line in lines:
        by_kind[json.loads(line)["record"]].append(line)
    return by_kind


def difference(left, right, left_name, right_name):
    """Text of how the two differ, empty where they do not: the ledger of "nothing lost, nothing twice"."""
    said = []
    for kind in KINDS.values():
        one, other = bits(left[kind]), bits(right[kind])
        if not one or not other:
            said.append(f"{kind}: {sum(one.values())} in {left_name}, {sum(other.values())} in {right_name}")
        for name, extra in ((left_name, one - other), (right_name, other - one)):
            if extra:
                said.append(f"{kind}: {sum(extra.values())} only in {name} (of {sum(one.values())} and "
                            f"{sum(other.values())}), first:")
                said += [f"  {text[:600]}" for text in sorted(extra)[:2]]
    return "\n".join(said)
