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

import confluent_kafka
import confluent_kafka.admin

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


def is_stopped(pid):
    """By SIGSTOP, its own or another's."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


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

    def launch(self, **environment):
        """With these variables beside our own, this time only."""
        assert self.process is None or self.process.poll() is not None, f"{self.name} is running"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=os.environ | environment)

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

    def is_suspended(self):
        return is_stopped(self.process.pid)

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 if "VmRSS:" in status else 0

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def text(self):
        path = pathlib.Path(self.log)
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self, lines=15):
        return "\n".join([f"--- {self.name}", *self.text().splitlines()[-lines:]])


class Store(Child):
    """Kafka or Redis by services/kafka/start.sh; its folder keeps port and data from one launch to the next."""

    def __init__(self, kind, folder, settings=()):
        self.kind, self.folder = kind, pathlib.Path(folder)
        self._shell("prepare")
        with open(self.folder / ("server.properties" if kind == "kafka" else "redis.conf"), "a") as file:
            file.writelines(f"{line}\n" for line in settings)   # the last word on a setting counts
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
    def __init__(self, name, bootstrap, redis, folder, *options, instance=None):
        self.port = free_port()
        arrival = ["--arrival", "header"] if name == "plumb-validator" else []
        known_as = name if instance is None else f"{name}-{instance}"
        super().__init__(known_as, [*DIES_WITH_US, BUILD / "bin" / name, "--kafka.bootstrap.servers", bootstrap,
                                    "--redis", redis, "--http-port", self.port, *arrival, *options,
                                    *(["--instance", instance] if instance is not None else [])],
                         f"{folder}/{known_as}.log")

    def launch_with_killer(self, **orders):
        """kill="commit.before:2", stop=…, fail=…: tests/fault/killer.c says what they do."""
        self.launch(LD_PRELOAD=str(BUILD / "bin" / "killer.so"),
                    **{f"PLUMB_{verb.upper()}": text for verb, text in orders.items()})

    def get(self, path):
        """(status, body); (0, why) where nothing answers within 2 s."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name):
        """The sum over its labels; 0 where there is none."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith((name + " ", name + "{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def is_waiting(self):
        return self.get("/readyz")[0] == 503


class Pipeline:
    """The services on one Kafka and one Redis. Kafka and Redis start at once, the services when told to.

    With stores=(kafka, redis), which are somebody else's and run, these are used, and left running.
    """

    def __init__(self, folder, services=tuple(SERVICES), stores_start=True, stores=None, options=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.own_stores = [] if stores else [Store(kind, self.folder / kind) for kind in ("kafka", "redis")]
        self.kafka, self.redis = stores or self.own_stores
        self.bootstrap, self.redis_url = self.kafka.address(), self.redis.address()
        self.options = options
        self.services = {name: self.service(name) for name in services}
        self.others, self.sender = [], None
        if stores_start:
            for store in self.own_stores:
                store.start()

    def service(self, name, *options, instance=None):
        return Service(name, self.bootstrap, self.redis_url, self.folder, *self.options, *options, instance=instance)

    def another(self, name, instance, *options):
        """One more instance of a service, which ends with the pipeline."""
        self.others.append(self.service(name, *options, instance=instance))
        return self.others[-1]

    def __enter__(self):
        return self

    def instances(self):
        return list(dict.fromkeys([*self.services.values(), *self.others]))

    def children(self):
        return [*self.instances(), *([self.sender] if self.sender else []), *self.own_stores]

    def __exit__(self, kind, *_):
        """Ends everything; a service that has to be killed, or that ends other than by 0, fails the test."""
        if kind is not None:
            for child in self.children():
                print(child.tail())
        try:
            running = [service for service in self.instances() if service.is_alive()]
            statuses = {service.name: service.stop() for service in running}
            assert kind is not None or set(statuses.values()) <= {0}, f"exit statuses {statuses}"
        finally:
            for child in self.children():
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

    def topic_names(self):
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.bootstrap})
        return {name for name in admin.list_topics(timeout=20).topics if not name.startswith("__")}

    def clear(self):
        """Shared stores as if new: no topic of ours, no group, nothing in Redis."""
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.bootstrap})
        wait_until("groups are deleted", 20, lambda: not self._groups_left(admin))   # killed members linger
        names = self.topic_names()
        for done in admin.delete_topics(list(names)).values() if names else []:
            done.result(20)
        wait_until("topics are deleted", 20, lambda: not self.topic_names())
        self.redis_command("flushall")

    @staticmethod
    def _groups_left(admin):
        groups = [group.group_id for group in admin.list_consumer_groups().result(20).valid]
        for done in admin.delete_consumer_groups(groups).values() if groups else []:
            with contextlib.suppress(confluent_kafka.KafkaException):
                done.result(20)
        return groups

    def redis_command(self, *words):
        done = subprocess.run(["redis-cli", "-u", self.redis_url, *map(str, words)], capture_output=True, text=True,
                              timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def publish_contract(self, contract=EXAMPLE / "contract.yaml", reference=EXAMPLE / "reference.csv"):
        plumb("baseline", "--contract", contract, "--reference", reference, "--bootstrap", self.bootstrap)
        plumb("apply", "-f", contract, "--effective-from", "0", "--bootstrap", self.bootstrap)

    def send(self, *options):
        """Begins to send; the sender is a child, so a test can go on meanwhile."""
        self.sender = Child("sender", [*DIES_WITH_US, BUILD / "bin" / "plumb", "send", "--bootstrap", self.bootstrap,
                                       *options], self.folder / "sender.log")
        self.sender.launch()

    def send_example(self, *options):
        self.send("--close", EXAMPLE / "events.jsonl.gz", "--labels", EXAMPLE / "labels.jsonl.gz", *options)

    def wait_sent(self, seconds=120):
        assert self.sender.process.wait(seconds) == 0, self.sender.tail()

    def wait_drained(self, seconds=60):
        done = plumb("drained", "--bootstrap", self.bootstrap, "--timeout", seconds, timeout=seconds + 20, check=False)
        told = ("plumb_stream_time_timestamp", "plumb_records_taken", "plumb_transactions", "plumb_shards")
        assert done.returncode == 0, f"not drained: {done.stderr}\n" + "\n".join(
            f"{service.name} {line}" for service in self.instances()
            for line in service.get("/metrics")[1].splitlines() if line.startswith(told))

    def read(self, what, *options):
        """The lines of plumb measurements | alerts | triggers | dead-letters, from the beginning of the topic."""
        return plumb(what, "--output", "jsonl", "--bootstrap", self.bootstrap, *options).stdout.splitlines()

    def summary(self):
        return plumb("summary", "--bootstrap", self.bootstrap, "--output", "json").stdout
