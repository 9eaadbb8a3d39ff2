"""What every program promises of itself: help, version, options with their origin, a bounded run.

Goal: the habits of the command line (INTERFACES.md, Programs) hold for every service.
Method: the programs are run; a bounded validator works off what lies there and stops.
"""
import json
import os
import subprocess

import pytest
import stack


def run(name, *arguments, **environment):
    return subprocess.run([stack.BUILD / "bin" / name, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env=os.environ | environment)


@pytest.mark.parametrize("name", stack.SERVICES)
def test_help_version_and_check(name):
    help_ = run(name, "--help")
    assert help_.returncode == 0 and help_.stderr == ""
    assert all(len(line) <= 80 for line in help_.stdout.splitlines())
    for option in ("--redis", "--http-port", "--transaction-interval", "--bounded", "--log-format"):
        assert option in help_.stdout
    version = run(name, "--version")
    assert version.returncode == 0 and version.stdout.startswith(f"{name} ")
    assert run(name, "--check").returncode == 0


@pytest.mark.parametrize("name", stack.SERVICES)
def test_a_wrong_option_is_usage_and_a_wrong_variable_is_configuration(name):
    wrong = run(name, "--transaction-intervall", "1s")
    assert wrong.returncode == 2 and "did you mean" in wrong.stderr and wrong.stderr.count("\n") == 1
    wrong = run(name, "--check", PLUMB_TRANSACTION_INTERVAL="soon")
    assert wrong.returncode == 78 and wrong.stderr.count("\n") == 1
    wrong = run(name, "--topic.inference.evnts", "x", "--check")
    assert wrong.returncode == 2 and "inference.evnts" in wrong.stderr


def test_a_bound_of_no_ids_is_refused():
    for arguments in (("plumb-validator", "--check"), ("plumb", "analyze", "--contract", stack.EXAMPLE / "contract.yaml",
                                                       stack.EXAMPLE / "events.jsonl.gz")):
        wrong = run(*arguments, "--duplicates-max", "0")
        assert wrong.returncode == 2 and "--duplicates-max: from 1 to" in wrong.stderr and wrong.stderr.count("\n") == 1


def test_analyze_says_that_the_bound_was_reached():
    arguments = "plumb", "analyze", "--contract", stack.EXAMPLE / "contract.yaml", stack.EXAMPLE / "events.jsonl.gz"
    said = run(*arguments, "--duplicates-horizon", "30d", "--duplicates-max", "1000")
    assert said.returncode == 0 and "--duplicates-max was reached" in said.stderr
    assert run(*arguments, "--output", "jsonl").stderr == ""


def test_secrets_are_redacted_and_origins_told():
    shown = run("plumb-windower", "--print-config", "--redis", "redis://user:hush@127.0.0.1:1", PLUMB_LOG_LEVEL="debug")
    assert shown.returncode == 0 and "hush" not in shown.stdout
    assert any("log-level" in line and "debug" in line and "environment" in line for line in shown.stdout.splitlines())


def test_a_bounded_run_works_off_what_is_there_and_stops(tmp_path):
    with stack.Pipeline(tmp_path, services=["plumb-validator"]) as pipeline:
        pipeline.topics(partitions=2)
        pipeline.publish_contract()
        events = tmp_path / "events.jsonl"
        events.write_text("".join(json.dumps({
            "event_id": f"b{i}", "event_time": 849_427_200_000 + i, "model_name": "electricity-price", "model_version": "1",
            "features": dict.fromkeys(("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"), 0.5),
            "prediction": 1, "scores": {"up": 0.5}}) + "\n" for i in range(500)))
        stack.plumb("send", "--bootstrap", pipeline.bootstrap, events)
        done = run("plumb-validator", "--kafka.bootstrap.servers", pipeline.bootstrap, "--redis", pipeline.redis_url,
                   "--arrival", "header", "--bounded")
        assert done.returncode == 0, done.stderr
        job, records, *figures = done.stdout.split()
        assert job == "validator" and int(records) >= 500 and len(figures) == 5
        summary = json.loads(stack.plumb("summary", "--output", "json", "--bootstrap", pipeline.bootstrap).stdout)
        assert summary == {"events_in": 500, "validated": 500, "dead_lettered": 0}
