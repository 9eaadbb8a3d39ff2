"""What the tests of faults share: one Kafka and one Redis, a short log, and what `plumb analyze` says of it."""
import gzip
import json
import os
import random

import feed
import pytest
import result_set
import stack

DAY = 86_400_000
# From the example: two weeks before the drift of 5 May 1997 until well after the retraining that it asks for.
FIRST_DAY, DAYS = 9_973 - 14, 45
MEMBERS_FORGOTTEN = 800     # ms until Kafka gives a dead instance's partitions away, instead of 6,000


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test tells what its processes said last."""
    report = (yield).get_result()
    if report.failed and report.when == "call" and "pipeline" in item.funcargs:
        report.sections += [(child.name, child.tail(40)) for child in item.funcargs["pipeline"].children()]


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    kafka = stack.Store("kafka", folder / "kafka", ["group.min.session.timeout.ms=500"])
    redis = stack.Store("redis", folder / "redis")
    kafka.start()
    redis.start()
    yield kafka, redis
    for store in (kafka, redis):
        if store.is_alive():
            store.kill()


@pytest.fixture
def pipeline(request, stores, tmp_path):
    """On clean stores, with the example's contract; services are not started. The parameter: more options for them."""
    for store in stores:
        if not store.is_alive():
            store.start()
    options = ["--kafka.session.timeout.ms", str(MEMBERS_FORGOTTEN), "--kafka.heartbeat.interval.ms", "200",
               *getattr(request, "param", [])]
    with stack.Pipeline(tmp_path, stores=stores, options=options) as made:
        made.clear()
        made.topics(partitions=4)
        stack.wait_until("topics are known", 10, lambda: "model.baselines" in made.topic_names())
        made.publish_contract()
        yield made


@pytest.fixture(scope="session")
def short_log(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "events.jsonl.gz"
    with gzip.open(stack.EXAMPLE / "events.jsonl.gz", "rt") as whole, gzip.open(path, "wt") as part:
        part.writelines(line for line in whole if 0 <= json.loads(line)["event_time"] // DAY - FIRST_DAY < DAYS)
    return path


@pytest.fixture(scope="session")
def short_analyzed(short_log):
    done = stack.plumb("analyze", "--contract", stack.EXAMPLE / "contract.yaml", "--reference",
                       stack.EXAMPLE / "reference.csv", short_log, "--output", "jsonl")
    return result_set.of_lines(done.stdout.splitlines())


@pytest.fixture
def draw():
    """Randomness that a failed run's output replays."""
    seed = int(os.environ.get("TESTS_SEED", random.randrange(1 << 32)))
    print(f"TESTS_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def log(pipeline, short_log, short_analyzed):
    return feed.Feed(pipeline, short_log, short_analyzed)
