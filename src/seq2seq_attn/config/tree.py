"""YAML text -> a tree in which every value knows where it was written.

The scalars are those of YAML 1.2's core schema, so that `no` is Norwegian and `1e-3` a number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from seq2seq_attn.config.problems import Origin, Problem, describe

DEEPEST = 40
MOST_VALUES = 100_000  # a few lines of aliases can stand for billions of values

Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True)
class Node:
    """A value and the place of its key. Mappings are dicts of nodes, sequences lists of nodes."""

    value: Any
    origin: Origin
    empty: bool = False  # nothing at all stands behind the key, not even `null`

    def plain(self) -> Any:
        """Return the value without its places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def show_path(path: Path) -> str:
    """Write a path as the command line does; places in lists in brackets."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def parse_tree(text: str, origin: Origin, problems: list[Problem], path: Path = ()) -> Node | None:
    """Parse YAML. What is wrong goes to ``problems``; None means that no tree could be made at all."""
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character {describe(chr(error.character))[9:]} is not allowed in YAML; remove it"
    except yaml.MarkedYAMLError as error:
        line, problem = _syntax_problem(error, text)
    except RecursionError:
        line, problem = 1, "nested too deeply"
    except (ValueError, OverflowError) as error:  # an escape beyond Unicode, a number of a thousand digits
        line, problem = (loader.line + 1 if loader else 1), f"YAML cannot be read: {error}"
    else:
        if root is None:
            return Node(None, origin, empty=True)
        return _Builder(origin, problems).build(root, path)
    problems.append(Problem(origin.at(line), show_path(path), problem))
    return None


def tree_of(value: object, origin: Origin) -> Node:
    """Wrap a Python value, such as an override from a script."""
    if isinstance(value, Mapping):
        return Node({str(key): tree_of(item, origin) for key, item in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Node([tree_of(item, origin) for item in value], origin)
    return Node(os.fspath(value) if isinstance(value, os.PathLike) else value, origin)


class _Loader(yaml.SafeLoader):
    """Composes nodes; the values are made by `_Builder`."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way; YAML 1.1's are not wanted


_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
}
_KINDS = {yaml.ScalarNode: (*_CORE, "str"), yaml.SequenceNode: ("seq",), yaml.MappingNode: ("map",)}
for _kind, _pattern in _CORE.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_pattern.pattern})$"), None)


def is_number(text: str) -> bool:
    """Whether YAML reads ``text`` as a number."""
    return any(_CORE[kind].fullmatch(text) for kind in ("int", "float"))


def _scalar(kind: str, text: str) -> object:
    """Raise ValueError when ``text`` is none of this kind."""
    if kind == "str":
        return text
    if not _CORE[kind].fullmatch(text):
        raise ValueError(kind)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if text[-3:].lower() in ("inf", "nan"):
        return float(text.replace(".", ""))
    return float(text)


@dataclass
class _Builder:
    origin: Origin
    problems: list[Problem]
    count: int = 0
    open_nodes: set[int] = field(default_factory=set)

    def build(self, node: yaml.Node, path: Path, line: int | None = None) -> Node:
        """Turn a YAML node into ours. ``line`` is that of its key."""
        origin = self.origin.at(node.start_mark.line + 1 if line is None else line)
        self.count += 1
        if id(node) in self.open_nodes:
            return self._refuse(origin, path, "this alias contains itself; write the value out")
        if len(path) > DEEPEST or self.count > MOST_VALUES:
            return self._refuse(origin, path[:DEEPEST], "too many values, or nested too deeply")
        kind = node.tag.removeprefix(_TAG)
        if kind not in _KINDS[type(node)]:
            return self._refuse(origin, path, f"the YAML tag {node.tag!r} is not supported here; remove it")
        if isinstance(node, yaml.ScalarNode):
            return self._build_scalar(node, kind, origin, path)
        self.open_nodes.add(id(node))
        if isinstance(node, yaml.MappingNode):
            value: object = self._build_mapping(node, path)
        else:
            value = [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
        self.open_nodes.discard(id(node))
        return Node(value, origin)

    def _build_mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if self.count > MOST_VALUES:
                break
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(self.origin.at(line), path, "a key must be one word, not a list or a mapping")
                continue
            key = key_node.value
            if key in entries:
                self._refuse(self.origin.at(line), (*path, key), f"written twice{self._first(lines[key])}; remove one")
                continue
            if _has_surrogate(key):
                self._refuse(self.origin.at(line), (*path, key), "this key is not valid Unicode")
                continue
            lines[key] = line
            entries[key] = self.build(value_node, (*path, key), line)
        return entries

    def _first(self, line: int) -> str:
        return "" if self.origin.override is not None else f", first in line {line}"

    def _build_scalar(self, node: yaml.ScalarNode, kind: str, origin: Origin, path: Path) -> Node:
        if _has_surrogate(node.value):
            return self._refuse(origin, path, f"{describe(node.value)} is not valid Unicode")
        try:
            return Node(_scalar(kind, node.value), origin, empty=kind == "null" and not node.value)
        except ValueError:
            if kind == "int" and _CORE["int"].fullmatch(node.value):  # thousands of digits: let the range say so
                return Node(node.value, origin)
            return self._refuse(
                origin, path, f"the YAML tag {node.tag!r} does not fit {describe(node.value)}; remove it"
            )

    def _refuse(self, origin: Origin, path: Path, message: str) -> Node:
        self.problems.append(Problem(origin, show_path(path), message))
        return Node(None, origin, empty=True)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "not YAML"
    hint = ""
    if "could not find expected ':'" in problem and error.context_mark is not None:
        mark, hint = error.context_mark, "; a key is followed by a colon and a space"
    elif "mapping values are not allowed" in problem:
        hint = "; check the indentation, and put text that holds ': ' in quotes"
    elif "another document" in problem:
        problem, hint = "a second YAML document starts", "; a configuration is one, remove the line ---"
    line = 0 if mark is None else mark.line
    lines = text.splitlines()
    if line < len(lines) and "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip())]:
        return line + 1, "a tab in the indentation; YAML takes spaces only"
    return line + 1, f"YAML syntax: {problem}{hint}"
