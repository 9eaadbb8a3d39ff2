"""Kafka, Redis and the services as child processes of a test, on ports of their own, in a folder of their own.

Every child dies with the test's process (pdeathsig), however that ends. Nothing here knows what a test expects.
"""
import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TREE = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = TREE / "services" / "example"
BUILD = pathlib.Path(os.environ.get("PLUMB_BUILD_DIR", TREE / "build" / "release"))
SERVICES = ["plumb-validator", "plumb-windower", "plumb-detector", "plumb-alerter", "plumb-retrainer"]
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


def wait_until(what, seconds, condition):
    """Polls until condition() is true and returns its value; fails with `what` when time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return value


def free_port():
    """Below the range from which outgoing connections take theirs, and beside the one that start.sh uses."""
    while True:
        port = random.randrange(10000, 20000)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def plumb(*arguments, timeout=120, check=True):
    """Runs plumb to its end; with check, anything but exit 0 fails the test with what it said."""
    done = subprocess.run([BUILD / "bin" / "plumb", *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, f"plumb {arguments[0]}: exit {done.returncode}\n{done.stderr[-2000:]}"
    return done


class Child:
    """A process that can be killed, stopped for a while and started again from the same command."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log, self.process = name, [str(part) for part in command], log, None

    def launch(self):
        assert self.process is None or self.process.poll() is not None, f"{self.name} is running"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds=20):
        """TERM, then KILL; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s of TERM\n{self.tail()}") from None

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def text(self):
        path = pathlib.Path(self.log)
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self, lines=15):
        return "\n".join([f"--- {self.name}", *self.text().splitlines()[-lines:]])


class Store(Child):
    """Kafka or Redis by services/kafka/start.sh; its folder keeps port and data from one launch to the next."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        self._shell("prepare")
        super().__init__(kind, ["bash", "-c", f'. "$1" && {kind}_exec "$2"', kind, self._source(), folder],
                         f"{folder}/launch.log")

    @staticmethod
    def _source():
        return TREE / "services" / "kafka" / "start.sh"

    def _shell(self, verb, *arguments):
        done = subprocess.run(["bash", "-c", f'. "$1" && {self.kind}_{verb} "${{@:2}}"', self.kind, self._source(),
                               self.folder, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, f"{self.kind}_{verb}: {done.stdout}{done.stderr}\n{self._own_log()}"
        return done.stdout.strip()

    def _own_log(self):
        path = pathlib.Path(self.folder) / f"{self.kind}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""

    def start(self):
        self.launch()
        self._shell("wait", self.process.pid, 60)
        return self

    def address(self):
        return self._shell("bootstrap" if self.kind == "kafka" else "url")


class Service(Child):
    def __init__(self, name, bootstrap, redis, folder, *options):
        self.port = free_port()
        arrival = ["--arrival", "header"] if name == "plumb-validator" else []
        super().__init__(name, [*DIES_WITH_US, BUILD / "bin" / name, "--kafka.bootstrap.servers", bootstrap, "--redis",
                                redis, "--http-port", self.port, *arrival, *options], f"{folder}/{name}.log")

    def get(self, path):
        """(status, body); (0, why) where nothing answers within 2 s."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def is_waiting(self):
        return self.get("/readyz")[0] == 503


class Pipeline:
    """The services on one Kafka and one Redis. Kafka and Redis start at once, the services when told to."""

    def __init__(self, folder, services=tuple(SERVICES), stores_start=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kafka = Store("kafka", self.folder / "kafka")
        self.redis = Store("redis", self.folder / "redis")
        self.bootstrap, self.redis_url = self.kafka.address(), self.redis.address()
        self.services = {name: Service(name, self.bootstrap, self.redis_url, folder) for name in services}
        self.sender = None
        if stores_start:
            self.kafka.start()
            self.redis.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Ends everything; a service that has to be killed, or that ends other than by 0, fails the test."""
        if kind is not None:
            for child in [*self.services.values(), self.kafka, self.redis, *([self.sender] if self.sender else [])]:
                print(child.tail())
        try:
            statuses = {name: service.stop() for name, service in self.services.items()}
            assert kind is not None or set(statuses.values()) <= {0, None}, f"exit statuses {statuses}"
        finally:
            for child in [*self.services.values(), self.kafka, self.redis, *([self.sender] if self.sender else [])]:
                if child.is_alive():
                    child.signal(signal.SIGCONT)
                    child.kill()

    def topics(self, partitions):
        plumb("topics", "apply", "--bootstrap", self.bootstrap, "--partitions", partitions)

    def launch_services(self):
        for service in self.services.values():
            service.launch()

    def wait_ready(self, seconds=60):
        for service in self.services.values():
            wait_until(f"{service.name} ready\n{service.tail()}", seconds, service.is_ready)

    def start(self, partitions):
        self.topics(partitions)
        self.launch_services()
        self.wait_ready()

    def publish_contract(self, contract=EXAMPLE / "contract.yaml", reference=EXAMPLE / "reference.csv"):
        plumb("baseline", "--contract", contract, "--reference", reference, "--bootstrap", self.bootstrap)
        plumb("apply", "-f", contract, "--effective-from", "0", "--bootstrap", self.bootstrap)

    def send_example(self, *options):
        """Begins to send the example; the sender is a child, so a test can go on meanwhile."""
        self.sender = Child("sender", [*DIES_WITH_US, BUILD / "bin" / "plumb", "send", "--bootstrap", self.bootstrap,
                                       "--close", EXAMPLE / "events.jsonl.gz", "--labels", EXAMPLE / "labels.jsonl.gz",
                                       *options], self.folder / "sender.log")
        self.sender.launch()

    def wait_sent(self, seconds=120):
        assert self.sender.process.wait(seconds) == 0, self.sender.tail()

    def wait_drained(self, seconds=60):
        done = plumb("drained", "--bootstrap", self.bootstrap, "--timeout", seconds, timeout=seconds + 20, check=False)
        assert done.returncode == 0, f"not drained: {done.stderr}\n" + "\n".join(
            f"{service.name} {line}" for service in self.services.values() for line in service.get("/metrics")[1].splitlines()
            if line.startswith(("plumb_stream_time_timestamp", "plumb_records_taken", "plumb_transactions")))

    def read(self, what, *options):
        """The lines of plumb measurements | alerts | triggers | dead-letters, from the beginning of the topic."""
        return plumb(what, "--output", "jsonl", "--bootstrap", self.bootstrap, *options).stdout.splitlines()

    def summary(self):
        return plumb("summary", "--bootstrap", self.bootstrap, "--output", "json").stdout
