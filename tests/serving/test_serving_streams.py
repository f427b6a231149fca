"""A translation while it is written, and what becomes of it when nobody reads it any more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from serving_cases import PATIENCE, read_events, recorded, running, wait_until
from translators import small_translator, some_sentences

from seq2seq_attn.serving.events import Event

TEXTS = ["", *some_sentences(4, seed=5), " "]


def events_of(server, content):
    with server.client.stream("POST", "/translate/stream", json=content) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [(name, json.loads(data)) for name, data in read_events(answer)]


@pytest.mark.parametrize("options", [{"beam_size": 1}, {"beam_size": 4}, {"beam_size": 3, "n_best": 2}])
@pytest.mark.parametrize("name", ["luong-general", "transformer"])
def test_events_come_in_order_and_end_with_the_answer(name, options):
    with running(small_translator(name, max_length=9)) as server:
        events = events_of(server, {"text": TEXTS, **options})
        whole = server.post("/translate", {"text": TEXTS, **options}).json()
    names = [name for name, _ in events]
    assert events[0] == ("start", {"model": "small", "sentences": len(TEXTS)})
    assert events[-1] == ("end", {})
    assert names.count("start") == names.count("end") == 1
    assert set(names) <= {"start", "partial", "result", "end"}
    results = {data["sentence"]: data["result"] for name, data in events if name == "result"}
    assert names.count("result") == len(results) == len(TEXTS)
    for number, result in results.items():
        other = whole["results"][number]
        assert [one["text"] for one in result["translations"]] == [one["text"] for one in other["translations"]]
        seen = [place for place, event in enumerate(events) if event[1].get("sentence") == number]
        assert events[seen[-1]][0] == "result"  # nothing of a sentence comes behind its result


def test_greedy_partials_grow_to_the_result():
    """The word before the end can only be seen when the end is asked for; so the last one is all but the end."""
    with running(small_translator("luong-general", max_length=9, min_length=4)) as server:
        events = events_of(server, {"text": TEXTS[1], "beam_size": 1})
    texts = [data["text"] for name, data in events if name == "partial"]
    (result,) = [data["result"] for name, data in events if name == "result"]
    assert texts
    for one, two in zip(texts, [*texts[1:], result["translations"][0]["text"]], strict=True):
        assert two.startswith(one)
        assert two == one or len(two) > len(one)


def test_what_is_shown_on_the_way_is_what_the_translation_begins_with():
    """Against the finished translation of greedy search: tokens, probabilities and weights of each beginning."""
    translator = small_translator("luong-general", beam_size=1, max_length=9, min_length=5)
    seen = []
    with running(translator) as server:
        model = server.service.models["small"]
        own = model.translator._so_far

        def watch(text, path):
            seen.append(path)
            return own(text, path)

        model.translator._so_far = watch
        events_of(server, {"text": TEXTS[1]})
    (found,) = translator.translate([TEXTS[1]])
    assert [len(path.tokens) for path in seen] == list(range(1, len(seen) + 1))
    for path in seen:
        length = len(path.tokens)
        assert path.log_probs == pytest.approx(found.token_log_probs[:length], abs=1e-5)
        assert path.log_prob == pytest.approx(sum(found.token_log_probs[:length]), abs=1e-5)
        weights = path.weights(found.attention.shape[1])
        np.testing.assert_allclose(weights, found.attention[:length], atol=1e-5)


def test_a_client_that_leaves_while_it_waits_is_not_translated():
    translator = recorded()
    recorder = translator.recorder
    with running(translator) as server:
        recorder.hold()
        first = server.later("/translate", {"text": "s4"})
        assert recorder.entered.wait(PATIENCE)
        with server.client.stream("POST", "/translate/stream", json={"text": ["s5", "s6"]}) as answer:
            assert answer.status_code == 200
            wait_until(lambda: server.waiting() == 2)
        wait_until(lambda: server.waiting() == 0)
        recorder.release()
        assert first.result().status_code == 200
        assert server.post("/translate", {"text": "s7"}).status_code == 200
        assert "seq2seq_attn_gone_total 1" in server.service.expose()
    assert recorder.batches == [1, 1]


def test_a_search_that_nobody_waits_for_is_stopped():
    translator = recorded(beam_size=1, max_length=500, min_length=400)
    recorder = translator.recorder
    with running(translator) as server:
        recorder.hold()
        with server.client.stream("POST", "/translate/stream", json={"text": "s4 " * 300}) as answer:
            assert answer.status_code == 200
            assert recorder.entered.wait(PATIENCE)
        wait_until(lambda: "seq2seq_attn_gone_total 1" in server.service.expose())
        recorder.release()
        assert server.post("/translate", {"text": "s5", "beam_size": 1}).status_code == 200
        assert recorder.steps < 400 + 3  # that of the second request alone


def test_what_goes_wrong_on_the_way_is_an_event():
    translator = recorded()
    translator.recorder.start = lambda source, lengths: 1 / 0
    with running(translator) as server:
        events = events_of(server, {"text": "s4"})
    assert [name for name, _ in events] == ["start", "error"]
    assert events[-1][1]["error"]["code"] == "internal"


def test_too_late_is_an_event():
    translator = recorded()
    with running(translator, seconds=1) as server:
        translator.recorder.hold()
        events = events_of(server, {"text": "s4"})
        assert events[-1][1]["error"]["code"] == "too_late"


def test_text_cannot_end_an_event():
    hostile = "a\n\nevent: end\r\rdata: {}\r\n\r\n\u2028\x85"
    written = Event("partial", {"text": hostile}).encode().decode()
    assert written.count("\n") == 3
    assert "\r" not in written
    assert json.loads(written.split("\n")[1].removeprefix("data: ")) == {"text": hostile}
