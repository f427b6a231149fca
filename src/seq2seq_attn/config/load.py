"""From YAML files and overrides to a `Config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq_attn.config.bind import bind
from seq2seq_attn.config.merge import merge
from seq2seq_attn.config.problems import LONGEST_QUOTE, Origin, Problem, all_wrong, describe
from seq2seq_attn.config.schema import Config
from seq2seq_attn.config.source import read_text
from seq2seq_attn.config.tree import Node, parse_tree, tree_of
from seq2seq_attn.errors import ConfigError

Overrides = Mapping[str, object] | Sequence[str]


def load_config(path: str | Path, overrides: Overrides = ()) -> Config:
    """Read a configuration file, the files it extends, and overrides.

    Args:
        path: the YAML file; its stem is the default of ``name``.
        overrides: ``{"seed": 2, "model.attention": "bahdanau"}``, or as on the command
            line ``["seed=2", "model.attention=bahdanau"]``, where values are YAML.

    Raises:
        ConfigError: with everything that is wrong, and where.
    """
    path = Path(path)
    problems: list[Problem] = []
    tree = _read_layer(path, Origin(str(path)), problems, chain=())
    return _finish(str(path), tree, overrides, problems, default_name=path.stem)


def parse_config(text: str, overrides: Overrides = (), *, source: str = "the configuration") -> Config:
    """Read a configuration from a text, such as `dump_config` writes; it cannot extend a file.

    Raises:
        ConfigError: with everything that is wrong, and where; the text is called ``source``.
    """
    problems: list[Problem] = []
    tree = _parse(text, Origin(source), problems)
    return _finish(source, tree, overrides, problems, default_name=None)


def _finish(
    title: str, tree: Node | None, overrides: Overrides, problems: list[Problem], default_name: str | None
) -> Config:
    layer = _override_layer(overrides, problems)
    if tree is None:
        raise all_wrong(title, problems)
    if layer is not None:
        tree = merge(tree, layer)
    if default_name is not None and "name" not in tree.value:
        named = Node(default_name, Origin(title))
        tree = Node({"name": named, **tree.value}, tree.origin)
    config = bind(tree, problems)
    if config is None or problems:
        raise all_wrong(title, problems)
    return config


def _parse(text: str, origin: Origin, problems: list[Problem]) -> Node | None:
    tree = parse_tree(text, origin, problems)
    if tree is None:
        return None
    if not isinstance(tree.value, dict):
        found = "the file is empty" if tree.empty else f"got {describe(tree.value)}"
        place = origin if tree.empty else tree.origin
        problems.append(Problem(place, "", f"expected lines such as 'seed: 1', {found}"))
        return None
    return Node(tree.value, origin)


def _read_layer(path: Path, origin: Origin, problems: list[Problem], chain: tuple[Path, ...]) -> Node | None:
    """Read a file with all it inherits; None when a file in the chain cannot be used at all."""
    tree = _parse(read_text(path), origin, problems)
    if tree is None or "extends" not in tree.value:
        return tree
    written = tree.value["extends"]
    own = Node({key: node for key, node in tree.value.items() if key != "extends"}, tree.origin)
    if not isinstance(written.value, str) or not written.value:
        problems.append(
            Problem(written.origin, "extends", f"expected the name of a file, got {describe(written.value)}")
        )
        return None
    chain = (*chain, path)
    base_path = path.parent / written.value
    if any(_same_file(base_path, earlier) for earlier in chain):
        circle = " -> ".join(str(file) for file in (*chain, base_path))
        problems.append(Problem(written.origin, "extends", f"goes in a circle: {circle}; remove one of these"))
        return None
    try:
        base = _read_layer(base_path, Origin(str(base_path), origin.layer + 1), problems, chain)
    except ConfigError as error:
        problems.append(Problem(written.origin, "extends", str(error)))
        return None
    if base is None:
        return None
    # two experiments never share a folder because one extends the other
    inherited = Node({key: node for key, node in base.value.items() if key != "name"}, base.origin)
    return merge(inherited, own)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a NUL: reading will say so
        return False


def _override_layer(overrides: Overrides, problems: list[Problem]) -> Node | None:
    """Write all overrides as one tree, as if they were a last file."""
    nodes = []
    if isinstance(overrides, str):
        overrides = [overrides]
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            shown = repr(value)
            shown = shown if len(shown) <= LONGEST_QUOTE else shown[:LONGEST_QUOTE] + "..."
            origin = Origin("override", layer=1_000, override=f"{key}={shown}")
            nodes.append(_nested(str(key), tree_of(value, origin), problems))
    else:
        for text in overrides:
            key, equals, written = text.partition("=")
            origin = Origin("command line", layer=1_000, override=text)
            if not equals:
                problems.append(Problem(origin, "", "expected an override such as seed=2"))
                continue
            parsed = parse_tree(written, origin, problems, tuple(key.strip().split(".")))
            nodes.append(None if parsed is None else _nested(key.strip(), parsed, problems))
    layer: Node | None = None
    for node in nodes:
        if node is not None:
            layer = node if layer is None else merge(layer, node, one_layer=True)
    return layer


def _nested(key: str, node: Node, problems: list[Problem]) -> Node | None:
    parts = key.split(".")
    if not all(parts):
        problems.append(Problem(node.origin, key, "expected a key such as model.attention before the '='"))
        return None
    for part in reversed(parts):
        node = Node({part: node}, node.origin)
    return node
