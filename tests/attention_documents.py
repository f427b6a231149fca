"""Attention documents made by hand, with random weights: any script, any number of heads, a beam."""

from __future__ import annotations

import math
import random
from typing import Any

SOURCE = "The girls who live near the old church are very happy ."
TARGET = "Die Mädch+ en , die nahe der alt+ en Kirche leb+ en , sind sehr glück+ lich ."
NASTY = [
    "</script><script>document.title='run'</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)",
    "&lt;b&gt;",
    "\u2028\u2029",
    "\u202eright to left\u202c",
    "\x00\x07",
    "${x}`\\",
]


def token(text: str, *, starts: bool = True) -> dict[str, Any]:
    """A piece of a word, or a whole one."""
    mark = "▁" if starts else ""
    return {"token": mark + text, "surface": (" " if starts else "") + text, "word_start": starts, "special": False}


END = {"token": "</s>", "surface": "", "word_start": False, "special": True}
START = {"token": "<s>", "surface": "", "word_start": False, "special": True}


def tokens(sentence: str) -> list[dict[str, Any]]:
    """Tokens of words with spaces between them; ``old+ er`` are two of one word."""
    found, starts = [], True
    for piece in sentence.split(" "):
        found.append(token(piece.removesuffix("+"), starts=starts))
        starts = not (piece.endswith("+") and len(piece) > 1)
    return [*found, END]


def text(sentence: str) -> str:
    return sentence.replace("+ ", "")


def weights(rows: int, columns: int, chance: random.Random, *, sharpness: float = 1.5) -> list[list[float]]:
    """Rows that sum to 1, nearly along the diagonal."""
    found = []
    for row in range(rows):
        middle = row * (columns - 1) / max(rows - 1, 1)
        energies = [-sharpness * abs(column - middle) + chance.gauss(0, 0.8) for column in range(columns)]
        total = sum(map(math.exp, energies))
        found.append([round(math.exp(energy) / total, 4) for energy in energies])
    return found


def panel(
    source: str = SOURCE,
    target: str = TARGET,
    *,
    name: str = "model",
    seed: int = 1,
    layers: int = 1,
    heads: int = 0,
    languages: tuple[str, str] = ("en", "de"),
    beam: bool = True,
) -> dict[str, Any]:
    """A translation with all that a document can say of it."""
    chance = random.Random(seed)
    read, written = tokens(source), tokens(target)
    shapes = {"encoder": (len(read),) * 2, "decoder": (len(written),) * 2, "cross": (len(written), len(read))}
    maps = [{"part": "cross", "layer": layers, "head": 0, "weights": weights(*shapes["cross"], chance)}]
    maps += [
        {"part": part, "layer": layer, "head": head, "weights": weights(*shape, chance, sharpness=head)}
        for part, shape in (shapes.items() if heads else ())
        for layer in range(1, layers + 1)
        for head in range(1, heads + 1)
    ]
    log_probs = [round(-abs(chance.gauss(0, 0.5)), 6) for _ in written]
    return {
        "name": name,
        "source": text(source),
        "text": text(target),
        "forced": False,
        "finished": True,
        "source_language": languages[0],
        "target_language": languages[1],
        "score": round(sum(log_probs) / len(log_probs), 6),
        "log_prob": round(sum(log_probs), 6),
        "source_tokens": read,
        "tokens": written,
        "log_probs": log_probs,
        "alignment": [],
        "maps": maps,
        "alternatives": [_alternatives(one, log_prob) for one, log_prob in zip(written, log_probs, strict=True)],
        "beam": _beam(written, log_probs, chance) if beam else None,
    }


def document(*panels: dict[str, Any], title: str = "a sentence") -> dict[str, Any]:
    return {"format": "seq2seq_attn attention 1", "title": title, "panels": list(panels)}


def _alternatives(chosen: dict[str, Any], log_prob: float) -> list[dict[str, Any]]:
    rest = 1 - math.exp(log_prob)
    others = [
        {"token": token(word), "log_prob": round(math.log(max(rest * share, 1e-9)), 6)}
        for word, share in (("other", 0.6), ("another", 0.3), ("more", 0.1))
    ]
    return sorted([{"token": chosen, "log_prob": log_prob}, *others], key=lambda one: -one["log_prob"])


def _beam(written: list[dict[str, Any]], log_probs: list[float], chance: random.Random) -> dict[str, Any]:
    """A path that is returned, with two that are kept beside it and two that are pruned at every step."""
    nodes = [_node(0, None, START, 0.0, 0.0, 0, "kept", "")]
    best, live, total = 0, [0], 0.0
    for step, (one, log_prob) in enumerate(zip(written, log_probs, strict=True), start=1):
        total += log_prob
        last = step == len(written)
        nodes.append(_node(len(nodes), best, one, log_prob, total / step, step, "returned" if last else "kept", ""))
        best = len(nodes) - 1
        kept = [best]
        for rank in range(4):
            fate = "pruned" if rank > 1 or last else "kept"
            why = "5 hypotheses were better" if fate == "pruned" else ""
            word = token(f"w{step}.{rank}")
            score = -1 - chance.random()
            nodes.append(_node(len(nodes), chance.choice(live), word, score, score, step, fate, why))
            if fate == "kept":
                kept.append(len(nodes) - 1)
        live = kept
    return {"beam_size": 3, "scored_by": "log-probability per token", "nodes": nodes, "returned": [best]}


def _node(
    number: int,
    parent: int | None,
    one: dict[str, Any],
    log_prob: float,
    score: float,
    length: int,
    fate: str,
    why: str,
) -> dict[str, Any]:
    numbers = {"log_prob": round(log_prob, 6), "score": round(score, 6), "length": length}
    return {"id": number, "parent": parent, "token": one, **numbers, "fate": fate, "why": why}
