"""What comes from outside and is wrong.

Goal: bad bytes are a dead letter with its reason and stop nothing; a bad contract is refused with its place; both in
bounded time.
Method: one validator on a real Kafka is given records broken in every way we know, with good ones between; plumb is
given contracts with errors.
"""
import io
import json
import os
import re
import struct
import subprocess

import confluent_kafka
import fastavro
import pane_ledger
import pytest
import stack

START = 849_427_200_000
GOOD = {
    "event_id": "good", "event_time": START, "model_name": "electricity-price", "model_version": "1",
    "features": {"period": 0.5, "nswprice": 0.1, "nswdemand": 0.2, "vicprice": 0.003467, "vicdemand": 0.422915,
                 "transfer": 0.414912},
    "prediction": 1, "scores": {"up": 0.75, "down": 0.25}}


def altered(**changes):
    return GOOD | changes


def without(*path):
    event = json.loads(json.dumps(GOOD))
    inner = event
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return event


def featuring(**features):
    return GOOD | {"features": GOOD["features"] | features}


def single_object(event):
    """The event as fastavro writes it, framed by the fingerprint that fastavro computes."""
    schema = json.loads((stack.TREE / "schemas" / "inference.events.avsc").read_text())
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.schema.parse_schema(schema), event)
    return b"\xc3\x01" + fingerprint + out.getvalue()


def huge_claim():
    """A string that claims to be 2 GB long, behind the right fingerprint."""
    claim, zigzag = b"", (2 << 30) << 1
    while zigzag > 0x7F:
        claim += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return single_object(GOOD)[:10] + claim + bytes([zigzag]) + b"x"


def event(**fields):
    return json.dumps(altered(**fields)).encode()


# name → (bytes, reasons that are right)
BAD = {
    "malformed JSON": (b'{"event_id": "x", ', {"malformed"}),
    "no JSON at all": (b"\x07\x08 nothing", {"malformed"}),
    "JSON, but no object": (b"[1, 2, 3]", {"malformed", "missing_field", "invalid_field"}),
    "not UTF-8": (json.dumps(GOOD).encode().replace(b"good", b"\xff\xfe"), {"malformed"}),
    "nesting of 10,000": (b'{"event_id": "x", "features": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
                          {"limit_exceeded", "malformed"}),
    "truncated single-object": (single_object(GOOD)[:40], {"malformed"}),
    "nothing behind the marker": (b"\xc3\x01\x01\x02", {"malformed", "schema_unknown"}),
    "unknown fingerprint": (b"\xc3\x01" + struct.pack("<Q", 12345) + b"\x00\x00", {"schema_unknown"}),
    "a claim of 2 GB": (huge_claim(), {"malformed", "limit_exceeded"}),
    "unknown model": (event(model_name="nobody"), {"unknown_model"}),
    "no event_id": (json.dumps(without("event_id")).encode(), {"missing_field"}),
    "empty event_id": (event(event_id=""), {"missing_field"}),
    "no event_time": (json.dumps(without("event_time")).encode(), {"missing_field"}),
    "event_time is a word": (event(event_time="today"), {"invalid_field"}),
    "missing column": (json.dumps(without("features", "vicprice")).encode(), {"missing_column"}),
    "wrong type": (json.dumps(featuring(vicprice="high")).encode(), {"type_mismatch"}),
    "features are no object": (event(features=7), {"invalid_field"}),
    "no prediction": (event(prediction=None), {"missing_prediction"}),
}
# Let through, marked: what the contract flags by default.
FLAGGED = {
    "null": json.dumps(featuring(vicprice=None)).encode(),
    "out of range": json.dumps(featuring(vicprice=1.5)).encode(),
    "a column more": json.dumps(featuring(newcomer=3)).encode(),
    "single-object by fastavro": single_object(GOOD),
}


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    with stack.Pipeline(tmp_path_factory.mktemp("bad"), services=["plumb-validator"]) as pipeline:
        pipeline.start(partitions=2)
        pipeline.publish_contract()
        yield pipeline


def produce(pipeline, values):
    producer = confluent_kafka.Producer({"bootstrap.servers": pipeline.bootstrap, "enable.idempotence": True})
    for number, (name, value) in enumerate(values.items()):
        producer.produce("inference.events", key=name, value=value, headers={"plumb-arrival": str(START + number)})
    assert producer.flush(20) == 0


def test_bad_records_are_dead_letters_and_stop_nothing(validator):
    good = {f"good {number}": event(event_id=f"good-{number}") for number in range(20)}
    flagged = {name: value.replace(b'"good"', f'"flagged {name}"'.encode()) for name, value in FLAGGED.items()}
    values, left = {}, dict(good)
    for name, (value, _) in BAD.items():      # good ones between the bad ones, so that each partition goes on
        values[name] = value
        if left:
            values.update([left.popitem()])
    values |= left | flagged
    produce(validator, values)

    def summary():
        found = json.loads(validator.summary())
        return found if found["validated"] + found["dead_lettered"] >= len(values) else None

    found = stack.wait_until("every record is in one topic or the other", 30, summary)
    assert found == {"events_in": len(values), "validated": len(good) + len(flagged), "dead_lettered": len(BAD)}
    letters = [json.loads(line) for line in validator.read("dead-letters")]
    assert {letter["record"] for letter in letters} == {"dead_letter"}
    wrong = sorted(letter["reason"] for letter in letters)
    expected = sorted(next(iter(reasons)) for _, reasons in BAD.values())
    assert len(letters) == len(BAD), (wrong, expected)
    assert_letters_keep_the_original(validator)


def assert_letters_keep_the_original(pipeline):
    """Key, value and reason of each dead letter, read from the topic itself."""
    found = {key.decode(): (value, dict(headers))
             for key, value, headers in pane_ledger.records_of(pipeline.bootstrap, "inference.dead-letter")}
    assert set(found) == set(BAD)
    for name, (value, reasons) in BAD.items():
        kept, headers = found[name]
        assert kept == value, name
        assert headers["plumb.reason"].decode() in reasons, (name, headers["plumb.reason"])
        if name in ("missing column", "wrong type"):
            assert headers["plumb.column"] == b"vicprice"


def test_reasons_are_documented(validator):
    listed = stack.plumb("dead-letters", "reasons").stdout
    for reason in {reason for _, reasons in BAD.values() for reason in reasons}:
        assert re.search(rf"\b{reason}\b", listed), reason


# ---- Contracts

CONTRACT = (stack.EXAMPLE / "contract.yaml").read_text()


def refused(tmp_path, text, *command):
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    done = stack.plumb(*(part if part != "CONTRACT" else path for part in command), check=False)
    assert done.returncode == 78, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if re.search(r"contract\.yaml:\d+:\d+: ", line)]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("wrong, right, says", [
    ("owner: grid-ml", "ownr: grid-ml", "owner"),
    ("drift: psi, columns: [vicprice", "drift: pssi, columns: [vicprice", "psi"),
    ("columns: [vicprice,", "columns: [vikprice,", "vicprice"),
    ("{pane: 1h,", "{pane: 1x,", "1x"),
    ("task: binary", "task: binry", "binary"),
    ("period:    {type: number, range: [0, 1]}", "period:    {type: number, range: [1, 0]}", "range"),
    ("period:    {type: number, range: [0, 1]}", "period:    {type: number, range: [0, 1]", ""),
])
def test_contract_error_names_its_place(tmp_path, wrong, right, says):
    assert wrong in CONTRACT
    text = CONTRACT.replace(wrong, right)
    line = refused(tmp_path, text, "analyze", "--contract", "CONTRACT", "--reference", stack.EXAMPLE / "reference.csv",
                   stack.EXAMPLE / "events.jsonl.gz")
    assert says in line
    if says:
        expected = 1 + text[:text.index(right.split(",")[0])].count("\n")
        assert f"contract.yaml:{expected}:" in line


def test_pii_is_refused_until_it_is_built(tmp_path):
    text = CONTRACT.replace("  transfer:  {type: number, range: [0, 1]}",
                            "  transfer:  {type: number, range: [0, 1], pii: hash}")
    assert text != CONTRACT
    assert "pii" in refused(tmp_path, text, "analyze", "--contract", "CONTRACT", stack.EXAMPLE / "events.jsonl.gz")


def test_bad_contract_is_not_published(tmp_path, validator):
    before = validator.summary()
    refused(tmp_path, CONTRACT.replace("owner: grid-ml", "ownr: grid-ml"), "apply", "-f", "CONTRACT", "--bootstrap",
            validator.bootstrap)
    assert validator.summary() == before


# ---- Files and arguments

def test_unreadable_files_and_unknown_options(tmp_path):
    done = stack.plumb("analyze", "--contract", tmp_path / "none.yaml", stack.EXAMPLE / "events.jsonl.gz", check=False)
    assert done.returncode in (69, 78) and "none.yaml" in done.stderr
    done = stack.plumb("analyze", "--contract", stack.EXAMPLE / "contract.yaml", tmp_path / "none.jsonl", check=False)
    assert done.returncode != 0 and "none.jsonl" in done.stderr
    done = stack.plumb("analyze", "--contrakt", "x", check=False)
    assert done.returncode == 2 and "--contract" in done.stderr
    done = stack.plumb("analize", check=False)
    assert done.returncode == 2 and "analyze" in done.stderr


def test_analyze_says_which_line_is_bad(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([event(event_id="a"), b'{"event_id": ', event(event_id="b", model_name="nobody"), b""]))
    done = stack.plumb("analyze", "--contract", stack.EXAMPLE / "contract.yaml", "--reference",
                       stack.EXAMPLE / "reference.csv", path, "--output", "jsonl")
    letters = [record for record in map(json.loads, done.stdout.splitlines()) if record["record"] == "dead_letter"]
    assert [(letter["line"], letter["reason"]) for letter in letters] == [(2, "malformed"), (3, "unknown_model")]


@pytest.mark.parametrize("action", ["flag", "count"])
def test_counted_violations_are_measured(tmp_path, action):
    """A window measures what the contract lets through, whether it is flagged or only counted."""
    contract, events = tmp_path / "contract.yaml", tmp_path / "events.jsonl"
    contract.write_text("model: m\ntask: regression\nowner: o\nrunbook: r\ncolumns:\n"
                        f"  a: {{type: number, range: [0, 1], on_violation: {action}}}\n"
                        f"  c: {{type: category, values: [x], on_unseen: {action}}}\n"
                        "monitors:\n  - {quality: range, columns: [a], window: 1m, max: 0.1}\n"
                        "  - {quality: unseen, columns: [c], window: 1m, max: 0.1}\n")
    events.write_text("".join(json.dumps({
        "event_id": str(i), "event_time": 1700000040000 + i, "model_name": "m", "model_version": "1", "prediction": 1,
        "features": {"a": 2 if i < 30 else 0.5, "c": "y" if i < 20 else "x"}}) + "\n" for i in range(100)))
    done = stack.plumb("analyze", "--contract", contract, events, "--output", "jsonl")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    measured = {record["metric"]: (record["value"], record["state"]) for record in records
                if record["record"] == "measurement"}
    assert measured == {"range": (0.3, "BREACH"), "unseen": (0.2, "BREACH")}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run([stack.BUILD / "bin" / "plumb", "analyze", "--contract", stack.EXAMPLE / "contract.yaml",
                               "--reference", stack.EXAMPLE / "reference.csv", stack.EXAMPLE / "events.jsonl.gz",
                               "--output", "jsonl"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode not in (0, -6, -11) and "space" in done.stderr
