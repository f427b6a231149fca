"""How good is the model now?  Loss, perplexity, scores of translations and alignments on the validation split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch

from seq2seq_attn.config.schema import Config, DecodingConfig, TrainingConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.links import AlignedPair, alignment_files
from seq2seq_attn.data.sampler import BatchSampler
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.alignment_error import alignment_errors
from seq2seq_attn.evaluation.metrics import METRICS, score_corpus
from seq2seq_attn.experiment.align import score_alignments
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.guard_memory import NoMemory, is_out_of_memory, learn_in_parts
from seq2seq_attn.training.interrupts import Interrupts
from seq2seq_attn.training.losses import batch_loss
from seq2seq_attn.translation import Translator

T = TypeVar("T")

BATCH_TOKENS = 4096
SENTENCES = 256  # translated between two looks at whether to stop
ERROR_RATE = "alignment_error_rate"
_LONG = "without the longest lines of the validation text: there is not even memory to read one pair of them alone"


def text_metrics(training: TrainingConfig) -> tuple[str, ...]:
    """Return what translations are scored by in validation: BLEU, what decides, and what was asked for besides."""
    asked = ("bleu", training.validation_metric, *(training.validation_metrics or ()))
    return tuple(dict.fromkeys(name for name in asked if name in METRICS))


def validation_search(config: Config) -> DecodingConfig:
    """Return how translations are searched for in validation: as always, but greedily or with a beam of its own."""
    return config.decoding.greedy().model_copy(update={"beam_size": config.training.validation_beam_size})


def check_validation(config: Config, model: Seq2Seq) -> None:
    """Refuse a metric that this validation could not give.

    Raises:
        ConfigError: if training follows the alignment error rate, and there are no gold alignments or no attention.
    """
    if config.training.validation_metric != ERROR_RATE:
        return
    if not model.attends:
        raise ConfigError(
            f"training.validation_metric is {ERROR_RATE!r}, but this model has no attention weights to take links "
            f"from (model.attention is {config.model.attention!r}); choose another metric, or an attention"
        )
    if not alignment_files(config.data.validation):
        raise ConfigError(
            f"training.validation_metric is {ERROR_RATE!r}, but data.validation has no gold alignments: name their "
            "files as data.validation.alignments (a line per pair, such as 0-0 1-2), or choose another metric"
        )


class Validator:
    """Scores a model on one split, always in the same batches.

    Greedy search ranks checkpoints as beam search does, in a fraction of the time. Of several processes each does
    its share; all of them get the same scores.

    Args:
        model: as it is at each call.
        tokenizers: of both languages.
        corpus: the encoded split, for the loss.
        pairs: its sentences, to translate, and their gold alignments where there are some.
        decoding: how they are translated (:func:`validation_search`).
        metrics: what the translations are scored by (:func:`text_metrics`).
        precision: of the loss' matrix products.
        interrupts: asked between batches whether to stop.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizers: Tokenizers,
        corpus: EncodedCorpus,
        pairs: Sequence[AlignedPair],
        *,
        decoding: DecodingConfig,
        metrics: Sequence[str],
        precision: Precision,
        interrupts: Interrupts,
    ) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.decoding = decoding
        self.metrics = metrics
        Translator(model, tokenizers, self.decoding).translate([])  # what is wrong with it is said before training
        self.corpus = corpus
        self.sources = [pair.source for pair, _ in pairs]
        self.references = [pair.target for pair, _ in pairs]
        self.aligned = [one for one in pairs if one.reference is not None] if model.attends else []
        self.precision = precision
        self.check = interrupts.check
        self.ranks = interrupts.ranks

    def __call__(self) -> dict[str, float]:
        """Return ``loss`` (nats per target token), ``perplexity``, and the score of each metric by its name.

        Where there are gold alignments, there is an ``alignment_error_rate``, too.

        Raises:
            NoMemory: if there is none for a batch.
        """
        self.model.eval()
        scores = {"loss": self._loss()}
        scores["perplexity"] = math.exp(min(scores["loss"], 700.0))
        lack = _Lack()
        with lack:
            translator = Translator(self.model, self.tokenizers, self.decoding)  # of the parameters as they are now
        self._agree(lack)
        scores |= self._translate(translator)
        if self.aligned:
            self.check()
            scores[ERROR_RATE] = self._error_rate(translator)
        return scores

    @torch.inference_mode()
    def _loss(self) -> float:
        sampler = BatchSampler(
            self.corpus.source_lengths, self.corpus.target_lengths, batch_tokens=BATCH_TOKENS, seed=0
        )
        device = next(self.model.parameters()).device
        tokens, lack = 0, _Lack()
        losses: list[float] = []
        part_losses: list[float] = []

        def add(part: Batch) -> None:
            with self.precision.autocast(device):
                part_losses.append(float(batch_loss(self.model, part).negative_log_likelihood))

        for numbers in sampler.epoch(0):
            self.check()
            self._agree(lack, _LONG)
            rows = self._share(numbers.tolist())
            if not rows:
                continue
            sources = [self.corpus.source(row) for row in rows]
            batch = collate(sources, [self.corpus.target(row) for row in rows], rows)
            with lack:
                learn_in_parts([batch.to(device)], add, part_losses.clear)
            losses.append(sum(part_losses))
            part_losses.clear()
            tokens += batch.target_tokens
        self._agree(lack, _LONG)
        found = self.ranks.gather((sum(losses), tokens))
        return sum(loss for loss, _ in found) / sum(count for _, count in found)

    def _translate(self, translator: Translator) -> dict[str, float]:
        hypotheses: list[str] = []
        lack = _Lack()
        block = SENTENCES * self.ranks.size
        for begin in range(0, len(self.sources), block):
            self.check()
            self._agree(lack)
            with lack:
                texts = self._share(self.sources[begin : begin + block])
                hypotheses += [found.text for found in translator.translate(texts)]
        self._agree(lack)
        shares = self.ranks.gather(hypotheses)

        def score() -> dict[str, float]:
            found = score_corpus(_in_turn(shares, block, len(self.sources)), self.references, self.metrics)
            return {name: score.score for name, score in found.items()}

        return self.ranks.first(score)

    def _error_rate(self, translator: Translator) -> float:
        lack = _Lack()
        found = alignment_errors([], [])
        with lack:
            found = score_alignments(translator, self._share(self.aligned))
        self._agree(lack)
        first, *others = self.ranks.gather(found)
        return sum(others, first).error_rate

    def _share(self, items: Sequence[T]) -> Sequence[T]:
        return items[self.ranks.number :: self.ranks.size]

    def _agree(self, lack: _Lack, mend: str | None = None) -> None:
        """Go on if there was memory enough in all processes."""
        if self.ranks.any(lack.error is not None):
            usual = (
                f"a decoding.batch_sentences below {self.decoding.batch_sentences}, which says how many sentences are "
                "translated at once"
            )
            raise NoMemory(f"no memory for validation; go on with --resume and {mend or usual}") from lack.error


class _Lack:
    """Notes that memory ran out in a block, which is left then; the process goes on, as all others do, to tell them."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if error is None or not (isinstance(error, NoMemory) or is_out_of_memory(error)):
            return False
        self.error = error.with_traceback(None)  # or else it would keep what the block had allocated
        return True


def _in_turn(shares: Sequence[Sequence[str]], block: int, total: int) -> list[str]:
    """Put texts in order: of each block of ``block`` texts every process had every so-manyth."""
    waiting = [iter(share) for share in shares]
    return [next(waiting[number % block % len(shares)]) for number in range(total)]
