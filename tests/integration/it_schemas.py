"""The schemas, read by a second implementation.

Goal: whoever has an Avro library can read our records, and every field says what it is.
Method: fastavro parses each .avsc (those that name types of others after them) and every field must have a doc.
"""
import json

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
