"""How good is the model now?  Loss, perplexity, BLEU and alignments on the validation split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.batching import collate
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.links import AlignedPair
from seq2seq_attn.data.sampler import BatchSampler
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.evaluation.metrics import score_corpus
from seq2seq_attn.experiment.align import score_alignments
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.losses import batch_loss
from seq2seq_attn.translation import Translator

BATCH_TOKENS = 4096
SENTENCES = 256  # translated between two looks at whether to stop


class Validator:
    """Scores a model on one split, always in the same batches.

    BLEU is that of greedy search: it ranks checkpoints as beam search does, in a fraction of the time.

    Args:
        model: as it is at each call.
        tokenizers: of both languages.
        corpus: the encoded split, for the loss.
        pairs: its sentences, for BLEU, and their gold alignments where there are some.
        decoding: length limits and batch size of the search.
        precision: of the loss' matrix products.
        check: called between batches; may raise to stop.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizers: Tokenizers,
        corpus: EncodedCorpus,
        pairs: Sequence[AlignedPair],
        *,
        decoding: DecodingConfig,
        precision: Precision,
        check: Callable[[], None],
    ) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.decoding = decoding.greedy()
        Translator(model, tokenizers, self.decoding).translate([])  # what is wrong with it is said before training
        self.corpus = corpus
        self.sources = [pair.source for pair, _ in pairs]
        self.references = [pair.target for pair, _ in pairs]
        self.aligned = [one for one in pairs if one.reference is not None] if model.attends else []
        self.precision = precision
        self.check = check

    def __call__(self) -> dict[str, float]:
        """Return ``loss`` (nats per target token), ``perplexity``, ``bleu``.

        Where there are gold alignments, there is an ``alignment_error_rate``, too.
        """
        self.model.eval()
        loss = self._loss()
        translator = Translator(self.model, self.tokenizers, self.decoding)  # of the parameters as they are now
        scores = {"loss": loss, "perplexity": math.exp(min(loss, 700.0)), "bleu": self._bleu(translator)}
        if self.aligned:
            self.check()
            scores["alignment_error_rate"] = score_alignments(translator, self.aligned).error_rate
        return scores

    @torch.inference_mode()
    def _loss(self) -> float:
        sampler = BatchSampler(
            self.corpus.source_lengths, self.corpus.target_lengths, batch_tokens=BATCH_TOKENS, seed=0
        )
        device = next(self.model.parameters()).device
        total, tokens = 0.0, 0
        for numbers in sampler.epoch(0):
            self.check()
            rows = numbers.tolist()
            sources = [self.corpus.source(row) for row in rows]
            batch = collate(sources, [self.corpus.target(row) for row in rows], numbers)
            batch = batch.to(device)
            with self.precision.autocast(device):
                total += float(batch_loss(self.model, batch).negative_log_likelihood)
            tokens += batch.target_tokens
        return total / tokens

    def _bleu(self, translator: Translator) -> float:
        hypotheses: list[str] = []
        for begin in range(0, len(self.sources), SENTENCES):
            self.check()
            texts = self.sources[begin : begin + SENTENCES]
            hypotheses += [found.text for found in translator.translate(texts)]
        return score_corpus(hypotheses, self.references, metrics=("bleu",))["bleu"].score
