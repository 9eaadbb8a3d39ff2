"""window.panes against the raw log: the ledger that a test ends with.

Goal: every event is in exactly one pane, once, whatever was killed meanwhile; and sums are exact.
Method: the topic is read as a subscriber would (read_committed), decoded by fastavro, and added up per pane; the rows
and exact fractions of the log's own numbers must be the same to the last bit.
"""
import collections
import fractions
import gzip
import io
import json

import confluent_kafka
import fastavro
import stack

HOUR = 3_600_000
FRAMING_SIZE = 10      # Avro single-object: two bytes of marker, eight of fingerprint


def whole(message):
    return message.key(), message.value(), message.headers() or []


def records_of(bootstrap, topic, pick=whole):
    """(key, value, headers), or what pick takes, of all records with a value, from the topic's beginning to its end."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "test-ledger",
                                         "auto.offset.reset": "earliest", "enable.auto.commit": False,
                                         "isolation.level": "read_committed", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
    ended, found = set(), []
    try:
        while len(ended) < len(partitions):
            message = consumer.poll(20)
            assert message is not None, f"{topic} does not end"
            if message.error() is None:
                if message.value() is not None:
                    found.append(pick(message))
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    finally:
        consumer.close()
    return found


def decoded(value, stem):
    text = (stack.TREE / "schemas" / f"{stem}.avsc").read_text()
    plain = json.loads(text, object_hook=lambda node: {k: v for k, v in node.items() if k != "logicalType"})
    schema = fastavro.schema.parse_schema(plain)  # times stay milliseconds
    assert value[:2] == b"\xc3\x01", "not framed as a single object"
    return fastavro.schemaless_reader(io.BytesIO(value[FRAMING_SIZE:]), schema)


def exact(total):
    """The number that a canonical exact sum stands for: limb i counts 2^(32 i - 1074)."""
    return sum((fractions.Fraction(limb) * fractions.Fraction(2) ** (32 * (total["first"] + place) - 1074)
                for place, limb in enumerate(total["limbs"])), fractions.Fraction(0))


def found_panes(bootstrap):
    """start → (events, column → [rows, sum, sum of squares, minimum, maximum]) over all partitions and parts."""
    events = collections.Counter()
    columns = collections.defaultdict(lambda: [0, fractions.Fraction(0), fractions.Fraction(0), None, None])
    for _, value, _ in records_of(bootstrap, "window.panes"):
        pane = decoded(value, "window.panes")
        assert pane["end"] - pane["start"] == HOUR and pane["segment"] is None
        assert sum(span["last"] - span["first"] + 1 for span in pane["offsets"]) >= pane["events"]
        events[pane["start"]] += pane["events"]
        for column in pane["columns"]:
            rows = 0 if column["name"] == "prediction" else sum(column["cells"])  # a category has no finite values
            assert rows == column["finite"], "the example has neither null nor NaN"
            kept = columns[pane["start"], column["name"]]
            kept[0] += column["finite"]
            kept[1] += exact(column["sum"])
            kept[2] += exact(column["squares"])
            if column["finite"]:
                kept[3] = column["minimum"] if kept[3] is None else min(kept[3], column["minimum"])
                kept[4] = column["maximum"] if kept[4] is None else max(kept[4], column["maximum"])
    return events, columns


def expected_panes(log):
    events, columns = collections.Counter(), {}
    with gzip.open(log, "rt") as file:
        for event in map(json.loads, file):
            start = event["event_time"] // HOUR * HOUR
            events[start] += 1
            for name, value in (event["features"] | {"score": event["scores"]["up"]}).items():
                columns.setdefault((start, name), []).append(value)
    return events, columns


def check(bootstrap, log=stack.EXAMPLE / "events.jsonl.gz"):
    """Fails with the first pane in which the topic and the log (all of the example, or a part of it) differ."""
    events, columns = found_panes(bootstrap)
    expected_events, expected_columns = expected_panes(log)
    differing = (events - expected_events) + (expected_events - events)
    assert not differing, f"{len(differing)} panes differ in events, first {sorted(differing)[:5]}"
    for key, values in expected_columns.items():
        parts = [fractions.Fraction(value) for value in values]
        squares = sum(part * part for part in parts)
        assert columns[key] == [len(values), sum(parts), squares, min(values), max(values)], key
