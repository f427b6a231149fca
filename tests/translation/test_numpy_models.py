"""Translators over models that compute with numpy's arrays, against the same models of torch's; and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from translators import small_translator, some_sentences

from seq2seq_attn import Translator
from seq2seq_attn.errors import UserError
from seq2seq_attn.inference import OnNumpy, prepare
from seq2seq_attn.translation import Constraint, Translation
from seq2seq_attn.translation.members import Member

SENTENCES = [*some_sentences(9), ""]
NAMES = ["bahdanau", "transformer"]


def on_numpy(translator: Translator) -> Translator:
    """The same models, as those see them that know nothing of torch."""
    members = [
        Member(OnNumpy(prepare(member.model), torch.device("cpu")), member.tokenizers) for member in translator.members
    ]
    return Translator(*members[0], translator.decoding, others=members[1:])


def check_same(found: list[Translation], wanted: list[Translation]) -> None:
    assert [one.tokens for one in found] == [one.tokens for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert one.alignment == other.alignment
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-6)


WAYS = {
    "beam": {"beam_size": 4},
    "greedy": {"beam_size": 1},
    "scored": {"beam_size": 3, "length_normalization": "gnmt", "coverage_penalty": 0.3, "min_length": 2},
    "rules": {"beam_size": 3, "no_repeat_ngram": 1, "forbidden": ("t5",), "replace_unknown": True},
    "sampled": {"sampling": {"top_p": 0.9}, "minimum_risk": {"candidates": 4}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_they_translate_as_the_models_of_torch_do(name, way):
    translator = small_translator(name, **WAYS[way])
    other = on_numpy(translator)
    assert other.attends
    check_same(other.translate(SENTENCES), translator.translate(SENTENCES))


def test_constraints_scores_and_ensembles_are_the_same_too():
    translator = small_translator("bahdanau", "luong-dot", beam_size=4)
    other = on_numpy(translator)
    constraints = [Constraint(prefix="t4 t6", required=("t7",) * (place % 2)) for place in range(len(SENTENCES))]
    wanted = translator.translate(SENTENCES, constraints=constraints)
    check_same(other.translate(SENTENCES, constraints=constraints), wanted)
    check_same(other.score(SENTENCES, wanted), translator.score(SENTENCES, wanted))
    mixed = Translator(*other.members[0], translator.decoding, others=translator.members[1:])
    check_same(mixed.translate(SENTENCES), translator.translate(SENTENCES))


def test_the_map_of_such_a_model_is_what_it_looked_at_while_it_wrote():
    translator = small_translator("transformer", beam_size=3)
    found = translator.translate(SENTENCES[:1])[0]
    (only,) = on_numpy(translator).attention_maps(SENTENCES[0], found)
    first = translator.attention_maps(SENTENCES[0], found)[0]
    assert (only.part, only.layer, only.head, only.rows, only.columns) == ("cross", 1, 0, first.rows, first.columns)
    np.testing.assert_allclose(only.weights, first.weights, atol=1e-5)
    (given,) = on_numpy(translator).attention_maps(SENTENCES[0], "t4 t9")
    assert given.rows == ("t4", "t9", "</s>")
    np.testing.assert_allclose(given.weights, translator.attention_maps(SENTENCES[0], "t4 t9")[0].weights, atol=1e-5)


def test_what_needs_a_model_of_torch_says_so():
    other = on_numpy(small_translator("bahdanau"))
    with pytest.raises(UserError, match="the doctor needs the run, not its export"):
        other.trained("the doctor")


WITHOUT_TORCH = """
import sys
import numpy as np
from seq2seq_attn import Translator
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import Tokenizers, WordTokenizer
from seq2seq_attn.translation import Constraint

class State:
    def select(self, rows):
        return self

class Model:
    attends = True

    def start(self, source, lengths):
        self.width = source.shape[1]
        return State()

    def step(self, tokens, state):
        logits = np.sin(tokens[:, None] * 7.0 + np.arange(9) * 1.3)
        return logits - 3.5, np.full((len(tokens), self.width), 1 / self.width), state

words = WordTokenizer(["a", "b", "c", "d", "e"])
translator = Translator(Model(), Tokenizers(words, words), DecodingConfig(max_length=6))
for sampling in (None, {"top_k": 3}):
    decoding = DecodingConfig(max_length=6, sampling=sampling)
    (found,) = translator.translate(["a b c"], decoding=decoding)
translator.translate(["a b", "c"], constraints=[Constraint("b", ("c",)), Constraint()])
translator.score(["a b"], ["c d"])
translator.attention_maps("a b", "c")
translator.alternatives(found)
translator.beam("a b")
assert "torch" not in sys.modules, "torch was loaded"
"""


def test_translating_with_such_a_model_loads_no_torch():
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], env={"PYTHONPATH": str(source)}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
