#!/usr/bin/env python3
"""Make a page in one file that translates: `python scripts/build_demo.py RUN --output docs/demo/toy.html`."""

from __future__ import annotations

import argparse
import base64
import hashlib
import lzma
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from seq2seq_attn.errors import Seq2SeqError, UserError
from seq2seq_attn.export.folder import export_onnx
from seq2seq_attn.export.web import find_runtime
from seq2seq_attn.files import check_output, write_atomic

WEB = Path(__file__).parents[1] / "web"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a trained run; a small one, as all of it is in the page")
    parser.add_argument("--output", type=Path, required=True, help="the page to write")
    parser.add_argument("--text", default="", help="what is translated when the page is opened")
    asked = parser.parse_args(arguments)
    try:
        check_output(asked.output)
        with tempfile.TemporaryDirectory() as scratch:
            page = build(asked.run, Path(scratch), asked.text)
        write_atomic(asked.output, page)
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{asked.output}: {len(page.encode()) / 1e6:.1f} MB")
    return 0


def build(run: Path, scratch: Path, text: str = "") -> str:
    """Return the page of a run.

    Args:
        run: a run folder.
        scratch: an empty folder.
        text: what is translated when the page is opened.
    """
    runtime = find_runtime()
    node = shutil.which("node")
    if node is None:
        raise UserError("a page in one file is made by esbuild, which needs Node.js; install that")
    parts, model = scratch / "parts", scratch / "model"
    subprocess.run([node, str(WEB / "build.mjs"), "--demo", str(parts)], check=True)
    export_onnx(run, model, int8=True, report=lambda message: print(message, file=sys.stderr))
    packed = {"worker": parts / "worker.js", "runtime": runtime}
    packed |= {path.relative_to(model).as_posix(): path for path in sorted(model.rglob("*")) if path.is_file()}
    script, style = (parts / "page.js").read_text(encoding="utf-8"), (parts / "page.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)} 'wasm-unsafe-eval' blob:; worker-src blob:; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    page = (parts / "index.html").read_text(encoding="utf-8")
    page = re.sub(r'content="default-src[^"]*"', lambda _: f'content="{policy}"', page)
    page = page.replace('<link rel="stylesheet" href="app.css" />', f"<style>{style}</style>")
    page = page.replace('<script src="app.js" defer></script>', "")
    page = page.replace("</textarea>", f"{_escape(text)}</textarea>")
    data = "".join(
        f'<script type="text/plain" data-file="{name}">{_pack(path)}</script>\n' for name, path in packed.items()
    )
    return page.replace("</body>", f"{data}<script>{script}</script>\n</body>")


def _pack(path: Path) -> str:
    """Return a file compressed, as text; crc32 is the check that the page can verify."""
    return base64.b64encode(
        lzma.compress(path.read_bytes(), check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME)
    ).decode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main())
