"""The JSON Schema that editors complete contracts with, held against `plumb validate`.

Goal: an editor and `plumb validate` say the same of a contract's form: what one underlines, the other refuses.
Method: a second implementation (jsonschema, PyYAML) reads the schema and the contracts; each is given to both. What only the
parser can know (an empty range, a pattern that does not compile) is marked so.
"""
import json

import jsonschema
import pytest
import stack
import yaml

SCHEMA = json.loads((stack.TREE / "schemas" / "contract.schema.json").read_text())
HEAD = "model: m\ntask: regression\nowner: o\nrunbook: r\n"


class Loader(yaml.SafeLoader):
    """YAML 1.2, as contracts are: NO is a text."""


Loader.yaml_implicit_resolvers = {first: [(tag, test) for tag, test in rows if tag != "tag:yaml.org,2002:bool"]
                                  for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", yaml.resolver.re.compile("^(true|false)$"), list("tf"))


def column(rules):
    return HEAD + "columns: {a: {" + rules + "}}\n"


def whole(line):
    return HEAD + "columns: {}\n" + line + "\n"


GOOD = [
    column("type: text"),
    column("type: number, range: [-.inf, 1.5e3], nulls: {max_rate: 0}, required: false, on_type: count"),
    column("type: category, values: [DE, NO, 1, '1.0', true], on_unseen: reject"),
    column("type: text, length: [0, .inf], pattern: '^[A-Z]', on_violation: count"),
    column("type: id, length: [4, 4], on_violation: reject"),
    column("type: category, length: [1, 2], pattern: x, values: [x]"),
    whole("windows: {skew: 0s, on_skew: reject, stale: 7d, on_stale: count}"),
    whole("labels: {ttl: 48h}"),
    whole("labels: {ttl: 48h, stale: 90d, on_stale: reject}"),
    whole("labels: {ttl: 48h, type: number, range: [0, 1], on_type: flag, on_violation: reject}"),
    whole("labels: {ttl: 48h, type: category, values: [up, down], on_unseen: count}"),
    whole("labels: {ttl: 48h, type: text, length: [1, 9], pattern: ok}"),
]
BAD = [
    column("type: integer"),
    column("range: [0, 1]"),
    column("type: text, range: [0, 1]"),
    column("type: number, range: [0]"),
    column("type: number, values: [a]"),
    column("type: category, values: []"),
    column("type: category, values: [a, a]"),
    column("type: category, on_unseen: flag"),
    column("type: number, length: [0, 1]"),
    column("type: boolean, pattern: x"),
    column("type: text, length: 5"),
    column("type: text, length: [0]"),
    column("type: text, length: [0, 1, 2]"),
    column("type: text, length: [-1, 2]"),
    column("type: text, length: [0, 2.5]"),
    column("type: text, length: [0, many]"),
    column("type: text, pattern: ''"),
    column("type: text, pattern: [x]"),
    column("type: text, pattern: " + "x" * 1025),
    column("type: text, distinct: {max: 3}"),
    column("type: text, on_violation: drop"),
    column("type: text, pii: hash"),
    whole("windows: {on_skew: drop}"),
    whole("windows: {stale: long}"),
    whole("windows: {on_stale: flag}"),
    whole("labels: {}"),
    whole("labels: {ttl: 1h, range: [0, 1]}"),
    whole("labels: {ttl: 1h, pattern: x}"),
    whole("labels: {ttl: 1h, on_type: flag}"),
    whole("labels: {ttl: 1h, on_stale: flag}"),
    whole("labels: {ttl: 1h, type: number, pattern: x}"),
    whole("labels: {ttl: 1h, type: text, values: [x]}"),
    whole("labels: {ttl: 1h, type: category, on_unseen: flag}"),
    whole("labels: {ttl: 1h, required: true}"),
]
PARSER_ONLY = [
    column("type: number, range: [1, 0]"),
    column("type: text, length: [2, 1]"),
    column("type: text, pattern: 'a(b'"),
    column("type: text, pattern: 'a(*COMMIT)b'"),
    whole("windows: {stale: 0s}"),
    whole("windows: {lateness: 2h}"),
]


def schema_takes(text):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.load(text, Loader))


def parser_takes(tmp_path, text):
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    done = stack.plumb("validate", path, check=False)
    assert done.returncode in (0, 78), (text, done.stderr)
    return done.returncode == 0


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", GOOD)
def test_both_take(tmp_path, text):
    assert parser_takes(tmp_path, text) and schema_takes(text)


@pytest.mark.parametrize("text", BAD)
def test_both_refuse(tmp_path, text):
    assert not parser_takes(tmp_path, text) and not schema_takes(text)


@pytest.mark.parametrize("text", PARSER_ONLY)
def test_the_parser_knows_more(tmp_path, text):
    assert not parser_takes(tmp_path, text) and schema_takes(text)


@pytest.mark.parametrize("path", sorted((stack.TREE / "services").glob("*/contract.yaml")) +
                         sorted((stack.TREE / "tests" / "bench").glob("*.yaml")), ids=lambda path: path.parent.name)
def test_contracts_that_we_ship(tmp_path, path):
    assert parser_takes(tmp_path, path.read_text()) and schema_takes(path.read_text())
