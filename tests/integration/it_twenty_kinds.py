"""Every event in exactly one of two topics, whatever it is made of and however often the validator dies.

Goal: of a log with 5 % broken events of thirty kinds, each event is in inference.validated or in inference.dead-letter, once,
with the right reason, and its payload is what the app sent: Avro byte for byte behind the enrichment, dead letters byte for
byte, JSON equal as values.
Method: what an event is follows from its number alone (broken_events.py), so a judge who reads both topics makes each again
and compares, with one byte of memory an event. Meanwhile the validator is killed with SIGKILL every two seconds. 20,000
events; with TESTS_LONG=yes a million (TESTS_EVENTS: so many).
"""
import collections
import concurrent.futures
import io
import json
import os
import random
import time

import broken_events
import confluent_kafka
import fastavro
import pytest
import stack

LONG = os.environ.get("TESTS_LONG") == "yes"
COUNT = int(os.environ.get("TESTS_EVENTS", 1_000_000 if LONG else 20_000))
RATE = 4_000 if LONG else 1_500     # events a second: slow enough for many deaths
KILL_SECONDS = 2
BAD_EVERY = 20
OVERSIZE_EVERY = 40                 # of its turns, the kind of 1 MiB
FRAMING_SIZE = 10
PARTITIONS = 4
VALIDATED, REFUSED = 1, 2

SCHEMA = broken_events.plain((stack.TREE / "schemas" / "inference.validated.avsc").read_text())
ENRICHMENT = fastavro.schema.parse_schema(SCHEMA["fields"][0]["type"])


def kind_of(number):
    """None: it is good."""
    turn, rest = divmod(number, BAD_EVERY)
    if rest != BAD_EVERY - 1:
        return None
    round_, index = divmod(turn, len(broken_events.KINDS))
    kind = broken_events.KINDS[index]
    return "not JSON" if kind == "over 1 MiB" and round_ % OVERSIZE_EVERY else kind


def value_of(number):
    kind = kind_of(number)
    return broken_events.good(number)[0] if kind is None else broken_events.bad(number, kind)


# ---- What happens

def kill_until(over, service, draw):
    """Kills the service every KILL_SECONDS and starts it again; returns how often, and how often it had taken records.

    In the thread that goes on: a child dies with the thread that launched it.
    """
    kills = at_work = 0
    while True:
        concurrent.futures.wait([over], KILL_SECONDS + draw.uniform(-0.2, 0.2))
        if over.done():
            return kills, at_work
        at_work += service.metric("plumb_events_seen_total") > 0
        service.kill()
        kills += 1
        service.launch()


def produce(bootstrap):
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 20,
                                         "message.max.bytes": 4_000_000, "queue.buffering.max.messages": 50_000,
                                         "partitioner": "murmur2_random"})
    failed = []

    def on_delivery(error, _):
        if error is not None:
            failed.append(error)

    began = time.monotonic()
    for number in range(COUNT):
        while True:
            try:
                producer.produce("inference.events", key=b"%010d" % number, value=value_of(number),
                                 headers=broken_events.HEADERS, on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 100 == 0:
            producer.poll(max(0, began + number / RATE - time.monotonic()))
            while (early := began + number / RATE - time.monotonic()) > 0:
                producer.poll(early)
    assert producer.flush(60) == 0 and not failed, failed[:3]


def is_at_end(group):
    """Has the validator committed all that is there?"""
    wanted = [confluent_kafka.TopicPartition("inference.events", partition) for partition in range(PARTITIONS)]
    try:
        return all(place.offset == group.get_watermark_offsets(place, timeout=10)[1]
                   for place in group.committed(wanted, timeout=10))
    except confluent_kafka.KafkaException:      # its coordinator is busy with those who died
        return False


# ---- What is right

class Judge:
    def __init__(self):
        self.fates = bytearray(COUNT)
        self.wrong, self.wrong_count = [], 0
        self.reasons = collections.Counter()
        self.expected = [self.whole(event) for event in broken_events.VARIETIES]

    @staticmethod
    def whole(event):
        """The event with the schema's defaults, as fastavro reads what it wrote."""
        return fastavro.schemaless_reader(io.BytesIO(broken_events.body_of(event)), broken_events.OURS)

    def say(self, number, what):
        self.wrong_count += 1
        if len(self.wrong) < 10:
            self.wrong.append(f"{number} ({kind_of(number) or 'good'}): {what}")

    def judge(self, message):
        number = int(message.key())
        fate = VALIDATED if message.topic() == "inference.validated" else REFUSED
        if self.fates[number]:
            self.say(number, f"is in {message.topic()}, and was seen before")
        self.fates[number] |= fate
        if (fate == VALIDATED) != (kind_of(number) is None):
            self.say(number, f"is in {message.topic()}")
        elif fate == REFUSED:
            self.judge_refused(number, message)
        else:
            self.judge_validated(number, message)

    def judge_refused(self, number, message):
        _, reason, column = broken_events.BAD[kind_of(number)]
        headers = dict(message.headers())
        found = headers["plumb.reason"].decode(), headers.get("plumb.column", b"").decode() or None
        self.reasons[reason] += 1
        if found != (reason, column):
            self.say(number, f"{found}, not {(reason, column)}")
        sent = value_of(number)
        if message.value() != (None if reason == "too_large" else sent):
            self.say(number, "its value is another one")
        if headers["plumb-arrival"].decode() != broken_events.HEADERS["plumb-arrival"]:
            self.say(number, "its headers are others")

    def judge_validated(self, number, message):
        sent, is_json = broken_events.good(number)
        stream = io.BytesIO(message.value())
        stream.seek(FRAMING_SIZE)
        enrichment = fastavro.schemaless_reader(stream, ENRICHMENT)
        body = message.value()[stream.tell():]
        if enrichment["kind"] != "EVENT" or enrichment["reasons"]:
            self.say(number, f"is marked: {enrichment['reasons']}")
        if not is_json:
            if body != sent[FRAMING_SIZE:]:
                self.say(number, "its bytes are others")
            return
        rest = io.BytesIO(body)
        event = fastavro.schemaless_reader(rest, broken_events.OURS)
        if event != self.expected[number // 2 % 64] | {"event_id": "%010d" % number} or rest.read():
            self.say(number, f"its values are others: {event}")

    def read(self, bootstrap, topic):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "judge", "check.crcs": True,
                                             "enable.auto.commit": False, "isolation.level": "read_committed",
                                             "enable.partition.eof": True, "fetch.wait.max.ms": 50,
                                             "queued.max.messages.kbytes": 65_536, "fetch.message.max.bytes": 4_000_000})
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
        ended, heard = set(), time.monotonic()
        while len(ended) < len(partitions):
            batch = consumer.consume(1000, 0.2)
            heard = time.monotonic() if batch else heard
            assert time.monotonic() < heard + 20, f"{topic} does not end"
            for message in batch:
                if message.error() is not None:
                    assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                    ended.add(message.partition())
                elif not any(name == "plumb-clock" for name, _ in message.headers() or []):
                    self.judge(message)
        consumer.close()


def test_the_judge_can_say_no():
    """A judge who finds nothing wrong with anything would be worth nothing."""
    class Message:
        def __init__(self, number, topic, value, **headers):
            self.key, self.topic, self.value = (lambda: b"%010d" % number), (lambda: topic), (lambda: value)
            self.headers = lambda: list((broken_events.HEADERS | headers).items())

    def said(*messages):
        judge = Judge()
        for message in messages:
            judge.judge(message)
        return judge.wrong_count

    def refused(number, value, reason):
        message = Message(number, "inference.dead-letter", value, **{"plumb.reason": reason})
        message.headers = lambda: [("plumb-arrival", broken_events.HEADERS["plumb-arrival"].encode()),
                                   ("plumb.reason", reason)]
        return message

    enrichment = io.BytesIO()
    fastavro.schemaless_writer(enrichment, ENRICHMENT, {
        "source": "inference.events:0", "offset": 0, "arrival": 0, "kind": "EVENT", "schema": "", "contract_revision": 1,
        "lateness": "ON_TIME"})

    def validated(number, body):
        return Message(number, "inference.validated", bytes(FRAMING_SIZE) + enrichment.getvalue() + body)

    bodies = [broken_events.body_of(broken_events.good_event(number // 2 % 64, event_id="%010d" % number)) for number in range(4)]
    assert said(*(validated(number, bodies[number]) for number in range(4))) == 0
    assert said(validated(0, bodies[0]), validated(0, bodies[0])) == 1
    assert said(validated(0, bodies[0] + b"\0")) == 1 and said(validated(1, bodies[1] + b"\0")) == 1
    assert said(validated(2, bodies[3])) == 1 and said(validated(1, bodies[3])) == 1
    second = 2 * BAD_EVERY - 1
    assert kind_of(second) == "not JSON" and said(refused(second, value_of(second), b"malformed")) == 0
    assert said(refused(second, value_of(second), b"no_value")) == 1
    assert said(refused(second, value_of(second) + b" ", b"malformed")) == 1
    assert said(refused(0, value_of(0), b"malformed")) == 1 and said(validated(second, bodies[0])) == 1


@pytest.mark.timeout(2400)
def test_every_event_has_one_fate(tmp_path):
    seed = int(os.environ.get("TESTS_SEED", random.randrange(1 << 32)))
    print(f"TESTS_SEED={seed}")
    began = time.monotonic()
    # A killed member holds its partitions until its session ends: a short one, else two seconds would not be a life.
    kafka = stack.Store("kafka", tmp_path / "kafka", ["group.min.session.timeout.ms=300"])
    stores = kafka, stack.Store("redis", tmp_path / "redis")
    session = ["--kafka.session.timeout.ms", "500", "--kafka.heartbeat.interval.ms", "100"]
    try:
        for store in stores:
            store.start()
        with stack.Pipeline(tmp_path, services=["plumb-validator"], stores=stores, options=session) as pipeline:
            pipeline.topics(PARTITIONS)
            broken_events.publish_schema(pipeline.bootstrap, *broken_events.LACKING)
            strict = broken_events.STRICT
            broken_events.apply(pipeline, broken_events.contract(tmp_path, broken_events.MODEL, strict), 0)
            broken_events.apply(pipeline, broken_events.contract(tmp_path, broken_events.LATER, strict),
                                broken_events.START + 1_000_000)
            validator = pipeline.services["plumb-validator"]
            validator.launch()
            pipeline.wait_ready()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                sent = pool.submit(produce, pipeline.bootstrap)
                kills, at_work = kill_until(sent, validator, random.Random(seed))
                sent.result()
            group = confluent_kafka.Consumer({"bootstrap.servers": pipeline.bootstrap, "group.id": "plumb-validator"})
            stack.wait_until("all is passed", 120 if LONG else 30, lambda: is_at_end(group))
            group.close()
            judge = Judge()
            for topic in ("inference.validated", "inference.dead-letter"):
                judge.read(pipeline.bootstrap, topic)
    finally:
        for store in stores:
            if store.is_alive():
                store.kill()
    bad = COUNT // BAD_EVERY
    lost = judge.fates.count(0)
    print(f"events {COUNT} validated {judge.fates.count(VALIDATED)} dead-lettered {judge.fates.count(REFUSED)} "
          f"kinds {len(broken_events.KINDS)} reasons {len(judge.reasons)} kills {kills} at work {at_work} "
          f"lost {lost} wrong {judge.wrong_count} seconds {time.monotonic() - began:.0f}")
    assert judge.wrong_count == 0, "\n".join(judge.wrong)
    assert lost == 0 and judge.fates.count(REFUSED) == bad
    assert set(judge.reasons) == {reason for _, reason, _ in broken_events.BAD.values()}
    assert at_work >= COUNT / RATE / KILL_SECONDS / 2, "the validator was mostly not at work when killed"
