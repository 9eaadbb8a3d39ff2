"""Live traffic: a Python app that knows nothing of Plumbline, on broker time.

Goal: with no header and no clock of ours, JSON and Avro (single-object) events from a real client lead to an alert soon after the
window in which the data moved, also where some partitions stay empty; a topic on CreateTime is refused with the remedy.
Method: confluent-kafka produces 25 s of events as they happen, shifted from the tenth second on; the alert is read from the topic by
another read_committed consumer.
"""
import io
import json
import random
import struct
import subprocess
import time

import confluent_kafka
import confluent_kafka.admin
import fastavro

import stack

CONTRACT = """\
model: live
task: regression
owner: tests
runbook: https://runbooks.example/live
columns:
  x: {type: number, range: [0, 1]}
windows: {pane: 1s, rolling: [5s], lateness: 1s, correction: 2s}
labels: {ttl: 1h}
monitors:
  - {drift: psi, columns: [x], window: 5s, reference: baseline, warn: 0.1, critical: 0.25}
"""
WINDOW_MS, LATENESS_MS = 5_000, 1_000


def crc64_avro(data):
    empty = 0xC15D213AA4D7A795
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (empty if value & 1 else 0)
        table.append(value)
    found = empty
    for byte in data:
        found = (found >> 8) ^ table[(found ^ byte) & 0xFF]
    return found


def avro_of(event, schema, framing):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, event)
    return framing + out.getvalue()


def publish_model(folder, bootstrap):
    (folder / "contract.yaml").write_text(CONTRACT)
    draw = random.Random(1)
    (folder / "reference.csv").write_text("x,prediction\n" + "".join(
        f"{draw.random()},{draw.random()}\n" for _ in range(5000)))
    stack.plumb("baseline", "--contract", folder / "contract.yaml", "--reference", folder / "reference.csv",
                "--bootstrap", bootstrap)
    stack.plumb("apply", "-f", folder / "contract.yaml", "--effective-from", "0", "--bootstrap", bootstrap)


def produce_as_it_happens(bootstrap, seconds, shift_after):
    """Events of two partitions only, in turn JSON and Avro; returns when (ms) the data moved, and how many were sent."""
    text = (stack.TREE / "schemas" / "inference.events.avsc").read_text()
    schema = fastavro.parse_schema(json.loads(text))
    canonical = fastavro.schema.to_parsing_canonical_form(json.loads(text))
    framing = b"\xc3\x01" + struct.pack("<Q", crc64_avro(canonical.encode()))
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    # From the beginning of a window: of one with 30 to 150 rows PSI's cells are often empty, which counts as drift.
    time.sleep((WINDOW_MS - int(time.time() * 1000) % WINDOW_MS) / 1000)
    began, sent, moved_ms, draw = time.monotonic(), 0, None, random.Random(2)
    while (age := time.monotonic() - began) < seconds:
        now_ms = int(time.time() * 1000)
        shifted = age >= shift_after
        if shifted and moved_ms is None:
            moved_ms = now_ms
        event = {"event_id": f"live-{sent}", "event_time": now_ms, "model_name": "live", "model_version": "1",
                 "features": {"x": draw.random() * (0.2 if shifted else 1.0)}, "prediction": draw.random()}
        value = avro_of(event, schema, framing) if sent % 2 else json.dumps(event)
        producer.produce("inference.events", value, event["event_id"], partition=sent % 2)
        producer.poll(0)
        sent += 1
        time.sleep(max(0, began + sent * 0.01 - time.monotonic()))
    assert producer.flush(20) == 0
    return moved_ms, sent


def alert_records(bootstrap):
    lines = stack.plumb("alerts", "--output", "jsonl", "--bootstrap", bootstrap).stdout.splitlines()
    return [json.loads(line) for line in lines]


def alert_arrivals(bootstrap):
    """time said in the alert → when the broker had it (LogAppendTime)."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "test-live",
                                         "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    consumer.subscribe(["alerts"])
    deadline, found = time.monotonic() + 15, []
    while time.monotonic() < deadline and not found:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None and message.value() is not None:
            found.append(message.timestamp()[1])
    consumer.close()
    return found


def test_live_events_lead_to_an_alert_in_time(tmp_path):
    with stack.Pipeline(tmp_path) as pipeline:
        validator = pipeline.services["plumb-validator"]
        validator.command = [part for part in validator.command if part not in ("--arrival", "header")]
        validator.command += ["--inputs", "inference.events"]
        pipeline.start(partitions=3)
        publish_model(tmp_path, pipeline.bootstrap)
        moved_ms, sent = produce_as_it_happens(pipeline.bootstrap, 25, 10)
        alerts = stack.wait_until("an alert", 20, lambda: alert_records(pipeline.bootstrap))
        first = alerts[0]
        assert (first["kind"], first["state"], first["columns"]) == ("feature_drift", "FIRING", ["x"])
        window = moved_ms // WINDOW_MS * WINDOW_MS
        assert first["window_start"] in (window, window + WINDOW_MS), "not the window in which the data moved"
        said_ms = first["window_end"] + LATENESS_MS
        assert first["time"] == said_ms
        delay_ms = alert_arrivals(pipeline.bootstrap)[0] - said_ms
        print(f"window end + lateness to alert: {delay_ms} ms")
        assert 0 < delay_ms < 3000
        summary = stack.wait_until("all events", 20, lambda: (
            found := json.loads(stack.plumb("summary", "--output", "json", "--bootstrap", pipeline.bootstrap).stdout))
            ["validated"] == sent and found)
        assert summary == {"events_in": sent, "validated": sent, "dead_lettered": 0}


def test_create_time_is_refused_with_the_remedy(tmp_path):
    with stack.Pipeline(tmp_path, services=["plumb-validator"]) as pipeline:
        pipeline.topics(partitions=1)
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": pipeline.bootstrap})
        change = confluent_kafka.admin.ConfigEntry(
            "message.timestamp.type", "CreateTime",
            incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)
        resource = confluent_kafka.admin.ConfigResource("topic", "inference.events",
                                                        incremental_configs=[change])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(20)
        done = subprocess.run([stack.BUILD / "bin" / "plumb-validator", "--kafka.bootstrap.servers",
                               pipeline.bootstrap, "--redis", pipeline.redis_url], capture_output=True, text=True,
                              timeout=40, stdin=subprocess.DEVNULL)
        assert done.returncode == 78
        assert "CreateTime" in done.stderr and "--arrival header" in done.stderr
