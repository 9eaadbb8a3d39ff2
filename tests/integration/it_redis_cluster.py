"""Redis Cluster, and a Redis that is set up badly.

Goal: state in a cluster of three masters, while slots move and a master is killed, changes nothing in the result; a
Redis that may throw state away, or keeps nothing on disk, is said so in the log.
Method: the example through the services, whose --redis names one node; two slots with state of each node are moved to
another node while the log runs, a node that is not the one named is killed with SIGKILL and started again; the result is
compared with analyze's, bit for bit. Then one plain Redis with the settings that are warned of.
"""
import json
import subprocess
import time

import result_set
import stack

LOG_DAYS = 736
SECONDS = 16
NODES = 3


class Node(stack.Child):
    """One redis-server with settings of its own; starts again on the same port, with the same data."""

    def __init__(self, folder, *settings):
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = stack.free_port()
        super().__init__(f"redis-{self.port}", [*stack.DIES_WITH_US, "redis-server", "--port", self.port, "--bind",
                                                "127.0.0.1", "--dir", folder, *settings], folder / "redis.log")
        self.url = f"redis://127.0.0.1:{self.port}"

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-u", self.url, *map(str, words)], capture_output=True, text=True,
                              timeout=30, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def start(self):
        self.launch()
        stack.wait_until(f"{self.name} answers", 10, lambda: subprocess.run(
            ["redis-cli", "-u", self.url, "ping"], capture_output=True, text=True).stdout.strip() == "PONG")
        return self


def cluster_nodes(folder):
    nodes = []
    for number in range(NODES):
        bus = stack.free_port()
        nodes.append(Node(folder / str(number), "--cluster-enabled", "yes", "--cluster-port", bus, "--appendonly", "yes",
                          "--save", "", "--cluster-node-timeout", 2000).start())
    subprocess.run(["redis-cli", "--cluster", "create", *(f"127.0.0.1:{node.port}" for node in nodes),
                    "--cluster-yes"], check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    for node in nodes:
        stack.wait_until("the cluster is whole", 20, lambda: "cluster_state:ok" in node.ask("cluster", "info"))
    return nodes


def slots_with_state(node, pattern="*"):
    return sorted({int(node.ask("cluster", "keyslot", key)) for key in node.ask("keys", pattern).split()})


def times_asked(node):
    counts = [line for line in node.ask("info", "commandstats").splitlines() if line.startswith("cmdstat_asking:")]
    return int(counts[0].split("calls=")[1].split(",")[0]) if counts else 0


def move_slot(slot, source, target):
    """As redis-cli --cluster reshard does it, key by key: meanwhile the source answers ASK."""
    source_id, target_id = source.ask("cluster", "myid"), target.ask("cluster", "myid")
    target.ask("cluster", "setslot", slot, "importing", source_id)
    source.ask("cluster", "setslot", slot, "migrating", target_id)
    time.sleep(0.05)
    while keys := source.ask("cluster", "getkeysinslot", slot, 100).split():
        for key in keys:
            assert source.ask("migrate", "127.0.0.1", target.port, key, 0, 5000) in ("OK", "NOKEY")
        time.sleep(0.4)   # the services ask here, and are sent there
    for node in (target, source):
        assert node.ask("cluster", "setslot", slot, "node", target_id) == "OK"


def test_a_cluster_whose_slots_move_changes_nothing(tmp_path, analyzed):
    nodes = cluster_nodes(tmp_path / "cluster")
    try:
        with stack.Pipeline(tmp_path / "pipeline", stores_start=False) as pipeline:
            for name in stack.SERVICES:
                pipeline.services[name] = stack.Service(name, pipeline.bootstrap, nodes[0].url, pipeline.folder)
            pipeline.kafka.start()
            pipeline.start(partitions=4)
            pipeline.publish_contract()
            pipeline.send_example("--speed", str(LOG_DAYS * 86_400 // SECONDS))
            stack.wait_until("state in every node", 20, lambda: all(slots_with_state(node) for node in nodes))
            moved = 0
            for number, source in enumerate(nodes):
                for slot in slots_with_state(source, "*inference*")[:2]:   # written to all the time
                    move_slot(slot, source, nodes[(number + 1) % NODES])
                    moved += 1
            assert pipeline.sender.is_alive(), "the log ended before the slots had moved"
            assert moved >= NODES
            assert sum(times_asked(node) for node in nodes) > 0, "nobody met a slot on its way"
            nodes[1].kill()
            stack.wait_until("somebody waits for the lost node", 15, lambda: any(
                service.is_waiting() for service in pipeline.services.values()))
            nodes[1].start()
            pipeline.wait_ready(30)
            pipeline.wait_sent()
            pipeline.wait_drained()
            live = result_set.of_pipeline(pipeline)
            summary = json.loads(pipeline.summary())
            assert all("cluster_state:ok" in node.ask("cluster", "info") for node in nodes)
    finally:
        for node in nodes:
            node.stop()
    assert not (said := result_set.difference(live, analyzed, "live", "analyze")), said
    assert summary == {"events_in": 35_312, "validated": 35_312, "dead_lettered": 0}


def test_a_redis_that_may_lose_state_is_warned_of(tmp_path):
    settings = {"bad": ["--save", "", "--maxmemory-policy", "allkeys-lru"],
                "good": ["--appendonly", "yes", "--maxmemory-policy", "volatile-lru"]}
    nodes = {name: Node(tmp_path / name, "--maxmemory", "64mb", *words).start() for name, words in settings.items()}
    services = {name: stack.Service("plumb-windower", "127.0.0.1:1", node.url, node.folder)
                for name, node in nodes.items()}
    try:
        for service in services.values():
            service.launch()
        for event, remedy in (("redis_evicts", "noeviction"), ("redis_not_persistent", "appendonly yes")):
            stack.wait_until(event, 20, lambda: f"event={event}" in services["bad"].text())
            assert any(f"event={event}" in line and "level=warn" in line and remedy in line
                       for line in services["bad"].text().splitlines())
        stack.wait_until("it reaches Redis", 20, lambda: "event=reachable" in services["good"].text())
    finally:
        assert {service.stop() for service in services.values()} == {0}
        for node in nodes.values():
            node.stop()
    assert "event=redis_" not in services["good"].text()
