"""Imports go one way, libraries stay in their files, files stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "seq2seq_attn"
FILES = sorted(SOURCE.rglob("*.py"))

# Each part may import those above it, and nothing below; parts of one row do not know one another.
LAYERS = (
    ("errors",),
    ("files", "alignment", "libraries"),
    ("runtime",),
    ("config",),
    ("data",),
    ("products",),
    ("attention",),
    ("nn", "testing"),
    ("models",),
    ("inference",),
    ("training", "decoding"),
    ("checkpoint", "exported"),
    ("evaluation",),
    ("translation",),
    ("visualization",),
    ("export",),
    ("experiment",),
    ("serving", "distillation"),
    ("cli",),
    ("__main__",),
)
RANKS = {name: rank for rank, row in enumerate(LAYERS) for name in row}

# What is above a part and yet must stay unknown to it.
NEVER = {
    "config": {"runtime"},
    "products": {"config", "data", "files", "runtime"},
    "attention": {"config", "data", "files", "runtime"},
    "nn": {"config", "data", "files", "runtime"},
    "testing": {"config", "data", "files", "runtime"},
    "inference": {"config", "data", "files"},
    "decoding": {"config", "data", "attention", "nn", "models", "inference"},
    "training": {"config", "attention"},
    "exported": {"models", "nn", "attention", "products", "inference", "training", "runtime"},
    "evaluation": {"config", "data", "models", "training", "decoding", "checkpoint", "translation"},
    "visualization": {"config", "data", "models", "training", "decoding", "checkpoint", "translation"},
    "cli": {"data", "nn", "models", "training", "decoding"},
}

EVERYWHERE = {"numpy", "torch", "jaxtyping", "tqdm"}
LIBRARIES = {
    "fastapi": "serving/",
    "matplotlib": "visualization/",
    "onnx": "export/",
    "onnxruntime": ("exported/", "export/"),
    "pyarrow": "data/corpus.py",
    "pydantic": ("config/", "serving/"),
    "pydantic_core": "config/",
    "sacrebleu": "evaluation/",
    "safetensors": "checkpoint/",
    "sentencepiece": "data/tokenizers/sentencepiece.py",
    "tensorboard": "training/logging.py",
    "torchtext": "data/torchtext_interop.py",
    "starlette": "serving/",
    "sympy": "export/converting/",
    "typer": "cli/",
    "uvicorn": "serving/",
    "yaml": "config/",
}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """List the modules a file imports, anywhere in it, those for type checkers too."""

    def found() -> Iterator[str]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are absolute"
                assert node.module is not None
                if node.module == "seq2seq_attn":
                    yield from (f"seq2seq_attn.{alias.name}" for alias in node.names)
                else:
                    yield node.module
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "optional_import":
                yield str(ast.literal_eval(node.args[0]))

    return tuple(found())


def parts_imported(path: Path) -> set[str]:
    ours = {module.split(".")[1] for module in imports(path) if module.startswith("seq2seq_attn.")}
    return ours - {part_of(path), "__version__"}


def test_every_part_has_its_place() -> None:
    assert {part_of(path) for path in FILES} - {"__init__"} == set(RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return  # it lists the public names, and imports them when they are used
    for other in parts_imported(path):
        assert other in RANKS, f"{part} imports {other}, which is no part"
        assert RANKS[other] < RANKS[part], f"{part} must not import {other}"
        assert other not in NEVER.get(part, set()), f"{part} must not know of {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_libraries_stay_in_their_files(path: Path) -> None:
    for module in imports(path):
        library = module.partition(".")[0]
        if library in sys.stdlib_module_names or library in EVERYWHERE | {"seq2seq_attn"}:
            continue
        assert library in LIBRARIES, f"{library} is a new library; give it a file of its own"
        assert str(path.relative_to(SOURCE)).startswith(LIBRARIES[library]), f"{library} in {path}"
    if any(module.startswith("torch.utils.tensorboard") for module in imports(path)):
        assert path.name == "logging.py"


def test_no_files_import_one_another_in_a_circle() -> None:
    modules = {".".join(("seq2seq_attn", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in FILES}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items() if path != SOURCE / "__init__.py"}
    done: set[str] = set()

    def visit(name: str, chain: tuple[str, ...]) -> None:
        assert name not in chain, " -> ".join((*chain[chain.index(name) :], name))
        if name in done:
            return
        for other in at_the_top(modules[name], modules) - {name}:
            visit(other, (*chain, name))
        done.add(name)

    for name in modules:
        visit(name, ())


def at_the_top(path: Path, modules: dict[str, Path]) -> set[str]:
    """List the modules of ours that are imported when the file itself is."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & set(modules)
            found |= inside or {node.module} & set(modules)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60 + docstring_lines(node), f"{node.name} is long"


def docstring_lines(node: ast.FunctionDef) -> int:
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0


HEAVY = {
    "torch",
    "numpy",
    "pydantic",
    "yaml",
    "torchtext",
    "sentencepiece",
    "sacrebleu",
    "matplotlib",
    "pyarrow",
    "tensorboard",
    "safetensors",
    "fastapi",
    "uvicorn",
    "starlette",
    "onnx",
    "onnxruntime",
}


def loaded_by(code: str) -> set[str]:
    """Return which heavy libraries a fresh Python has loaded after ``code``."""
    report = f"\nimport sys\nprint(*(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import seq2seq_attn; dir(seq2seq_attn)") == set()


def test_help_loads_nothing_heavy() -> None:
    """Standing for: a --help that takes seconds."""
    call = "try: main({!r})\nexcept SystemExit as end: assert end.code == 0"
    first = "from seq2seq_attn.cli import main\n"
    assert loaded_by(first + call.format(["--help"]) + "\n" + call.format(["--version"])) == set()
    verbs = (
        "train",
        "prepare",
        "evaluate",
        "compare",
        "translate",
        "score",
        "align",
        "average",
        "attend",
        "info",
        "doctor",
        "report",
        "serve",
        "attentions",
    )
    # typer itself loads pydantic to describe a verb's arguments
    assert loaded_by(first + "\n".join(call.format([verb, "--help"]) for verb in verbs)) <= {"pydantic"}


def test_configuration_loads_no_torch() -> None:
    assert not loaded_by("import seq2seq_attn; seq2seq_attn.load_config") & {"torch", "numpy", "torchtext"}


@pytest.mark.slow
def test_using_a_model_loads_neither_training_nor_its_libraries() -> None:
    assert not loaded_by("import seq2seq_attn; seq2seq_attn.Translator") & {"torchtext", "sacrebleu", "matplotlib"}


def test_files_of_tests_have_names_of_their_own() -> None:
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []
