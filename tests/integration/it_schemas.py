"""The schemas, read by a second implementation.

Goal: whoever has an Avro library can read our records, every field says what it is, a type of one name is one type in all files, and
a reader of today's schema reads what the first one wrote (a new field has a default, a type stays).
Method: fastavro parses each .avsc; the rules of evolution are checked against the first version of each file that git knows, and the
checker itself against changes that it must refuse.
"""
import copy
import json
import subprocess

import fastavro.schema
import pytest
import stack

SCHEMAS = sorted((stack.TREE / "schemas").glob("*.avsc"))


def records_in(schema):
    if isinstance(schema, list):
        for branch in schema:
            yield from records_in(branch)
    elif isinstance(schema, dict):
        if schema.get("type") in ("record", "enum", "fixed"):
            yield schema
        for inner in ("type", "items", "values"):
            if isinstance(schema.get(inner), (dict, list)):
                yield from records_in(schema[inner])
        for field in schema.get("fields", []):
            yield from records_in(field)


def test_there_are_schemas():
    assert len(SCHEMAS) >= 15


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_schema(path):
    schema = json.loads(path.read_text())
    fastavro.schema.parse_schema(schema)
    for record in records_in(schema):
        assert record.get("doc"), f"{record.get('name')} has no doc"
        for field in record.get("fields", []):
            assert field.get("doc", "").strip(), f"{record['name']}.{field['name']} has no doc"


def shape(schema):
    """A type without docs, with named types by their name."""
    if isinstance(schema, list):
        return [shape(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if schema["type"] == "record":
        return schema["name"]
    if schema["type"] == "enum":
        return schema["name"]
    return {key: shape(value) if key in ("type", "items", "values") else value
            for key, value in schema.items() if key != "doc"}


def named_types(schema):
    """name → (kind, symbols, {field: (shape, has a default)})."""
    return {record["name"]: (record["type"], record.get("symbols"),
                             {field["name"]: (shape(field["type"]), "default" in field)
                              for field in record.get("fields", [])})
            for record in records_in(schema)}


def breaks(old, new):
    """Why a reader of `new` cannot read what `old` wrote; none is well."""
    found = []
    for name, (kind, symbols, fields) in named_types(new).items():
        old_kind, old_symbols, old_fields = named_types(old).get(name, (kind, symbols, fields))
        if kind != old_kind or (symbols and not set(old_symbols) <= set(symbols)):
            found.append(f"{name} lost symbols or changed its kind")
        for field, (type_, has_default) in fields.items():
            if field not in old_fields and not has_default:
                found.append(f"{name}.{field} is new and has no default")
            elif field in old_fields and old_fields[field][0] != type_:
                found.append(f"{name}.{field} changed its type")
    return found


def test_evolution_rules_refuse_what_breaks_readers():
    old = json.loads((stack.TREE / "schemas" / "alerts.avsc").read_text())
    for change in (lambda new: new["fields"].append({"name": "more", "type": "long", "doc": "x"}),
                   lambda new: new["fields"][0].update(type="long"),
                   lambda new: next(f for f in new["fields"] if f["name"] == "severity")["type"]["symbols"].pop()):
        new = copy.deepcopy(old)
        change(new)
        assert breaks(old, new)
    new = copy.deepcopy(old)
    new["fields"].append({"name": "more", "type": ["null", "long"], "default": None, "doc": "x"})
    assert not breaks(old, new)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_evolution_since_the_first_version(path):
    where = f"schemas/{path.name}"
    commits = subprocess.run(["git", "-C", stack.TREE, "log", "--diff-filter=A", "--format=%H", "--", where],
                             capture_output=True, text=True, check=True).stdout.split()
    new = json.loads(path.read_text())
    for commit in commits[-1:]:
        text = subprocess.run(["git", "-C", stack.TREE, "show", f"{commit}:{where}"], capture_output=True, text=True,
                              check=True).stdout
        assert not breaks(json.loads(text), new)
    for record in records_in(new):
        for field in record.get("fields", []):
            if isinstance(field["type"], list) and "null" in field["type"] and "default" in field:
                assert field["type"][0] == "null" and field["default"] is None, f"{record['name']}.{field['name']}"


def test_a_name_means_one_type_everywhere():
    seen = {}
    for path in SCHEMAS:
        for name, type_ in named_types(json.loads(path.read_text())).items():
            assert seen.setdefault(name, (path.name, type_))[1] == type_, f"{name}: {seen[name][0]} and {path.name}"
