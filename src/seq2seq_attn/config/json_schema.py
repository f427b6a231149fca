"""The JSON schema that tells editors about configuration files."""

from __future__ import annotations

from typing import Any

from seq2seq_attn.config.schema import Config


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file.

    It is a little more lenient than the loader: a file that extends another, or that
    is extended, may leave out what the other one says.
    """
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "seq2seq-attn configuration"
    del schema["properties"]["name"]["default"]  # it is the name of the file
    extends = {"type": "string", "minLength": 1, "description": "File to inherit from, relative to this one."}
    schema["properties"] = {"extends": extends, **schema["properties"]}
    for part in (schema, schema["$defs"]["DataConfig"]):
        del part["required"]
    for section in (schema, *schema["$defs"].values()):
        for info in section["properties"].values():
            info.pop("title", None)  # "Source Language" says no more than source_language
    return schema
