"""Dead letters: listed, counted, shown, and sent back.

Goal: an operator sees how many of what since when, sees all of one, and sends letters back to where they came from:
byte for byte as the app sent them, each once, whoever runs it, how often and whatever dies meanwhile; and one that fails
again can be told.
Method: a validator on a real Kafka is given a record of every reason that can be provoked; `plumb dead-letters` is run on
what it makes of them. Then the contracts are mended and the letters sent back.
"""
import json
import os
import signal
import subprocess
import time
import unicodedata

import broken_events
import confluent_kafka
import pane_ledger
import pytest
import stack

MENDED = {   # by what becomes of the contracts and schemas; every other kind fails again
    "unknown model", "before the first contract", "missing column", "wrong type", "out of range", "unseen value", "null",
    "NaN", "unknown fingerprint", "too long", "not as the pattern says", "a year old"}
APPS_HEADERS = {"traceparent": b"00-ab-cd-01", "empty": b"", "none": None} | broken_events.HEADERS


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    with stack.Pipeline(folder, services=["plumb-validator"]) as found:
        found.topics(3)
        broken_events.publish_schema(found.bootstrap, *broken_events.LACKING)
        broken_events.apply(found, broken_events.contract(folder, broken_events.MODEL, broken_events.STRICT), 0)
        broken_events.apply(found, broken_events.contract(folder, broken_events.LATER, broken_events.STRICT),
                            broken_events.START + 1_000_000)
        found.launch_services()
        found.wait_ready()
        produce(found.bootstrap, {kind: broken_events.bad(number, kind)
                                  for number, kind in enumerate(broken_events.KINDS)})
        stack.wait_until("every record is refused", 30,
                         lambda: len(letters(found)) == len(broken_events.KINDS))
        yield found


def produce(bootstrap, values):
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True,
                                         "message.max.bytes": 4_000_000})
    for name, value in values.items():
        producer.produce("inference.events", key=name, value=value, headers=APPS_HEADERS)
    assert producer.flush(20) == 0


def run(pipeline, *arguments, check=True):
    return stack.plumb("dead-letters", *arguments, "--bootstrap", pipeline.bootstrap, check=check)


def objects(text):
    return [json.loads(line) for line in text.split("\n") if line]     # splitlines would break at U+2028, too


def letters(pipeline, *arguments):
    return objects(run(pipeline, "list", "--output", "jsonl", *arguments).stdout)


def whole(message):
    return message.key().decode(), (message.partition(), message.offset(), message.value(), message.headers() or [])


def records_of(pipeline, topic):
    """(key, (partition, offset, value, headers)) of every record, those without a value, too, in the order of offsets."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": pipeline.bootstrap, "group.id": "letters",
                                         "enable.auto.commit": False, "isolation.level": "read_committed",
                                         "enable.partition.eof": True, "fetch.wait.max.ms": 50,
                                         "fetch.message.max.bytes": 8_000_000})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
    ended, found = set(), []
    while len(ended) < len(partitions):
        message = consumer.poll(20)
        assert message is not None, f"{topic} does not end"
        if message.error() is not None:
            ended.add(message.partition())
        elif not any(name == "plumb-clock" for name, _ in message.headers() or []):
            found.append(whole(message))
    consumer.close()
    return sorted(found, key=lambda one: one[1][:2])


def of_kind(pipeline, kind):
    """The first letter of a kind, by the record's key, as "PARTITION:OFFSET"."""
    partition, offset, _, _ = next(found for key, found in records_of(pipeline, "inference.dead-letter") if key == kind)
    return f"{partition}:{offset}"


# ---- list

def test_every_reason_that_refuses_is_provoked(pipeline):
    known = {row["reason"] for row in objects(stack.plumb("dead-letters", "reasons", "--output", "jsonl").stdout)}
    assert {letter["reason"] for letter in letters(pipeline)} == known - {"clock_skew"}     # which only marks


def test_list_says_why_and_from_where(pipeline):
    sources = {(place[0], place[1]): key for key, place in records_of(pipeline, "inference.events")}
    found = letters(pipeline)
    assert {sources[letter["partition"], letter["offset"]] for letter in found} == set(broken_events.KINDS)
    for letter in found:
        value, reason, column = broken_events.BAD[sources[letter["partition"], letter["offset"]]]
        assert (letter["reason"], letter["column"]) == (reason, column)
        assert letter["size"] == (None if value is None or reason == "too_large" else len(value))
        assert (letter["topic"], letter["state"], letter["times"]) == ("inference.events", "open", 0)
        assert time.time() - 600 < letter["time"] / 1000 < time.time() + 1
    assert len({letter["letter"] for letter in found}) == len(found)
    # Without a verb: what analyze says of a dead letter, no more (services/up --results).
    assert {tuple(letter) for letter in objects(run(pipeline, "--output", "jsonl").stdout)} == \
        {("record", "line", "reason", "column", "detail")}


def test_filters(pipeline):
    everything = letters(pipeline)
    malformed = letters(pipeline, "--reason", "malformed")
    assert malformed == [letter for letter in everything if letter["reason"] == "malformed"] and len(malformed) > 5
    assert len(letters(pipeline, "--column", "amount")) == 3
    assert len(letters(pipeline, "--model", broken_events.NOBODY)) == 1
    # Avro is read by its schema; bytes that do not read, and values that stayed at the source, tell no model.
    told = letters(pipeline, "--model", broken_events.MODEL)
    assert {"range", "not_a_number", "missing_column", "unseen_value"} <= {letter["reason"] for letter in told}
    assert not {"malformed", "too_large", "no_value", "schema_unknown"} & {letter["reason"] for letter in told}
    middle = sorted(letter["time"] for letter in everything)[len(everything) // 2]
    early, late = letters(pipeline, "--until", middle), letters(pipeline, "--since", middle)
    assert len(early) + len(late) == len(everything) and late
    assert letters(pipeline, "--limit", 4) == everything[:4]
    some = [letter["letter"] for letter in everything][3:20:4]
    assert [letter["letter"] for letter in letters(pipeline, *reversed(some))] == some


def test_count_is_by_reason_and_column(pipeline):
    counts = objects(run(pipeline, "list", "--count", "--output", "jsonl").stdout)
    expected = {}
    for _, reason, column in broken_events.BAD.values():
        expected[reason, column] = expected.get((reason, column), 0) + 1
    assert {(count["reason"], count["column"]): count["letters"] for count in counts} == expected
    assert [count["letters"] for count in counts] == sorted(expected.values(), reverse=True)
    assert all(count["first"] <= count["last"] and count["open"] == count["letters"] for count in counts)


@pytest.mark.parametrize("arguments", [["list"], ["list", "--count"], ["requeue"], []])
def test_tables_fit_80_columns_and_hold_no_value(pipeline, arguments):
    text = run(pipeline, *arguments).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "malformed" in text and "0000000" not in text and "XX" not in text


@pytest.mark.parametrize("arguments, says", [
    (["lst"], "list"), (["list", "--reason", "rnge"], "range"), (["list", "--since", "noon"], "--since"),
    (["list", "--limit", "0"], "--limit"), (["list", "7"], "PARTITION:OFFSET"), (["show"], "usage"),
    (["show", "1:2:3"], "PARTITION:OFFSET"), (["requeue", "--sent"], "--send"), (["list", "--send"], "--send")])
def test_usage(pipeline, arguments, says):
    done = run(pipeline, *arguments, check=False)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""


# ---- show

def show(pipeline, kind):
    return objects(run(pipeline, "show", of_kind(pipeline, kind), "--output", "jsonl").stdout)[0]


def test_show_has_everything(pipeline):
    found = show(pipeline, "unseen value")
    assert found["value"]["features"]["country"] == "XX" and found["value_from"] == "letter"
    assert (found["reason"], found["column"], found["key"]) == ("unseen_value", "country", "unseen value")
    assert {"name": "traceparent", "value": "00-ab-cd-01"} in found["headers"] and found["framing"] == "json"
    found = show(pipeline, "out of range")
    assert found["value"]["features"]["amount"] == 100.5 and found["framing"] == "single-object"
    assert found["schema"] == broken_events.FRAME[2:][::-1].hex()
    found = show(pipeline, "truncated Avro")
    assert found["value"] is None and found["trouble"]
    assert bytes.fromhex(found["hex"]) == broken_events.bad(broken_events.KINDS.index("truncated Avro"), "truncated Avro")
    found = show(pipeline, "over 1 MiB")    # read from the source
    assert found["value_from"] == "source" and len(found["value"]["tags"]["x"]) == broken_events.OVERSIZE
    assert show(pipeline, "no value")["value_from"] == "letter"


def test_show_as_a_page(pipeline):
    text = run(pipeline, "show", of_kind(pipeline, "not UTF-8"), of_kind(pipeline, "wrong type")).stdout
    assert "ff fe" in text and '"needed": "much"' in text and "inference.events" in text
    head = [line for line in text.splitlines() if line[:1].islower()]
    assert len(head) > 20 and max(map(len, head)) <= 80
    assert all(character == "\n" or unicodedata.category(character) != "Cc" for character in text)
    done = run(pipeline, "show", "0:99999", "77:0", check=False)
    assert done.returncode == 1 and "2 of 2" in done.stderr
    assert "personal" in run(pipeline, "show", "--help").stdout


# ---- requeue

def test_a_dry_run_sends_nothing(pipeline):
    before = records_of(pipeline, "inference.events")
    done = run(pipeline, "requeue")
    assert f"{len(broken_events.KINDS)} would be sent back" in done.stderr and "--send" in done.stderr
    assert len([line for line in done.stdout.splitlines() if "inference.events:" in line]) == len(broken_events.KINDS)
    assert records_of(pipeline, "inference.events") == before
    assert all(letter["state"] == "open" for letter in letters(pipeline))


def test_what_was_mended_is_validated_and_the_rest_comes_back(pipeline):
    kinds = broken_events.KINDS
    broken_events.publish_schema(pipeline.bootstrap, *broken_events.UNKNOWN)
    for model in (broken_events.MODEL, broken_events.LATER, broken_events.NOBODY):
        broken_events.apply(pipeline, broken_events.contract(pipeline.folder, model, broken_events.LENIENT), 0)
    stack.wait_until("the tables are read", 10, lambda: pipeline.services["plumb-validator"].is_ready())
    time.sleep(1)
    first = {key: place[:2] for key, place in records_of(pipeline, "inference.dead-letter")}
    one = of_kind(pipeline, "truncated Avro")
    assert "1 sent back" in run(pipeline, "requeue", "--send", one).stderr
    stack.wait_until("it fails again", 20, lambda: any(letter["earlier"] == one for letter in letters(pipeline)))
    done = objects(run(pipeline, "requeue", "--send", "--output", "jsonl").stdout)
    assert done[-1] == {"record": "requeue", "sent": True, "letters": len(kinds), "already": 1, "gone": 0}
    assert {letter["fate"] for letter in done[:-1]} == {"sent"}
    assert one not in {letter["letter"] for letter in done[:-1]}

    def settled():
        validated = [key for key, _ in records_of(pipeline, "inference.validated")]
        back = len(letters(pipeline))
        return validated if len(validated) + back == len(records_of(pipeline, "inference.events")) else None

    assert len(stack.wait_until("what was sent back is judged", 30, settled)) == len(MENDED)
    assert_sent_back_as_it_was(pipeline, kinds)
    again = {letter["earlier"]: letter for letter in letters(pipeline) if letter["times"] > 0}
    assert len(again) == len(kinds) - len(MENDED) + 1
    for kind in set(kinds) - MENDED:
        letter = again["{}:{}".format(*first[kind])]
        assert letter["reason"] == broken_events.BAD[kind][1], kind
        assert (letter["times"], letter["state"]) == (1, "requeued" if kind == "truncated Avro" else "open"), kind


def assert_sent_back_as_it_was(pipeline, kinds):
    """In inference.events every record stands as the app sent it, then again with the same bytes in the same partition."""
    sent = {}
    for key, record in records_of(pipeline, "inference.events"):
        sent.setdefault(key, []).append(record)
    for number, kind in enumerate(kinds):
        original, *copies = sent[kind]
        assert copies, kind
        for partition, _, value, headers in copies:
            assert (partition, value) == (original[0], broken_events.bad(number, kind)), kind
            assert headers[:-1] == original[3] and headers[-1][0] == "plumb.requeued", kind


def test_nothing_is_sent_twice_unless_asked(pipeline):
    def sent():
        return len(records_of(pipeline, "inference.events"))

    run(pipeline, "requeue", "--send", "--reason", "too_large")     # also what failed again meanwhile
    before = sent()
    known = [letter["letter"] for letter in letters(pipeline) if letter["state"] == "requeued"]
    assert len(known) >= len(broken_events.KINDS)
    done = run(pipeline, "requeue", "--send", *known)
    assert sent() == before and f"{len(known)} were before" in done.stderr and "--again" in done.stderr
    one = of_kind(pipeline, "wrong type")
    run(pipeline, "requeue", "--send", "--again", one)
    assert sent() == before + 1
    counts = objects(run(pipeline, "list", "--count", "--reason", "type_mismatch", "--output", "jsonl").stdout)
    assert [(count["letters"], count["open"]) for count in counts] == [(1, 0)]


def test_a_loop_can_be_seen(pipeline):
    place = of_kind(pipeline, "not JSON")
    for times in (2, 3):
        last = next(letter for letter in letters(pipeline, "--reason", "malformed") if letter["earlier"] == place)
        assert last["times"] == times - 1
        place = last["letter"]
        run(pipeline, "requeue", "--send", place)
        found = stack.wait_until("it fails again", 20, lambda: [
            letter for letter in letters(pipeline, "--reason", "malformed") if letter["earlier"] == place])
        assert [letter["times"] for letter in found] == [times]


# At which calls a requeue dies (tests/fault/killer.c) → the batches of that run that are there afterwards.
BATCH = 500
DEATHS = {"init.after:1": 0, "publish:100": 0, "transaction.begin:2": 1, "publish:700": 1, "commit.before:1": 0,
          "commit.after:1": 1, "commit.after:2": 2, "commit.before:2": 1}


def test_a_requeue_that_is_killed_sends_all_or_nothing_of_a_batch(tmp_path):
    """Killed with SIGKILL at each call that counts, then put to sleep while another goes on: each letter went back once."""
    count = BATCH * (sum(DEATHS.values()) + 4)
    with stack.Pipeline(tmp_path, services=["plumb-validator"]) as pipeline:
        pipeline.topics(2)
        pipeline.launch_services()
        pipeline.wait_ready()
        produce(pipeline.bootstrap, {f"{number}": b"nothing %d" % number for number in range(count)})
        stack.wait_until("all are refused", 30, lambda: json.loads(pipeline.summary())["dead_lettered"] == count)
        pipeline.services["plumb-validator"].stop()
        command = [stack.BUILD / "bin" / "plumb", "dead-letters", "requeue", "--send", "--bootstrap", pipeline.bootstrap]
        for death in DEATHS:
            died = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
                                  env=os.environ | {"LD_PRELOAD": str(stack.BUILD / "bin" / "killer.so"),
                                                    "PLUMB_KILL": death})
            assert died.returncode == -signal.SIGKILL, death
        survived = BATCH * sum(DEATHS.values())
        assert f"{count - survived} would be sent back, {survived} were before" in run(pipeline, "requeue").stderr
        # One sleeps through another that sends the rest, and wakes: it must give way.
        sleeper = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=os.environ | {"LD_PRELOAD": str(stack.BUILD / "bin" / "killer.so"),
                                                     "PLUMB_STOP": "commit.before:2"})
        stack.wait_until("it sleeps", 20, lambda: stack.is_stopped(sleeper.pid))
        assert f"{count - survived - BATCH} sent back" in run(pipeline, "requeue", "--send").stderr
        sleeper.send_signal(signal.SIGCONT)
        said = sleeper.communicate(timeout=60)[1]
        assert sleeper.returncode == 75 and "another requeue" in said, said
        assert "0 sent back" in run(pipeline, "requeue", "--send").stderr
        found = [key for key, _, headers in pane_ledger.records_of(pipeline.bootstrap, "inference.events")
                 if "plumb.requeued" in dict(headers)]
        assert len(found) == count and len(set(found)) == count
