"""Other values for single keys of the `decoding` section, after the configuration was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from seq2seq_attn.config.bind import problems_of
from seq2seq_attn.config.decoding import DecodingConfig
from seq2seq_attn.config.problems import Origin, Problem
from seq2seq_attn.config.tree import parse_tree, tree_of
from seq2seq_attn.errors import ConfigError

SECTION = "decoding"


def read_value(text: str) -> object:
    """Return a value as the configuration would have it: ``0.5``, ``gnmt``, ``{utility: bleu, candidates: 12}``.

    Raises:
        ConfigError: if it is no YAML.
    """
    problems: list[Problem] = []
    tree = parse_tree(text, Origin("command line", override=text), problems)
    if tree is None or problems:
        raise ConfigError("; ".join(problem.message for problem in problems))
    return tree.plain()


def change_decoding(decoding: DecodingConfig, changes: Mapping[str, object]) -> DecodingConfig:
    """Return the section with some of its keys changed.

    Args:
        decoding: what holds for all other keys.
        changes: values by the path of their key: ``{"beam_size": 1, "sampling.top_k": 10}``.

    Raises:
        ConfigError: if a value is wrong, or does not go together with the others.
    """
    if not changes:
        return decoding
    values: dict[str, Any] = decoding.model_dump()
    for path, value in changes.items():
        *parents, key = path.split(".")
        section = values
        for parent in parents:
            if section.get(parent) is None:
                section[parent] = {}
            section = section[parent]
            if not isinstance(section, dict):
                raise ConfigError(f"{path}: {parent} is {section!r}, no section, so it has no key {key!r}")
        section[key] = value
    try:
        return DecodingConfig.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        detail["loc"] = (SECTION, *detail["loc"])
    found = problems_of(tree_of({SECTION: values}, Origin("")), details)
    wrong = dict.fromkeys(f"{problem.path.removeprefix(f'{SECTION}.')}: {problem.message}" for problem in found)
    raise ConfigError("; ".join(wrong))
