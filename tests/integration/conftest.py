"""What several tests look at: the example once through services/up, and once through plumb analyze."""
import os
import subprocess

import pytest
import result_set
import stack


# Half an hour: only with --long.
collect_ignore = [] if os.environ.get("TESTS_LONG") == "yes" else ["it_outage_memory.py"]


@pytest.fixture(scope="session")
def analyzed():
    """What `plumb analyze` says of the example, with no broker: record kind → lines."""
    example = stack.EXAMPLE
    done = stack.plumb("analyze", "--contract", example / "contract.yaml", "--reference", example / "reference.csv",
                       example / "events.jsonl.gz", "--labels", example / "labels.jsonl.gz", "--output", "jsonl")
    return result_set.of_lines(done.stdout.splitlines())


@pytest.fixture(scope="session")
def up_runs(tmp_path_factory):
    """partitions → folder with the results of `services/up --once`, each run once and only if asked for."""
    runs = {}

    def run(partitions):
        if partitions not in runs:
            folder = tmp_path_factory.mktemp(f"up-{partitions}")
            done = subprocess.run([stack.TREE / "services" / "up", "--once", "--no-install", "--results", folder,
                                   "--partitions", str(partitions)], capture_output=True, text=True, timeout=180,
                                  stdin=subprocess.DEVNULL)
            assert done.returncode == 0, f"services/up: exit {done.returncode}\n{done.stdout}{done.stderr}"
            (folder / "stdout").write_text(done.stdout)
            runs[partitions] = folder
        return runs[partitions]

    return run
