"""Errors that a real broker seldom sends.

Goal: whatever a broker answers, a service goes on, or ends with a documented exit code and a line that says why; it
never hangs (/healthz stays 200), spins or crashes.
Method: librdkafka's mock cluster as a process (mock_broker.c) answers the next requests of one kind by one error, while
records flow through a real validator. The mock keeps no offsets of transactions, hence a Redis that keeps nothing; what
comes out twice here says nothing about exactly once, which the other files test.
"""
import concurrent.futures
import os
import re
import subprocess
import threading
import time

import confluent_kafka
import forgetful_redis
import pytest
import stack

ON, STOPS, EITHER = "goes on", "stops", "either"
STARTING = "InitProducerId"      # asked once, at the start: the error waits there for the service
# (API, error, how often in a row, what must follow)
CASES = [
    ("FindCoordinator", "COORDINATOR_NOT_AVAILABLE", 3, ON),
    ("FindCoordinator", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("InitProducerId", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("InitProducerId", "NOT_COORDINATOR", 3, ON),
    ("InitProducerId", "CONCURRENT_TRANSACTIONS", 3, ON),
    ("InitProducerId", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", 50, STOPS),
    ("InitProducerId", "CLUSTER_AUTHORIZATION_FAILED", 50, STOPS),
    ("AddPartitionsToTxn", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("AddPartitionsToTxn", "NOT_COORDINATOR", 3, ON),
    ("AddPartitionsToTxn", "CONCURRENT_TRANSACTIONS", 3, ON),
    ("AddPartitionsToTxn", "INVALID_PRODUCER_EPOCH", 1, EITHER),
    ("AddPartitionsToTxn", "INVALID_TXN_STATE", 1, EITHER),
    ("AddPartitionsToTxn", "TOPIC_AUTHORIZATION_FAILED", 1, ON),
    ("AddPartitionsToTxn", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", 2, ON),
    ("Produce", "NOT_LEADER_FOR_PARTITION", 3, ON),
    ("Produce", "KAFKA_STORAGE_ERROR", 3, ON),
    ("Produce", "NOT_ENOUGH_REPLICAS", 3, ON),
    ("Produce", "OUT_OF_ORDER_SEQUENCE_NUMBER", 1, EITHER),
    ("Produce", "UNKNOWN_PRODUCER_ID", 1, EITHER),
    ("Produce", "INVALID_PRODUCER_EPOCH", 1, EITHER),
    ("Produce", "MSG_SIZE_TOO_LARGE", 1, ON),
    ("Produce", "TOPIC_AUTHORIZATION_FAILED", 1, ON),
    ("AddOffsetsToTxn", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("AddOffsetsToTxn", "NOT_COORDINATOR", 3, ON),
    ("AddOffsetsToTxn", "CONCURRENT_TRANSACTIONS", 3, ON),
    ("AddOffsetsToTxn", "INVALID_TXN_STATE", 1, EITHER),
    ("AddOffsetsToTxn", "GROUP_AUTHORIZATION_FAILED", 1, EITHER),
    ("TxnOffsetCommit", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("TxnOffsetCommit", "NOT_COORDINATOR", 3, ON),
    ("TxnOffsetCommit", "ILLEGAL_GENERATION", 1, ON),
    ("TxnOffsetCommit", "UNKNOWN_MEMBER_ID", 1, ON),
    ("TxnOffsetCommit", "REBALANCE_IN_PROGRESS", 1, EITHER),
    ("TxnOffsetCommit", "FENCED_INSTANCE_ID", 1, ON),
    ("TxnOffsetCommit", "GROUP_AUTHORIZATION_FAILED", 1, EITHER),
    ("EndTxn", "COORDINATOR_NOT_AVAILABLE", 3, ON),
    ("EndTxn", "NOT_COORDINATOR", 3, ON),
    ("EndTxn", "CONCURRENT_TRANSACTIONS", 3, ON),
    ("EndTxn", "INVALID_TXN_STATE", 1, EITHER),
    ("EndTxn", "INVALID_PRODUCER_EPOCH", 1, EITHER),
    ("Fetch", "KAFKA_STORAGE_ERROR", 3, ON),
    ("Fetch", "NOT_LEADER_FOR_PARTITION", 3, ON),
    ("Fetch", "UNKNOWN_TOPIC_OR_PART", 3, ON),
    ("Fetch", "OFFSET_OUT_OF_RANGE", 1, STOPS),
    ("OffsetFetch", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("OffsetFetch", "UNSTABLE_OFFSET_COMMIT", 3, ON),
    ("Heartbeat", "REBALANCE_IN_PROGRESS", 1, ON),
    ("Heartbeat", "UNKNOWN_MEMBER_ID", 1, ON),
    ("Heartbeat", "ILLEGAL_GENERATION", 1, ON),
    ("JoinGroup", "COORDINATOR_LOAD_IN_PROGRESS", 3, ON),
    ("SyncGroup", "REBALANCE_IN_PROGRESS", 1, ON),
]
LONG = os.environ.get("TESTS_LONG") == "yes"
LANES = 12                    # mock clusters side by side
# What the validator writes, and its tables: not on the broker of its input.
OTHERS = ["inference.validated", "inference.dead-letter", "model.schemas", "model.contracts", "model.versions",
          "model.baselines"]
BROKERS, INPUT_BROKER, OUTPUT_BROKER = 2, 2, 1
AT_BROKER = {"Produce": OUTPUT_BROKER, "Fetch": INPUT_BROKER}   # where the validator's own requests go
REJOINING = {"OffsetFetch", "JoinGroup", "SyncGroup", "FindCoordinator"}   # asked when partitions are given anew
SETTLES_SECONDS = 40
CPU_MAX = 0.8                 # of a core: more is spinning
DOCUMENTED = {69, 70, 75, 78}


def topics():
    rows = re.findall(r'^TOPIC\(\w+, +"([^"]+)"', (stack.TREE / "schemas" / "topics.def").read_text(), re.M)
    assert "inference.events" in rows
    return [f"{name}:2" for name in rows]


class Lane:
    """A mock cluster with records that flow, and a validator on it."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder, self.number, self.service = folder, 0, None
        command = [*stack.DIES_WITH_US, stack.BUILD / "bin" / "mock_broker", str(BROKERS), *topics()]
        self.mock = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.bootstrap = self.mock.stdout.readline().split()[1]
        for name in ["inference.events", *OTHERS]:             # our own producer is spared what Produce is answered
            for partition in range(2):
                broker = OUTPUT_BROKER if name in OTHERS else INPUT_BROKER
                self.tell(f"leader {name} {partition} {broker}")
        self.redis = forgetful_redis.ForgetfulRedis()
        self.producer = confluent_kafka.Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5,
                                                  "log_level": 0})
        self.ended = threading.Event()
        self.flow = threading.Thread(target=self.produce, daemon=True)
        self.flow.start()

    def produce(self):
        count = 0
        while not self.ended.wait(0.05):
            count += 1
            self.producer.produce("inference.events", value=f"no event {count}", partition=count % 2,
                                  headers={"plumb-arrival": str(1_600_000_000_000 + count)})
            self.producer.poll(0)

    def tell(self, command):
        self.mock.stdin.write(command + "\n")
        answer = self.mock.stdout.readline().strip()
        assert answer == "ok", f"{command}: {answer}"

    def launch(self):
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        self.service = stack.Service("plumb-validator", self.bootstrap, self.redis.url, folder, "--log-level", "debug",
                                     "--kafka.session.timeout.ms", "6000", "--kafka.heartbeat.interval.ms", "200")
        self.service.launch()

    def committed(self):
        return self.service.metric("plumb_transactions_total")

    def is_well(self):
        """Ready, and transactions succeed again."""
        return self.service.is_ready() and self.committed() >= self.goal

    def outcome(self, what):
        """Waits for the service to be well, or to end; health and CPU are watched meanwhile."""
        self.goal = (self.committed() if self.service.is_ready() else 0) + 3
        began, cpu = time.monotonic(), self.service.cpu_seconds()
        while time.monotonic() - began < SETTLES_SECONDS:
            code = self.service.process.poll()
            if code is not None:
                text = self.service.text()
                assert code in DOCUMENTED, f"{what}: exit {code}\n{self.service.tail(30)}"
                assert re.search(r"level=error .*why=", text), f"{what}: nothing says why\n{self.service.tail(30)}"
                return STOPS
            status, body = self.service.get("/healthz")
            assert status == 200 or self.service.process.poll() is not None or status == 0, f"{what}: {body}"
            used = self.service.cpu_seconds() - cpu if self.service.process.poll() is None else 0
            waited = time.monotonic() - began
            assert used <= 1 + CPU_MAX * waited, f"{what}: {used:.1f} CPU seconds\n{self.service.tail()}"
            if time.monotonic() - began > 0.5 and self.is_well():
                return ON
            time.sleep(0.05)
        raise AssertionError(f"{what}: neither well nor ended within {SETTLES_SECONDS} s\n{self.service.tail(40)}")

    def begin(self):
        """A service that is well."""
        if self.service is None or not self.service.is_alive():
            self.launch()
            assert self.outcome("the start") == ON, self.service.tail(30)

    def run(self, case):
        api, error, times, _ = case
        if api == STARTING:
            self.end_service()
            self.tell(f"errors {api} {error} {times}")
            self.launch()
        else:
            self.begin()
            if api in AT_BROKER:
                for _ in range(times):
                    self.tell(f"error {AT_BROKER[api]} {api} {error}")
            else:
                self.tell(f"errors {api} {error} {times}")
            if api in REJOINING:
                self.tell("errors Heartbeat UNKNOWN_MEMBER_ID 1")
        found = self.outcome(f"{api} {error}")
        self.tell(f"clear {api}")
        return found

    def end_service(self):
        if self.service is not None and self.service.is_alive():
            self.service.stop(40)

    def close(self):
        self.ended.set()
        self.flow.join()
        self.end_service()
        self.producer.flush(1)
        del self.producer      # while its brokers are there: else it takes seconds
        self.mock.stdin.close()
        self.mock.wait(10)
        self.redis.shutdown()
        self.redis.server_close()


@pytest.fixture
def lanes(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:     # a command to a mock takes it some 0.1 s
        made = list(pool.map(lambda number: Lane(tmp_path / str(number)), range(LANES)))
        yield made
        list(pool.map(Lane.close, made))


def move(lane):
    """Coordinators, leaders and a slow or absent broker."""
    lane.begin()
    for commands in (["coordinator transaction plumb-validator-0 2", "coordinator group plumb-validator 2"],
                     ["coordinator transaction plumb-validator-0 1", "coordinator group plumb-validator 1"],
                     ["leader inference.events 0 1", "leader inference.dead-letter 0 2"],
                     ["rtt 1 300"], ["rtt 1 0"], ["down 2"], ["up 2"]):
        for command in commands:
            lane.tell(command)
        if commands == ["down 2"]:
            time.sleep(1)
            assert lane.service.is_alive() and lane.service.get("/healthz")[0] == 200
        else:
            assert lane.outcome(" ".join(commands)) == ON, lane.service.tail(30)


def test_every_error_is_dealt_with(lanes, draw):
    """Without --long one of those that need a rejoining, which takes the mock more than ten seconds."""
    slow = [case for case in CASES if case[0] in REJOINING or case[0] == "Heartbeat"]
    wrong, left = [], [case for case in CASES if case not in slow]
    left += slow if LONG else draw.sample(slow, 1)      # taken from its end: the slow ones first

    def drive(lane):
        if lane is lanes[0]:
            try:
                move(lane)
            except AssertionError as error:
                wrong.append(str(error))
            return
        while left:
            case = left.pop()
            began = time.monotonic()
            try:
                found = lane.run(case)
                if case[3] not in (found, EITHER):
                    wrong.append(f"{case[0]} {case[1]}: {found}\n{lane.service.tail(12)}")
            except AssertionError as error:
                wrong.append(str(error))
                lane.service.kill()
                lane.tell(f"clear {case[0]}")
                found = "fails"
            print(f"{case[0]} {case[1]} x{case[2]}: {found} ({time.monotonic() - began:.1f} s)", flush=True)

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        list(pool.map(drive, lanes))
    assert not wrong, "\n".join(wrong)
