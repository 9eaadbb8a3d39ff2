"""catch-up: Redis comes back with what it knew a second ago, while events come at full rate.

Goal: how long, from the moment that it answers, until the windower stands at the end of its input as it did before.
Method: `bench_passthrough --rate` copies what the validator wrote into a topic of its own, at the rate that the
validator of this run has when it does nothing else (a windower's input comes no faster). The append-only file is copied
while it is written; a second later Redis is killed, the copy takes its place (a command cut in two at its end is what a
crash leaves), and Redis starts. Offsets are asked for every 50 ms: lag = end of the topic - committed. It stands at its
end when the lag is no larger than it was at most in the second before.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import confluent_kafka
import stack

PARTITIONS, STEADY_SECONDS, TIMEOUT_SECONDS, TRIES = 4, 2, 30, 4
SHARE_MAX = 0.7     # of what the windower can do: else it could hardly catch up with anything


class Lag:
    """Asks Kafka where the windower's group is, and where the topic ends."""

    def __init__(self, bootstrap, group, topic):
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                                                  "enable.auto.commit": False})
        self.partitions = [confluent_kafka.TopicPartition(topic, number) for number in range(PARTITIONS)]

    def ask(self):
        """(committed, lag) over all partitions."""
        committed = sum(max(0, place.offset) for place in self.consumer.committed(self.partitions, timeout=10))
        end = sum(self.consumer.get_watermark_offsets(place, timeout=10)[1] for place in self.partitions)
        return committed, end - committed


def answers(redis):
    host, port = redis.address().removeprefix("redis://").split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def roll_back(redis, lag):
    """A second is lost; returns (what was committed when the copy was made, the largest lag of that second)."""
    source, copy = redis.folder / "appendonlydir", redis.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    copied_at, (committed, most) = time.monotonic(), lag.ask()
    while time.monotonic() - copied_at < 1:
        most = max(most, lag.ask()[1])
        time.sleep(0.05)
    redis.kill()
    shutil.rmtree(source)
    os.rename(copy, source)
    redis.launch()
    while not answers(redis):
        time.sleep(0.005)
    return committed, most


def full_rate(bench):
    """The validator's, measured in this run; at most a share of the windower's."""
    for job in ("validator", "windower"):
        if job not in bench.rates:
            bench.run(job)
    return int(min(bench.rates["validator"]["events_per_s"], SHARE_MAX * bench.rates["windower"]["events_per_s"]))


def catch_up(bench):
    rate = full_rate(bench)
    for _ in range(TRIES):
        found = catch_up_once(bench, rate)
        if found is not None:
            return found
        bench.say(f"catch-up: the windower did not keep up with {rate} a second before the roll-back; again")
    raise AssertionError(f"this machine is too busy for catch-up at {rate} a second")


def catch_up_once(bench, rate):
    topic, group = bench.make_topic(), bench.fresh("catch-up")
    bench.redis_command("flushall")
    windower = stack.Child("windower", [
        *stack.DIES_WITH_US, *bench.pin, bench.binary("plumb-windower"), "--kafka.bootstrap.servers", bench.bootstrap,
        "--redis", bench.redis.address(), "--group", group, "--topic.inference.validated", topic, *bench.queue],
        bench.folder / f"{group}.log")
    windower.launch()
    source = subprocess.Popen([*stack.DIES_WITH_US, bench.binary("bench_passthrough"), "--bootstrap", bench.bootstrap,
                               "--topic", bench.topic_of("inference.validated"), "--to", topic, "--group",
                               bench.fresh("source"), "--rate", str(rate), "--count", str(rate * 60)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        return measure(bench, windower, Lag(bench.bootstrap, group, topic), rate, source)
    finally:
        source.kill()
        source.wait()
        windower.kill()
        bench.delete(topic)


def measure(bench, windower, lag, rate, source):
    """None: it was more than a second behind, or the source was slow, before anything happened."""
    stack.wait_until("the windower reads", 30, lambda: lag.ask()[0] > rate)
    began, (at, _) = time.monotonic(), lag.ask()
    time.sleep(STEADY_SECONDS)
    flow = (lag.ask()[0] - at) / (time.monotonic() - began)
    copied, most = roll_back(bench.redis, lag)
    if flow < 0.6 * rate or most > rate:
        return None
    answered, cpu_seconds = time.monotonic(), windower.cpu_seconds()
    # It has read the older state when it says how much is to be replayed, and commits nothing until that is done.
    replay = stack.wait_until("the roll-back is noticed", TIMEOUT_SECONDS, lambda: replays(windower)[1:])[0]
    assert replay > 0.8 * rate, f"{replay} records to replay at {rate} a second: not a second's worth"
    before = lag.ask()[0]
    while True:
        committed, behind = lag.ask()
        if committed > before and behind <= most:
            break
        assert source.poll() is None and windower.is_alive(), windower.tail()
        assert time.monotonic() - answered < TIMEOUT_SECONDS, f"{behind} behind\n{windower.tail()}"
        time.sleep(0.05)
    seconds, cpu_seconds = time.monotonic() - answered, windower.cpu_seconds() - cpu_seconds
    bench.say(f"catch-up at {rate} a second: {replay} replayed, lag at most {most} before, {behind} after")
    events = committed - copied
    return {"events": events, "seconds": seconds, "events_per_s": events / seconds, "cpu_seconds": cpu_seconds,
            "events_per_cpu_s": events / max(cpu_seconds, 0.01), "peak_rss_mb": peak_rss_mb(windower)}


def peak_rss_mb(child):
    status = pathlib.Path(f"/proc/{child.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def replays(windower):
    """Of each time that it was given its partitions, or went back: how many records it had to replay."""
    return [int(count) for count in re.findall(r"event=assigned .*replay_records=(\d+)", windower.text())]
