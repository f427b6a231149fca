"""Recurrent models that copy: every mechanism and wiring mixes what it attends to into what it says."""

from __future__ import annotations

import math
import random
from pathlib import Path

import plain
import pytest
import tiny
import torch
import yaml
from building import (
    BOS,
    EOS,
    PAD,
    SOURCE_VOCABULARY,
    TARGET_VOCABULARY,
    Case,
    Sentences,
    assert_same,
    papers_wiring,
    sentences,
    small_model,
    wirings_of,
)
from specs import NAMES
from torch import Tensor

from seq2seq_attn import Translator, train
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.decoding import BeamSearch, LengthLimit
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.pointer import mixed_log_probs
from seq2seq_attn.training.losses import batch_loss

BATCH = sentences()
SOURCE_MASK = torch.arange(BATCH.source.shape[1]) < BATCH.source_lengths.unsqueeze(1)
TARGET_MASK = torch.arange(BATCH.target_in.shape[1]) < BATCH.target_lengths.unsqueeze(1)
CASES = list(
    dict.fromkeys(
        [papers_wiring(name) for name in NAMES if name != "none"]
        + [case for name in ("luong-general", "hard-monotonic") for case in wirings_of(name)],
    )
)
DEEP = {"encoder": {"layers": 2}, "decoder": {"layers": 2}}

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_wiring = pytest.mark.parametrize("case", wirings_of("luong-general"), ids=str)


def copying_model(case: Case, *, dtype: torch.dtype = torch.float64) -> RNNSeq2Seq:
    return small_model(case, dtype=dtype, copying=True, **DEEP)


def forced(model: RNNSeq2Seq, rows: Sentences) -> tuple[Tensor, Tensor]:
    """Log-probabilities at every target position and the probability of generating."""
    found = model(rows.source, rows.source_lengths, rows.target_in)
    assert found.generate is not None
    log_probs = mixed_log_probs(model.output(found.features), found.generate, found.weights, rows.source)
    return log_probs, found.generate


def batch_of(rows: Sentences) -> Batch:
    return Batch(*rows, indices=torch.arange(len(rows.source)), target_tokens=int(rows.target_lengths.sum()))


def loss_and_gradients(model: RNNSeq2Seq, rows: Sentences, smoothing: float = 0.1) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    loss = batch_loss(model, batch_of(rows), smoothing=smoothing)
    loss.smoothed.backward()
    gradients = {name: part.grad for name, part in model.named_parameters() if part.grad is not None}
    return {"smoothed": loss.smoothed.detach(), "likelihood": loss.negative_log_likelihood, **gradients}


@every_case
def test_the_gate_reads_context_state_and_embedding(case):
    model = copying_model(case)
    seen: list[tuple[Tensor, ...]] = []
    gate = model.decoder.copy_gate
    assert gate is not None
    gate.register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    found = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    ((context, state, embedded),) = seen
    assert_same(embedded, model.target_embedding(BATCH.target_in))
    memory = model.start(BATCH.source, BATCH.source_lengths).memory
    if (
        memory.values.dim() == 3 and memory.values.shape[2] == context.shape[2]
    ):  # one look: its weights are all there is
        assert_same(context, found.weights @ memory.values)
    assert state.shape == (*BATCH.target_in.shape, model.decoder.stack.hidden_size)
    assert_same(found.generate, gate(context, state, embedded))


@every_case
def test_the_loss_is_equation_9_summed_over_target_tokens(case):
    model = copying_model(case)
    found = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    assert found.generate is not None
    loss = batch_loss(model, batch_of(BATCH), smoothing=0.1)
    logits = model.output(found.features)
    smoothed = likelihood = 0.0
    for row, (source, _, target_out) in enumerate(BATCH.rows()):
        for step, target in enumerate(target_out):
            vocabulary = plain.softmax(logits[row, step].tolist())
            weights = found.weights[row, step, : len(source)].tolist()
            generate = 1 - (1 - found.generate[row, step].item()) * math.fsum(weights)
            copied = [0.0] * TARGET_VOCABULARY
            for token, weight in zip(source, weights, strict=True):
                copied[token] += (1 - found.generate[row, step].item()) * weight
            surprises = [-math.log(generate * one + other) for one, other in zip(vocabulary, copied, strict=True)]
            likelihood += surprises[target]
            smoothed += 0.9 * surprises[target] + 0.1 * plain.mean([[surprise] for surprise in surprises])[0]
    assert_same(loss.negative_log_likelihood, likelihood, 1e-10)
    assert_same(loss.smoothed, smoothed, 1e-10)


@every_case
def test_search_steps_give_what_teacher_forcing_gives(case):
    model = copying_model(case)
    log_probs, _ = forced(model, BATCH)
    assert_same(log_probs.exp().sum(-1), torch.ones_like(log_probs[..., 0]))
    state = model.start(BATCH.source, BATCH.source_lengths)
    for position in range(BATCH.target_in.shape[1]):
        step = model.step(BATCH.target_in[:, position], state)
        state = step.state
        assert_same(step.log_probs, log_probs[:, position], 1e-11)


@every_case
def test_selected_rows_copy_from_their_own_sentences(case):
    model = copying_model(case)
    log_probs, _ = forced(model, BATCH)
    rows = torch.tensor([2, 2, 0, 3, 2, 1])
    state = model.start(BATCH.source, BATCH.source_lengths)
    state = model.step(BATCH.target_in[:, 0], state).state.select(rows)
    step = model.step(BATCH.target_in[rows, 1], state)
    assert_same(step.log_probs, log_probs[rows, 1], 1e-11)
    again = torch.tensor([5, 0, 3])
    step = model.step(BATCH.target_in[rows[again], 2], step.state.select(again))
    assert_same(step.log_probs, log_probs[rows[again], 2], 1e-11)


@every_case
def test_a_sentence_alone_or_in_any_order_of_the_batch(case):
    model = copying_model(case)
    log_probs, generate = forced(model, BATCH)
    order = torch.tensor([3, 1, 0, 2])
    mixed, mixed_generate = forced(model, Sentences(*(part[order] for part in BATCH)))
    assert_same(mixed, log_probs[order])
    assert_same(mixed_generate, generate[order])
    for row, (source, target_in, target_out) in enumerate(BATCH.rows()):
        ids = (torch.tensor([tokens]) for tokens in (source, target_in, target_out))
        source_ids, target_in_ids, target_out_ids = ids
        lengths = torch.tensor([len(source)]), torch.tensor([len(target_in)])
        alone = Sentences(source_ids, lengths[0], target_in_ids, target_out_ids, lengths[1])
        assert_same(forced(model, alone)[0][0], log_probs[row, : len(target_in)], 1e-11)


@every_case
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_garbage_behind_the_end_changes_neither_loss_nor_any_gradient(case, smoothing):
    """Standing for: a padded position whose token the target happens to want."""
    model = copying_model(case)
    generator = torch.Generator().manual_seed(9)
    garbage = torch.randint(EOS, SOURCE_VOCABULARY, BATCH.source.shape, generator=generator)
    wanted = BATCH.target_out[:, :1].expand(BATCH.source.shape).clamp(max=SOURCE_VOCABULARY - 1)
    clean = loss_and_gradients(model, BATCH, smoothing)
    for tokens in (garbage, wanted):
        spoilt = BATCH._replace(source=torch.where(SOURCE_MASK, BATCH.source, tokens))
        assert not torch.equal(spoilt.source, BATCH.source)
        for name, part in loss_and_gradients(model, spoilt, smoothing).items():
            assert torch.equal(part, clean[name]), name
        assert torch.equal(forced(model, spoilt)[0][TARGET_MASK], forced(model, BATCH)[0][TARGET_MASK])


@every_wiring
def test_more_padding_changes_nothing(case):
    model = copying_model(case)
    wide = BATCH._replace(source=torch.nn.functional.pad(BATCH.source, (0, 5), value=PAD))
    clean = loss_and_gradients(model, BATCH)
    for name, part in loss_and_gradients(model, wide).items():
        assert_same(part, clean[name], 1e-11)


@every_case
def test_every_parameter_learns(case):
    model = copying_model(case)
    learned = {name for name, part in loss_and_gradients(model, BATCH).items() if part.any()}
    assert {name for name, _ in model.named_parameters()} <= learned


@every_wiring
def test_bfloat16_stays_close_to_float32(case):
    model = copying_model(case, dtype=torch.float32)
    for parameter in model.parameters():
        parameter.data *= 0.4  # the size of trained weights; larger ones amplify any rounding
    exact, _ = forced(model, BATCH)
    with torch.autocast("cpu", torch.bfloat16):
        low, generate = forced(model, BATCH)
        step = model.step(BATCH.target_in[:, 0], model.start(BATCH.source, BATCH.source_lengths))
        loss = batch_loss(model, batch_of(BATCH)).smoothed
    assert low.dtype == step.log_probs.dtype == generate.dtype == loss.dtype == torch.float32
    torch.testing.assert_close(low, exact, rtol=0, atol=0.05)
    torch.testing.assert_close(step.log_probs, low[:, 0], rtol=0, atol=0.05)
    torch.testing.assert_close(low.exp().sum(-1), torch.ones_like(low[..., 0]), rtol=0, atol=1e-5)
    loss.backward()
    assert all(part.grad is None or part.grad.isfinite().all() for part in model.parameters())


@every_case
def test_beam_search_ranks_by_the_mixed_distribution(case):
    model = copying_model(case)
    search = BeamSearch(bos=BOS, eos=EOS, forbidden=(PAD,), beam_size=3, limit=LengthLimit(ratio=1.0))
    for row, hypotheses in enumerate(search(model, BATCH.source, BATCH.source_lengths)):
        best = hypotheses[0]
        tokens = [BOS, *best.tokens]
        said = [*best.tokens, EOS] if best.finished else [*best.tokens]
        source = BATCH.source[row : row + 1]
        read = model(source, BATCH.source_lengths[row : row + 1], torch.tensor([tokens[: len(said)]]))
        assert read.generate is not None
        log_probs = mixed_log_probs(model.output(read.features), read.generate, read.weights, source)[0]
        wanted = sum(log_probs[step, token].item() for step, token in enumerate(said))
        assert best.log_prob == pytest.approx(wanted, abs=1e-9)


def test_a_model_that_does_not_copy_has_no_gate():
    case = Case("luong-general", "luong", True)
    model = small_model(case)
    assert model(BATCH.source, BATCH.source_lengths, BATCH.target_in).generate is None
    assert not any("copy" in name for name, _ in model.named_parameters())


KNOWN, UNSEEN = [f"known{number}" for number in range(40)], [f"unseen{number}" for number in range(20)]
FIRST_WORD = {
    "tokenizer": {"kind": "word", "shared": True},
    "model.embedding_size": 32,
    "model.dropout": 0.0,
    "model.encoder": {"hidden_size": 32},
    "model.decoder": {"hidden_size": 48},
    "training.optimizer": {"learning_rate": 0.01},
    "training.label_smoothing": 0.0,
    "training.batch_sentences": 32,
    "training.max_epochs": 3,
    "data.test": {},
    "decoding.beam_size": 1,
}


def write_first_words(folder: Path) -> None:
    """Pairs of a sentence and its first word, which in training is always one of the known."""
    chance = random.Random(7)
    folder.mkdir()
    for split, size, first in (("train", 1000, KNOWN), ("validation", 20, UNSEEN)):
        words = [[chance.choice(first), *chance.choices(KNOWN + UNSEEN, k=chance.randint(1, 3))] for _ in range(size)]
        (folder / f"{split}.en").write_text("".join(f"{' '.join(line)}\n" for line in words), encoding="utf-8")
        (folder / f"{split}.pt").write_text("".join(f"{line[0]}\n" for line in words), encoding="utf-8")


def learn_first_words(folder: Path, *, copying: bool) -> int:
    """Train; return how many of 20 words that no training target holds come out right."""
    write_first_words(folder)
    config = folder / "config.yaml"
    tree = tiny.settings(folder, {**FIRST_WORD, "model.copying": copying})
    config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    train(config, output=folder / "run")
    lines = (folder / "validation.en").read_text(encoding="utf-8").splitlines()
    translations = Translator.load(folder / "run", checkpoint="last").translate(lines)
    return sum(found.text == line.split()[0] for found, line in zip(translations, lines, strict=True))


def test_words_that_no_training_target_holds_are_copied(tmp_path):
    """Standing for: a gate or a copy that is built, trained and never reaches what is said."""
    assert learn_first_words(tmp_path / "copying", copying=True) >= 18
    assert learn_first_words(tmp_path / "generating", copying=False) == 0
