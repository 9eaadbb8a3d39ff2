"""Events that are good, and events that are broken in every way we know, each with the one reason that is right.

Each is made of its number, an id of ten digits, alone: whoever reads it back makes it again and compares bytes. Templates are encoded
once and the id written into them, so a million take seconds.
"""
import io
import json
import struct

import confluent_kafka
import fastavro
import stack

START = 849_427_200_000
MODEL, LATER, NOBODY = "kinds", "later", "nobody"
ID = "~identity~"     # ten bytes, as in nothing else here
HEADERS = {"plumb-arrival": str(START)}

CONTRACT = """
model: {model}
task: binary
positive: up
owner: tests
runbook: https://runbooks.example/kinds
columns:
  amount:  {{type: number, range: [0, 100]{reject}}}
  country: {{type: category, values: [DE, FR, PL]{unseen}}}
  needed:  {{type: number{required}}}
  free:    {{type: number, required: false}}
  note:    {{type: text, required: false, length: [1, 8], pattern: '^[a-z]+$'{reject}}}
windows: {{pane: 1h, rolling: [1d], lateness: 30s, correction: 1h{stale}}}
labels: {{ttl: 72h}}
monitors:
  - {{quality: nulls, columns: [amount], window: 1d}}
"""
STRICT = {"reject": ", on_violation: reject", "unseen": ", on_unseen: reject", "required": "",
          "stale": ", stale: 365d, on_stale: reject"}
LENIENT = {"reject": "", "unseen": "", "required": ", required: false, on_type: flag", "stale": ""}


def contract(folder, model, terms):
    path = folder / f"{model}.yaml"
    path.write_text(CONTRACT.format(model=model, **terms))
    return path


def apply(pipeline, path, effective_from):
    stack.plumb("apply", "-f", path, "--effective-from", effective_from, "--bootstrap", pipeline.bootstrap)


# ---- Avro in single-object encoding, by fastavro

TEXT = (stack.TREE / "schemas" / "inference.events.avsc").read_text()


def plain(text):
    """Times stay milliseconds."""
    return json.loads(text, object_hook=lambda node: {key: value for key, value in node.items() if key != "logicalType"})


def fingerprint_of(schema):
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


OURS = fastavro.schema.parse_schema(plain(TEXT))
FRAME = b"\xc3\x01" + fingerprint_of(json.loads(TEXT))


def body_of(event, schema=OURS):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, event)
    return out.getvalue()


def apps_own(drop=(), more=()):
    """(schema's text, frame) of an app that has its own record: without some fields of ours, with some more."""
    schema = json.loads(TEXT)
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in drop] + list(more)
    text = json.dumps(schema)
    return text, b"\xc3\x01" + fingerprint_of(schema)


LACKING = apps_own(drop=["model_version"])            # published, but of no use
UNKNOWN = apps_own(more=[{"name": "region", "type": "string"}])     # of use, but not published


def publish_schema(bootstrap, text, frame):
    """As a registrar of schemas would: into model.schemas."""
    digits = frame[2:][::-1].hex()      # little-endian in the frame, a number in the table
    value = json.dumps({"fingerprint": digits, "topic": "inference.events", "text": text})
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    producer.produce("model.schemas", key=digits, value=value)
    assert producer.flush(20) == 0


# ---- Good ones

def good_event(variety=0, **changes):
    event = {"event_id": ID, "event_time": START, "model_name": MODEL, "model_version": "1",
             "features": {"amount": variety * 1.37, "country": "DE FR PL".split()[variety % 3], "needed": variety},
             "prediction": variety % 2, "scores": {"up": variety / 64, "down": 1 - variety / 64}}
    if variety % 5 == 0:
        event["features"]["free"] = -0.1 * variety
        event["tags"] = {"region": "Köln\u2028" + "x" * variety}
    return event | changes


def featuring(**features):
    return good_event(features=good_event()["features"] | features)


def without(*path):
    event = json.loads(json.dumps(good_event()))
    inner = event
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return event


def text_of(event):
    return json.dumps(event, ensure_ascii=False).encode()


VARIETIES = [good_event(variety) for variety in range(64)]
GOOD_JSON = [text_of(event) for event in VARIETIES]
GOOD_AVRO = [FRAME + body_of(event) for event in VARIETIES]


def good(number):
    """(bytes, is it JSON)"""
    template = (GOOD_JSON if number % 2 else GOOD_AVRO)[number // 2 % 64]
    return template.replace(ID.encode(), b"%010d" % number), bool(number % 2)


# ---- Bad ones

def varint_overflow():
    return FRAME + b"\xff" * 10 + b"\x7f" + ID.encode()


def huge_claim():
    """An event_id that claims to be 2 GB long."""
    claim, zigzag = b"", (2 << 30) << 1
    while zigzag > 0x7F:
        claim += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return FRAME + claim + bytes([zigzag]) + ID.encode()


OVERSIZE = 1024 * 1024 + 1000
# name → (bytes, reason, column)
BAD = {
    "no value": (None, "no_value", None),
    "not JSON": (b"\x07\x08 nothing " + ID.encode(), "malformed", None),
    "empty": (b"", "malformed", None),
    "truncated JSON": (text_of(good_event())[:-20], "malformed", None),
    "JSON array": (b"[" + text_of(good_event()) + b"]", "malformed", None),
    "nesting of 1,000": (b'{"event_id": "%s", "features": ' % ID.encode() + b"[" * 1000 + b"]" * 1000 + b"}",
                         "limit_exceeded", None),
    "duplicate key": (text_of(good_event())[:-1] + b', "model_version": "2"}', "malformed", None),
    "not UTF-8": (text_of(good_event()).replace(b'"DE"', b'"\xff\xfe"'), "malformed", None),
    "no event_id": (text_of(without("event_id")), "missing_field", "event_id"),
    "event_id is null": (text_of(good_event(event_id=None)), "missing_field", "event_id"),
    "event_time is a word": (text_of(good_event(event_time="today")), "invalid_field", "event_time"),
    "the year 0": (text_of(good_event(event_time=-62_167_219_200_001)), "invalid_field", "event_time"),
    "features are no object": (text_of(good_event(features=7)), "invalid_field", "features"),
    "unknown model": (text_of(good_event(model_name=NOBODY)), "unknown_model", None),
    "before the first contract": (text_of(good_event(model_name=LATER)), "no_contract_yet", None),
    "no prediction": (text_of(good_event(prediction=None)), "missing_prediction", "prediction"),
    "missing column": (FRAME + body_of(without("features", "needed")), "missing_column", "needed"),
    "wrong type": (text_of(featuring(needed="much")), "type_mismatch", "needed"),
    "out of range": (FRAME + body_of(featuring(amount=100.5)), "range", "amount"),
    "unseen value": (text_of(featuring(country="XX")), "unseen_value", "country"),
    "too long": (text_of(featuring(note="ninewords")), "length", "note"),
    "not as the pattern says": (FRAME + body_of(featuring(note="Eight")), "pattern", "note"),
    "a year old": (text_of(good_event(event_time=START - 366 * 86_400_000)), "stale", "event_time"),
    "null": (text_of(featuring(amount=None)), "null_value", "amount"),
    "NaN": (FRAME + body_of(featuring(amount=float("nan"))), "not_a_number", "amount"),
    "unknown fingerprint": (UNKNOWN[1] + body_of(good_event(region="x"), fastavro.schema.parse_schema(plain(UNKNOWN[0]))),
                            "schema_unknown", None),
    "a schema without model_version": (LACKING[1] + body_of(good_event(), fastavro.schema.parse_schema(plain(LACKING[0]))),
                                       "schema_invalid", None),
    "truncated Avro": ((FRAME + body_of(good_event()))[:-9], "malformed", None),
    "Avro with bytes behind it": (FRAME + body_of(good_event()) + b"\0", "malformed", None),
    "a varint of 11 bytes": (varint_overflow(), "malformed", None),
    "a claim of 2 GB": (huge_claim(), "malformed", None),
    "nothing behind the marker": (b"\xc3\x01" + struct.pack("<H", 7), "malformed", None),
    "over 1 MiB": (text_of(good_event(tags={"x": "x" * OVERSIZE})), "too_large", None),
}
KINDS = list(BAD)


def bad(number, kind):
    value = BAD[kind][0]
    return value if value is None else value.replace(ID.encode(), b"%010d" % number)
