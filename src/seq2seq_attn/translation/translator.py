"""Text in, translations out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch

from seq2seq_attn.alignment import link_words, word_numbers
from seq2seq_attn.checkpoint import load_checkpoint
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.batching import collate_source
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, SPECIALS, UNK, Tokenizer, Tokenizers
from seq2seq_attn.decoding import BeamSearch, GreedySearch, Hypothesis, LengthLimit, Scoring, Search
from seq2seq_attn.errors import UserError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.translation.translation import TokenMap, Translation, blank

MAX_SOURCE_TOKENS = 1024
"""Longer source sentences are cut, and say so: their attention alone would fill the memory."""


class Translator:
    """A model with its tokenizers: translates texts in batches, in any order, one at a time or many.

    Args:
        model: in evaluation mode.
        tokenizers: of both languages.
        decoding: how to search when a call does not say.
    """

    def __init__(self, model: Seq2Seq, tokenizers: Tokenizers, decoding: DecodingConfig) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.decoding = decoding

    @classmethod
    def load(cls, run: str | Path, *, device: str = "auto", checkpoint: str = "best") -> Translator:
        """Open a run folder, or a checkpoint folder inside one.

        Args:
            run: the folder.
            device: ``auto``, ``cpu`` or ``cuda``.
            checkpoint: ``best``, ``last`` or ``step-...``; only for a run folder.

        Raises:
            CheckpointError: if the folder is no run, or something in it is missing, damaged or foreign.
        """
        loaded = load_checkpoint(run, device=device, checkpoint=checkpoint)
        return cls(loaded.model, loaded.tokenizer, loaded.config.decoding)

    @cached_property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_sentences: int | None = None,
    ) -> list[Translation]:
        """Translate sentences; the result has their order. A blank one gives a blank one.

        Args:
            texts: one sentence each.
            beam_size: hypotheses kept per sentence; 1 is greedy search.
            length_penalty: exponent of the length a log-probability is divided by.
            batch_sentences: sentences translated at once.

        Raises:
            ConfigError: if a number makes no sense.
        """
        found = self.n_best(
            texts, count=1, beam_size=beam_size, length_penalty=length_penalty, batch_sentences=batch_sentences
        )
        return [translations[0] for translations in found]

    def n_best(
        self,
        texts: Sequence[str],
        *,
        count: int,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_sentences: int | None = None,
    ) -> list[list[Translation]]:
        """Return the ``count`` best translations of each sentence, best first; see :meth:`translate`."""
        search = self._search(count, beam_size, length_penalty)
        size = batch_sentences or self.decoding.batch_sentences
        found: list[list[Translation]] = [[blank(text)] * count for text in texts]
        encoded = self.tokenizers.source.encode_batch(texts)
        wanted = [number for number, text in enumerate(texts) if text.strip()]
        # sentences of like length side by side: less padding to compute
        wanted.sort(key=lambda number: len(encoded[number]), reverse=True)
        for begin in range(0, len(wanted), size):
            numbers = wanted[begin : begin + size]
            sources = [encoded[number][: MAX_SOURCE_TOKENS - 1] for number in numbers]
            source, lengths = collate_source(sources)
            hypotheses = search(self.model, source.to(self.device), lengths.to(self.device))
            for number, ids, candidates in zip(numbers, sources, hypotheses, strict=True):
                truncated = len(ids) < len(encoded[number])
                found[number] = [self._translation(texts[number], ids, best, truncated) for best in candidates]
        return found

    def attention_maps(
        self, text: str, target: str | Translation | None = None, *, beam_size: int | None = None
    ) -> list[TokenMap]:
        """Return where every head of every layer looks; first the map that stands for the model.

        Args:
            text: a source sentence; a blank one gives no maps.
            target: what the model is to write: a sentence, one of its own translations, or (None) the
                translation it finds now.
            beam_size: of the search for that.

        Raises:
            UserError: if the target is longer than anything a model is shown.
        """
        if not text.strip():
            return []
        if target is None:
            target = self.translate([text], beam_size=beam_size)[0]
        if isinstance(target, Translation):
            tokens = target.tokens[:-1] if target.finished else target.tokens
            written = [self.tokenizers.target.token_to_id(token) for token in tokens] + [EOS] * target.finished
        else:
            written = [*self.tokenizers.target.encode(target), EOS]
        if len(written) > MAX_SOURCE_TOKENS:
            raise UserError(f"the target has {len(written)} tokens, but at most {MAX_SOURCE_TOKENS} are looked from")
        if not written:
            return []
        ids = self.tokenizers.source.encode(text)[: MAX_SOURCE_TOKENS - 1]
        read = [BOS, *written[:-1]]
        source, lengths = collate_source([ids])
        with torch.inference_mode():
            maps = self.model.attention_maps(
                source.to(self.device), lengths.to(self.device), torch.tensor([read], device=self.device)
            )
        source_tokens = self._tokens(self.tokenizers.source, [*ids, EOS])
        written_tokens = self._tokens(self.tokenizers.target, written)
        labels = {
            "encoder": (source_tokens, source_tokens),
            "decoder": (written_tokens, self._tokens(self.tokenizers.target, read)),
            "cross": (written_tokens, source_tokens),
        }
        return [
            TokenMap(part, layer, head, weights[0].float().cpu().numpy(), *labels[part])
            for part, layer, head, weights in maps
        ]

    def _tokens(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(tokenizer.id_to_token(token) for token in ids)

    def _search(self, count: int, beam_size: int | None, length_penalty: float | None) -> Search:
        beam_size = self.decoding.beam_size if beam_size is None else beam_size
        length_penalty = self.decoding.length_penalty if length_penalty is None else length_penalty
        limit = LengthLimit(ratio=self.decoding.max_length_ratio)
        forbidden = (PAD, UNK)
        if beam_size == 1 and count == 1:
            return GreedySearch(bos=BOS, eos=EOS, forbidden=forbidden, limit=limit)
        return BeamSearch(
            bos=BOS,
            eos=EOS,
            beam_size=beam_size,
            n_best=count,
            scoring=Scoring(length_penalty=length_penalty),
            limit=limit,
            forbidden=forbidden,
        )

    def _translation(self, text: str, ids: Sequence[int], best: Hypothesis, truncated: bool) -> Translation:
        source, target = self.tokenizers.source, self.tokenizers.target
        end = (SPECIALS[EOS],)
        weights = best.weights.float().numpy()
        return Translation(
            source=text,
            text=target.decode(best.tokens),
            score=best.score,
            log_prob=best.log_prob,
            tokens=tuple(target.id_to_token(token) for token in best.tokens) + (end if best.finished else ()),
            source_tokens=tuple(source.id_to_token(token) for token in ids) + end,
            attention=weights,
            finished=best.finished,
            truncated=truncated,
            alignment=link_words(
                weights,
                source.word_numbers(text)[: len(ids)],
                word_numbers([target.is_word_start(token) for token in best.tokens]),
            ),
        )
