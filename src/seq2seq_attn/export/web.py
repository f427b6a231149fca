"""A model as a static folder that translates in the browser: a page, onnxruntime for WebAssembly, and the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from seq2seq_attn.checkpoint.folders import BEST
from seq2seq_attn.errors import UserError
from seq2seq_attn.export.folder import check_replaceable, export_onnx
from seq2seq_attn.exported.manifest import checksum, read_manifest
from seq2seq_attn.files import folder_atomic

PAGE, MODEL = "index.html", "model"

# Built from `web/src/page` and kept with this package; what they run on is larger than all else together, and is not.
_ASSETS = (PAGE, "app.js", "app.css", "worker.js")
_RUNTIME = "runtime.json"
_SOURCES = Path(__file__).parents[3] / "web"
_MISSING = ("forbidden", "sampling", "minimum_risk", "lexicon")


def write_web(
    run: Path,
    output: Path,
    *,
    int8: bool = False,
    checkpoint: str = BEST,
    report: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write a trained model as a folder for any static web server; return the folder.

    Everything in it is relative, and its page asks no other host for anything.

    Args:
        run: a run folder, or a checkpoint folder inside one.
        output: the folder to make; an earlier export there is replaced.
        int8: store matrices as whole numbers of 8 bits.
        checkpoint: ``best``, ``last`` or ``step-...``; only for a run folder.
        report: is told what is being done.

    Raises:
        CannotExport: naming what no graph can be made of.
        CheckpointError: if there is no such run or checkpoint, or it is damaged.
        ConfigError: if there is something else at ``output``.
        UserError: if onnxruntime-web is not installed.
    """
    runtime_name = json.loads(_asset(_RUNTIME))["file"]
    check_replaceable(output, {*_ASSETS, runtime_name, MODEL}, output / MODEL)
    runtime = find_runtime()
    with folder_atomic(output.absolute()) as aside:
        export_onnx(run, aside / MODEL, int8=int8, checkpoint=checkpoint, report=report)
        for name in _ASSETS:
            (aside / name).write_bytes(_asset(name))
        (aside / runtime.name).write_bytes(runtime.read_bytes())
        decoding = read_manifest(aside / MODEL).decoding
        for name in _MISSING:
            if decoding.get(name):
                report(f"decoding.{name} does not exist in the browser; the page says so and translates without")
    return output


def find_runtime() -> Path:
    """Return the file of onnxruntime-web that the page runs on, from where npm has installed it.

    Raises:
        UserError: if it is not there, or is that of another version.
    """
    facts = json.loads(_asset(_RUNTIME))
    package = f"{facts['name']}@{facts['version']}"
    for folder in (_SOURCES, Path.cwd(), Path.cwd() / "web"):
        path = folder / "node_modules" / facts["name"] / "dist" / facts["file"]
        if not path.is_file():
            continue
        if checksum(path) != facts["sha256"]:
            raise UserError(f"{path}: is not that of {package}, which the page was built with; install that by npm")
        return path
    mend = f'"npm install --no-save {package}" in {Path.cwd()}'
    if (_SOURCES / "package.json").is_file():
        mend = f'"npm ci --prefix {_SOURCES}"'
    raise UserError(f"the web export needs {package}, which is not installed; run {mend} (npm comes with Node.js)")


def _asset(name: str) -> bytes:
    return files("seq2seq_attn.export").joinpath("assets").joinpath(name).read_bytes()
