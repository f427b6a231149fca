"""What TensorBoard reads of a run: numbers, configuration, translations and pictures of attention."""

from __future__ import annotations

import html
import io
import json
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_server import Commands
from tiny import TIMES, copy_run, trained_run, write_config

from seq2seq_attn import load_config
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.errors import MissingExtra
from seq2seq_attn.experiment.preparing import prepare_run
from seq2seq_attn.experiment.tensorboard import LONGEST, Samples, choose_samples
from seq2seq_attn.training.logging import TensorBoard
from seq2seq_attn.translation import Translator
from seq2seq_attn.visualization.heatmap import attention_image

pytest.importorskip("tensorboard")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CHANGES = {"training.max_epochs": 3, "training.tensorboard": True, "training.ema": 0.5, "data.test": {}}
STEPS = [4, 8, 12]


def read(run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    keep_all = {"scalars": 0, "images": 0, "tensors": 0}
    return EventAccumulator(str(run / "tensorboard"), size_guidance=keep_all).Reload()


def text(events: Any, tag: str) -> dict[int, str]:
    found = events.Tensors(f"{tag}/text_summary")
    return {event.step: event.tensor_proto.string_val[0].decode() for event in found}


def cells(markdown: str) -> list[list[str]]:
    rows = markdown.splitlines()[2:]
    return [[html.unescape(cell.strip()) for cell in row.strip("|").split("|")] for row in rows]


@pytest.fixture(scope="module")
def run(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    done = commands("train", write_config(folder, CHANGES), "--output", folder / "run")
    assert done.status == 0, done.err
    return folder / "run"


def test_every_logged_number_is_a_curve(run: Path) -> None:
    events = read(run)
    wanted: dict[str, list[tuple[int, float]]] = {}
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if isinstance(value, int | float) and name != "step":
                wanted.setdefault(f"{record['kind']}/{name}", []).append((record["step"], pytest.approx(value)))
    found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert found == wanted
    assert wanted.keys() >= {"train/learning_rate", "train/gradient_norm", "validation/bleu"}


def test_the_configuration_is_there(run: Path) -> None:
    (shown,) = text(read(run), "configuration").values()
    lines = (run / "config.yaml").read_text(encoding="utf-8").splitlines()
    assert shown.splitlines() == [f"    {line}" for line in lines]


def test_translations_are_those_of_the_model_that_was_validated(run: Path) -> None:
    found = text(read(run), "translations")
    assert list(found) == STEPS
    pairs = [pair for pair, _ in read_linked(load_config(run / "config.yaml").data.validation)]
    for step in STEPS:
        translator = Translator.load(run / "checkpoints" / f"step-{step:08d}", device="cpu")
        rows = cells(found[step])
        assert len(rows) == 4
        assert all(SentencePair(source, reference) in pairs for source, reference, _ in rows)
        translations = translator.translate([row[0] for row in rows], beam_size=1)
        assert [row[2] for row in rows] == [one.text for one in translations]
    assert len({source for source, *_ in cells(found[STEPS[0]])}) == 4
    assert [row[:2] for row in cells(found[STEPS[0]])] == [row[:2] for row in cells(found[STEPS[-1]])]


def test_pictures_show_the_attention_of_the_same_sentences_at_each_validation(run: Path) -> None:
    """To the byte those of the checkpoint, whose parameters are the average that was validated."""
    events = read(run)
    assert sorted(events.Tags()["images"]) == [f"attention/{number}" for number in (1, 2, 3, 4)]
    rows = cells(text(events, "translations")[STEPS[-1]])
    translator = Translator.load(run / "checkpoints" / "last", device="cpu")
    for number, (source, reference, _) in enumerate(rows, start=1):
        images = events.Images(f"attention/{number}")
        assert [image.step for image in images] == STEPS
        assert len({image.encoded_image_string for image in images}) == len(STEPS)  # the model has changed
        shown = translator.attention_maps(source, reference)[0]
        assert shown.rows[:-1] == tuple(reference.split())
        title = f"validation sentence {number}, step {STEPS[-1]}"
        wanted = attention_image(shown.weights, shown.columns, shown.rows, title=title)
        last = images[-1]
        assert last.encoded_image_string == wanted
        assert pixels(wanted).shape[:2] == (last.height, last.width)


def pixels(png: bytes) -> np.ndarray:
    from matplotlib.image import imread

    return imread(io.BytesIO(png), format="png")


def test_a_picture_in_memory_is_dark_where_the_weight_is() -> None:
    weights = np.zeros((2, 3), np.float32)
    weights[0, 2] = weights[1, 0] = 1.0
    image = pixels(attention_image(weights, ["a", "b", "c"], ["x", "y"], title="t"))
    dark = image[..., 2] - image[..., 0] > 0.3  # blue
    rows, columns = np.nonzero(dark[:, : int(image.shape[1] * 0.75)])  # the color bar left out
    lower, upper = columns[rows > np.median(rows)], columns[rows < np.median(rows)]
    assert np.median(upper) > np.median(lower)


def test_a_resumed_run_hides_what_came_after_the_state_it_resumes_from(
    commands: Commands, run: Path, tmp_path: Path
) -> None:
    """The checkpoint at the end is lost; TensorBoard shows each step once all the same."""
    copy_run(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000012")
    done = commands("train", run / "config.yaml", "--output", tmp_path / "run", "--resume")
    assert done.status == 0, done.err
    assert "resuming from step 8" in done.err
    events = read(tmp_path / "run")
    for tag in ("attention/1", "attention/4"):
        assert [image.step for image in events.Images(tag)] == STEPS
    assert list(text(events, "translations")) == STEPS
    for tag in events.Tags()["scalars"]:
        if tag.partition("/")[2] not in TIMES:
            assert events.Scalars(tag)[-1].step == 12
            assert len({event.step for event in events.Scalars(tag)}) == len(events.Scalars(tag))


def test_samples_change_nothing_of_the_training(commands: Commands, run: Path, tmp_path: Path) -> None:
    done = commands("train", run / "config.yaml", "training.tensorboard=false", "--output", tmp_path / "run")
    assert done.status == 0, done.err
    name = "checkpoints/last/model.safetensors"
    assert (run / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_sentences_that_are_too_long_to_draw_are_passed_over() -> None:
    tokenizers = Translator.load(trained_run(), device="cpu").tokenizers
    short = [SentencePair("one two", "dois um"), SentencePair("three", "três")]
    long = SentencePair(" ".join(["one"] * (LONGEST + 1)), "um")
    blank = SentencePair(" ", "um")
    assert choose_samples([blank, short[0], long, short[1]], tokenizers) == short
    assert choose_samples([blank, long], tokenizers) == [long]
    many = [SentencePair("one " * (1 + number % 7), "um") for number in range(100)]
    assert choose_samples(many, tokenizers) == [many[number] for number in (0, 25, 50, 75)]
    assert choose_samples([blank], tokenizers) == []


def test_a_text_cannot_be_markup(tmp_path: Path) -> None:
    translator = Translator.load(trained_run(), device="cpu")
    source = "one | <script>alert(1)</script> *two* [x](javascript:y)"
    board = TensorBoard(tmp_path / "tensorboard")
    pairs = [SentencePair(source, "um dois")]
    decoding = translator.decoding.greedy()
    samples = Samples(
        board, translator.model, translator.tokenizers, pairs, decoding=decoding, averaged=lambda: nullcontext()
    )
    samples.write({"kind": "train", "step": 3})
    samples.write({"kind": "validation", "step": 5})
    samples.close()
    board.close()
    (shown,) = text(read(tmp_path), "translations").items()
    assert shown[0] == 5
    assert cells(shown[1])[0][:2] == [source, "um dois"]
    assert not set("<>*[]()_`") & set(shown[1].splitlines()[2])


@pytest.mark.parametrize(
    ("library", "message"),
    [
        ("tensorboard", r"training.tensorboard needs tensorboard: pip install 'seq2seq-attn\[tensorboard\]'"),
        ("matplotlib", r"training.tensorboard needs matplotlib: pip install 'seq2seq-attn\[plot\]'"),
    ],
)
def test_a_missing_library_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, message: str
) -> None:
    config = load_config(write_config(tmp_path), ["training.tensorboard=true"])
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=message):
        prepare_run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_without_attention_has_translations_and_no_pictures(commands: Commands, tmp_path: Path) -> None:
    changes = {**CHANGES, "model.attention": "none", "training.max_epochs": 1}
    done = commands("train", write_config(tmp_path, changes), "--output", tmp_path / "run")
    assert done.status == 0, done.err
    events = read(tmp_path / "run")
    assert events.Tags()["images"] == []
    assert list(text(events, "translations")) == [4]
