"""The simulated Redis answers as Redis does.

Goal: what the simulation shows of restarts, roll-backs and lost answers holds of a real Redis (tests/simulation).
Method: conform_redis runs the same random operations through our store and link, against a real server and against the
simulated one; their output is equal, line for line. TESTS_SEED is the first of the seeds.
"""
import os
import random
import subprocess

import stack

SEEDS = 400 if os.environ.get("TESTS_LONG") == "yes" else 24


def run(program, *arguments):
    done = subprocess.run([stack.BUILD / "bin" / program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=200, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{program}: exit {done.returncode}\n{done.stdout[-1000:]}{done.stderr}"
    return done.stdout.splitlines()


def test_simulated_redis_answers_as_redis_does(tmp_path):
    seed = int(os.environ.get("TESTS_SEED", random.randrange(1 << 32)))
    print(f"TESTS_SEED={seed}")
    redis = stack.Store("redis", tmp_path / "redis").start()
    try:
        real = run("conform_redis", seed, SEEDS, redis.address())
        simulated = run("conform_redis_simulated", seed, SEEDS)
    finally:
        redis.stop()
    for number, (expected, got) in enumerate(zip(real, simulated)):
        assert expected == got, f"line {number + 1}, after\n" + "\n".join(real[max(0, number - 20):number])
    assert len(real) == len(simulated)
    text = "\n".join(real)
    for kind in ("applied", "conflict", "fenced", "STATE_MALFORMED", "STATE_FOREIGN", "NOSCRIPT", "WRONGTYPE"):
        assert kind in text, f"no operation ended in {kind}"
