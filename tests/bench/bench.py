"""The benchmarks: jobs on one Kafka and one Redis of this run, each a process of its own; tests/bench/README.md.

usage: bench.py JOB… [--events N] [--runs R] [--against H:P --topic T] [--smoke]

Method: the broker, Redis and this script on core 0, the job on core 1. Every round runs each job once (ABAB…); what is
printed is the median of each figure over the rounds, and ratios are of these medians.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import confluent_kafka.admin  # noqa: E402
import rollback  # noqa: E402
import stack  # noqa: E402

# librdkafka 2.0.2 asks for nothing more for a whole second once its queue is full: on both sides it is so large that
# this is not what is measured.
QUEUE = ["--kafka.queued.max.messages.kbytes", "131072", "--kafka.queued.min.messages", "1000000"]

HERE = pathlib.Path(__file__).resolve().parent
PARTITIONS, REFERENCE_ROWS = 4, 10_000
NEVER = "1h"                    # longer than any run: one transaction
LATE_ANSWER_MS = 4500           # null_redis.c says why
FIGURES = ("events", "seconds", "events_per_s", "cpu_seconds", "events_per_cpu_s", "peak_rss_mb")
# A job brings what it is compared with.
COMPANIONS = {"consume": ["consume", "kcat"], "passthrough": ["passthrough", "passthrough-once"],
              "validator": ["validator", "validator-once", "validator-100", "passthrough-100"], "windower": ["windower", "windower-once"],
              "redis-flush": ["redis-flush", "redis-flush-null", "redis-flush-off"], "catch-up": ["catch-up"],
              "decode": ["decode", "decode-avro-c"], "decode-projected": ["decode-projected", "decode"],
              "decode-python": ["decode-python", "decode"]}
# No Kafka and no Redis: records in memory, so many times the events that this takes about as long.
IN_MEMORY = {"decode": 20, "decode-projected": 20, "decode-avro-c": 2, "decode-python": 0.5}
RATIOS = [("passthrough", "passthrough-once"), ("validator", "validator-once"), ("windower", "windower-once"),
          ("validator-100", "passthrough-100"), ("windower", "consume"),
          ("redis-flush", "redis-flush-off"), ("redis-flush-null", "redis-flush-off"),
          ("decode", "decode-avro-c"), ("decode-projected", "decode"), ("decode", "decode-python")]
# What must be reached, and what a noisy machine and small numbers must reach as well.
GATES = {"validator": (0.7, 0.2), "decode": (10, 5), "decode-projected": (1.5, 0.9), "flush": (0.95, 0.6), "points lost": (5.0, 40.0), "catch-up": (3.0, 6.0), "denominator": (1.0, 0.7)}


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


class Bench:
    queue = QUEUE
    def __init__(self, folder, events, against=None, topic=None, in_memory=False):
        self.redis = self.kafka = None
        self.folder, self.events, self.foreign, self.topic = folder, events, against is not None, topic
        self.pin = self.pin_to_cores()
        self.scratch, self.number, self.copied, self.rates, self.allocations = [], 0, "yes", {}, {}
        if in_memory:
            return
        self.redis = stack.Store("redis", folder / "redis").start()
        self.kafka = None if self.foreign else stack.Store("kafka", folder / "kafka").start()
        self.bootstrap = against or self.kafka.address()
        self.admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    @staticmethod
    def pin_to_cores():
        """What is started by us stays on core 0 with us; a worker is put before core 1."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2 or shutil.which("taskset") is None:
            say("not pinned: one core, or no taskset")
            return []
        os.sched_setaffinity(0, {cores[0]})
        return ["taskset", "-c", str(cores[1])]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.foreign:
            for name in list(self.scratch):
                self.delete(name)
        for store in (self.kafka, self.redis):
            if store is not None and store.is_alive():
                store.kill()

    @staticmethod
    def say(text):
        say(text)

    # ---- Topics

    def topic_of(self, name):
        return self.topic if self.foreign else name

    def make_topic(self):
        """Where a measured run writes to: as our topics, but gone from the disk soon after it is deleted."""
        name = f"bench.scratch.{os.getpid()}.{self.number}"
        settings = {"message.timestamp.type": "LogAppendTime", "file.delete.delay.ms": "1000"}
        topic = confluent_kafka.admin.NewTopic(name, PARTITIONS, config=settings)
        self.admin.create_topics([topic])[name].result(20)
        stack.wait_until(f"topic {name}", 10, lambda: name in self.admin.list_topics(timeout=10).topics)
        self.scratch.append(name)
        return name

    def delete(self, name):
        self.admin.delete_topics([name])[name].result(20)
        self.scratch.remove(name)

    # ---- Processes

    def binary(self, name):
        return stack.BUILD / "bin" / name

    def fresh(self, name):
        """A consumer group that nobody had."""
        self.number += 1
        return f"bench-{os.getpid()}-{self.number}-{name}"

    def worker(self, command, log_name):
        """Runs a job to its end on its core; returns its line as figures."""
        log = self.folder / f"{log_name}.log"
        with open(log, "ab") as errors:
            done = subprocess.run([*stack.DIES_WITH_US, *self.pin, *map(str, command)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=errors, text=True, timeout=600)
        return self.figures(log_name, done.returncode, done.stdout, log)

    def figures(self, name, status, output, log):
        words = output.split()
        assert status == 0 and len(words) == 7, f"{name}: exit {status}, {output!r}\n{log.read_text()[-2000:]}"
        return dict(zip(FIGURES, map(float, words[1:])))

    def service_command(self, service, redis_url, *options):
        group = self.fresh(service)
        topics = []
        if self.foreign:
            topics = [f"--topic.inference.{'events' if service == 'validator' else 'validated'}", self.topic]
        return [self.binary(f"plumb-{service}"), "--kafka.bootstrap.servers", self.bootstrap, "--redis", redis_url,
                "--group", group, *topics, *QUEUE, *options]

    # ---- The input

    def fill(self):
        """Contract and baseline, N events, and what the validator makes of them."""
        bootstrap = ["--bootstrap", self.bootstrap]
        reference = self.folder / "reference.csv"
        subprocess.run([self.binary("bench_events"), "--file", reference, "--count", str(REFERENCE_ROWS)], check=True)
        stack.plumb("topics", "apply", *bootstrap, "--partitions", PARTITIONS)
        stack.wait_until("topics are known", 10, lambda: "model.baselines" in self.admin.list_topics(timeout=10).topics)
        stack.plumb("baseline", "--contract", HERE / "contract.yaml", "--reference", reference, *bootstrap)
        stack.plumb("apply", "-f", HERE / "contract.yaml", "--effective-from", "0", *bootstrap)
        made = self.worker([self.binary("bench_events"), *bootstrap, "--topic", "inference.events", "--count",
                            self.events], "events")
        say(f"{self.events} events in {made['seconds']:.1f} s")
        self.worker(self.service_command("validator", self.redis.address(), "--bounded"), "validator")
        summary = stack.plumb("summary", *bootstrap, "--output", "json").stdout
        wanted = f'"validated": {self.events}'
        assert wanted in re.sub(r"\s*:\s*", ": ", summary), f"the validator did not pass them all: {summary}"

    # ---- Jobs: each returns its figures

    def decode(self, job):
        count = max(1, int(self.events * IN_MEMORY[job]))
        program = self.binary("bench_decode")
        command = [sys.executable, HERE / "decode_python.py", program, count] if job == "decode-python" else [
            program, job, "--count", count]
        done = subprocess.run([*stack.DIES_WITH_US, *self.pin, *map(str, command)], check=True, capture_output=True,
                              text=True, timeout=600)
        line, _, allocations = done.stdout.partition("\n")
        if allocations:
            self.allocations[job] = allocations.strip()
        return dict(zip(FIGURES, map(float, line.split()[1:])))

    def consume(self):
        return self.worker([self.binary("bench_consume"), "--bootstrap", self.bootstrap, "--topic",
                            self.topic_of("inference.validated"), "--group", self.fresh("consume")], "consume")

    def kcat(self):
        """The guard of `consume`; counted as having read what consume reads."""
        began = time.monotonic()
        process = subprocess.Popen([*self.pin, "kcat", "-C", "-e", "-q", "-b", self.bootstrap, "-t",
                                    self.topic_of("inference.validated"), "-o", "beginning"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"kcat: exit {process.returncode}"
        seconds, cpu_seconds = time.monotonic() - began, usage.ru_utime + usage.ru_stime
        events = self.rates["consume"]["events"]
        return dict(zip(FIGURES, (events, seconds, events / seconds, cpu_seconds, events / cpu_seconds,
                                  usage.ru_maxrss / 1024)))

    def passthrough(self, interval_ms=250, copied=None):
        group, target = self.fresh("passthrough"), self.make_topic()
        found = self.worker([self.binary("bench_passthrough"), "--bootstrap", self.bootstrap, "--topic",
                             self.topic_of("inference.events"), "--to", target, "--group", group, "--interval",
                             interval_ms, "--copied", copied or self.copied], "passthrough")
        self.delete(target)
        return found

    def choose_copied(self):
        """Copied or not, whichever is faster: of three rounds each."""
        costs = {"yes": [], "no": []}
        for _ in range(3):
            for copied, found in costs.items():
                found.append(self.passthrough(copied=copied)["events_per_cpu_s"])
        self.copied = max(costs, key=lambda copied: statistics.median(costs[copied]))
        say("passthrough, events per CPU second: " + ", ".join(
            f"copied={copied} {statistics.median(found):.0f}" for copied, found in costs.items()))

    def service(self, service, *options):
        self.redis_command("flushall")
        self.redis_command("config", "resetstat")
        command = self.service_command(service, self.redis.address(), "--bounded", *options)
        if service == "validator": # an id is looked for among those of a minute
            command += ["--duplicates-horizon", "60s", "--duplicates-max", "20000000"]
        else:
            found = self.worker(command, service)
            say(f"Redis: {self.redis_command('info', 'commandstats').partition('cmdstat_evalsha:')[2].split(',')[0]}")
            return found
        target = self.make_topic()
        found = self.worker([*command, "--topic.inference.validated", target], service)
        self.delete(target)
        return found

    def windower_on_null_redis(self, lag_ms):
        """The server is told to answer at once when the windower begins to end."""
        log = self.folder / f"windower-null-{lag_ms}.log"
        server = subprocess.Popen([*stack.DIES_WITH_US, self.binary("null_redis"), str(lag_ms)],
                                  stdout=subprocess.PIPE, text=True)
        try:
            url = f"redis://127.0.0.1:{server.stdout.readline().split()[1]}"
            with open(log, "wb") as errors:
                windower = subprocess.Popen([*stack.DIES_WITH_US, *self.pin,
                                             *map(str, self.service_command("windower", url, "--bounded"))],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
            stack.wait_until("the windower is at its end", 300, lambda: windower.poll() is not None or
                             b"event=draining" in log.read_bytes())
            server.send_signal(signal.SIGUSR1)
            say(f"null server with a lag of {lag_ms} ms: {server.stdout.readline().strip()}")
            output, _ = windower.communicate(timeout=60)
            return self.figures("windower", windower.returncode, output, log)
        finally:
            server.kill()
            server.wait()

    def redis_command(self, *words):
        return subprocess.run(["redis-cli", "-u", self.redis.address(), *words], check=True, capture_output=True,
                              text=True, timeout=20).stdout

    def run(self, job):
        self.rates[job] = self.JOBS[job](self)
        return self.rates[job]

    JOBS = {
        "consume": consume,
        "kcat": kcat,
        "passthrough": passthrough,
        "passthrough-once": lambda self: self.passthrough(interval_ms=0),
        "validator": lambda self: self.service("validator"),
        "passthrough-100": lambda self: self.passthrough(interval_ms=100),
        "validator-100": lambda self: self.service("validator", "--transaction-interval", "100ms"),
        "validator-once": lambda self: self.service("validator", "--transaction-interval", NEVER),
        "windower": lambda self: self.service("windower"),
        "windower-once": lambda self: self.service("windower", "--transaction-interval", NEVER),
        "redis-flush": lambda self: self.service("windower"),
        "redis-flush-null": lambda self: self.windower_on_null_redis(0),
        "redis-flush-off": lambda self: self.windower_on_null_redis(LATE_ANSWER_MS),
        "catch-up": lambda self: rollback.catch_up(self),
        **{job: lambda self, job=job: self.decode(job) for job in IN_MEMORY},
    }


# ---- Figures

def median_of(rounds):
    return {name: statistics.median(found[name] for found in rounds) for name in FIGURES}


def print_job(job, found):
    print(f"{job} {found['events']:.0f} {found['seconds']:.3f} {found['events_per_s']:.0f} "
          f"{found['cpu_seconds']:.3f} {found['events_per_cpu_s']:.0f} {found['peak_rss_mb']:.1f}", flush=True)


def ratio(medians, pair, figure="events_per_s"):
    return medians[pair[0]][figure] / medians[pair[1]][figure]


def checks(medians, gates):
    """(name, is it so, what was found)"""
    has = medians.keys().__contains__
    if has("consume") and has("kcat"):
        slowest = min(ratio(medians, ("consume", "kcat")), ratio(medians, ("consume", "kcat"), "events_per_cpu_s"))
        found = f"{slowest:.3f} of kcat's rate, wall or CPU"
        yield ("denominator", slowest >= gates["denominator"],
               found if slowest >= gates["denominator"] else f"denominator too slow: {found}")
    bare = ("passthrough", "passthrough-once")
    for service in ("validator", "windower"):
        pair = (service, f"{service}-once")
        if all(map(has, (*bare, *pair))):
            more = 100 * (ratio(medians, bare) - ratio(medians, pair))
            yield (f"{service} exactly-once", more <= gates["points lost"],
                   f"loses {more:.1f} percentage points more than the bare loop, at most {gates['points lost']:.0f}")
    for job, rival in (("decode", "decode-avro-c"), ("decode-projected", "decode")):
        if has(job) and has(rival):
            times = ratio(medians, (job, rival), "events_per_cpu_s")
            yield job, times >= gates[job], f"{times:.2f} times {rival} a CPU second, at least {gates[job]}"
    peers = ("validator-100", "passthrough-100")
    if all(map(has, peers)):
        value = ratio(medians, peers, "events_per_cpu_s")
        yield "validator", value >= gates["validator"], f"{value:.3f} of the bare loop a CPU second, at least {gates['validator']}"
    flush = ("redis-flush", "redis-flush-off")
    if all(map(has, flush)):
        value = ratio(medians, flush)
        yield "redis-flush", value >= gates["flush"], f"{value:.3f}, at least {gates['flush']}"
    if has("catch-up"):
        seconds = medians["catch-up"]["seconds"]
        yield "catch-up", seconds <= gates["catch-up"], f"{seconds:.2f} s, at most {gates['catch-up']}"


def read_arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("jobs", nargs="+", metavar="JOB", choices=[*Bench.JOBS])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", metavar="HOST:PORT", help="a Kafka that is there already, with --topic")
    parser.add_argument("--topic", help="what every job reads there")
    parser.add_argument("--smoke", action="store_true", help="bounds for small numbers on a busy machine")
    arguments = parser.parse_args()
    if (arguments.against is None) != (arguments.topic is None):
        parser.error("--against and --topic belong together")
    if arguments.against is not None and "catch-up" in arguments.jobs:
        parser.error("catch-up kills its Redis and needs both topics: not with --against")
    if arguments.events < 1 or arguments.runs < 1:
        parser.error("--events and --runs are whole numbers from 1 on")
    return arguments


def main():
    arguments = read_arguments()
    jobs = list(dict.fromkeys(job for name in arguments.jobs for job in COMPANIONS.get(name, [name])))
    if "kcat" in jobs and "consume" not in jobs:
        jobs.insert(0, "consume")
    rounds = {job: [] for job in jobs}
    say(f"load {os.getloadavg()[0]:.2f} before")
    with (tempfile.TemporaryDirectory(prefix="plumbline-bench.") as folder,
          Bench(pathlib.Path(folder), arguments.events, arguments.against, arguments.topic,
                in_memory=set(jobs) <= IN_MEMORY.keys()) as bench):
        if bench.kafka is not None:
            bench.fill()
        if any(job.startswith("passthrough") for job in jobs):
            bench.choose_copied()
        for number in range(arguments.runs):
            for job in jobs:
                rounds[job].append(bench.run(job))
                say(f"round {number + 1} {job} " + " ".join(f"{rounds[job][-1][name]:.3f}" for name in FIGURES))
    say(f"load {os.getloadavg()[0]:.2f} after")
    medians = {job: median_of(found) for job, found in rounds.items()}
    for job in jobs:
        print_job(job, medians[job])
    for job in sorted(bench.allocations):
        print(bench.allocations[job])
    for pair in RATIOS:
        if pair[0] in medians and pair[1] in medians:
            print(f"ratio {pair[0]}/{pair[1]} {ratio(medians, pair):.3f}")
            print(f"ratio_cpu {pair[0]}/{pair[1]} {ratio(medians, pair, 'events_per_cpu_s'):.3f}")
    missed = 0
    for name, is_so, found in checks(medians, {key: gate[arguments.smoke] for key, gate in GATES.items()}):
        missed += not is_so
        print(f"check {name}: {'ok' if is_so else 'MISSED'}: {found}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
