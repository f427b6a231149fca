"""Exported models translate in JavaScript as in Python, and the package works where npm has installed it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_server import shared_commands
from tiny import trained_run, write_corpus

from seq2seq_attn.translation import Translator

WEB = Path(__file__).parents[2] / "web"
OPTIONS = [{"beamSize": 1}, {"beamSize": 5}, {"beamSize": 4, "count": 3, "lengthPenalty": 0.4}]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "model"
    done = shared_commands()("export", trained_run(), "--format", "onnx", "--output", folder)
    assert done.status == 0, done.err
    return folder


def test_the_same_translations(exported: Path, tmp_path: Path, run_script) -> None:
    write_corpus(tmp_path, seed=29, longest=8)
    lines = [line for split in ("validation", "test") for line in (tmp_path / f"{split}.en").read_text().splitlines()]
    texts = ["", "one  eleven (two)", *lines]
    found = run_script("translate.mjs", {"folder": str(exported), "texts": texts, "options": OPTIONS})
    translator = Translator.load(trained_run(), device="cpu")
    for number, options in enumerate(OPTIONS):
        expected = translator.n_best(
            texts,
            count=options.get("count", 1),
            beam_size=options["beamSize"],
            length_penalty=options.get("lengthPenalty"),
        )
        for line, theirs in zip(found[number * len(texts) : (number + 1) * len(texts)], expected, strict=True):
            ours = line["translations"]
            if not theirs[0].tokens:
                assert ours[0]["tokens"] == []
                continue
            assert [each["tokens"] for each in ours] == [list(each.tokens) for each in theirs]
            for one, other in zip(ours, theirs, strict=True):
                assert one["text"] == other.text
                assert one["sourceTokens"] == list(other.source_tokens)
                assert one["alignment"] == [list(link) for link in other.alignment]
                assert one["finished"] == other.finished
                assert one["score"] == pytest.approx(other.score, abs=1e-5)
                assert one["tokenLogProbs"] == pytest.approx(other.token_log_probs, abs=1e-4)
                np.testing.assert_allclose(one["attention"], other.attention, atol=1e-5)


def test_the_example_of_its_readme_runs_from_what_npm_packs(
    node: str, package: Path, exported: Path, tmp_path: Path
) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    sources = tmp_path / "sources"
    shutil.copytree(package, sources / "dist")
    for name in ("package.json", "README.md"):
        shutil.copy(WEB / name, sources)
    packed = subprocess.run(
        [npm, "pack", "--ignore-scripts", "--silent", "--pack-destination", str(tmp_path)],
        cwd=sources,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = tmp_path / "node_modules"
    shutil.unpack_archive(tmp_path / packed.stdout.strip(), modules)
    (modules / "package").rename(modules / "seq2seq-attn")
    (modules / "onnxruntime-web").symlink_to(WEB / "node_modules" / "onnxruntime-web")
    files = {path.name for path in (modules / "seq2seq-attn" / "dist").iterdir()}
    assert {"index.js", "index.d.ts", "translation"} <= files
    assert not {"page", "serve"} & files
    (tmp_path / "model").symlink_to(exported)

    example = re.search(r"```js\n(.*?)```", (WEB / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    assert len([line for line in example[1].splitlines() if line]) <= 10
    (tmp_path / "example.mjs").write_text(example[1], encoding="utf-8")
    done = subprocess.run([node, "example.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = Translator.load(trained_run(), device="cpu").translate(["one two three"], beam_size=5)[0]
    looks = [found.source_tokens[place] for place in found.attention.argmax(axis=1)]
    lines = [f"{token} looked at {source}" for token, source in zip(found.tokens, looks, strict=True)]
    assert done.stdout.splitlines() == [f"{found.text} {found.score:.2f}", *lines]
