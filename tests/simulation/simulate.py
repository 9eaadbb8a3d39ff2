"""Many seeds of the simulation, each checked by the oracle.

usage: simulate.py BINARY [--seeds N] [--first S] [--events E] [--faults F] [--jobs J] [--until-failure]

Goal: promises 1 to 5 of DESIGN.md hold for every seed. Method: one process of the simulation a core, its topics piped
into an oracle that shares no source with the services (oracle.py); beside it the simulation says how often each fault
hit each step of the commit cycle, and whether everything was accounted for when the last fault was over. Ends with
"seeds N events_per_seed M failures F"; a cell that was hit less than 10 times in 1,000 seeds is a failure, too.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import threading
import time

FAULTS_MIN = 20
CELL_MIN_IN_1000 = 10
PROGRESS_SECONDS = 20


class Verdicts:
    """What is known of each seed; filled by the readers' threads."""

    def __init__(self):
        self.oracle, self.reports, self.cells, self.noise = {}, {}, collections.Counter(), []
        self.lock = threading.Lock()

    def of_oracle(self, line):
        words = line.split(" ", 2)
        with self.lock:
            if len(words) >= 3 and words[0] == "seed":
                self.oracle[int(words[1])] = words[2].strip()
            else:
                self.noise.append(line.rstrip())

    def of_simulation(self, line):
        with self.lock:
            if not line.startswith("{"):
                self.noise.append(line.rstrip())
                return
            report = json.loads(line)
            self.reports[report["seed"]] = report
            self.cells.update(report["cells"])

    def failure(self, seed):
        """Why a seed failed; None where it did not, or is not there yet."""
        report, said = self.reports.get(seed), self.oracle.get(seed)
        if report is None or said is None:
            return None
        if not report["ended"]:
            return f"does not end: {report['why']}"
        if report["faults"] < FAULTS_MIN:
            return f"only {report['faults']} faults"
        return None if said == "ok" else said

    def failures(self):
        with self.lock:
            return {seed: why for seed in self.reports if (why := self.failure(seed)) is not None}

    def newest(self):
        with self.lock:
            return max(self.reports, default=0)

    def done(self):
        with self.lock:
            return sum(1 for seed in self.reports if seed in self.oracle)


def lines_of(stream, take):
    thread = threading.Thread(target=lambda: [take(line) for line in stream], daemon=True)
    thread.start()
    return thread


def launch(arguments, job, verdicts):
    count = len(range(job, arguments.seeds, arguments.jobs))
    simulation = subprocess.Popen(
        [arguments.binary, "--first", str(arguments.first + job), "--step", str(arguments.jobs), "--count", str(count),
         "--events", str(arguments.events), "--faults", str(arguments.faults)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    oracle = subprocess.Popen([sys.executable, "-B", pathlib.Path(__file__).with_name("oracle.py")],
                              stdin=simulation.stdout, stdout=subprocess.PIPE, text=True)
    simulation.stdout.close()
    threads = [lines_of(simulation.stderr, verdicts.of_simulation), lines_of(oracle.stdout, verdicts.of_oracle)]
    return (simulation, oracle), threads


def watch(arguments, jobs, verdicts):
    """Until all seeds are done, or the first failure where that is all that is asked for."""
    said = time.monotonic()
    while any(process.poll() is None for processes, _ in jobs for process in processes):
        time.sleep(0.1)
        broken = [process.returncode for processes, _ in jobs for process in processes if process.poll()]
        if arguments.until_failure and (verdicts.failures() or broken):
            for processes, _ in jobs:
                for process in processes:
                    process.kill()
        if time.monotonic() - said > PROGRESS_SECONDS:
            said = time.monotonic()
            print(f"{verdicts.done()} of {arguments.seeds} seeds, {len(verdicts.failures())} failures", flush=True)
    for _, threads in jobs:
        for thread in threads:
            thread.join()


def print_cells(verdicts, seeds):
    """The table fault × step; returns the cells that were hit too seldom."""
    steps = ["published", "offsets", "committed", "snapshot", "answered", "restore", "replay"]
    counts = collections.defaultdict(dict)
    for cell, hits in verdicts.cells.items():
        fault, step = cell.rsplit(" at ", 1)
        counts[fault][step] = hits
    print(f"{'fault':16}" + "".join(f"{step:>10}" for step in steps))
    seldom = []
    for fault in sorted(counts):
        print(f"{fault:16}" + "".join(f"{counts[fault].get(step, '-'):>10}" for step in steps))
        seldom += [f"{fault} at {step}" for step, hits in counts[fault].items()
                   if hits * 1000 < CELL_MIN_IN_1000 * seeds]
    return seldom


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    for name, default in (("seeds", 300), ("first", 1), ("events", 10000), ("faults", 30), ("jobs", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--until-failure", action="store_true")
    arguments = parser.parse_args()
    arguments.jobs = min(arguments.jobs, arguments.seeds)
    verdicts = Verdicts()
    jobs = [launch(arguments, job, verdicts) for job in range(arguments.jobs)]
    watch(arguments, jobs, verdicts)
    failures = verdicts.failures()
    for seed, why in sorted(failures.items()):
        print(f"seed {seed} FAILED: {why}\n    again: ./tests/run simulation --seeds 1 --first {seed}")
    count = len(failures)
    codes = [simulation.returncode for (simulation, _), _ in jobs if simulation.returncode not in (0, -9)]
    if codes and not failures:
        print(f"seed {verdicts.newest()} FAILED: the next one ended the simulation with {codes[0]}: "
              + " | ".join(verdicts.noise[-3:]))
        count += 1
    if not arguments.until_failure:
        missing = set(range(arguments.first, arguments.first + arguments.seeds)) - set(verdicts.reports)
        if missing:
            print("\n".join(verdicts.noise[-10:]))
            print(f"{len(missing)} seeds did not run, first {min(missing)}")
        seldom = print_cells(verdicts, arguments.seeds) if arguments.seeds >= 100 else []
        if seldom:
            print("hit too seldom: " + ", ".join(seldom))
        count += len(missing) + len(seldom)
    print(f"seeds {verdicts.done()} events_per_seed {arguments.events} failures {count}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
