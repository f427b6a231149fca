"""The beam of one sentence as a tree: every hypothesis that was considered, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from seq2seq_attn.data.tokenizers import BOS, EOS, Tokenizer
from seq2seq_attn.decoding import BeamStep, Considered, Hypothesis, Scoring
from seq2seq_attn.translation.tokens import Token, token_of
from seq2seq_attn.translation.translation import rounded

NodeFate: TypeAlias = Literal["kept", "finished", "returned", "pruned"]
"""Extended; ended, but not among the best; given back; or fallen."""

_BEGINNING = "every hypothesis begins here"


@dataclass(frozen=True)
class BeamNode:
    """One token of one or more hypotheses.

    Attributes:
        id: its number in the beam.
        parent: the number of what it continues; None for the root, which stands for no token.
        token: what it is.
        log_prob: natural logarithm of its probability behind what was written before.
        score: what search ranks the hypothesis by that ends with it.
        length: tokens of that hypothesis.
        fate: what became of it.
        why: the reason, for people.
    """

    id: int
    parent: int | None
    token: Token
    log_prob: float
    score: float
    length: int
    fate: NodeFate
    why: str

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON can hold it; an infinite number as None."""
        return {
            "id": self.id,
            "parent": self.parent,
            "token": self.token.to_dict(),
            "log_prob": rounded(self.log_prob),
            "score": rounded(self.score),
            "length": self.length,
            "fate": self.fate,
            "why": self.why,
        }


@dataclass(frozen=True)
class Beam:
    """All hypotheses of one sentence that a beam search considered.

    Attributes:
        beam_size: hypotheses that there is room for.
        scored_by: what scores are, for people.
        nodes: parents before what continues them; the first is the root.
        returned: the ends of the hypotheses that were given back, best first.
    """

    beam_size: int
    scored_by: str
    nodes: tuple[BeamNode, ...]
    returned: tuple[int, ...]

    def path(self, node: int) -> list[BeamNode]:
        """Return the tokens of the hypothesis that ends with a node, without the root."""
        path = []
        at: int | None = node
        while at:
            path.append(self.nodes[at])
            at = self.nodes[at].parent
        return path[::-1]

    def to_dict(self) -> dict[str, object]:
        """Return all of it as JSON can hold it."""
        return {
            "beam_size": self.beam_size,
            "scored_by": self.scored_by,
            "nodes": [node.to_dict() for node in self.nodes],
            "returned": list(self.returned),
        }


def grow_beam(
    steps: Sequence[BeamStep], found: Sequence[Hypothesis], tokenizer: Tokenizer, *, beam_size: int, scoring: Scoring
) -> Beam:
    """Make the tree of a search.

    Args:
        steps: what it did with its one sentence.
        found: what it gave back.
        tokenizer: of the target.
        beam_size: hypotheses that there was room for.
        scoring: what it ranked by.
    """
    root = BeamNode(0, None, token_of(tokenizer, BOS), 0.0, 0.0, 0, "kept", _BEGINNING)
    nodes = [root]
    numbers = {0: 0}  # by node of the search, whose root is 0 as well
    spelled: dict[int, tuple[int, ...]] = {0: ()}
    for step in steps:
        begin = len(nodes)
        for number, one in enumerate(step.considered, start=begin):
            parent = numbers[one.parent]
            if one.node is not None:
                numbers[one.node] = number
            spelled[number] = (*spelled[parent], one.token)
            nodes.append(
                BeamNode(
                    number,
                    parent,
                    token_of(tokenizer, one.token),
                    one.log_prob,
                    one.score,
                    step.length,
                    one.fate if one.fate in ("kept", "finished") else "pruned",
                    "",
                )
            )
        # only now: what one fell behind may have been considered after it
        for number, one in enumerate(step.considered, start=begin):
            rival = None if one.rival is None else nodes[numbers[one.rival]]
            nodes[number] = replace(nodes[number], why=_why(one, rival, spelled, tokenizer))
    written = {spelled[number]: number for number in numbers.values()}
    ends = [written[(*one.tokens, EOS) if one.finished else one.tokens] for one in found]
    for place, end in enumerate(ends, start=1):
        how = "" if found[place - 1].finished else "cut off at the longest length; "
        nodes[end] = replace(nodes[end], fate="returned", why=f"{how}number {place} of what was returned")
    return Beam(beam_size, scored_by(scoring), tuple(nodes), tuple(ends))


def scored_by(scoring: Scoring) -> str:
    """Say what hypotheses are ranked by."""
    power = "" if scoring.length_penalty == 1 else f" to the power of {scoring.length_penalty:g}"
    text = {
        "none": "log-probability",
        "average": f"log-probability / length{power}",
        "gnmt": f"log-probability / ((5 + length) / 6){power}",
        "reward": f"log-probability + {scoring.length_penalty:g} * length",
    }[scoring.normalization]
    return f"{text} + {scoring.coverage_penalty:g} * coverage at the end" if scoring.coverage_penalty else text


def _why(one: Considered, rival: BeamNode | None, spelled: Mapping[int, tuple[int, ...]], tokenizer: Tokenizer) -> str:
    """Return the reason of a fate, for people."""
    other = "others"
    if rival is not None:
        text = "".join(tokenizer.surface(token) for token in spelled[rival.id]).strip()
        ended = " and its end" if rival.token.special else ""
        other = f"{text!r}{ended} at {rival.score:.4f}"
    return {
        "kept": "among the best of its length",
        "finished": "ended, and overtaken by what was returned",
        "outscored": f"the beam was full: outscored by {other}",
        "overtaken": f"outscored by {other}, which had ended",
        "yielded": f"its place went to {other}, so that groups differ or required phrases get on",
        "forbidden": "forbidden by a rule",
        "settled": f"the sentence was settled: nothing that could follow would overtake {other}",
        "limit": "as long as a translation may be, and outscored by what was returned",
    }[one.fate]
