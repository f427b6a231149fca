"""Forced decoding: what a model makes of translations that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import check_numbers
from seq2seq_attn.decoding.protocol import Demands, Hypothesis, StateT, StepModel
from seq2seq_attn.decoding.trellis import Trellis
from seq2seq_attn.errors import ConfigError

WatchForced: TypeAlias = Callable[[Int[Array, " rows"], Float[Array, "rows vocab"]], None]


class ForcedSearch:
    """Write what is given, and keep the model's probabilities and attention.

    The model is fed token by token as in any other search, so that a translation a search has found gets the
    numbers it got there.

    Args:
        bos: begin-of-sentence token.
        eos: end-of-sentence token, written behind every target.
        targets: one translation for each sentence of the batch, without ``bos`` and ``eos``; may be empty.
        watch: called at every step with the number of the sentence of each row, and what the model says of the token
            that comes next, before the given one is written.
    """

    def __init__(
        self, *, bos: int, eos: int, targets: Sequence[Sequence[int]], watch: WatchForced | None = None
    ) -> None:
        self.bos = bos
        self.eos = eos
        self.targets = targets
        self.watch = watch

    def __call__(
        self,
        model: StepModel[StateT],
        source: Any,
        source_lengths: Int[Array, " batch"],
        demands: Demands | None = None,
        /,
    ) -> list[list[Hypothesis]]:
        """Return one finished hypothesis per sentence; its score is its log-probability, which may be infinite.

        Raises:
            ConfigError: for targets that do not fit the batch or the model, and for any demand.
        """
        if demands is not None and (any(demands.prefixes) or any(demands.required)):
            raise ConfigError("forced decoding writes what is given: no prefix or phrase can be asked of it")
        if len(self.targets) != len(source_lengths):
            raise ConfigError(
                f"forced decoding has {len(self.targets)} targets, but the batch has {len(source_lengths)} sentences"
            )
        if not self.targets:
            return []
        with arrays.without_gradients(source_lengths):
            trellis, leaves = self._search(model, source, source_lengths)
        paths = trellis.paths()
        return [
            [paths.hypothesis(leaf, eos=self.eos, source_length=source_length)]
            for leaf, source_length in zip(leaves.tolist(), source_lengths.tolist(), strict=True)
        ]

    def _search(
        self, model: StepModel[StateT], source: Any, source_lengths: Int[Array, " batch"]
    ) -> tuple[Trellis, Int[Array, " batch"]]:
        """Run the model; return the record, and in it the end of every sentence."""
        ends = arrays.array([len(target) for target in self.targets], like=source_lengths, dtype="int64")
        width = int(ends.max()) + 1
        lines = [[*target, *[self.eos] * (width - len(target))] for target in self.targets]
        written = arrays.array(lines, like=source_lengths, dtype="int64")
        trellis = Trellis(len(ends), like=source_lengths)
        leaves = arrays.copy(trellis.roots)
        sentences = trellis.roots  # the sentence of each row that is still live
        tokens = arrays.full(sentences.shape, self.bos, like=sentences)
        state = model.start(source, source_lengths)
        for position in range(width):
            log_probs, weights, state = model.step(tokens, state)
            if position == 0:
                _check_tokens(written, log_probs.shape[1])
            if self.watch is not None:
                self.watch(sentences, log_probs)
            tokens = written[sentences, position]
            chosen = arrays.take_along(log_probs, tokens[:, None]).squeeze(1)
            check_numbers(chosen)
            leaves[sentences] = trellis.grow(
                parents=leaves[sentences],
                tokens=tokens,
                log_probs=chosen,
                rows=arrays.arange(len(sentences), like=sentences),
                weights=weights,
            )
            live = ends[sentences] > position
            if not bool(live.all()):
                kept = arrays.places_of(live)
                sentences, tokens = sentences[kept], tokens[kept]
                state = state.select(kept) if len(kept) else state
        return trellis, leaves


def _check_tokens(written: Int[Array, "batch target_len"], vocabulary: int) -> None:
    wrong = (written < 0) | (written >= vocabulary)
    if bool(wrong.any()):
        sentence, position = divmod(int(arrays.places_of(wrong.reshape(-1))[0]), wrong.shape[1])
        raise ConfigError(
            f"the target of sentence {sentence + 1} has token {int(written[sentence, position])}, but the model's "
            f"tokens are 0 to {vocabulary - 1}; encode it with the model's own tokenizer"
        )
