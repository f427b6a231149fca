"""What is likely wrong with a run, each finding with its evidence and its mend."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn.checkpoint import load_checkpoint
from seq2seq_attn.checkpoint.folders import (
    CHECKPOINTS,
    CONFIG,
    MANIFEST,
    TOKENIZER,
    find_checkpoint,
    read_run_config,
)
from seq2seq_attn.checkpoint.info import INFO
from seq2seq_attn.checkpoint.load import Checkpoint
from seq2seq_attn.config.schema import Config, DecodingConfig
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import CheckpointError, DataError
from seq2seq_attn.evaluation.metrics import score_corpus
from seq2seq_attn.experiment.run_folder import CORPUS, METRICS
from seq2seq_attn.experiment.symptoms.facts import Split
from seq2seq_attn.experiment.symptoms.finding import SEVERITIES, Finding, unchecked
from seq2seq_attn.experiment.symptoms.hypotheses import Outcome, check_hypotheses, check_scores
from seq2seq_attn.experiment.symptoms.learning import check_learning
from seq2seq_attn.experiment.symptoms.lengths import check_cut, check_dropped, check_lengths, check_reach
from seq2seq_attn.experiment.symptoms.looking import check_attention
from seq2seq_attn.experiment.symptoms.reading import (
    find_shared,
    read_counts,
    read_encoded,
    read_log,
    read_text,
    spread,
)
from seq2seq_attn.experiment.symptoms.splits import check_file_names, check_leak, check_swapped, check_untranslated
from seq2seq_attn.experiment.symptoms.vocabulary import check_overlap, check_size, check_unknown
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, Translation, Translator

SENTENCES = 200
"""Validation sentences that are translated."""

CHUNK = 64  # sentences between two moves of the progress bar

TITLES = {"problem": "PROBLEM", "warning": "WARNING", "note": "note"}


@dataclass(frozen=True)
class Examination:
    """What was found in a run.

    Attributes:
        run: the run folder.
        findings: the worst first; what is fine and what could not be looked at is among them.
    """

    run: Path
    findings: tuple[Finding, ...]

    def of(self, *severities: str) -> list[Finding]:
        """Return the findings of these severities."""
        return [one for one in self.findings if one.severity in severities]

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {"run": str(self.run), "findings": [one.to_dict() for one in self.findings]}


def examine(path: Path, *, sentences: int = SENTENCES, device: str = "auto") -> Examination:
    """Look at everything a run says of itself; translate some validation sentences where they are at hand.

    Args:
        path: a run folder, or a checkpoint folder inside one.
        sentences: validation sentences to translate; 0 for none.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        CheckpointError: if the folder is no run.
    """
    run = _run_of(path)
    config = read_run_config(run)
    findings = [
        *_examine_text(run, config),
        *check_learning(read_log(run / METRICS), config.training, config.model.dropout),
        *_examine_model(path, config, sentences, device),
    ]
    findings.sort(key=lambda one: SEVERITIES.index(one.severity))  # stable: families stay together
    return Examination(run, tuple(findings))


def _run_of(path: Path) -> Path:
    """Return the run folder; unlike elsewhere it may be without a checkpoint yet."""
    if path.is_dir() and (path / CONFIG).is_file() and not any((path / name).is_file() for name in (INFO, MANIFEST)):
        return path
    return find_checkpoint(path)[0]


def _examine_text(run: Path, config: Config) -> list[Finding]:
    names = check_file_names(config.data)
    try:
        tokenizers = Tokenizers.load(run / TOKENIZER)
        train, corpus = read_encoded("train", run / CORPUS / "train", tokenizers)
        validation, encoded_validation = read_encoded("validation", run / CORPUS / "validation", tokenizers)
    except (CheckpointError, DataError) as error:
        why = f"the prepared text of the run cannot be read: {error}"
        return [names, *(unchecked(symptom, why) for symptom in ("unknown tokens", "sentence lengths", "leak"))]
    splits, missing = [train, validation], []
    numbers = range(len(encoded_validation))
    encoded: dict[str, Sequence[tuple[Sequence[int], Sequence[int]]]] = {
        "validation": [
            (encoded_validation.source(number).tolist(), encoded_validation.target(number).tolist())
            for number in numbers
        ]
    }
    for name, test in config.data.test.items():
        try:
            split, encoded[name] = read_text(name, test, tokenizers)
            splits.append(split)
        except DataError as error:
            missing.append(unchecked("test text", f"{name} cannot be read: {error}"))
    if not config.data.test:
        missing.append(unchecked("test text", "the configuration names no test set"))
    return [names, *_compare(run, config, splits, corpus, encoded), *missing]


def _compare(
    run: Path,
    config: Config,
    splits: Sequence[Split],
    corpus: EncodedCorpus,
    encoded: dict[str, Sequence[tuple[Sequence[int], Sequence[int]]]],
) -> list[Finding]:
    train, *others = splits
    others = [split for split in others if split.size]
    return [
        *check_unknown(splits, config.tokenizer),
        *check_size(train, config.tokenizer),
        *(check_overlap(train, split) for split in others),
        *check_dropped(read_counts(run / CORPUS), config.data.max_length, splits),
        *(check_lengths(train, split) for split in others),
        *check_cut(splits, MAX_SOURCE_TOKENS),
        *check_reach(splits, config),
        *(check_leak(shared) for shared in find_shared(corpus, encoded)),
        *check_swapped(train, splits),
        check_untranslated(train),
    ]


def _examine_model(path: Path, config: Config, sentences: int, device: str) -> list[Finding]:
    symptoms = ("translations", "attention")
    if sentences < 1:
        return [unchecked(symptom, "no sentences were to be translated") for symptom in symptoms]
    try:
        checkpoint = load_checkpoint(path, device=device)
    except CheckpointError as error:
        if any((path / CHECKPOINTS).glob("step-*")):
            mend = "take another checkpoint of the run, or train again with --resume"
            return [Finding("problem", "checkpoint", "the checkpoint cannot be opened", str(error), mend)]
        return [unchecked(symptom, f"there is no model: {error}") for symptom in symptoms]
    try:
        pairs = list(read_corpus(config.data.validation))
    except DataError as error:
        return [unchecked(symptom, f"the validation text cannot be read: {error}") for symptom in symptoms]
    chosen = [pairs[number] for number in spread(len(pairs), sentences)]
    if not any(pair.source.strip() for pair in chosen):
        return [unchecked(symptom, "the validation text is blank") for symptom in symptoms]
    return _judge(checkpoint, chosen, whole=len(chosen) == len(pairs))


def _judge(checkpoint: Checkpoint, pairs: Sequence[SentencePair], *, whole: bool) -> list[Finding]:
    translator = Translator(checkpoint.model, checkpoint.tokenizer, checkpoint.config.decoding)
    decoding, training = translator.decoding, checkpoint.config.training
    greedy = _translate(translator, pairs, decoding.greedy(), "greedy search")
    found = greedy
    if decoding != decoding.greedy():
        found = _translate(translator, pairs, decoding, f"beam {decoding.beam_size}")
    is_beam = decoding.sampling is None and decoding.minimum_risk is None
    outcomes = [
        Outcome(pair.source, pair.target, one.text, one.finished) for pair, one in zip(pairs, found, strict=True)
    ]
    return [
        *check_hypotheses(outcomes, translator.decoding),
        *check_scores(
            greedy=_bleu(greedy, pairs),
            beam=_bleu(found if is_beam else greedy, pairs),
            beam_size=decoding.beam_size if is_beam else 1,
            # of validation with a beam there is no score of greedy search to compare with
            logged=checkpoint.metrics.get("bleu") if training.validation_beam_size == 1 else None,
            perplexity=checkpoint.metrics.get("perplexity"),
            whole=whole,
        ),
        *check_attention([one.attention for one in found]),
    ]


def _translate(
    translator: Translator, pairs: Sequence[SentencePair], decoding: DecodingConfig, search: str
) -> list[Translation]:
    found: list[Translation] = []
    with tqdm(total=len(pairs), desc=f"translating, {search}", unit="sentence", disable=None, leave=False) as bar:
        for begin in range(0, len(pairs), CHUNK):
            texts = [pair.source for pair in pairs[begin : begin + CHUNK]]
            found += translator.translate(texts, decoding=decoding)
            bar.update(len(texts))
    return found


def _bleu(translations: Sequence[Translation], pairs: Sequence[SentencePair]) -> float:
    return score_corpus([one.text for one in translations], [pair.target for pair in pairs])["bleu"].score


def format_examination(examination: Examination) -> str:
    """Write an examination for a terminal: first what is wrong, then what is not, then what nobody knows."""
    lines = [str(examination.run)]
    wrong = examination.of(*TITLES)
    for one in wrong:
        lines += ["", *_wrapped(f"{TITLES[one.severity]:<8} {one.symptom}: {one.message}", 9)]
        if one.evidence:
            lines += _wrapped(f"         evidence: {one.evidence}", 19)
        if one.mend:
            lines += _wrapped(f"         mend:     {one.mend}", 19)
    if not wrong:
        lines += ["", "nothing wrong was found"]
    for severity, title in (("fine", "fine"), ("unchecked", "could not be checked")):
        rest = examination.of(severity)
        if rest:
            lines += ["", f"{title}:"]
            for one in rest:
                lines += _wrapped(f"  {one.symptom}: {one.message}", 4)
    return "\n".join(lines)


def _wrapped(line: str, indent: int) -> list[str]:
    # names of files and keys stay whole, to be copied
    return textwrap.wrap(line, 120, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
