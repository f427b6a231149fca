#!/usr/bin/env python3
"""Make a page in one file that translates.

python scripts/build_demo.py RUN --output docs/demo/toy.html
python scripts/build_demo.py --refresh docs/demo/toy.html      # today's page around the model that is in it
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import lzma
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq_attn.errors import Seq2SeqError, UserError
from seq2seq_attn.export.folder import export_onnx
from seq2seq_attn.export.web import find_runtime
from seq2seq_attn.files import check_output, write_atomic

WEB = Path(__file__).parents[1] / "web"
FILE = re.compile(r'<script type="text/plain" data-file="([^"]+)">([^<]*)</script>')
TEXT = re.compile(r"<textarea[^>]*>([^<]*)</textarea>")
CODE = ("worker", "runtime")  # files of the page that do not come from a run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, nargs="?", help="a trained run; a small one, as all of it is in the page")
    parser.add_argument("--output", type=Path, help="the page to write")
    parser.add_argument("--refresh", type=Path, metavar="PAGE", help="a page that is to be made anew, with its model")
    parser.add_argument("--text", default="", help="what is translated when the page is opened")
    asked = parser.parse_args(arguments)
    if (asked.run is None) == (asked.refresh is None):
        parser.error("give either a run or --refresh PAGE")
    if asked.run is not None and asked.output is None:
        parser.error("--output is missing: which page is to be written?")
    output = asked.output or asked.refresh
    try:
        check_output(output)
        with tempfile.TemporaryDirectory() as scratch:
            build = (
                refreshed(asked.refresh, Path(scratch))
                if asked.refresh
                else built(asked.run, Path(scratch), asked.text)
            )
        write_atomic(output, build)
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{output}: {len(build.encode()) / 1e6:.1f} MB")
    return 0


def built(run: Path, scratch: Path, text: str = "") -> str:
    """Return the page of a run.

    Args:
        run: a run folder.
        scratch: an empty folder.
        text: what is translated when the page is opened.
    """
    model = scratch / "model"
    export_onnx(run, model, int8=True, report=lambda message: print(message, file=sys.stderr))
    paths = sorted(path for path in model.rglob("*") if path.is_file())
    return _assembled({path.relative_to(model).as_posix(): _pack(path) for path in paths}, scratch, text)


def refreshed(page: Path, scratch: Path) -> str:
    """Return a page with the model and the text of an earlier one, and all else as it would be written today.

    Raises:
        UserError: if it is no page of this script.
    """
    try:
        earlier = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{page}: cannot be read: {error}") from error
    model = {name: packed for name, packed in FILE.findall(earlier) if name not in CODE}
    text = TEXT.search(earlier)
    if not model or text is None:
        raise UserError(f"{page}: no page that this script made; make one with `build_demo.py RUN --output {page}`")
    return _assembled(model, scratch, html.unescape(text[1]))


def _assembled(model: Mapping[str, str], scratch: Path, text: str) -> str:
    runtime = find_runtime()
    node = shutil.which("node")
    if node is None:
        raise UserError("a page in one file is made by esbuild, which needs Node.js; install that")
    parts = scratch / "parts"
    subprocess.run([node, str(WEB / "build.mjs"), "--demo", str(parts)], check=True)
    packed = {"worker": _pack(parts / "worker.js"), "runtime": _pack(runtime), **model}
    script, style = (parts / "page.js").read_text(encoding="utf-8"), (parts / "page.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)} 'wasm-unsafe-eval' blob:; worker-src blob:; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    page = (parts / "index.html").read_text(encoding="utf-8")
    page = re.sub(r'content="default-src[^"]*"', lambda _: f'content="{policy}"', page)
    page = page.replace('<link rel="stylesheet" href="app.css" />', f"<style>{style}</style>")
    page = page.replace('<script src="app.js" defer></script>', "")
    page = page.replace("</textarea>", f"{html.escape(text, quote=False)}</textarea>")
    data = "".join(
        f'<script type="text/plain" data-file="{name}">{content}</script>\n' for name, content in packed.items()
    )
    return page.replace("</body>", f"{data}<script>{script}</script>\n</body>")


def _pack(path: Path) -> str:
    """Return a file compressed, as text; crc32 is the check that the page can verify."""
    return base64.b64encode(
        lzma.compress(path.read_bytes(), check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME)
    ).decode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


if __name__ == "__main__":
    sys.exit(main())
