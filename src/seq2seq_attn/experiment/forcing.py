"""Models made to write given translations, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.models.base import Forced, Seq2Seq
from seq2seq_attn.nn.pointer import mixed_log_probs
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, Translator


def force(translator: Translator, pairs: Sequence[SentencePair]) -> Iterator[tuple[Batch, Forced]]:
    """Run a model over sentences and their translations (teacher forcing), those of like length together.

    Pairs with a blank side are left out, and of a sentence no more than what a model reads is taken.
    ``Batch.indices`` say which pairs a batch holds.

    Args:
        translator: the model, put into evaluation mode.
        pairs: sentences and their translations.
    """
    tokenizers, size = translator.tokenizers, translator.decoding.batch_sentences
    most = MAX_SOURCE_TOKENS - 1
    sources = [ids[:most] for ids in tokenizers.source.encode_batch([pair.source for pair in pairs])]
    targets = [ids[:most] for ids in tokenizers.target.encode_batch([pair.target for pair in pairs])]
    wanted = [number for number, pair in enumerate(pairs) if pair.source.strip() and pair.target.strip()]
    wanted.sort(key=lambda number: (len(targets[number]), len(sources[number])))
    model = translator.trained("reading all of a translation at once").eval()
    for begin in range(0, len(wanted), size):
        numbers = wanted[begin : begin + size]
        batch = collate([sources[number] for number in numbers], [targets[number] for number in numbers], numbers)
        batch = batch.to(translator.device)
        with torch.inference_mode():
            forced = model(batch.source, batch.source_lengths, batch.target_in)
        yield batch, forced


@torch.inference_mode()
def log_probs_of(
    model: Seq2Seq, batch: Batch, forced: Forced, row: int, length: int
) -> Float[Tensor, "target_len vocabulary"]:
    """Return the distribution of each token of one sentence; those of a whole batch would fill the memory."""
    features = forced.features[row, :length]
    if forced.generate is None:
        return model.log_probs(features)
    one = slice(row, row + 1)
    return mixed_log_probs(
        model.output(features[None]),
        forced.generate[one, :length],
        forced.weights[one, :length],
        batch.source[one],
    )[0]
