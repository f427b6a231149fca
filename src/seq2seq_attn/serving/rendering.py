"""What is sent of translations; made by the thread that translates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_attn.serving.messages import AttendRequest
from seq2seq_attn.serving.models import ServedModel
from seq2seq_attn.serving.work import Ask, Render
from seq2seq_attn.translation import Translation, Translator
from seq2seq_attn.translation.document import attention_document, attention_panel

WORDS = ("text", "score", "log_prob", "finished", "truncated")
WEIGHTS = ("tokens", "source_tokens", "token_log_probs", "alignment", "attention")
ALTERNATIVES = 8


def render_results(model: ServedModel, *, weights: bool, panel: bool = False) -> Render:
    """Return what makes the result of a sentence.

    Args:
        model: what translates.
        weights: whether tokens and weights are part of it.
        panel: whether what the attention view draws is.
    """
    keys = WORDS + WEIGHTS if weights else WORDS

    def render(translator: Translator, found: Sequence[Translation]) -> dict[str, Any]:
        translations = []
        for place, one in enumerate(found):
            everything = one.to_dict()
            chosen = {key: everything[key] for key in keys}
            if panel:
                # heads of all layers are many numbers: those of the best one will do
                chosen["panel"] = attention_panel(
                    translator,
                    one,
                    name=model.name,
                    languages=model.languages,
                    alternatives=ALTERNATIVES,
                    heads=place == 0,
                )
            translations.append(chosen)
        return {"source": found[0].source, "translations": translations}

    return render


def render_document(model: ServedModel, asked: AttendRequest) -> Render:
    """Return what makes the attention document of a sentence."""

    def render(translator: Translator, found: Sequence[Translation]) -> dict[str, Any]:
        forced = asked.target is not None
        beam = None
        if asked.beam and not forced:
            beam = translator.beam(asked.text, decoding=model.decoding_of(Ask("translate", asked.beam_size)))
        panel = attention_panel(
            translator,
            found[0],
            name=model.name,
            languages=model.languages,
            forced=forced,
            alternatives=asked.alternatives,
            beam=beam,
            heads=asked.heads,
        )
        return attention_document([panel], title=asked.text)

    return render


def panel_so_far(translator: Translator, begun: Translation, model: ServedModel) -> dict[str, Any]:
    """Return what the attention view draws of a translation that is being written."""
    return attention_panel(translator, begun, name=model.name, languages=model.languages, alternatives=0, heads=False)
