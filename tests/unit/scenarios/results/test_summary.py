"""summary.json, its types and its shipped JSON Schema say the same."""

import json

import jsonschema
import msgspec
import pytest

from fleetstorm.results.proof import Example
from fleetstorm.results.summary import (
    Summary,
    decode,
    encode,
    encode_json_schema,
    json_schema,
    schema_path,
)


def test_the_shipped_schema_is_that_of_the_types() -> None:
    """After a change of the types: write `encode_json_schema()` to summary.schema.json."""
    assert schema_path().read_bytes() == encode_json_schema()


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_a_summary_fits_the_shipped_schema(summary: Summary) -> None:
    schema = json.loads(schema_path().read_text("utf-8"))
    jsonschema.validate(json.loads(encode(summary)), schema)


def test_an_empty_run_fits_too_and_what_it_did_not_exercise_is_null(summary: Summary) -> None:
    empty = Summary(run=summary.run, machine=summary.machine)
    written = json.loads(encode(empty))
    jsonschema.validate(written, json_schema())
    assert written["verification"]["lost"] is None
    assert written["load"]["emitted"] is None


def test_the_schema_refuses_a_summary_without_a_key(summary: Summary) -> None:
    written = json.loads(encode(summary))
    del written["verification"]["lost"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, json_schema())


def test_a_summary_survives_its_file(summary: Summary) -> None:
    example = Example(what="lost", serial="run-d000001", expected=21.5)
    found = msgspec.structs.replace(summary.verification, examples=(example,))
    summary = msgspec.structs.replace(summary, verification=found)
    assert decode(encode(summary)) == summary


def test_the_file_begins_with_the_name_of_its_schema(summary: Summary) -> None:
    assert next(iter(json.loads(encode(summary)).items())) == ("schema", "fleetstorm.summary/1")
