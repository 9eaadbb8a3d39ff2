"""Schemas from a registry: a real one (Apicurio), a real client's serializer, a registry that dies.

Goal: events of confluent-kafka's AvroSerializer are validated as they are; a new schema while the registry is away waits and loses
nothing; what was known goes on without it, through restarts and without Redis; the example producers work as they are.
Method: each event's bytes behind the enrichment are compared with what the producer sent; everything is counted in the topics.
"""
import base64
import datetime
import http.server
import io
import json
import signal
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request

import confluent_kafka
import fastavro
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import schema_registry
import stack

CONTRACT = """\
model: fraud
task: binary
positive: fraud
owner: tests
runbook: https://runbooks.example/fraud
columns:
  amount: {type: number, range: [0, 1000]}
  country: {type: category, values: [DE, FR]}
windows: {pane: 1m, rolling: [5m], lateness: 30s, correction: 1h}
labels: {ttl: 48h}
monitors:
  - {quality: nulls, columns: [amount], window: 5m, max: 0.5}
"""
FEATURES = {"type": "record", "name": "Features", "fields": [{"name": "amount", "type": "double"},
                                                             {"name": "country", "type": "string"}]}


def schema_of(*more, features=FEATURES, name="FraudEvent"):
    return {"type": "record", "name": name, "namespace": "shop", "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "model_name", "type": "string"}, {"name": "model_version", "type": "string"},
        {"name": "features", "type": features}, {"name": "prediction", "type": ["null", "long"]}, *more]}


def event_of(number, **more):
    return {"event_id": f"e{number}", "event_time": 1_700_000_000_000 + number, "model_name": "fraud",
            "model_version": "1", "features": {"amount": number % 1000 + 0.5, "country": "DE"}, "prediction": 1, **more}


class App:
    """A serving app: AvroSerializer, TopicNameStrategy, registering its schema by itself."""

    def __init__(self, bootstrap, url):
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        self.client = SchemaRegistryClient({"url": url})
        self.sent = {}

    def serializer(self, schema):
        return AvroSerializer(self.client, json.dumps(schema))

    def send(self, serializer, events):
        for event in events:
            value = serializer(event, SerializationContext("inference.events", MessageField.VALUE))
            self.send_bytes(event["event_id"], value)

    def send_bytes(self, event_id, value, headers=None):
        self.producer.produce("inference.events", value, event_id, headers=headers)
        self.producer.poll(0)
        self.sent[event_id] = value

    def flush(self):
        assert self.producer.flush(20) == 0


def read_topic(bootstrap, topic):
    """(key, value) of every record that is no clock."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": f"test-{time.monotonic_ns()}",
                                         "isolation.level": "read_committed", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
    found, left = [], len(partitions)
    while left > 0:
        message = consumer.poll(10)
        assert message is not None, f"{topic} does not end"
        if message.error():
            assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
            left -= 1
        elif message.value() is not None:
            found.append((message.key().decode(), message.value()))
    consumer.close()
    return found


def summary(pipeline):
    return json.loads(pipeline.summary())


def wait_validated(pipeline, count, seconds=30):
    stack.wait_until(f"{count} validated", seconds, lambda: summary(pipeline)["validated"] >= count)
    assert summary(pipeline)["validated"] == count


def check_ledger(pipeline, app, size=5):
    """Everything sent is in inference.validated once, its bytes as they came."""
    validated = read_topic(pipeline.bootstrap, "inference.validated")
    assert sorted(key for key, _ in validated) == sorted(app.sent)
    for key, value in validated:
        assert value.endswith(app.sent[key][size:]), key


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    made = (stack.Store("kafka", folder / "kafka", ["group.min.session.timeout.ms=500"]),
            stack.Store("redis", folder / "redis"), schema_registry.SchemaRegistry(folder))
    for store in made:
        store.start()
    yield made
    for store in made:
        if store.is_alive():
            store.kill()


@pytest.fixture
def registry(stores):
    if not stores[2].is_alive():
        stores[2].start()
    return stores[2]


@pytest.fixture
def pipeline(tmp_path, stores, registry):
    options = ["--kafka.session.timeout.ms", "800", "--kafka.heartbeat.interval.ms", "200"]   # a killed one is missed soon
    with stack.Pipeline(tmp_path, services=["plumb-validator"], stores=stores[:2], options=options) as found:
        found.clear()
        validator = found.services["plumb-validator"]
        validator.command += ["--schema-registry", registry.url, "--schema-registry.retry-max", "500ms"]
        found.topics(partitions=3)
        tables = {"model.contracts", "model.baselines", "model.versions", "model.schemas"}
        stack.wait_until("topics are known", 20, lambda: tables <= found.topic_names())
        contract = tmp_path / "contract.yaml"
        contract.write_text(CONTRACT)
        stack.plumb("apply", "-f", contract, "--effective-from", "0", "--bootstrap", found.bootstrap)
        found.launch_services()
        found.wait_ready()
        yield found


def test_the_registry_dies_and_comes_back(pipeline, registry):
    validator = pipeline.services["plumb-validator"]
    app = App(pipeline.bootstrap, registry.url)
    first = app.serializer(schema_of())
    app.send(first, map(event_of, range(500)))
    app.flush()
    wait_validated(pipeline, 500)

    # Its schema is registered just before the registry dies: no consumer has read it.
    second = app.serializer(schema_of({"name": "channel", "type": ["null", "string"], "default": None}))
    second(event_of(0), SerializationContext("inference.events", MessageField.VALUE))
    registry.kill()
    app.send(first, map(event_of, range(500, 800)))
    app.flush()
    wait_validated(pipeline, 800)     # what is known goes on
    assert validator.is_ready()

    app.send(second, (event_of(number, channel="web") for number in range(800, 900)))
    app.send(first, map(event_of, range(900, 1000)))
    app.flush()
    stack.wait_until("the validator says that it waits", 10, validator.is_waiting)
    stack.wait_until("and for what", 10, lambda: "event=waiting_for_schema" in validator.text())
    assert "127.0.0.1" in validator.text().partition("event=waiting_for_schema")[2].splitlines()[0]
    before = validator.cpu_seconds()
    time.sleep(2)
    assert validator.cpu_seconds() - before < 0.7, "it spins"
    assert summary(pipeline)["dead_lettered"] == 0

    validator.kill()                  # waiting is not state: a restart waits again
    validator.launch()
    stack.wait_until("the new one waits, too", 30, lambda: validator.text().count("event=waiting_for_schema") == 2)
    registry.start()
    wait_validated(pipeline, 1000)
    stack.wait_until("ready again", 10, validator.is_ready)
    assert summary(pipeline) == {"events_in": 1000, "validated": 1000, "dead_lettered": 0}
    check_ledger(pipeline, app)


def test_a_restart_needs_no_registry(pipeline, registry):
    validator = pipeline.services["plumb-validator"]
    app = App(pipeline.bootstrap, registry.url)
    serializer = app.serializer(schema_of())
    app.send(serializer, map(event_of, range(200)))
    app.flush()
    wait_validated(pipeline, 200)
    registry.kill()
    for how in (signal.SIGTERM, signal.SIGKILL):
        number = len(app.sent)
        validator.signal(how)
        validator.process.wait(20)
        pipeline.redis_command("flushall")
        validator.launch()
        app.send(serializer, map(event_of, range(number, number + 200)))
        app.flush()
        wait_validated(pipeline, number + 200)
    assert "waiting_for_schema" not in validator.text()
    assert summary(pipeline)["dead_lettered"] == 0
    check_ledger(pipeline, app)


def test_only_the_registrys_word_makes_an_id_unknown(pipeline, registry):
    app = App(pipeline.bootstrap, registry.url)
    serializer = app.serializer(schema_of())
    app.send(serializer, [event_of(0)])
    body = app.sent["e0"][5:]
    app.flush()
    wait_validated(pipeline, 1)
    app.producer.produce("inference.events", b"\0" + struct.pack(">I", 987654) + body, "unknown")
    draft = "http://json-schema.org/draft-07/schema#"
    not_avro = {"schema": json.dumps({"$schema": draft, "type": "object"}), "schemaType": "JSON"}
    status, found = registry.request("/subjects/other/versions", not_avro)
    assert status == 200, found
    app.producer.produce("inference.events", b"\0" + struct.pack(">I", found["id"]) + body, "json-schema")
    app.producer.produce("inference.events", b"\0" + struct.pack(">I", 987654) + body, "again")
    app.send(serializer, [event_of(1)])
    app.flush()
    wait_validated(pipeline, 2)
    stack.wait_until("dead letters", 10, lambda: summary(pipeline)["dead_lettered"] == 3)
    letters = [json.loads(line) for line in pipeline.read("dead-letters")]
    assert sorted((letter["reason"], letter["detail"].partition(":")[0]) for letter in letters) == [
        ("schema_invalid", str(found["id"])), ("schema_unknown", "987654"), ("schema_unknown", "987654")]


def test_types_of_other_subjects(pipeline, registry):
    """A schema that refers to another subject's, as shared types are registered."""
    app = App(pipeline.bootstrap, registry.url)
    registry.register("features", FEATURES | {"namespace": "shop"})
    reference = {"name": "shop.Features", "subject": "features", "version": 1}
    number = registry.register("shared-value", schema_of(features="shop.Features"), [reference])
    schema = fastavro.parse_schema(schema_of())
    for event in map(event_of, range(10)):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, event)
        app.send_bytes(event["event_id"], b"\0" + struct.pack(">I", number) + out.getvalue())
    app.flush()
    wait_validated(pipeline, 10)
    check_ledger(pipeline, app)


def test_plumb_schema_says_what_would_come_of_it(tmp_path, registry):
    subject = "cli-value"

    def schema(verb, schema, *options):
        (tmp_path / "event.avsc").write_text(json.dumps(schema))
        done = stack.plumb("schema", verb, tmp_path / "event.avsc", "--subject", subject, "--schema-registry", registry.url,
                           "--output", "jsonl", *options, check=False)
        return done.returncode, [(row["what"], row["state"]) for row in map(json.loads, done.stdout.splitlines())], done.stdout

    (tmp_path / "contract.yaml").write_text(CONTRACT)
    code, rows, _ = schema("check", schema_of(), "--contract", tmp_path / "contract.yaml")
    assert (code, rows) == (0, [("column", "found"), ("column", "found"), ("event", "readable"), ("subject", "new")])
    assert schema("register", schema_of(), "--dry-run")[:2] == (0, [("subject", "new")])
    assert registry.request(f"/subjects/{subject}/versions")[0] == 404, "a dry run registered"
    code, rows, out = schema("register", schema_of())
    assert (code, rows) == (0, [("subject", "new"), ("subject", "registered")])
    again = schema("register", schema_of())
    assert again[:2] == (0, [("subject", "there")]) and again[2].split('"id ')[1] == out.split('"id ')[1]

    request = urllib.request.Request(f"{registry.url}/config/{subject}", b'{"compatibility":"BACKWARD"}',
                                     {"Content-Type": "application/vnd.schemaregistry.v1+json"}, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    wider = schema_of({"name": "channel", "type": ["null", "string"], "default": None})
    assert schema("check", wider)[:2] == (0, [("event", "readable"), ("subject", "compatible")])
    broken = schema_of({"name": "channel", "type": "string"})
    assert schema("check", broken)[:2] == (1, [("event", "readable"), ("subject", "incompatible")])
    assert schema("register", broken)[:2] == (1, [("subject", "incompatible")])
    assert registry.request(f"/subjects/{subject}/versions")[1] == [1]


def test_plumb_schema_exit_codes(tmp_path):
    def code(*words):
        return stack.plumb("schema", *words, check=False, timeout=60).returncode

    (tmp_path / "no.avsc").write_text('{"type": "recrd"}')
    (tmp_path / "contract.yaml").write_text(CONTRACT.replace("country:", "currency:"))
    event = stack.EXAMPLE / "fraud.avsc"
    assert code("check", event) == 0
    assert code("check", event, "--contract", tmp_path / "contract.yaml") == 1
    assert code("check", stack.TREE / "schemas" / "ground.truth.avsc") == 1
    assert code("check", stack.TREE / "schemas" / "ground.truth.avsc", "--labels") == 0
    assert code("check", tmp_path / "no.avsc") == 78
    assert code("chekc", event) == 2
    assert code("register", event) == 2
    assert code("check", event, "--schema-registry", f"http://127.0.0.1:{stack.free_port()}") == 69


def certificate(name, issuer=None, authority=False):
    """(key, certificate), signed by the issuer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[1].subject if issuer else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
               .add_extension(x509.BasicConstraints(authority, None), critical=True)
               .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False))
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def write_pem(folder, name, pair):
    (folder / f"{name}.key").write_bytes(pair[0].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / f"{name}.pem").write_bytes(pair[1].public_bytes(serialization.Encoding.PEM))


class Door(http.server.BaseHTTPRequestHandler):
    """A registry in which every subject is new, and that notes who asks."""
    seen = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        self.seen.append((self.headers.get("Authorization"), peer and dict(peer["subject"][0])["commonName"]))
        body = b'{"error_code":40401,"message":"Subject not found"}'
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def door(tmp_path):
    """An HTTPS server for `localhost` that wants a certificate of our own authority; its port."""
    authority = certificate("authority", authority=True)
    write_pem(tmp_path, "authority", authority)
    for name in ("localhost", "plumb-client"):
        write_pem(tmp_path, name, certificate(name, authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "localhost.pem", tmp_path / "localhost.key")
    context.load_verify_locations(tmp_path / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Door.seen.clear()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_certificates_and_credentials(tmp_path, door):
    def check(host, *more, certified=True):
        ours = ["--schema-registry.cert", tmp_path / "plumb-client.pem", "--schema-registry.key", tmp_path / "plumb-client.key"]
        done = stack.plumb("schema", "check", stack.EXAMPLE / "fraud.avsc", "--schema-registry", f"https://{host}:{door}",
                           *(ours if certified else []), *more, check=False)
        assert "hush" not in done.stdout + done.stderr
        return done.returncode

    (tmp_path / "password").write_text("hush hush\n")
    (tmp_path / "token").write_text("hush-token\n")
    trust = ["--schema-registry.ca", tmp_path / "authority.pem"]
    assert check("localhost", *trust) == 0
    assert check("localhost", *trust, "--schema-registry.user", "me", "--schema-registry.password-file",
                 tmp_path / "password") == 0
    assert check("localhost", *trust, "--schema-registry.token-file", tmp_path / "token") == 0
    basic = "Basic " + base64.b64encode(b"me:hush hush").decode()
    assert Door.seen == [(None, "plumb-client"), (basic, "plumb-client"), ("Bearer hush-token", "plumb-client")]
    assert check("localhost") == 69, "an authority that nobody trusts"
    assert check("127.0.0.1", *trust) == 69, "a certificate of another name"
    assert check("localhost", *trust, certified=False) == 69
    assert len(Door.seen) == 3


def run_producer(command, bootstrap, registry, events):
    """The example as it is; what it says at its end."""
    environment = stack.os.environ | {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "SCHEMA_REGISTRY_URL": registry.url}
    return subprocess.Popen([*stack.DIES_WITH_US, *command, str(events)], stdin=subprocess.DEVNULL, text=True, env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def kafka_jars():
    done = subprocess.run(["bash", "-c", '. "$1" && kafka_home', "home", stack.TREE / "services" / "kafka" / "start.sh"],
                          capture_output=True, text=True, check=True)
    return done.stdout.strip()


def producers():
    return {"python": [sys.executable, "-B", stack.EXAMPLE / "producer.py"],
            "java": ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_jars()}/*", stack.EXAMPLE / "Producer.java"]}


def test_both_example_producers_into_one_topic(pipeline, registry):
    """Each with its client's own partitioner: CRC-32 of the key here, murmur2 there."""
    events = 1000
    running = [run_producer(command, pipeline.bootstrap, registry, events) for command in producers().values()]
    for process in running:
        assert process.communicate(timeout=60)[0] == "dropped 0 undelivered 0\n"
    wait_validated(pipeline, 2 * events)
    assert summary(pipeline) == {"events_in": 2 * events, "validated": 2 * events, "dead_lettered": 0}
    sent = [key for key, _ in read_topic(pipeline.bootstrap, "inference.events")]
    validated = [key for key, _ in read_topic(pipeline.bootstrap, "inference.validated")]
    assert len(set(validated)) == 2 * events and sorted(sent) == sorted(validated)


def test_example_producers_never_hold_the_app_up(registry):
    """Kafka away: ten thousand wait, the others are dropped and counted; no call waits, so it is over soon."""
    events = 30_000
    began = time.monotonic()
    nobody = f"127.0.0.1:{stack.free_port()}"
    running = {name: run_producer(command, nobody, registry, events) for name, command in producers().items()}
    for name, process in running.items():
        words = process.communicate(timeout=60)[0].split()
        dropped, undelivered = int(words[1]), int(words[3])
        assert dropped + undelivered == events, name
        assert 0 < undelivered <= 10_100 and dropped >= events - 10_100, name
    assert time.monotonic() - began < 30


def test_example_producers_are_short():
    for name in ("producer.py", "Producer.java"):
        assert len((stack.EXAMPLE / name).read_text().splitlines()) <= 40, name
