"""The beam of a sentence as a tree, and the alternatives at each place, against the model itself."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from translators import SOURCE, TARGET, small_translator, some_sentences

from seq2seq_attn.data.batching import collate
from seq2seq_attn.data.tokenizers import EOS
from seq2seq_attn.decoding import BeamStep, Hypothesis
from seq2seq_attn.decoding.beam_watch import Considered
from seq2seq_attn.decoding.scoring import Scoring
from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.translation import Beam
from seq2seq_attn.translation.beams import grow_beam

SENTENCES = some_sentences(6, seed=3)


def words_of(beam: Beam, node: int) -> tuple[str, ...]:
    return tuple(one.token.token for one in beam.path(node))


@pytest.mark.parametrize("name", ["bahdanau", "transformer"])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_what_is_returned_is_what_is_translated(name, size):
    translator = small_translator(name, length_penalty=0.7)
    for text in SENTENCES:
        beam = translator.beam(text, beam_size=size, count=min(size, 2))
        found = translator.n_best([text], count=min(size, 2), beam_size=size)[0]
        assert [words_of(beam, end) for end in beam.returned] == [one.tokens for one in found]
        assert [beam.nodes[end].score for end in beam.returned] == pytest.approx([one.score for one in found])
        assert [beam.nodes[end].fate for end in beam.returned] == ["returned"] * len(found)
        for end, one in zip(beam.returned, found, strict=True):
            assert [node.log_prob for node in beam.path(end)] == pytest.approx(one.token_log_probs, abs=1e-6)


def test_it_is_a_tree_whose_parents_go_on_and_whose_levels_have_their_places():
    translator = small_translator("bahdanau")
    for text in SENTENCES:
        beam = translator.beam(text, beam_size=4)
        root, *others = beam.nodes
        assert (root.id, root.parent, root.length, root.token.token) == (0, None, 0, "<s>")
        assert [node.id for node in beam.nodes] == list(range(len(beam.nodes)))
        for node in others:
            parent = beam.nodes[node.parent]
            assert parent.id < node.id
            assert parent.length == node.length - 1
            assert parent.fate == "kept"
            assert node.why
            total = math.fsum(one.log_prob for one in beam.path(node.id))
            assert node.score == pytest.approx(total / node.length, abs=1e-5) or node.why == "forbidden by a rule"
        for length in range(1, max(node.length for node in others) + 1):
            level = [node for node in others if node.length == length]
            stayed = [node.score for node in level if node.fate != "pruned"]
            assert len(stayed) <= 4
            fallen = [node.score for node in level if node.why.startswith("the beam was full")]
            assert max(fallen, default=-math.inf) <= min(stayed, default=math.inf) + 1e-9
        assert len({words_of(beam, node.id) for node in others}) == len(others)


def test_it_is_written_as_json():
    beam = small_translator("bahdanau", forbidden=("t5",)).beam(SENTENCES[0], beam_size=3)
    written = json.loads(json.dumps(beam.to_dict(), allow_nan=False))
    assert written["beam_size"] == 3
    assert written["scored_by"] == "log-probability / length"
    assert written["returned"] == list(beam.returned)
    assert set(written["nodes"][1]) == {"id", "parent", "token", "log_prob", "score", "length", "fate", "why"}
    assert set(written["nodes"][1]["token"]) == {"token", "surface", "word_start", "special"}
    assert {node["fate"] for node in written["nodes"]} <= {"kept", "finished", "returned", "pruned"}


def test_a_forbidden_phrase_is_among_the_reasons():
    translator = small_translator("bahdanau")
    favorite = next(token for token in translator.translate(SENTENCES)[0].tokens if token != "</s>")
    beam = small_translator("bahdanau", forbidden=(favorite,)).beam(SENTENCES[0], beam_size=3)
    refused = [node for node in beam.nodes if node.why == "forbidden by a rule"]
    assert favorite in {node.token.token for node in refused}
    assert all(node.to_dict()["score"] is None for node in refused)


def test_what_has_no_beam_is_refused():
    translator = small_translator("bahdanau")
    with pytest.raises(UserError, match="empty"):
        translator.beam(" ")
    with pytest.raises(ConfigError, match="sampling and minimum_risk leave no beam"):
        small_translator("bahdanau", sampling={}).beam("s4")
    with pytest.raises(ConfigError, match="n_best is 3"):
        translator.beam("s4", beam_size=2, count=3)


@pytest.mark.parametrize("name", ["bahdanau", "transformer"])
def test_alternatives_are_the_best_of_the_models_distribution(name):
    translator = small_translator(name, beam_size=3)
    model = translator.trained("the test")
    for found in translator.translate(SENTENCES):
        ids = [TARGET.token_to_id(token) for token in found.tokens]
        target = ids[:-1] if found.finished else ids
        batch = collate([SOURCE.encode(found.source)], [target], [0])
        with torch.no_grad():
            forced = model(batch.source, batch.source_lengths, batch.target_in)
            wanted = model.log_probs(forced.features)[0]
        alternatives = translator.alternatives(found, count=4)
        assert len(alternatives) == len(found.tokens)
        for place, best in enumerate(alternatives):
            values, tokens = wanted[place].topk(4)
            assert [one.token.token for one in best] == [TARGET.id_to_token(token) for token in tokens.tolist()]
            assert [one.log_prob for one in best] == pytest.approx(values.tolist(), abs=1e-4)
            assert all(one.log_prob >= other.log_prob for one, other in pairwise(best))
    assert translator.alternatives(translator.translate([""])[0]) == []
    with pytest.raises(ConfigError, match="at least 1 alternative"):
        translator.alternatives(found, count=0)


def test_a_rival_may_come_later_than_what_fell_behind_it():
    """Standing for: groups that must differ, in which an end that is better by itself stands behind what it settles."""
    word = TARGET.token_to_id("t5")
    settled = Considered(0, 0, 1, word, -0.5, -0.5, "settled", rival=2)
    end = Considered(0, 0, 2, EOS, -0.1, -0.1, "finished")
    found = Hypothesis((), -0.1, -0.1, True, np.ones((1, 2), np.float32), (-0.1,))
    beam = grow_beam([BeamStep(1, [settled, end])], [found], TARGET, beam_size=2, scoring=Scoring())
    assert [node.fate for node in beam.nodes] == ["kept", "pruned", "returned"]
    assert "-0.1" in beam.nodes[1].why


def test_groups_that_differ_are_one_tree():
    translator = small_translator("luong-general", diverse_groups=3, beam_size=6, diversity=2.0)
    for text in SENTENCES:
        beam = translator.beam(text)
        assert all(node.parent < node.id and node.why for node in beam.nodes[1:])
        assert [words_of(beam, end) for end in beam.returned] == [translator.translate([text])[0].tokens]
