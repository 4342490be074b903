"""Typed sections: equal to the schema key by key, strict, and the same content on the way there and back."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from flexibert.config import read_yaml, resolve
from flexibert.errors import ConfigError
from flexibert.settings import ConstraintSettings, JobsSettings, PretrainSettings, Section, SourceSettings

ROOT = Path(__file__).parents[1]
SCHEMA = read_yaml(ROOT / "workflow" / "schemas" / "config.schema.yaml")
DEFAULT = resolve({}, ROOT)
PARTS = {
    "corpus": {"sources"},
    "tasks": {"suites", "leave_out"},
    "search": {"levels"},
}  # keys that have types of their own
SECTIONS = [kind for kind in Section.__subclasses__() if kind.__module__ == Section.__module__]


def definition(place: str) -> dict:
    """The schema's object at a dotted place; `[]` goes into the entries of a list."""
    found = SCHEMA
    for part in place.split("."):
        found = found["properties"][part.removesuffix("[]")]
        found = found["items"] if part.endswith("[]") else found
        found = SCHEMA["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
    return found


@pytest.mark.parametrize("section", SECTIONS, ids=lambda kind: kind.section)
def test_fields_are_the_keys_of_the_schema(section):
    keys = set(definition(section.section)["properties"])
    assert {entry.name for entry in fields(section)} == keys - PARTS.get(section.section, set())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda kind: kind.section)
def test_every_section_of_the_default_configuration_is_read_and_written_back(section):
    value = DEFAULT
    for part in section.section.split("."):
        value = value[part.removesuffix("[]")]
        value = value[0] if part.endswith("[]") else value
    if value is None:  # final.scale_up
        value = {"layers": 2, "widths": 2}
    value = {key: entry for key, entry in value.items() if key not in PARTS.get(section.section, set())}
    written = section.from_mapping(value).to_mapping()
    assert {key: written[key] for key in value} == value
    assert section.from_mapping(json.loads(json.dumps(written))) == section.from_mapping(value)


def test_unknown_and_missing_keys_are_all_named():
    mapping = DEFAULT["jobs"] | {"thread": 1}
    del mapping["device"]
    with pytest.raises(ConfigError, match="unknown key 'thread'") as caught:
        JobsSettings.from_mapping(mapping)
    assert "jobs: key 'device' is missing" in caught.value.problems


def test_numbers_keep_their_kind_so_that_equal_settings_have_equal_digests():
    mapping = DEFAULT["pretrain"] | {"weight_decay": 0, "learning_rate": 1.0}
    written = PretrainSettings.from_mapping(mapping).to_mapping()
    assert json.dumps(written, sort_keys=True) == json.dumps(mapping, sort_keys=True)


def test_keys_that_may_be_left_out_have_one_value():
    source = SourceSettings.from_mapping({"name": "mine", "kind": "folder", "weight": 1.0, "shards": 1, "path": "x"})
    assert (source.split, source.column, source.unit, source.documents) == ("train", "text", "paragraph", None)


def test_limits_are_the_constraints_that_are_set():
    settings = ConstraintSettings(parameters=10, flops_per_token=None, latency_ms=None)
    assert settings.limits == {"parameters": 10}
