"""Translate test sets and score the translations."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn.checkpoint.folders import find_checkpoint
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.by_length import LengthBucket, score_by_length
from seq2seq_attn.evaluation.metrics import MetricOptions, MetricScore, check_metrics, score_corpus
from seq2seq_attn.experiment.origin import Origin, digest_of, origin_of
from seq2seq_attn.experiment.run_folder import EVALUATION
from seq2seq_attn.experiment.splits import EvaluationSet, read_matching
from seq2seq_attn.exported import is_exported
from seq2seq_attn.files import write_atomic
from seq2seq_attn.translation import Translation, Translator
from seq2seq_attn.translation.members import split_runs

CHUNK = 256  # sentences between two moves of the progress bar


@dataclass(frozen=True)
class Evaluation:
    """A scored test set.

    Attributes:
        judged: sources and references.
        hypotheses: one text per sentence.
        scores: by metric, each with its signature.
        options: how it was scored.
        translations: what the model gave, one per sentence; none when the hypotheses came from a file.
        decoding: how the model searched; None when the hypotheses came from a file.
        origin: what the translations depend on; None when it is not known.
    """

    judged: EvaluationSet
    hypotheses: list[str]
    scores: dict[str, MetricScore]
    options: MetricOptions
    translations: list[Translation]
    decoding: DecodingConfig | None = None
    origin: Origin | None = None

    @property
    def split(self) -> str:
        """The name of the test set."""
        return self.judged.name

    @property
    def pairs(self) -> list[SentencePair]:
        """Sources and first references."""
        return self.judged.pairs

    def by_length(self) -> list[LengthBucket]:
        """Score again, in buckets of source length, by the same metrics but COMET.

        Raises:
            ConfigError: if the sources are not known.
        """
        if self.judged.sources is None:
            raise ConfigError("scores by source length need the sources; name their file with --source")
        return score_by_length(
            self.judged.sources,
            self.hypotheses,
            self.judged.references,
            metrics=[name for name in self.scores if name != "comet"] or ("bleu",),
            options=self.options,
        )

    def to_dict(self) -> dict[str, object]:
        """Return the scores as a machine may read them."""
        return {
            "split": self.split,
            "sentences": len(self.pairs),
            "beam_size": None if self.decoding is None else self.decoding.beam_size,
            "decoding": None if self.decoding is None else self.decoding.model_dump(mode="json"),
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
        }

    def write(self, folder: Path) -> None:
        """Write hypotheses and scores as ``SPLIT.hyp`` and ``SPLIT.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(line.replace("\r", " ").replace("\n", " ") + "\n" for line in self.hypotheses)
        record = {
            **self.to_dict(),
            "origin": None if self.origin is None else asdict(self.origin),
            "hypotheses": digest_of(text),
        }
        write_atomic(folder / f"{self.split}.hyp", text)
        write_atomic(folder / f"{self.split}.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def evaluate(
    translator: Translator,
    pairs: list[SentencePair],
    *,
    split: str,
    decoding: DecodingConfig | None = None,
    metrics: Sequence[str] = ("bleu",),
    options: MetricOptions | None = None,
) -> Evaluation:
    """Translate ``pairs`` and score the translations against their targets.

    Args:
        translator: of a run, or of an ensemble.
        pairs: sentences and reference translations.
        split: what they are called.
        decoding: how to search; by default as the translator was configured.
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: case, tokenization, intervals.

    Raises:
        UserError: if something asked for is unknown.
        DataError: if there is nothing to score.
    """
    judged = EvaluationSet(split, pairs)
    return evaluate_set(translator, judged, decoding=decoding, metrics=metrics, options=options)


def evaluate_set(
    translator: Translator,
    judged: EvaluationSet,
    *,
    decoding: DecodingConfig | None = None,
    metrics: Sequence[str] = ("bleu",),
    options: MetricOptions | None = None,
    origin: Origin | None = None,
) -> Evaluation:
    """Do what :func:`evaluate` does, with any number of references."""
    options = options or MetricOptions()
    check_metrics(metrics, options, references=len(judged.references))
    decoding = decoding or translator.decoding
    translations = translate_set(translator, judged, decoding)
    hypotheses = [found.text for found in translations]
    scores = score_corpus(hypotheses, judged.references, metrics, options=options, sources=judged.sources)
    return Evaluation(judged, hypotheses, scores, options, translations, decoding, origin)


def evaluate_file(
    hypothesis: Path, judged: EvaluationSet, *, metrics: Sequence[str] = ("bleu",), options: MetricOptions | None = None
) -> Evaluation:
    """Score translations that are there already, whoever made them.

    Raises:
        UserError: if something asked for is unknown.
        DataError: if the file is missing or wrong, or has another number of lines than the references.
    """
    options = options or MetricOptions()
    check_metrics(metrics, options, references=len(judged.references), sources=judged.has_sources)
    hypotheses = read_matching(hypothesis, len(judged.pairs), f"the reference ({judged.name})")
    scores = score_corpus(hypotheses, judged.references, metrics, options=options, sources=judged.sources)
    return Evaluation(judged, hypotheses, scores, options, [])


def evaluate_run(
    run: str,
    sets: Sequence[EvaluationSet],
    *,
    search: Callable[[DecodingConfig], DecodingConfig] | None = None,
    metrics: Sequence[str] = ("bleu",),
    options: MetricOptions | None = None,
    device: str = "auto",
    keep: bool = False,
) -> list[Evaluation]:
    """Open a run, translate sets and score them.

    Args:
        run: a run folder, a checkpoint folder inside one, an exported model, or several with commas between them: an
            ensemble.
        sets: what is translated.
        search: makes of the configured search the one that is wanted.
        metrics: names from :data:`~seq2seq_attn.evaluation.metrics.METRICS`.
        options: case, tokenization, intervals.
        device: ``auto``, ``cpu`` or ``cuda``.
        keep: write translations and scores into the run; they must be of its own splits. Nothing is written
            for an ensemble, an exported model, or a checkpoint that was named itself.

    Raises:
        UserError: if something asked for is unknown.
        CheckpointError: if the run is none, or damaged.
        DataError: if there is nothing to score.
    """
    members = split_runs(run)
    home = checkpoint = None
    if len(members) == 1 and not is_exported(members[0]):
        home, checkpoint = find_checkpoint(members[0])
    # not "best", which a training may move meanwhile
    translator = Translator.load(run if checkpoint is None else checkpoint, device=device)
    decoding = translator.decoding if search is None else search(translator.decoding)
    done = []
    for judged in sets:
        origin = None
        if checkpoint is not None:
            origin = origin_of(checkpoint, decoding, judged.sources or [], translator.device.type)
        done.append(
            evaluate_set(translator, judged, decoding=decoding, metrics=metrics, options=options, origin=origin)
        )
        if keep and home is not None and home.resolve() == members[0].resolve():
            done[-1].write(home / EVALUATION)
    return done


def translate_set(translator: Translator, judged: EvaluationSet, decoding: DecodingConfig) -> list[Translation]:
    """Translate all sources of a set, and show how far it is."""
    sources = judged.sources or []
    translations: list[Translation] = []
    with tqdm(total=len(sources), desc=f"translating {judged.name}", unit="sentence", disable=None, leave=False) as bar:
        for begin in range(0, len(sources), CHUNK):
            texts = sources[begin : begin + CHUNK]
            translations += translator.translate(texts, decoding=decoding)
            bar.update(len(texts))
    return translations
