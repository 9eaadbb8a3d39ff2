"""Bounded memory: a long outage at full rate leaves every service as large as it was (DESIGN.md, promise 6).

Goal: resident memory after the outage is within 10 % (and 4 MiB, for the allocator) of before; during it, it stops growing.
Method: a producer keeps the validator behind, so that it works at its full rate; Redis, then Kafka, is stopped (SIGSTOP) for a
while; resident memory is read from /proc before, in the middle, at the outage's end, and after. Only with --long: 10 min each;
TESTS_OUTAGE_MINUTES says otherwise.
"""
import json
import os
import signal
import threading
import time

import confluent_kafka
import pytest
import stack

MINUTES = float(os.environ.get("TESTS_OUTAGE_MINUTES", "10"))
RATE = 20_000
START_MS = 849_427_200_000


class Flood(threading.Thread):
    """Events of the example's shape, a second of event time apart, at most RATE a second."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 20,
                                                  "partitioner": "murmur2_random", "message.timeout.ms": 0})
        self.ended, self.sent, self.partitions = threading.Event(), 0, 4

    def run(self):
        began = time.monotonic()
        while not self.ended.is_set():
            for _ in range(1000):
                self.send(START_MS + self.sent * 1000)
            self.clock(START_MS + self.sent * 1000)
            self.producer.poll(0)
            time.sleep(max(0, self.sent / RATE - (time.monotonic() - began)))

    def send(self, arrival_ms):
        value = (self.sent * 2_654_435_761 % 2**32) / 2**32
        event = {"event_id": f"f{self.sent}", "event_time": arrival_ms, "model_name": "electricity-price",
                 "model_version": "1", "features": {name: value for name in (
                     "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")},
                 "prediction": 1, "scores": {"up": value, "down": 1 - value}}
        self.produce("inference.events", json.dumps(event), event["event_id"], None,
                     [("plumb-arrival", str(arrival_ms))])
        self.sent += 1

    def clock(self, time_ms):
        for topic in ("inference.events", "ground.truth"):
            for partition in range(self.partitions):
                self.produce(topic, None, "plumb-clock:plumb-send:0", partition,
                             [("plumb-clock", f"{time_ms} plumb-send:0 plumb-send:1")])

    def produce(self, topic, value, key, partition, headers):
        where = {} if partition is None else {"partition": partition}
        while not self.ended.is_set():
            try:
                return self.producer.produce(topic, value, key, headers=headers, **where)
            except BufferError:
                self.producer.poll(0.1)


def resident_mib(pipeline):
    found = {}
    for name, service in pipeline.services.items():
        with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
            found[name] = next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
    return found


def taken(pipeline):
    total = 0
    for service in pipeline.services.values():
        total += sum(float(line.split()[-1]) for line in service.get("/metrics")[1].splitlines()
                     if line.startswith("plumb_records_taken_total"))
    return total


@pytest.mark.timeout(2 * 60 * MINUTES + 600)
def test_memory_after_an_outage_is_what_it_was(tmp_path):
    with stack.Pipeline(tmp_path) as pipeline:
        pipeline.start(partitions=4)
        pipeline.publish_contract()
        for service in pipeline.services.values():
            service.stop()
        flood = Flood(pipeline.bootstrap)
        flood.start()
        time.sleep(60)  # what lies there when the services come keeps them busy until the end
        pipeline.launch_services()
        pipeline.wait_ready()
        time.sleep(60)
        for store in (pipeline.redis, pipeline.kafka):
            before = resident_mib(pipeline)
            store.signal(signal.SIGSTOP)
            time.sleep(MINUTES * 30)
            middle = resident_mib(pipeline)
            time.sleep(MINUTES * 30)
            end = resident_mib(pipeline)
            store.signal(signal.SIGCONT)
            pipeline.wait_ready(60)
            count = taken(pipeline)
            time.sleep(30)
            after = resident_mib(pipeline)
            for name in before:
                print(f"outage {store.kind} {MINUTES:g} min {name}: before {before[name]:.1f} middle "
                      f"{middle[name]:.1f} end {end[name]:.1f} after {after[name]:.1f} MiB")
            assert taken(pipeline) > count, "nothing is taken any more"
            for name in before:
                assert end[name] <= middle[name] * 1.02 + 1, f"{name} grows while {store.kind} is away"
                assert after[name] <= before[name] * 1.1 + 4, f"{name} is larger after {store.kind} was away"
        flood.ended.set()
        flood.join()
