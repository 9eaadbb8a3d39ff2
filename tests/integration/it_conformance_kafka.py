"""The simulated Kafka answers as the real one does.

Goal: what the deterministic simulation takes for Kafka's behaviour (transactions, fences, time-outs, groups, offsets) is
Kafka's and librdkafka's. Method: the same list of operations from a seed, through source.h and sink.h, against the
simulation and against a broker; every line of what came out must be equal. Seed 0 lets a transaction time out,
seed 1 silences a member until it is expelled.
"""
import os
import pathlib
import subprocess

import confluent_kafka.admin
import stack

SEEDS = range(36 if os.environ.get("TESTS_LONG") == "yes" else 6)


def command(kind, bootstrap, seed):
    return [*stack.DIES_WITH_US, stack.BUILD / "bin" / f"conform_kafka_{kind}", bootstrap, f"conform-{seed}", str(seed)]


def make_topics(bootstrap):
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
    topics = [confluent_kafka.admin.NewTopic(f"conform-{seed}-{count}", count, 1,
                                             config={"message.timestamp.type": "LogAppendTime"})
              for seed in SEEDS for count in (1, 2, 3)]
    for made in admin.create_topics(topics).values():
        made.result()


def first_difference(simulated, real):
    for number, (left, right) in enumerate(zip(simulated + ["(ends)"], real + ["(ends)"]), 1):
        if left != right:
            return f"line {number}: simulated '{left}', real '{right}', after\n" + "\n".join(real[:number - 1][-12:])
    return "none"


def test_the_simulation_answers_as_kafka_does(tmp_path):
    kafka = stack.Store("kafka", tmp_path / "kafka")
    settings = pathlib.Path(kafka.folder) / "server.properties"
    settings.write_text(settings.read_text() + "\ntransaction.abort.timed.out.transaction.cleanup.interval.ms=500\n")
    kafka.start()
    try:
        bootstrap = kafka.address()
        make_topics(bootstrap)
        running = {}
        for seed in SEEDS:
            with open(tmp_path / f"real-{seed}", "wb") as out, open(tmp_path / f"log-{seed}", "wb") as log:
                running[seed] = subprocess.Popen(command("real", bootstrap, seed), stdout=out, stderr=log,
                                                 stdin=subprocess.DEVNULL)
        differences = []
        for seed, process in running.items():
            assert process.wait(60) == 0, (tmp_path / f"log-{seed}").read_text()[-2000:]
            real = (tmp_path / f"real-{seed}").read_text().splitlines()
            done = subprocess.run(command("sim", "simulated", seed), capture_output=True, text=True, timeout=20)
            assert done.returncode == 0, done.stderr[-2000:]
            simulated = done.stdout.splitlines()
            if simulated != real:
                differences.append(f"seed {seed}, {first_difference(simulated, real)}")
        assert not differences, "\n\n".join(differences)
    finally:
        kafka.kill()
