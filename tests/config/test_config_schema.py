"""`configs/schema.json` is made from the classes, and says the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_attn.config import json_schema, load_config

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_schema_is_current(tmp_path):
    made = tmp_path / "schema.json"
    subprocess.run([sys.executable, ROOT / "scripts" / "make_schema.py", "--output", made], check=True, timeout=60)
    committed = (ROOT / "configs" / "schema.json").read_text(encoding="utf-8")
    assert committed == made.read_text(encoding="utf-8"), "run scripts/make_schema.py"


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from parts(item)


def test_every_reference_leads_somewhere():
    schema = json_schema()
    references = {part["$ref"] for part in parts(schema) if isinstance(part.get("$ref"), str)}
    assert references == {f"#/$defs/{name}" for name in schema["$defs"]}


def test_every_key_is_described_and_no_other_is_allowed():
    schema = json_schema()
    for section in (schema, *schema["$defs"].values()):
        assert section["additionalProperties"] is False
        for key, info in section["properties"].items():
            assert info.get("description") or "$ref" in info, key  # else the section describes itself


def test_short_forms_and_ranges_are_known_to_editors():
    schema = json_schema()
    sections = schema["$defs"]
    assert {"number", "$ref"} <= {
        part.get("type", "$ref") for part in sections["ModelConfig"]["properties"]["dropout"]["anyOf"]
    }
    assert [part["type"] for part in sections["TextCorpus"]["properties"]["source"]["anyOf"]] == ["string", "array"]
    assert sections["EncoderConfig"]["properties"]["layers"]["minimum"] == 1
    assert schema["properties"]["extends"]["type"] == "string"
    assert "required" not in schema  # a file may leave `data` to the one it extends


def test_the_schema_can_be_serialized():
    assert json.loads(json.dumps(json_schema())) == json_schema()


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_configuration_is_right(path):
    load_config(path)
