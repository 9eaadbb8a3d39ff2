"""Death at every step of the cycle, in every service.

Goal: between any two calls to Kafka or Redis a process may end for good: nothing is lost, nothing counted twice.
Method: killer.so (killer.c) is preloaded into the programs as they are; each dies by SIGKILL the COUNTth time that it
reaches a hook, is started again at once with the next hook, until it has died at all of them. The hooks come in a
random order, with random counts; all services die side by side while the log flows. abort.* need a transaction that
is aborted: there one publish is refused first. In its last life each service lives on with producers of which two
begin no transaction from some moment on, for as long as they live: each must be made anew.
"""
import signal
import time

import pytest
import stack

# hook → the highest count to draw; for abort.*, of the publish that is refused.
HOOKS = {"transaction.begin": 2, "publish": 20, "offsets.before": 2, "offsets.after": 2, "commit.before": 2,
         "commit.after": 2, "abort.before": 20, "abort.after": 20, "init.after": 1, "committed.after": 1,
         "assign.after": 1, "read.sent": 4, "read.answered": 4, "state.queued": 4, "state.sent": 4, "state.answered": 4,
         "take": 30}
SECONDS_A_HOOK = 40
RATE = 35       # events a second: the log must last until the last of them has died


class Victim:
    """One service on its way through the hooks."""

    def __init__(self, service, draw):
        self.service, self.draw = service, draw
        self.left, self.fired, self.hook, self.began = draw.sample(list(HOOKS), len(HOOKS)), [], None, 0

    def launch(self):
        self.hook, self.began = self.left.pop() if self.left else None, time.monotonic()
        if self.hook is None:
            self.service.launch_with_killer(fail=f"transaction.begin:1,transaction.begin:{self.draw.randint(3, 5)}")
            return
        count = self.draw.randint(1, HOOKS[self.hook])
        if self.hook.startswith("abort."):
            self.service.launch_with_killer(kill=f"{self.hook}:1", fail=f"publish:{count}")
        else:
            self.service.launch_with_killer(kill=f"{self.hook}:{count}")

    def refusals(self):
        return self.service.text().count("killer hook=transaction.begin count=1 does=fail") + sum(
            self.service.text().count(f"killer hook=transaction.begin count={count} does=fail") for count in (3, 4, 5))

    def step(self):
        """True once it has died at every hook."""
        if self.hook is None:
            return True
        if self.service.is_alive():
            assert time.monotonic() - self.began < SECONDS_A_HOOK, f"never reached {self.hook}\n{self.service.tail()}"
            return False
        assert self.service.process.returncode == -signal.SIGKILL, self.service.tail()
        last = self.service.text().rstrip().rpartition("\n")[2]
        assert last.startswith(f"killer hook={self.hook} ") and last.endswith("does=kill"), self.service.tail()
        self.fired.append((self.hook, round(time.monotonic() - self.began, 1)))
        self.launch()
        return self.hook is None


@pytest.mark.parametrize("pipeline", [["--transaction-interval", "100ms"]], indirect=True, ids=[""])
def test_death_at_every_hook_changes_nothing(pipeline, log, draw):
    log.rate = RATE
    victims = [Victim(service, draw) for service in pipeline.services.values()]
    for victim in victims:
        victim.launch()
    try:
        log.wait_until("every service has died at every hook", 180,
                       lambda: all([victim.step() for victim in victims]))
    finally:
        for victim in victims:
            print(victim.service.name, *victim.fired)
    log.wait_until("each has met two producers that begin nothing, and goes on", 40, lambda: all(
        victim.refusals() == 2 and victim.service.is_ready() for victim in victims))
    log.settle()
    assert all(victim.service.is_alive() and "event=transaction_refused" in victim.service.text() for victim in victims)
    assert all(sorted(hook for hook, _ in victim.fired) == sorted(HOOKS) for victim in victims)
    deaths = sum(len(victim.fired) for victim in victims)
    assert deaths == len(HOOKS) * len(stack.SERVICES)
