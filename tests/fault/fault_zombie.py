"""An instance that everybody thought dead comes back; and two that claim to be the same one.

Goal: whoever was replaced changes nothing any more, however much it still had to say (DESIGN.md, promise 1).
Method: of two instances of each service one stops itself (SIGSTOP, by killer.so) with a transaction open, with its
offsets sent, or with a snapshot on its way; Kafka gives its partitions to the other, which goes on; then SIGCONT. It
must come back as an ordinary member by itself. Then every service is started a second time under its --instance.
"""
import os
import re
import signal
import time

import stack

# Where it stops → whether the other can go on before it comes back: offsets that were sent to a transaction keep their
# partition's committed offset undecided until that has ended.
LONG = os.environ.get("TESTS_LONG") == "yes"    # else each service meets one of the hooks, each another
HOOKS = {"publish": True, "offsets.before": True, "commit.before": False, "state.queued": True, "state.answered": True}
TAKE_OVER_SECONDS, COME_BACK_SECONDS, UNDECIDED_SECONDS = 40, 40, 3


class Zombie:
    """One instance on its way through the hooks, and the one that takes over."""

    def __init__(self, first, second, hooks, draw):
        self.first, self.second, self.draw = first, second, draw
        self.whole = stack.wait_until(f"{second.name} has all shards", 10, lambda: second.metric("plumb_shards"))
        self.left, self.said = hooks, []
        self.next_hook()

    def next_hook(self):
        self.hook = self.left.pop() if self.left else None
        if self.hook is not None:
            self.first.launch_with_killer(stop=f"{self.hook}:{self.draw.randint(1, 3)}")
        self.enter(self.until_stopped)

    def enter(self, state):
        self.state, self.began = state, time.monotonic()

    def step(self):
        """True once it has come back from every hook."""
        if self.hook is not None:
            limit = TAKE_OVER_SECONDS + COME_BACK_SECONDS
            assert time.monotonic() - self.began < limit, f"{self.hook}: {self.state.__name__}\n{self.tails()}"
            assert self.first.is_alive() and self.second.is_alive(), self.tails()
            self.state()
        return self.hook is None

    def tails(self):
        return self.first.tail(30) + "\n" + self.second.tail(30)

    def until_stopped(self):
        if self.first.is_suspended():
            self.enter(self.until_replaced)

    def until_replaced(self):
        waited = time.monotonic() - self.began
        if waited > UNDECIDED_SECONDS if not HOOKS[self.hook] else \
                waited > 0.5 and self.second.is_ready() and self.second.metric("plumb_shards") == self.whole:
            self.first.signal(signal.SIGCONT)
            self.enter(self.until_back)

    def until_back(self):
        if time.monotonic() - self.began > 0.5 and self.first.is_ready() and self.second.is_ready():
            self.said.append((self.hook, round(time.monotonic() - self.began, 1)))
            self.first.kill()
            self.next_hook()


def double(pipeline, log, name):
    """A second process with the same --instance: one of the two stops, the other goes on."""
    service, other = pipeline.services[name], pipeline.another(name, "0")     # the default of --instance
    other.launch()
    log.wait_until(f"one of two {name} stops", 40, lambda: not (service.is_alive() and other.is_alive()))
    gone, stays = (service, other) if not service.is_alive() else (other, service)
    assert gone.process.wait(10) == 70, gone.tail()
    assert re.search("level=error .*event=producer_refused .*FENCED", gone.text()), gone.tail()
    pipeline.services[name] = stays
    log.wait_until(f"{name} goes on", 20, stays.is_ready)


def test_zombies_and_doubles_change_nothing(pipeline, log, draw):
    log.rate = 40
    pipeline.launch_services()
    pipeline.wait_ready()
    deals = [draw.sample(list(HOOKS), len(HOOKS)) for _ in pipeline.services] if LONG else \
        [[hook] for hook in draw.sample(list(HOOKS), len(HOOKS))]
    zombies = [Zombie(pipeline.another(name, "zombie"), service, hooks, draw)
               for (name, service), hooks in zip(pipeline.services.items(), deals)]
    try:
        log.wait_until("every zombie has come back from every hook", 200,
                       lambda: all([zombie.step() for zombie in zombies]))
    finally:
        for zombie in zombies:
            print(zombie.first.name, *zombie.said)
    for name in list(pipeline.services):
        double(pipeline, log, name)
    log.settle()
    refused = [zombie for zombie in zombies if "state.queued" in dict(zombie.said)]
    assert any("event=state_fenced" in zombie.first.text() for zombie in refused), "no zombie's snapshot was refused"
