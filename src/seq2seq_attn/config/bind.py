"""A tree of written values -> a `Config`, or every reason why not, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from seq2seq_attn.config.corpora import FORMATS
from seq2seq_attn.config.hints import keys_of, may_be_null, section_at, suggest
from seq2seq_attn.config.problems import Origin, Problem, describe
from seq2seq_attn.config.schema import Config
from seq2seq_attn.config.tree import Node, Path, is_number, show_path
from seq2seq_attn.config.types import Section
from seq2seq_attn.errors import did_you_mean

CORPUS_FORMS = (
    "{source: FILE, target: FILE}, {tsv: FILE}, {jsonl: FILE, source: KEY, target: KEY} "
    "or {parquet: FILE, source: COLUMN, target: COLUMN}"
)

_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "finite_number": "a finite number",
    "string_too_short": "text",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "at most {le}",
    "dict_type": "a mapping of names",
}


def bind(tree: Node, problems: list[Problem]) -> Config | None:
    """Return the configuration; or None, when something was added to ``problems``."""
    try:
        return Config.model_validate(tree.plain())
    except ValidationError as error:
        details = error.errors(include_url=False)
    known = {problem.path for problem in problems}  # what could not be parsed looks empty here
    found = [problem for problem in problems_of(tree, details) if problem.path not in known]
    problems.extend(found)
    return None


def problems_of(tree: Node, details: list[ErrorDetails]) -> Iterator[Problem]:
    """Say in the user's words what pydantic found wrong with ``tree``, each with its place."""
    missing = [detail for detail in details if detail["type"] == "missing"]
    suggested: set[tuple[Path, str]] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            yield _unknown_key(tree, detail["loc"], suggested)
        elif detail["type"] == "conflicts":
            yield from _conflicts(tree, detail)
        elif detail["type"] != "missing":
            yield _wrong_value(tree, detail)
    for detail in missing:
        *parents, key = detail["loc"]
        wanted = {(tuple(parents), name) for name in (key, *FORMATS)}
        if not wanted & suggested:  # else it is there, misspelt
            yield _missing_key(tree, detail["loc"])


def _find(tree: Node, location: Path) -> tuple[Node | None, Path, Origin]:
    """Follow pydantic's location through what was written.

    Returns:
        the node, or None when it was not written; its path; and its place, or that
        of the innermost section around it.
    """
    node: Node | None = tree
    path: Path = ()
    origin = tree.origin
    for each in location:
        step = each
        value = None if node is None else node.value
        children = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(value, list) and isinstance(step, str) and step.isdigit():
            step = int(step)  # as conflicts write it
        if isinstance(children, dict) and step in children:
            node = children[step]
        elif isinstance(step, int) or re.fullmatch(r"<\w+>|\[key\]", step):
            continue  # a list written as its one item; the tag of a union; the key of a mapping itself
        elif node is not None and not isinstance(value, dict) and not node.empty:
            break  # inside a short form that was written out
        else:
            node = None
        path = (*path, step)
        origin = origin if node is None else node.origin
    return node, path, origin


def _unknown_key(tree: Node, location: Path, suggested: set[tuple[Path, str]]) -> Problem:
    *parents, key = location
    _, path, origin = _find(tree, location)
    if path == ("extends",):  # the loader has taken it out of every file
        return Problem(origin, "extends", "only a configuration file can extend another one")
    section = section_at(tuple(parents)) or Config
    guess = suggest(str(key), section, path[:-1])
    suggested.add((tuple(parents), guess))
    meant = f"; did you mean {guess!r}?" if guess else ""
    owner = show_path(path[:-1]) or "a configuration"
    return Problem(origin, show_path(path), f"unknown key{meant}  ({owner} has: {keys_of(section)})")


def _missing_key(tree: Node, location: Path) -> Problem:
    _, path, origin = _find(tree, location)
    section = section_at(location[:-1]) or Config
    info = section.model_fields.get(str(location[-1]))
    meaning = f" ({info.description.rstrip('.')})" if info is not None and info.description else ""
    return Problem(origin, show_path(path), f"this key is missing{meaning}")


def _conflicts(tree: Node, detail: ErrorDetails) -> Iterator[Problem]:
    for conflict in detail["ctx"]["conflicts"]:
        _, path, origin = _find(tree, (*detail["loc"], *conflict["key"].split(".")))
        yield Problem(origin, show_path(path), conflict["message"])


def _wrong_value(tree: Node, detail: ErrorDetails) -> Problem:
    node, path, origin = _find(tree, detail["loc"])
    value = detail["input"] if node is None else node.plain()
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "wrong_value":
        message = context["message"]
    elif kind == "literal_error":
        message = f"expected {context['expected'].replace(chr(39), '')}"
    elif kind in ("model_type", "model_attributes_type"):
        message = f"expected {_form_of(section_at(detail['loc']))}"
    elif kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind].format_map(_tidy(context))}"
    else:
        message = detail["msg"][:1].lower() + detail["msg"][1:]
    if "[key]" in detail["loc"]:
        value = str(detail["input"])
    return Problem(origin, show_path(path), f"{message}, got {describe(value)}{_mend(detail, value)}")


def _form_of(section: type[Section] | None) -> str:
    if section is None or section.__name__.endswith("Corpus"):
        return f"a corpus, which is {CORPUS_FORMS}"
    return f"a mapping of {keys_of(section)}"


def _tidy(context: dict[str, Any]) -> dict[str, Any]:
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in context.items()
    }


def _mend(detail: ErrorDetails, value: object) -> str:
    """Say what to do, where it can be known."""
    kind = detail["type"]
    if kind == "literal_error":
        return (
            did_you_mean(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"])) if isinstance(value, str) else ""
        )
    if kind == "string_type" and isinstance(value, int | float):
        return "; put it in quotes"
    if not isinstance(value, str):
        return ""
    if kind == "bool_type" and value.lower() in ("yes", "on", "y", "no", "off", "n"):
        return f"; write {'true' if value.lower() in ('yes', 'on', 'y') else 'false'}"
    if kind in ("int_type", "float_type"):
        if value.lower() == "none" and may_be_null(detail["loc"]):
            return "; for no value write null"
        if is_number(value):
            return "; remove the quotes"
        if is_number(re.sub(r"[_, ]", "", value)):
            return "; write it without separators"
    return ""
