"""Backfills: events of a producer that knows nothing of us, timed by themselves alone.

Goal: with `--arrival event-time` and one partition a live run gives what `plumb analyze` gives, however the log is cut and
whenever the validator dies, and Redis forgets what it had; an event whose clock is wrong does not move time; an id that
comes again within the horizon is a duplicate, whatever died between.
Method: a part of the example with events from the future, from long ago, without a time and with an id that was there
before, produced without any header; the validator is killed twice, the second time with all that Redis holds, and
stopped once meanwhile; one clock record ends the log.
"""
import gzip
import json
import time

import confluent_kafka
import result_set
import stack

EVENTS, DAY = 20_000, 86_400_000
HORIZON = "--duplicates-horizon", "20d"     # some 1,000 events


def made_log(folder):
    with gzip.open(stack.EXAMPLE / "events.jsonl.gz", "rt") as file:
        events = [json.loads(line) for _, line in zip(range(EVENTS), file)]
    for number in range(1000, EVENTS, 1500):    # far ahead of both neighbours
        events[number]["event_time"] += 30 * DAY
    events[1001]["event_time"] += 30 * DAY      # two at once: neither is alone, so both are believed
    for number in range(1700, EVENTS, 1500):
        events[number]["event_time"] -= 40 * DAY
    for number in range(60, EVENTS, 61):
        events[number]["event_id"] = events[max(number - 1 - number * 37 % 2500, 0)]["event_id"]
    lines = [json.dumps(event) for event in events]
    for number in range(2000, EVENTS, 1500):
        lines[number] = lines[number].replace('"event_time"', '"event_tide"')
    lines[2501] = lines[2501].replace('"event_time"', '"event_tide"')   # behind one from the future
    path = folder / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path, lines, max(event["event_time"] for event in events)


def test_event_time_equals_analyze(tmp_path):
    path, lines, latest = made_log(tmp_path)
    expected, other = (result_set.of_lines(stack.plumb(
        "analyze", "--contract", stack.EXAMPLE / "contract.yaml", "--reference", stack.EXAMPLE / "reference.csv", path,
        "--output", "jsonl", *horizon).stdout.splitlines()) for horizon in (HORIZON, ("--duplicates-horizon", "0s")))
    assert expected["measurement"] != other["measurement"]
    with stack.Pipeline(tmp_path) as pipeline:
        validator = stack.Service("plumb-validator", pipeline.bootstrap, pipeline.redis_url, tmp_path,
                                  "--arrival", "event-time", "--inputs", "inference.events", *HORIZON)
        pipeline.services["plumb-validator"] = validator
        pipeline.start(partitions=1)
        pipeline.publish_contract()
        producer = confluent_kafka.Producer({"bootstrap.servers": pipeline.bootstrap})
        for number, line in enumerate(lines):
            producer.produce("inference.events", line, partition=0)
            if number % 5000 == 4999:
                producer.flush(20)
                time.sleep(1)
                validator.stop() if number == 9999 else validator.kill()
                if number == 14999:
                    pipeline.redis_command("flushall")
                validator.launch()
        clock = f"{latest + 400 * DAY} outside:0 outside:1"
        for topic in ("inference.events", "ground.truth"):
            producer.produce(topic, None, b"plumb-clock:outside", partition=0, headers={"plumb-clock": clock})
        assert producer.flush(20) == 0
        pipeline.wait_drained()
        live = result_set.of_pipeline(pipeline)
        dead = pipeline.read("dead-letters")
    assert not (said := result_set.difference(live, expected, "live", "analyze")), said
    assert len(dead) == sum('"event_tide"' in line for line in lines)
