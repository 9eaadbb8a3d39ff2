"""The example, from Kafka to alert and trigger, as services/up runs it.

Goal: the whole path finds the drift that is in the data and no other, whatever the partitions, and the pipeline with
brokers and `plumb analyze` without one say the same, bit for bit.
Method: services/up --once with 1 and with 8 partitions; its results against analyze's and against what is known of the
market: Victoria joined on 5 May 1997.
"""
import json

import pytest
import result_set

JOINED = 862_790_400_000       # 5 May 1997, 00:00 UTC
DAY = 86_400_000
EVENTS = 35_312


@pytest.mark.parametrize("partitions", [1, 8])
def test_live_equals_analyze(up_runs, analyzed, partitions):
    live = result_set.of_folder(up_runs(partitions))
    assert not (said := result_set.difference(live, analyzed, "live", "analyze")), said


@pytest.mark.parametrize("partitions", [1, 8])
def test_every_event_is_accounted_for(up_runs, partitions):
    summary = json.loads((up_runs(partitions) / "summary.json").read_text())
    assert summary == {"events_in": EVENTS, "validated": EVENTS, "dead_lettered": 0}
    assert (up_runs(partitions) / "dead-letters.jsonl").read_text() == ""


def test_no_alert_before_the_markets_joined(analyzed):
    early = [line for line in analyzed["alert"] if json.loads(line)["time"] < JOINED or
             json.loads(line)["started_at"] < JOINED]
    assert analyzed["alert"] and not early


def test_one_alert_for_the_three_columns_that_day(analyzed):
    that_day = [alert for alert in map(json.loads, analyzed["alert"])
                if (alert["window_start"], alert["window_end"]) == (JOINED, JOINED + DAY)]
    assert len({alert["fingerprint"] for alert in that_day}) == 1
    columns = {column for alert in that_day for column in alert["columns"]}
    assert columns == {"vicprice", "vicdemand", "transfer"}
    assert all(alert["kind"] == "feature_drift" and alert["owner"] == "grid-ml" for alert in that_day)


def test_one_trigger_that_names_its_data(up_runs, analyzed):
    for lines in (analyzed["trigger"], result_set.of_folder(up_runs(8))["trigger"]):
        assert len(lines) == 1
        trigger = json.loads(lines[0])
        assert trigger["model"] == "electricity-price" and trigger["version"] == "1"
        assert trigger["alerts"] and trigger["measurements"]
        assert trigger["data"]["time_start"] < trigger["data"]["time_end"]
    # Offsets are the live run's: each of the 8 partitions took part in three days.
    offsets = trigger["data"]["offsets"]
    assert offsets and all(0 <= span["first"] <= span["last"] for span in offsets)
    assert {span["partition"] for span in offsets} == set(range(8))


def test_ids_are_unique(analyzed):
    keys = [(m["id"], m["revision"]) for m in map(json.loads, analyzed["measurement"])]
    assert len(keys) == len(set(keys))
