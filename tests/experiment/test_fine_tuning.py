"""A training that begins with another run, with word vectors, or with parts that do not learn."""

from __future__ import annotations

import json
import math
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands, Done
from safetensors.torch import load_file
from tiny import ENGLISH, PORTUGUESE, write_config, write_corpus

from seq2seq_attn import load_checkpoint, load_config
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.experiment.initial import initialize

WITHOUT_TEST = {"data.test": {}, "training.max_epochs": 1}
SUBWORDS = {
    "tokenizer.kind": "sentencepiece",
    "tokenizer.vocabulary_size": 43,
    "tokenizer.shared": True,
    "model.tie_embeddings": "all",
}
SOURCE, TARGET = "source_embedding.table.weight", "target_embedding.table.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the first corpus, a second one with other words, and what was trained on the first."""
    folder = tmp_path_factory.mktemp("fine-tuning")
    write_corpus(folder / "first")
    write_corpus(folder / "second", seed=2)
    for path in (folder / "second").glob("*.??"):
        # "zero" is unknown to the new vocabularies, "ten" and "dez" to the old ones
        path.write_text(path.read_text().replace("zero", "ten" if path.suffix == ".en" else "dez"))
    return folder


class Training:
    """Trains in the module's folder; each run once."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.commands, self.folder = commands, folder
        self.done: dict[str, Done] = {}

    def __call__(self, name: str, changes: dict[str, Any], *, corpus: str = "second", **strike: Any) -> Path:
        run = self.folder / name
        if name not in self.done:
            self.done[name] = self.attempt(name, changes, corpus=corpus, **strike)
            assert self.done[name].status == 0, self.done[name].err
        return run

    def attempt(self, name: str, changes: dict[str, Any], *, corpus: str = "second", **strike: Any) -> Done:
        config = write_config(self.folder / corpus, WITHOUT_TEST | changes, name=f"{name}.yaml")
        return self.commands("train", config, "--output", self.folder / name, "--resume", **strike)

    def base(self) -> Path:
        return self("base", {"training.max_epochs": 2}, corpus="first")


@pytest.fixture(scope="module")
def training(commands: Commands, folder: Path) -> Training:
    return Training(commands, folder)


def parameters(run: Path, checkpoint: str = "best") -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / checkpoint / "model.safetensors")


def words(run: Path, side: str) -> list[str]:
    tokenizer = getattr(Tokenizers.load(run / "tokenizer"), side)
    return [tokenizer.id_to_token(number) for number in range(len(tokenizer))]


def initial(run: Path) -> dict[str, Any]:
    return json.loads((run / "initial.json").read_text(encoding="utf-8"))


def test_rows_come_over_by_token_and_frozen_parts_stay_as_they_are(training: Training) -> None:
    base = training.base()
    freeze = {"training.freeze": ["*_embedding.*", "output.*"], "model.dropout": 0.0}
    fresh = parameters(training("fresh", freeze))
    run = training("rows", freeze | {"training.initial": str(base)})
    there, here = parameters(base), parameters(run)
    for name, side in ((SOURCE, "source"), (TARGET, "target"), ("output.weight", "target"), ("output.bias", "target")):
        old = dict(zip(words(base, side), there[name].tolist(), strict=True))
        assert ("ten" if side == "source" else "dez") not in old
        wanted = [old.get(word, row) for word, row in zip(words(run, side), fresh[name].tolist(), strict=True)]
        assert here[name].tolist() == wanted, name
    learned = [name for name in here if "embedding" not in name and not name.startswith("output")]
    assert learned
    for name in learned:
        assert not torch.equal(here[name], there[name]), name
        assert not torch.equal(here[name], fresh[name]), name
    report = initial(run)["initial"]
    assert (report["whole"], report["rows"], report["fresh"]) == (len(learned), 4, 0)
    rows = {one["name"]: (one["rows"], one["tokens"]) for one in report["parameters"] if one["tokens"]}
    assert rows == dict.fromkeys((SOURCE, TARGET, "output.weight", "output.bias"), (13, 14))
    best = (base / "checkpoints" / "best").resolve()
    assert (report["run"], report["checkpoint"]) == (str(base), best.name)
    assert report["step"] == int(best.name.removeprefix("step-"))
    err = training.done["rows"].err
    assert (
        f"beginning with the parameters of {base} ({best.name}): {len(learned)} taken over whole, 4 in rows, 0 fresh"
        in err
    )
    assert f"{SOURCE}: 13 of 14 rows (92.9%)" in err
    total = sum(value.numel() for value in here.values())
    assert f"{total:,} parameters ({sum(here[name].numel() for name in learned):,} of them learn), " in err


@pytest.mark.parametrize(
    "changes",
    [
        {"training.optimizer": {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.5}},
        {"training.ema": 0.5},
        {"model.copying": True, **SUBWORDS},
    ],
    ids=["weight decay", "average", "copying"],
)
def test_a_frozen_encoder_is_the_same_bytes_after_training(training: Training, changes: dict[str, Any]) -> None:
    name = "-".join(changes)
    base = training(f"base-{name}", changes, corpus="first")
    run = training(f"frozen-{name}", changes | {"training.initial": str(base), "training.freeze": "encoder.*"})
    there, here = parameters(base), parameters(run)
    assert there.keys() == here.keys()
    for key, value in here.items():
        assert (value.shape == there[key].shape and torch.equal(value, there[key])) == key.startswith("encoder."), key


def test_a_resumed_run_does_not_read_the_other_one_again(training: Training, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    shutil.copytree(training.base(), gone, symlinks=True)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("".join(f"{word} {' '.join(['0.5'] * 11)}\n" for word in ENGLISH))
    changes = {
        "training.initial": str(gone),
        "tokenizer.reuse": str(gone),
        "model.source_vectors": str(vectors),
        "training.freeze": ["bridge.*"],
        "training.max_epochs": 3,
        "model.dropout": 0.3,
    }
    whole = training("whole", changes)
    assert training.attempt("again", changes, signal_at=(6, signal.SIGTERM)).status == 143
    written = initial(training.folder / "again")
    shutil.rmtree(gone)
    vectors.unlink()
    done = training.attempt("again", changes)
    assert done.status == 0, done.err
    assert "resuming from step" in done.err
    assert "beginning with" not in done.err
    again = training.folder / "again"
    assert initial(again) == written == initial(whole)
    for name in ("best", "last"):
        model = Path("checkpoints", name, "model.safetensors")
        assert (again / model).read_bytes() == (whole / model).read_bytes()


def test_the_other_runs_tokenizer(training: Training) -> None:
    base = training("base-subwords", SUBWORDS, corpus="first")
    run = training("reuse", SUBWORDS | {"tokenizer.reuse": str(base), "training.initial": str(base)})
    learned = training("relearned", SUBWORDS)
    model = Path("tokenizer", "shared")
    contents = [{path.name: path.read_bytes() for path in (one / model).iterdir()} for one in (base, run, learned)]
    assert contents[0] == contents[1] != contents[2]
    report = initial(run)["initial"]
    assert (report["rows"], report["fresh"], report["unused"]) == (0, 0, [])
    assert f"taking the tokenizer of {base}: there is none yet" in training.done["reuse"].err
    done = training.attempt("reuse", SUBWORDS | {"tokenizer.reuse": str(base), "training.initial": str(base)})
    assert "reusing the tokenizer" in done.err


def test_a_tokenizer_that_changed_is_taken_again(training: Training, commands: Commands, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(training.base(), other, symlinks=True)
    config = write_config(training.folder / "second", {"tokenizer.reuse": str(other)}, name="changed.yaml")

    def prepare() -> str:
        return commands("prepare", config, "--output", tmp_path / "run").err

    assert "there is none yet" in prepare()
    assert "reusing the tokenizer" in prepare()
    vocabulary = other / "tokenizer" / "target" / "vocabulary.txt"
    vocabulary.write_text(vocabulary.read_text(encoding="utf-8").replace("oito", "otto"), encoding="utf-8")
    assert f"taking the tokenizer of {other}: changed since: tokenizer.reuse" in prepare()
    assert "otto" in words(tmp_path / "run", "target")


def test_the_random_numbers_of_training_are_not_touched(training: Training, tmp_path: Path) -> None:
    base = training.base()
    loaded = load_checkpoint(base)
    config = load_config(base / "config.yaml", {"training.initial": str(base)})
    before = torch.get_rng_state()
    initialize(config, tmp_path, loaded.model, loaded.tokenizer, lambda line: None)
    assert initial(tmp_path)["initial"]["unused"] == []
    assert torch.equal(torch.get_rng_state(), before)


def write_vectors(path: Path, size: int = 11) -> dict[str, list[float]]:
    vectors = {
        word: [math.sin(place * 3.7 + rank) for place in range(size)] for rank, word in enumerate(PORTUGUESE[:7])
    }
    path.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in vectors.items()), encoding="utf-8")
    return vectors


def test_word_vectors_are_what_embeddings_begin_with(training: Training, tmp_path: Path) -> None:
    vectors = write_vectors(tmp_path / "vec.txt")
    freeze = {"training.freeze": "*_embedding.*"}
    fresh = parameters(training("fresh-embeddings", freeze))
    run = training("vectors", freeze | {"model.target_vectors": str(tmp_path / "vec.txt")})
    here = parameters(run)
    tokens = words(run, "target")
    found = {token: vectors[token] for token in tokens if token in vectors}
    mean_square = sum(number**2 for row in found.values() for number in row) / (11 * len(found))
    factor = 1 / math.sqrt(11 * mean_square)
    for token, row, other in zip(tokens, here[TARGET].tolist(), fresh[TARGET].tolist(), strict=True):
        wanted = [number * factor for number in found[token]] if token in found else other
        assert row == pytest.approx(wanted, rel=1e-6), token
    assert torch.equal(here[SOURCE], fresh[SOURCE])
    record = initial(run)["target_vectors"]
    assert record.pop("factor") == pytest.approx(factor)
    assert record == {"vectors": str(tmp_path / "vec.txt"), "rows": len(found), "tokens": len(tokens)}
    assert len(found) == 6  # "zero" is not in this text
    assert (
        "vectors of 6 of 14 target tokens (60.0% without the special symbols), multiplied"
        in training.done[run.name].err
    )


def test_what_the_other_run_learned_comes_before_vectors(training: Training, tmp_path: Path) -> None:
    (tmp_path / "vec.txt").write_text(f"dez {' '.join(['1'] * 11)}\num {' '.join(['1'] * 11)}\n")
    base = training.base()
    changes = {"training.initial": str(base), "model.target_vectors": str(tmp_path / "vec.txt")}
    run = training("both", changes | {"training.freeze": TARGET})
    there, here = parameters(base), parameters(run)
    old, new = words(base, "target"), words(run, "target")
    assert torch.equal(here[TARGET][new.index("um")], there[TARGET][old.index("um")])
    assert here[TARGET][new.index("dez")].tolist() == pytest.approx([11**-0.5] * 11)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.initial": "no/such/run"}, "training.initial: no/such/run: no such run folder (working directory: "),
        ({"model.source_vectors": "glove.6B.10d"}, "model.source_vectors: glove.6B.10d: no such file, and not a name"),
        ({"training.freeze": "encoder"}, "training.freeze: 'encoder' matches no parameter of this model; did you mean"),
        ({"training.freeze": "*"}, "training.freeze: every parameter is frozen"),
        (
            {"tokenizer.reuse": "no/such/run"},
            "tokenizer.reuse: no/such/run/tokenizer/source: there is no tokenizer here",
        ),
        ({"tokenizer.reuse": "BASE", "tokenizer.shared": True}, "tokenizer.shared is true, but that of BASE is false,"),
        (
            {"tokenizer.reuse": "BASE", "tokenizer.kind": "character"},
            "tokenizer.kind is character, but that of BASE is word, which tokenizer.reuse takes; set tokenizer.kind to",
        ),
        (
            {"model.target_vectors": "VECTORS", "model.embedding_size": 12},
            "VECTORS has vectors of 11 numbers, but model.embedding_size is 12; set it to 11, or use other vectors",
        ),
        (
            {"model.source_vectors": "FOREIGN"},
            "FOREIGN: has none of the 14 source tokens; check that language, case and encoding are those of the source",
        ),
        (
            SUBWORDS | {"model.source_vectors": "VECTORS", "model.target_vectors": "VECTORS"},
            "model.target_vectors: tie_embeddings is 'all': there is one table only; remove this key",
        ),
        (
            {"model.source_vectors": "VECTORS", "tokenizer.kind": "character"},
            "model.source_vectors: vectors of words, but tokenizer.kind is 'character'; remove this key",
        ),
    ],
    ids=str,
)
def test_wrong_requests(training: Training, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_vectors(tmp_path / "vec.txt")
    (tmp_path / "foreign.txt").write_text("hund 1 2 3 4 5 6 7 8 9 10 11\n")
    places = {
        "BASE": str(training.base()),
        "VECTORS": str(tmp_path / "vec.txt"),
        "FOREIGN": str(tmp_path / "foreign.txt"),
    }
    for word, place in places.items():
        message = message.replace(word, place)
        changes = {key: place if value == word else value for key, value in changes.items()}
    done = training.attempt(f"wrong-{tmp_path.name}", changes)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(training.folder.glob(f"wrong-{tmp_path.name}/checkpoints/*"))


def transformer(size: int, **changes: Any) -> dict[str, Any]:
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "heads": 1, "feed_forward_size": 8}
    model = {"architecture": "transformer", "embedding_size": size, "tie_embeddings": "none", "transformer": sizes}
    return {"model": {**model, **changes}}


def test_nothing_that_fits_is_an_error(training: Training) -> None:
    """The bias of the output layer is all that two models of other kind and size have in common."""
    done = training.attempt("nothing", transformer(12) | {"training.initial": str(training.base())})
    assert done.status == 2
    assert "training.initial: nothing of " in done.err
    assert f"fits this model ({SOURCE}: fresh, 14 x 12 here, 14 x 11 there); give it the sizes" in done.err
    assert not (training.folder / "nothing" / "initial.json").exists()


def test_embeddings_alone_are_something(training: Training) -> None:
    changes = transformer(11, tie_embeddings="target") | {"training.initial": str(training.base())}
    run = training("other-kind", changes | {"training.freeze": "*_embedding.*"})
    there, here = parameters(training.base()), parameters(run)
    for name, side, word in ((SOURCE, "source", "one"), (TARGET, "target", "um")):
        row, old = words(run, side).index(word), words(training.base(), side).index(word)
        assert torch.equal(here[name][row], there[name][old])
    report = initial(run)["initial"]
    assert {one["name"] for one in report["parameters"] if one["how"] != "fresh"} == {SOURCE, TARGET, "output.bias"}
    listed = [line for line in training.done[run.name].err.splitlines() if "fresh, the other model has none" in line]
    assert 5 < len(listed) <= 12
    more = len([one for one in report["parameters"] if one["how"] == "fresh"]) + len(report["unused"]) - 12
    assert f"  and {more} more, see initial.json" in training.done[run.name].err
    assert any(name.startswith("decoder.") for name in report["unused"])
