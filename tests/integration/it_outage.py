"""Kafka or Redis away: at the start, for a while, and killed.

Goal: services wait, say so on /readyz within ten seconds and once in the log, go on by themselves, and the result is
the same (DESIGN.md, promise 6).
Method: the example is sent slowly; meanwhile each store is stopped (SIGSTOP), continued, killed and started again; the
result is compared with analyze's.
"""
import contextlib
import json
import signal
import socket
import subprocess

import pane_ledger
import result_set
import stack

LOG_DAYS = 736
SECONDS = 70
SAID_AT_MOST = 3


def all_waiting(pipeline, what):
    for service in pipeline.services.values():
        stack.wait_until(f"{service.name} says 503 ({what})\n{service.tail()}", 10, service.is_waiting)


def redis_cli(pipeline, *words):
    done = subprocess.run(["redis-cli", "-u", pipeline.redis_url, *words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "OK", done.stdout


def warnings_of(service):
    return [line for line in service.text().splitlines() if "level=warn" in line or "level=error" in line]


def test_stores_that_come_and_go_change_nothing(tmp_path, analyzed):
    with stack.Pipeline(tmp_path, stores_start=False) as pipeline:
        # Neither is there yet: the services are up, and say that they wait.
        pipeline.launch_services()
        all_waiting(pipeline, "at the start, nothing to connect to")
        assert all(service.get("/healthz")[0] == 200 for service in pipeline.services.values())
        pipeline.kafka.start()
        pipeline.topics(partitions=4)
        assert not any(service.is_ready() for service in pipeline.services.values()), "ready without Redis"
        pipeline.redis.start()
        pipeline.wait_ready()
        pipeline.publish_contract()
        pipeline.send_example("--speed", str(LOG_DAYS * 86_400 // SECONDS))

        for store in (pipeline.kafka, pipeline.redis):
            said = {name: len(warnings_of(service)) for name, service in pipeline.services.items()}
            store.signal(signal.SIGSTOP)
            all_waiting(pipeline, f"{store.kind} stopped")
            store.signal(signal.SIGCONT)
            pipeline.wait_ready(30)
            store.kill()
            all_waiting(pipeline, f"{store.kind} killed")
            store.start()
            pipeline.wait_ready(60)
            for name, service in pipeline.services.items():   # once an outage, not once a try
                more = warnings_of(service)[said[name]:]
                assert len(more) <= 2 * SAID_AT_MOST, "\n".join(more)
        # Redis answers, but refuses writes (as it does without disk space): said in its own words.
        redis_cli(pipeline, "config", "set", "min-replicas-to-write", "1")
        all_waiting(pipeline, "Redis refuses writes")
        assert all("NOREPLICAS" in service.text() for service in pipeline.services.values())
        redis_cli(pipeline, "config", "set", "min-replicas-to-write", "0")
        pipeline.wait_ready(30)
        pipeline.wait_sent()
        pipeline.wait_drained()
        live = result_set.of_pipeline(pipeline)
        summary = json.loads(pipeline.summary())
        pane_ledger.check(pipeline.bootstrap)
    assert not (said := result_set.difference(live, analyzed, "live", "analyze")), said
    assert summary == {"events_in": 35_312, "validated": 35_312, "dead_lettered": 0}


def test_a_port_in_use_is_said(tmp_path):
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([stack.BUILD / "bin" / "plumb-detector", "--kafka.bootstrap.servers", "127.0.0.1:1",
                               "--redis", "redis://127.0.0.1:1", "--http-port", str(port)], capture_output=True,
                              text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode in (69, 78), (done.returncode, done.stderr)
    assert str(port) in done.stderr


def test_plumb_says_when_kafka_is_not_there():
    done = stack.plumb("topics", "apply", "--bootstrap", "127.0.0.1:1", "--partitions", "1", check=False, timeout=60)
    assert done.returncode == 69 and "127.0.0.1:1" in done.stderr, (done.returncode, done.stderr)


def test_term_before_anything_is_there_ends_it(tmp_path):
    service = stack.Service("plumb-windower", "127.0.0.1:1", "redis://127.0.0.1:1", tmp_path)
    service.launch()
    stack.wait_until("it waits", 10, service.is_waiting)
    assert service.stop() == 0
