"""A lexicon from what a trained model looks at, for the words that it cannot write.

Luong, Pham and Manning (2015) have such a lexicon from a word aligner. Here the model itself
is made to write its training text: the source word that a target word got most weight from is counted as its
translation, also for the words that are unknown tokens to the model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn import Translator
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.experiment.forcing import force
from seq2seq_attn.files import write_atomic

CHUNK = 1024
MOST_PAIRS = 50_000
"""Of a larger training text the first pairs are enough."""


def make_lexicon(translator: Translator, pairs: Sequence[SentencePair], output: Path) -> int:
    """Write ``source<TAB>target`` words, for each source word the most frequent; return how many there are.

    Args:
        translator: of a model with attention.
        pairs: its training text.
        output: the file.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    pairs = pairs[:MOST_PAIRS]
    with tqdm(total=len(pairs), desc="lexicon", unit="pair", disable=None, leave=False) as bar:
        for begin in range(0, len(pairs), CHUNK):
            chunk = pairs[begin : begin + CHUNK]
            _count(translator, chunk, counts)
            bar.update(len(chunk))
    # of equally frequent ones the first in the alphabet, so that the same model writes the same file
    best = {source: min(found, key=lambda word: (-found[word], word)) for source, found in counts.items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(output, "".join(f"{source}\t{best[source]}\n" for source in sorted(best)))
    return len(best)


def _count(translator: Translator, pairs: Sequence[SentencePair], counts: defaultdict[str, Counter[str]]) -> None:
    source, target = translator.tokenizers.source, translator.tokenizers.target
    for batch, forced in force(translator, pairs):
        looked = forced.weights.argmax(-1).tolist()
        for row, number in enumerate(batch.indices.tolist()):
            from_numbers, from_words = source.units(pairs[number].source)
            to_numbers, to_words = target.units(pairs[number].target)
            for token, word in enumerate(to_numbers[: int(batch.target_lengths[row]) - 1]):
                begins = token == 0 or to_numbers[token - 1] != word  # a word counts once, however many tokens it has
                place = looked[row][token]
                if begins and place < len(from_numbers) and from_numbers[place] < len(from_words):
                    words = from_words[from_numbers[place]], to_words[word] if word < len(to_words) else ""
                    if all(words):
                        counts[words[0]][words[1]] += 1
