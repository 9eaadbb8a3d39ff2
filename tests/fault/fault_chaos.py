"""Everything at once, in an order drawn from a seed, under load.

Goal: at 200,000 events a minute, while processes, Kafka and Redis die, stop, forget and move, two instances of each
service lose nothing, count nothing twice, and need no more memory than undisturbed; 3 s after a Redis that lost a
second answers again, all are ready and at the end of their inputs.
Method: a made log (made_log.py) flows once; the first part of it undisturbed, for the memory (and with services that
begin late, so that they work at their full rate for a while, as they do after a fault); then one fault after the
other from a shuffled deck, without waiting for recovery. At the end every window is what an independent
implementation makes of the log, and the outputs are those of `plumb analyze`. TESTS_MINUTES (tests/run --minutes) says
how long.
"""
import collections
import os
import signal
import time

import input_lag
import made_log
import pytest
import redis_torment
import stack
from fault_hooks import HOOKS

MINUTES = float(os.environ.get("TESTS_MINUTES") or 0.6)
RATE = 3500
CALM_SECONDS = max(6.0, MINUTES * 6)
BEHIND_SECONDS, CATCH_UP_SECONDS = 8, 3
# A consumer's queue may fill (16 MiB); alerter and retrainer have a second one, which reads service.snapshots.
MEMORY_FACTOR, MEMORY_MORE, ENDLESS = 1.5, 16 << 20, ("plumb-alerter", "plumb-retrainer")
DRAIN_SECONDS = 120


class Chaos:
    def __init__(self, pipeline, draw):
        self.pipeline, self.draw = pipeline, draw
        self.names = list(pipeline.services)
        self.pairs = {name: [service, pipeline.another(name, "second")] for name, service in pipeline.services.items()}
        self.thirds = {name: pipeline.another(name, "third") for name in self.names}
        self.done, self.deck = [], []
        self.calm, self.stormy = collections.Counter(), collections.Counter()
        self.measured = self.calm
        self.sampled = 0

    # ---- What is always done

    def launch(self):
        for pair in self.pairs.values():
            for service in pair:
                service.launch()

    def all_ready(self):
        return all(service.is_ready() for pair in self.pairs.values() for service in pair)

    def watch(self):
        """Memory, now and then; whoever died by SIGKILL is started again; whoever died otherwise fails the test."""
        if time.monotonic() - self.sampled > 0.5:
            self.sampled = time.monotonic()
            for name in self.names:
                for service in self.pairs[name]:
                    if service.is_alive():
                        self.measured[name] = max(self.measured[name], service.resident_bytes())
        for name in self.names:
            for service in [*self.pairs[name], self.thirds[name]]:
                code = service.process.poll() if service.process else None
                assert code in (None, 0, -signal.SIGKILL), f"{service.name} ended by {code}\n{service.tail(40)}"
        for pair in self.pairs.values():
            for service in pair:
                if not service.is_alive():
                    service.launch()

    def go_on(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.watch()
            time.sleep(0.1)

    def one(self):
        return self.draw.choice(self.pairs[self.draw.choice(self.names)])

    # ---- Faults

    def kill_one(self):
        self.one().kill()

    def kill_both(self):
        for service in self.pairs[self.draw.choice(self.names)]:
            service.kill()

    def kill_all(self):
        for pair in self.pairs.values():
            for service in pair:
                service.kill()

    def stop_one(self):
        service = self.one()
        assert service.stop(30) == 0, service.tail(40)

    def die_at_hook(self):
        service, hook = self.one(), self.draw.choice([hook for hook in HOOKS if not hook.startswith("abort.")])
        service.kill()
        service.launch_with_killer(kill=f"{hook}:{self.draw.randint(1, HOOKS[hook])}")
        return hook

    def suspend(self):
        service = self.one()
        service.signal(signal.SIGSTOP)
        self.go_on(self.draw.uniform(0.5, 3))
        service.signal(signal.SIGCONT)

    def abort_one(self):
        service = self.one()
        service.kill()
        call = self.draw.choice(["publish", "transaction.begin"])
        service.launch_with_killer(fail=f"{call}:{self.draw.randint(1, 9)}")

    def third_comes_or_goes(self):
        third = self.thirds[self.draw.choice(self.names)]
        if not third.is_alive():
            third.launch()
        elif self.draw.random() < 0.5:
            third.kill()
        else:
            assert third.stop(30) == 0, third.tail(40)

    def redis_anything(self):
        return redis_torment.anything(self.pipeline, self.draw)

    def redis_refuses(self):
        redis_torment.refuse_writes(self.pipeline)
        self.go_on(self.draw.uniform(0.3, 2))
        redis_torment.allow_writes(self.pipeline)

    def damage(self):
        name = self.draw.choice(self.names)
        for service in self.pairs[name]:
            service.kill()
        redis_torment.damage(self.pipeline, name.removeprefix("plumb-"), self.draw)

    def broker_dies(self):
        self.pipeline.kafka.kill()
        self.go_on(self.draw.uniform(0, 2))
        self.pipeline.kafka.start()

    def broker_stops(self):
        self.pipeline.kafka.stop(30)
        self.go_on(self.draw.uniform(0, 1))
        self.pipeline.kafka.start()

    def catch_up(self):
        """Seconds from the moment Redis answers, a second poorer, until all that was there is worked off."""
        lag = input_lag.InputLag(self.pipeline)
        stack.wait_until("no lag at this rate", 30, lag.none)
        redis_torment.roll_back(self.pipeline, 1)
        answered = time.monotonic()
        lag.ends.clear()
        stack.wait_until("ready, at the end of all inputs", 30, lambda: self.all_ready() and lag.none())
        lag.close()
        return time.monotonic() - answered

    def next(self):
        if not self.deck:
            self.deck = [self.kill_one, self.kill_both, self.kill_all, self.stop_one, self.die_at_hook,
                         self.die_at_hook, self.die_at_hook, self.suspend, self.suspend, self.abort_one,
                         self.third_comes_or_goes, self.third_comes_or_goes, self.redis_anything,
                         self.redis_anything, self.redis_anything, self.redis_refuses, self.damage, self.broker_dies, self.broker_stops]
            self.draw.shuffle(self.deck)
        fault = self.deck.pop()
        began = time.monotonic()
        detail = fault() or ""
        self.done.append(f"{fault.__name__} {detail}".strip())
        print(f"{time.strftime('%H:%M:%S')} {self.done[-1]} ({time.monotonic() - began:.1f} s)", flush=True)


@pytest.mark.timeout(240 + MINUTES * 120)
def test_chaos_changes_nothing(pipeline, tmp_path, draw):
    seconds = MINUTES * 60
    log = made_log.MadeLog(tmp_path, int(RATE * seconds), draw.randrange(1 << 32))
    pipeline.publish_contract(log.contract, log.reference)
    chaos = Chaos(pipeline, draw)
    began = time.monotonic()
    pipeline.send("--rate", str(RATE), log.path, "--close")
    time.sleep(BEHIND_SECONDS)
    chaos.launch()
    chaos.go_on(CALM_SECONDS)
    stack.wait_until("all instances are ready", 60, lambda: (chaos.watch(), chaos.all_ready())[1])
    took = chaos.catch_up()
    chaos.measured = chaos.stormy
    while time.monotonic() - began < seconds - 4 and pipeline.sender.is_alive():
        chaos.next()
        chaos.go_on(draw.uniform(0.1, 1.5))
    for third in chaos.thirds.values():
        third.stop(30)
    chaos.go_on(1)
    pipeline.wait_sent(seconds + 60)
    settled = time.monotonic()
    stack.wait_until("ready again", 60, lambda: (chaos.watch(), chaos.all_ready())[1])
    pipeline.wait_drained(DRAIN_SECONDS)
    print(f"drained {time.monotonic() - settled:.1f} s after the end of the log")
    windows, differing, lost, duplicated = log.check(pipeline)
    for name in chaos.names:
        print(f"{name} {chaos.calm[name] >> 10} KiB calm, {chaos.stormy[name] >> 10} KiB stormy")
    line = f"faults {len(chaos.done)} windows {windows} differing {differing} lost {lost} duplicated {duplicated}"
    print(line)
    print(f"caught up {took:.1f} s after Redis answered")
    if figures := os.environ.get("TESTS_FIGURES"):
        with open(figures, "a") as file:
            file.write(line + "\n")
    for name in chaos.names:
        more = MEMORY_MORE * (2 if name in ENDLESS else 1)
        assert chaos.stormy[name] <= chaos.calm[name] * MEMORY_FACTOR + more, name
    assert took <= CATCH_UP_SECONDS, f"{took:.1f} s to catch up after a rollback of 1 s"
