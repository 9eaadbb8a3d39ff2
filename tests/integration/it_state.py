"""plumb state and plumb ledger against a real pipeline: what they say is so, and reset makes every loud stop startable.

Goal: show says of each shard what its service then does, without disturbing one that runs; after reset the service runs;
the ledger is balanced after the example, finds what was planted, and does not call lost what retention took.
Method: one pipeline with the example through it; then one damage after the other, each looked at, met by the service,
and mended. The tests build on each other, in their order.
"""
import json
import re
import subprocess

import confluent_kafka
import confluent_kafka.admin
import pane_ledger
import pytest
import stack

MODEL_COLUMNS = ("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
AFTER_EXAMPLE = 913_500_000_000   # 1998-12-12, in ms below the hour of no pane of the example


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    with stack.Pipeline(tmp_path_factory.mktemp("state")) as one:
        one.start(partitions=2)
        one.publish_contract()
        one.send_example()
        yield one


def plumb_on(pipeline, *arguments, redis=True):
    """(exit code, objects) of a command of plumb."""
    more = ["--redis", pipeline.redis_url] if redis else []
    done = stack.plumb(*arguments, "--bootstrap", pipeline.bootstrap, "--output", "jsonl", *more, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def show(pipeline, *arguments):
    return plumb_on(pipeline, "state", "show", *arguments)


def reset(pipeline, service, *options):
    """Waits until the group is seen to be empty: a process that ended leaves it a moment later."""
    def done():
        code, plan = plumb_on(pipeline, "state", "reset", service, *options)
        return plan if code == 0 else None
    return stack.wait_until(f"reset of {service}", 20, done)


def redis(pipeline, *words):
    host, port = pipeline.redis_url.removeprefix("redis://").split("/")[0].split(":")
    done = subprocess.run(["redis-cli", "-h", host, "-p", port, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tag(service, topic, partition):
    return f"{{plumb:{service}:{topic}:{partition}}}:state"


def stop(pipeline, name):
    assert pipeline.services[f"plumb-{name}"].stop() in (0, None)


def runs(pipeline, name):
    service = pipeline.services[f"plumb-{name}"]
    service.launch()
    stack.wait_until(f"{name} ready\n{service.tail()}", 30, service.is_ready)


def stops_loudly(pipeline, name, event, fault):
    """The service does not start: exit 70, and one line that says why and what to do."""
    service = pipeline.services[f"plumb-{name}"]
    before = len(service.text())
    service.launch()
    assert service.process.wait(30) == 70, service.tail()
    said = [line for line in service.text()[before:].splitlines() if f"event={event}" in line]
    assert len(said) == 1 and fault in said[0] and "plumb state reset" in said[0], service.tail()


def committed(pipeline, group, topic, partition, moved_by=None):
    """The group's offset; or sets it by hand, with the metadata that it has."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": pipeline.bootstrap, "group.id": group})
    try:
        place, = consumer.committed([confluent_kafka.TopicPartition(topic, partition)], timeout=20)
        if moved_by is not None:
            # The binding reads the metadata up to some zero byte behind its end: what follows "of=2" is not ours.
            mark = re.sub(r"( of=2).*", r"\1", place.metadata, flags=re.S)
            consumer.commit(offsets=[confluent_kafka.TopicPartition(
                topic, partition, place.offset + moved_by, metadata=mark)], asynchronous=False)
        return place.offset
    finally:
        consumer.close()


def administer(pipeline, operation, request):
    client = confluent_kafka.admin.AdminClient({"bootstrap.servers": pipeline.bootstrap})
    for future in getattr(client, operation)([request]).values():
        future.result(20)


def produce(pipeline, topic, partition, key, value):
    producer = confluent_kafka.Producer({"bootstrap.servers": pipeline.bootstrap})
    producer.produce(topic, value, key, partition)
    assert producer.flush(20) == 0


def send_more(pipeline, folder, first, count):
    events = folder / f"more-{first}.jsonl"
    events.write_text("".join(json.dumps({
        "event_id": f"more-{number}", "event_time": AFTER_EXAMPLE + 1000 * number, "model_name": "electricity-price",
        "model_version": "1", "features": dict.fromkeys(MODEL_COLUMNS, 0.5), "prediction": 1, "scores": {"up": 0.5}}) + "\n"
        for number in range(first, first + count)))
    stack.plumb("send", "--bootstrap", pipeline.bootstrap, events)


def refused(shards):
    return {(shard["service"], shard["fault"]) for shard in shards if shard["state"] == "refused"}


def test_show_disturbs_no_service_that_runs(pipeline):
    for _ in range(4):      # while the example runs through
        code, shards = show(pipeline)
        assert code == 0, refused(shards)
    code, rows = plumb_on(pipeline, "ledger", redis=False)
    assert code == 0, rows
    pipeline.wait_sent()
    pipeline.wait_drained()
    code, shards = show(pipeline, "--entries")
    assert code == 0 and len(shards) == 2 * 6
    assert {shard["epoch"] for shard in shards} == {1} and all(shard["owner"] for shard in shards)
    assert all(len(shard["entry_list"]) == shard["entries"] > 0 for shard in shards)
    for service in pipeline.services.values():
        assert "plumb_rewinds_total 0" in service.get("/metrics")[1] or "rewinds_total" not in service.get("/metrics")[1]
        assert "state_fenced" not in service.text() and "state_conflict" not in service.text()


def test_the_ledger_is_balanced_after_the_example(pipeline):
    code, rows = plumb_on(pipeline, "ledger", redis=False)
    assert code == 0 and [row["record"] for row in rows] == ["model", "total"]
    for row in rows:
        assert row["seen"] == row["on_time"] == 35_312 and row["lost"] == row["doubled"] == row["open"] == 0


def test_reset_refuses_while_the_service_runs(pipeline):
    done = stack.plumb("state", "reset", "windower", "--bootstrap", pipeline.bootstrap, "--redis", pipeline.redis_url,
                       check=False)
    assert done.returncode == 1 and "has members" in done.stderr
    assert redis(pipeline, "EXISTS", tag("windower", "inference.validated", 0)) == "1"


def test_a_snapshot_torn_in_two_is_rebuilt(pipeline):
    """A Redis whose file was cut within a transaction can bring back half of a write: each entry is well, the set is not."""
    stop(pipeline, "windower")
    key = tag("windower", "inference.validated", 1)
    field = next(name for name in redis(pipeline, "HKEYS", key).splitlines() if not name.startswith("."))
    assert redis(pipeline, "HDEL", key, field) == "1"
    code, shards = show(pipeline, "windower")
    assert code == 0 and shards[1]["state"] == "rebuilds" and "damaged" in shards[1]["outlook"]
    before = pipeline.services["plumb-windower"].text().count("event=state_damaged")
    runs(pipeline, "windower")
    assert pipeline.services["plumb-windower"].text().count("event=state_damaged") == before + 1


def test_a_damaged_entry_is_rebuilt(pipeline):
    stop(pipeline, "windower")
    key = tag("windower", "inference.validated", 0)
    field = next(name for name in redis(pipeline, "HKEYS", key).splitlines() if not name.startswith("."))
    redis(pipeline, "HSET", key, field, "damaged")
    code, shards = show(pipeline, "windower", "--entries")
    shard = shards[0]
    assert code == 0 and shard["shard"] + ":state" == key
    assert shard["damaged"] == 1 and shard["state"] == "rebuilds" and "damaged" in shard["outlook"]
    runs(pipeline, "windower")
    assert "event=state_damaged" in pipeline.services["plumb-windower"].text()
    stop(pipeline, "windower")
    plan = reset(pipeline, "windower", "--all")     # also what would start; nothing is moved
    assert all("deletes" in action for shard in plan for action in shard["actions"])
    assert show(pipeline, "windower")[1][0]["damaged"] == 0
    runs(pipeline, "windower")


def test_state_ahead_of_kafka(pipeline):
    stack.wait_until("the state is in Redis again", 20, lambda: all(
        shard["stored"] for shard in show(pipeline, "windower")[1]))
    stop(pipeline, "windower")
    committed(pipeline, "plumb-windower", "inference.validated", 0, moved_by=-5)
    code, shards = show(pipeline, "windower")
    assert code == 1 and refused(shards) == {("windower", "STATE_AHEAD")} and shards[1]["state"] == "resumes"
    stops_loudly(pipeline, "windower", "state_refused", "STATE_AHEAD")
    dry = reset(pipeline, "windower", "--dry-run")
    assert show(pipeline, "windower")[0] == 1       # nothing was done
    assert reset(pipeline, "windower") == dry
    assert show(pipeline, "windower")[0] == 0
    assert redis(pipeline, "EXISTS", tag("windower", "inference.validated", 0)) == "0"
    assert redis(pipeline, "EXISTS", tag("windower", "inference.validated", 1)) == "1"     # it is good
    runs(pipeline, "windower")


def test_state_of_another_owner(pipeline):
    stop(pipeline, "detector")
    redis(pipeline, "HSET", tag("detector", "window.panes", 1), ".owner", "elsewhere/plumb-detector")
    code, shards = show(pipeline, "detector")
    assert code == 1 and refused(shards) == {("detector", "STATE_FOREIGN")}
    stops_loudly(pipeline, "detector", "state_refused", "STATE_FOREIGN")
    reset(pipeline, "detector")
    runs(pipeline, "detector")
    assert show(pipeline, "detector")[0] == 0


@pytest.mark.parametrize("name, topic", [("alerter", "measurements"), ("retrainer", "alerts")])
def test_endless_state_with_no_snapshot_begins_empty(pipeline, name, topic):
    stop(pipeline, name)
    before = committed(pipeline, f"plumb-{name}", topic, 0, moved_by=-1)
    assert refused(show(pipeline, name)[1]) == {(name, "STATE_AHEAD")}
    stops_loudly(pipeline, name, "state_refused", "STATE_AHEAD")
    redis(pipeline, "DEL", tag(name, topic, 0))
    code, shards = show(pipeline, name)
    assert code == 1 and refused(shards) == {(name, "STATE_GAP")} and "service.snapshots" in shards[0]["outlook"]
    plan = reset(pipeline, name)
    assert "begins with empty state" in plan[0]["actions"][-1]
    code, shards = show(pipeline, name)
    assert code == 0 and shards[0]["snapshot"]["entries"] == shards[0]["snapshot"]["found"] == 0
    runs(pipeline, name)
    stack.wait_until("the offset passes where it was", 20, lambda: committed(
        pipeline, f"plumb-{name}", topic, 0) >= before)


def test_records_that_retention_took_before_they_were_read(pipeline, tmp_path):
    stop(pipeline, "windower")
    at = committed(pipeline, "plumb-windower", "inference.validated", 0)
    send_more(pipeline, tmp_path, 0, 200)
    def end():
        return show(pipeline, "windower")[1][0]["inputs"][0]["log_end"]
    stack.wait_until("validated", 20, lambda: end() > at + 50)
    place = confluent_kafka.TopicPartition("inference.validated", 0, at + 20)
    administer(pipeline, "delete_records", place)
    code, shards = show(pipeline, "windower")
    assert code == 1 and refused(shards) == {("windower", "STATE_GAP")} and "are gone" in shards[0]["outlook"]
    stops_loudly(pipeline, "windower", "input_lost", "STATE_GAP")
    plan = reset(pipeline, "windower")
    assert any("never read" in action for action in plan[0]["actions"]), plan
    assert committed(pipeline, "plumb-windower", "inference.validated", 0) == at + 20
    runs(pipeline, "windower")
    assert show(pipeline, "windower")[0] == 0


def test_more_partitions(pipeline):
    stop(pipeline, "windower")
    wider = confluent_kafka.admin.NewPartitions("inference.validated", 3)
    administer(pipeline, "create_partitions", wider)
    stack.wait_until("three partitions", 20, lambda: len(show(pipeline, "windower")[1]) == 3)
    code, shards = show(pipeline, "windower")
    assert code == 1 and {shard["fault"] for shard in shards} == {"PARTITIONS_CHANGED"}
    stops_loudly(pipeline, "windower", "partitions_changed", "PARTITIONS_CHANGED")
    reset(pipeline, "windower")
    assert show(pipeline, "windower")[0] == 0
    runs(pipeline, "windower")


def test_the_pipeline_goes_on_after_all_that(pipeline, tmp_path):
    stop(pipeline, "validator")     # it gives the new partition its clocks
    runs(pipeline, "validator")
    send_more(pipeline, tmp_path, 100_000, 100)
    pipeline.wait_drained()
    validator = pipeline.services["plumb-validator"]
    stop(pipeline, "validator")
    redis(pipeline, "DEL", tag("validator", "inference.events", 0), tag("validator", "inference.events", 1))
    runs(pipeline, "validator")
    send_more(pipeline, tmp_path, 100_000, 50)      # duplicates, also for who has to read them again
    stack.wait_until("50 duplicates", 20, lambda: plumb_on(pipeline, "ledger", redis=False)[1][-1]["duplicate"] == 50)
    assert validator.metric("plumb_events_duplicate_total") == 50
    code, rows = plumb_on(pipeline, "ledger", redis=False)
    total = rows[-1]
    assert code == 0 and total["record"] == "total", rows
    assert total["seen"] == 35_312 + 350 and total["duplicate"] == 50 and total["open"] > 0
    assert total["lost"] == total["doubled"] == 0 and total["out_of_reach"] > 0
    assert total["on_time"] > 0


def test_the_ledger_finds_what_was_planted(pipeline):
    for name in list(pipeline.services):
        stop(pipeline, name.removeprefix("plumb-"))
    key, pane, _ = next(record for record in pane_ledger.records_of(pipeline.bootstrap, "window.panes"))
    produce(pipeline, "window.panes", 0, key, pane)
    key, validated, _ = pane_ledger.records_of(pipeline.bootstrap, "inference.validated")[-1]
    produce(pipeline, "inference.validated", 1, key, validated)
    code, rows = plumb_on(pipeline, "ledger", redis=False)
    kinds = {row["kind"]: row for row in rows if row["record"] == "difference"}
    assert code == 1 and "doubled_pane" in kinds and "doubled" in kinds, rows
    assert kinds["doubled"]["place"].startswith("inference.validated:1 offset ")
    assert "window.panes:0 offset " in kinds["doubled_pane"]["what"]


def test_apply_refuses_what_retention_would_cut_off(pipeline, tmp_path):
    text = (stack.EXAMPLE / "contract.yaml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("windows:"))
    wide = tmp_path / "wide.yaml"
    wide.write_text(text.replace(line, "windows: {pane: 1h, rolling: [24h], lateness: 30s, correction: 240h}"))
    done = stack.plumb("apply", "-f", wide, "--bootstrap", pipeline.bootstrap, check=False)
    assert done.returncode == 78 and done.stderr.count("\n") == 1
    assert "inference.validated" in done.stderr and "retention.ms" in done.stderr and "windower" in done.stderr
