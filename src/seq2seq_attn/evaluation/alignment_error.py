"""How well links between words fit those of a person: precision, recall, alignment error rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seq2seq_attn.alignment import Links, ReferenceLinks


@dataclass(frozen=True)
class AlignmentErrors:
    r"""Links of a whole corpus, counted, and what follows from the counts.

    Och and Ney (2003), "A Systematic Comparison of Various Statistical Alignment Models",
    https://aclanthology.org/J03-1002. With :math:`A` the links found, :math:`S` the sure and
    :math:`P \supseteq S` the possible ones of the reference:

    .. math::
        \text{precision} = \frac{|A \cap P|}{|A|} \qquad
        \text{recall} = \frac{|A \cap S|}{|S|} \qquad
        \text{AER} = 1 - \frac{|A \cap S| + |A \cap P|}{|A| + |S|}

    Where nothing can be counted, nothing was wrong: with no link found precision is 1, with no sure link
    recall is 1, with neither the error rate is 0.

    Attributes:
        sentences: sentence pairs.
        found: links found, :math:`|A|`.
        sure: sure links of the reference, :math:`|S|`.
        found_sure: links found that are sure, :math:`|A \cap S|`.
        found_possible: links found that are possible (or sure), :math:`|A \cap P|`.
    """

    sentences: int
    found: int
    sure: int
    found_sure: int
    found_possible: int

    def __add__(self, other: AlignmentErrors) -> AlignmentErrors:
        """Count the sentences of both."""
        return AlignmentErrors(
            self.sentences + other.sentences,
            self.found + other.found,
            self.sure + other.sure,
            self.found_sure + other.found_sure,
            self.found_possible + other.found_possible,
        )

    @property
    def precision(self) -> float:
        """Share of the links found that are possible."""
        return self.found_possible / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the sure links that were found."""
        return self.found_sure / self.sure if self.sure else 1.0

    @property
    def error_rate(self) -> float:
        """The alignment error rate, 0 to 1; less is better."""
        total = self.found + self.sure
        return 1 - (self.found_sure + self.found_possible) / total if total else 0.0

    def describe(self) -> str:
        """Say it in one line."""
        return (
            f"alignment error rate {self.error_rate:.4f}  precision {self.precision:.4f}  recall {self.recall:.4f}  "
            f"({self.found:,} links found, {self.sure:,} sure ones in the reference, {self.sentences:,} sentences)"
        )

    def to_dict(self) -> dict[str, float]:
        """Return rates and counts as a machine may read them."""
        return {
            "alignment_error_rate": self.error_rate,
            "precision": self.precision,
            "recall": self.recall,
            "sentences": self.sentences,
            "found": self.found,
            "sure": self.sure,
            "found_sure": self.found_sure,
            "found_possible": self.found_possible,
        }


def alignment_errors(hypotheses: Iterable[Links], references: Iterable[ReferenceLinks]) -> AlignmentErrors:
    """Compare links with those of a reference, counted over all sentences.

    Args:
        hypotheses: the links found in each sentence pair; one that is there twice counts once.
        references: the sure and the possible links of each; a sure one is possible, said or not.
    """
    sentences = found = sure = found_sure = found_possible = 0
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        links, certain = set(hypothesis), set(reference.sure)
        sentences += 1
        found += len(links)
        sure += len(certain)
        found_sure += len(links & certain)
        found_possible += len(links & (certain | set(reference.possible)))
    return AlignmentErrors(sentences, found, sure, found_sure, found_possible)
