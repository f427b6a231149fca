"""What is too much, too late or not right is refused, in JSON that says what to do."""

from __future__ import annotations

import json

import pytest
from serving_cases import PATIENCE, recorded, running, wait_until

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.serving.limits import Limits


@pytest.fixture(scope="module")
def server():
    with running(recorded(), recorded(), characters=1000, sentences=7, beam_size=5) as found:
        yield found


def refused(answer, status, code):
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "mend"}
    assert (answer.status_code, error["code"]) == (status, code), error
    assert error["message"]
    assert error["mend"]
    return f"{error['message']}; {error['mend']}"


@pytest.mark.parametrize(
    ("content", "status", "code", "words"),
    [
        ({"text": "x" * 1001}, 413, "too_long", "1,001 characters, but 1,000"),
        ({"text": "😀" * 1001}, 413, "too_long", "1,001 characters"),
        ({"text": "x" * 100_000}, 413, "too_large", "1,000 characters or fewer"),
        ({"text": ["x" * 600, "y" * 401]}, 413, "too_long", "1,001 characters"),
        ({"text": ["x"] * 8}, 413, "too_many_sentences", "8 sentences, but 7"),
        ({"text": "x", "beam_size": 6}, 422, "beam_too_wide", "beam_size is 6, but at most 5"),
        ({"text": "x", "n_best": 6}, 422, "beam_too_wide", "n_best is 6"),
        ({"text": "x", "n_best": 3, "beam_size": 2}, 422, "impossible", "a beam of 2 gives 2"),
        ({"text": "x", "beam_size": 0}, 422, "wrong_value", "beam_size: input should be greater"),
        ({"text": "x", "beam_size": "5"}, 422, "wrong_value", "beam_size: input should be a valid integer"),
        ({"text": "x", "beam_size": True}, 422, "wrong_value", "beam_size"),
        ({"text": "x", "length_penalty": -1}, 422, "wrong_value", "length_penalty"),
        ({"text": []}, 422, "wrong_value", "text"),
        ({"text": 5}, 422, "wrong_value", "text"),
        ({"text": ["x", None]}, 422, "wrong_value", "text"),
        ({}, 422, "missing_key", "lacks 'text'"),
        ({"txt": "x"}, 422, "unknown_key", "did you mean 'text'?"),
        ({"text": "x", "beamsize": 5}, 422, "unknown_key", "did you mean 'beam_size'?"),
        ({"text": "x", "model": "smal"}, 404, "unknown_model", "did you mean 'small'?; use one of: small, second"),
        ([], 422, "wrong_value", "the request"),
        ("text", 422, "wrong_value", "the request"),
    ],
)
def test_requests_that_are_refused(server, content, status, code, words):
    for path in ("/translate", "/translate/stream"):
        assert words in refused(server.post(path, content), status, code)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"", "empty"),
        (b"\xff\xfe", ""),
        (b'{"text": "\\ud800"}', "text"),
        (b'{"text": "x", "length_penalty": NaN}', "length_penalty"),
        (b'{"text": "x", "length_penalty": 1e999}', "length_penalty"),
        (b"[" * 50_000, ""),
    ],
)
def test_bodies_that_are_no_requests(server, body, words):
    answer = server.client.post("/translate", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert words in refused(answer, answer.status_code, answer.json()["error"]["code"])


def test_other_kinds_of_content_are_refused(server):
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        answer = server.client.post("/translate", content=json.dumps({"text": "x"}), headers=headers)
        assert "application/json" in refused(answer, 415, "not_json")


def test_a_body_without_a_length_is_refused_when_it_is_too_long(server):
    def parts():
        for _ in range(100):
            yield b"x" * 10_000

    answer = server.client.post("/translate", content=parts(), headers={"Content-Type": "application/json"})
    refused(answer, 413, "too_large")


def test_methods(server):
    answer = server.client.get("/translate")
    assert "POST" in refused(answer, 405, "wrong_method")
    assert answer.headers["allow"] == "POST"


def test_a_full_queue_is_429_with_a_time_to_wait():
    translator = recorded()
    recorder = translator.recorder
    with running(translator, queue=5, sentences=3) as server:
        recorder.hold()
        accepted = [server.later("/translate", {"text": "s4"})]
        assert recorder.entered.wait(PATIENCE)
        accepted.append(server.later("/translate", {"text": ["s5"] * 3}))
        wait_until(lambda: server.waiting() == 3)
        for path in ("/translate", "/translate/stream"):
            answer = server.post(path, {"text": ["s6"] * 3})
            assert "3 sentences are waiting" in refused(answer, 429, "busy")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        accepted.append(server.later("/translate", {"text": ["s7"] * 2}))  # for which there is room
        wait_until(lambda: server.waiting() == 5)
        refused(server.post("/score", {"source": "s4", "target": "t4"}), 429, "busy")
        recorder.release()
        assert [answer.result().status_code for answer in accepted] == [200, 200, 200]
        assert server.post("/translate", {"text": ["s6"] * 3}).status_code == 200
    assert sum(recorder.batches) == 1 + 3 + 2 + 3


def test_what_takes_too_long_is_504_and_is_given_up():
    translator = recorded()
    recorder = translator.recorder
    with running(translator, seconds=1) as server:
        recorder.hold()
        inside = server.later("/translate", {"text": "s4"})
        assert recorder.entered.wait(PATIENCE)
        waiting = server.later("/translate", {"text": "s5"})
        for answer in (inside, waiting):
            assert "within 1 s" in refused(answer.result(), 504, "too_late")
        assert server.waiting() == 0
        recorder.release()
        wait_until(lambda: server.post("/translate", {"text": "s6"}).status_code == 200)
    assert recorder.batches[:2] == [1, 1]  # what waited too long was never translated
    assert "seq2seq_attn_refused_total" in server.service.expose()


def test_a_score_that_comes_too_late_is_given_up_and_says_nothing_of_the_speed():
    translator = recorded()
    recorder = translator.recorder
    with running(translator, seconds=1) as server:
        recorder.hold()
        inside = server.later("/score", {"source": "s4", "target": "t5 " * 900})
        assert recorder.entered.wait(PATIENCE)
        refused(inside.result(), 504, "too_late")
        recorder.release()
        wait_until(lambda: server.post("/translate", {"text": "s6"}).status_code == 200)
        assert recorder.steps < 100, "it went on for nobody"
        assert 'seq2seq_attn_sentences_total{model="small"} 1\n' in server.service.expose()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"characters": 0}, "--max-characters is 0"),
        ({"seconds": float("nan")}, "--time-limit is nan"),
        ({"seconds": float("inf")}, "--time-limit is inf"),
        ({"batch_milliseconds": -1}, "--batch-wait is -1"),
        ({"batch_sentences": 0}, "--batch-size is 0"),
        ({"queue": 50}, "--queue is 50, but one request may have 100 sentences"),
    ],
)
def test_limits_that_make_no_sense(limits, words):
    with pytest.raises(ConfigError, match=words):
        Limits(**limits).check()
