"""Requests that come together are translated together, by one thread, in a fair order."""

from __future__ import annotations

import threading
import time

import pytest
from serving_cases import PATIENCE, Recorder, finish, recorded, running, wait_until
from translators import some_sentences

from seq2seq_attn.errors import UserError
from seq2seq_attn.serving.queues import FairQueue
from seq2seq_attn.serving.work import Ask, Job

GREEDY, BEAM = Ask(beam_size=1), Ask(beam_size=4)


def texts_of(answer):
    assert answer.status_code == 200, answer.text
    return [result["translations"][0]["text"] for result in answer.json()["results"]]


def test_what_waits_is_translated_together_and_as_if_alone():
    translator, sentences = recorded(), some_sentences(12, seed=5)
    alone = [translator.translate([text])[0].text for text in sentences]
    assert len(set(alone)) > 2
    recorder = translator.recorder
    recorder.batches.clear()
    with running(translator) as server:
        recorder.hold()
        first = server.later("/translate", {"text": sentences[0]})
        assert recorder.entered.wait(PATIENCE)
        rest = [server.later("/translate", {"text": text}) for text in sentences[1:]]
        wait_until(lambda: server.waiting() == len(rest))
        recorder.release()
        assert [texts_of(answer.result()) for answer in (first, *rest)] == [[text] for text in alone]
    assert recorder.batches == [1, 11]
    assert len(recorder.threads - {threading.get_ident()}) == 1


def test_the_first_waits_a_moment_for_others():
    translator = recorded()
    with running(translator, batch_milliseconds=5000, batch_sentences=5) as server:
        answers = [server.later("/translate", {"text": text}) for text in some_sentences(5)]
        for answer in answers:
            texts_of(answer.result())
    assert translator.recorder.batches == [5]  # long before those five seconds: the batch was full


def test_those_that_are_asked_for_differently_are_searched_apart():
    translator = recorded()
    recorder = translator.recorder
    with running(translator, recorded()) as server:
        recorder.hold()
        first = server.later("/translate", {"text": "s4"})
        assert recorder.entered.wait(PATIENCE)
        asked = [{"beam_size": 1}, {"beam_size": 3}, {"beam_size": 1}, {"n_best": 2}, {"beam_size": 3}]
        rest = [server.later("/translate", {"text": "s5 s6", **options}) for options in asked]
        wait_until(lambda: server.waiting() == len(rest))
        other = server.post("/translate", {"text": "s7", "model": "second"})  # whose queue is another one
        assert other.status_code == 200
        recorder.release()
        for answer in (first, *rest):
            texts_of(answer.result())
    assert recorder.batches[0] == 1
    assert sorted(recorder.batches[1:]) == [1, 2, 2]


def test_many_at_once_never_enter_twice():
    translator = recorded()
    with running(translator, batch_sentences=3) as server:
        answers = [
            server.later(
                "/translate", {"text": some_sentences(1 + number % 4, seed=number), "beam_size": 1 + number % 3}
            )
            for number in range(15)
        ]
        for answer in answers:
            texts_of(answer.result())
    assert max(translator.recorder.batches) <= 3
    assert sum(translator.recorder.batches) == sum(1 + number % 4 for number in range(15))


def test_what_is_wrong_with_one_request_is_not_said_to_others():
    translator = recorded()
    start = Recorder.start

    def strict(self, source, lengths):
        state = start(self, source, lengths)
        if int(lengths.max()) > 15:
            raise UserError("one of them is too long for me")
        return state

    translator.recorder.start = strict.__get__(translator.recorder)
    with running(translator) as server:
        translator.recorder.hold()
        first = server.later("/translate", {"text": "s4"})
        assert translator.recorder.entered.wait(PATIENCE)
        long = server.later("/translate", {"text": "s5 " * 20})
        good = [server.later("/translate", {"text": text}) for text in ("s6", "s7")]
        wait_until(lambda: server.waiting() == 3)
        translator.recorder.release()
        for answer in (first, *good):
            texts_of(answer.result())
        refused = long.result()
    assert (refused.status_code, refused.json()["error"]["message"]) == (422, "one of them is too long for me")


def test_a_mistake_of_ours_is_500_and_the_next_request_is_served(caplog):
    translator = recorded()
    calls = []

    def broken(source, lengths):
        calls.append(lengths)
        raise RuntimeError("a secret of the inside")

    own = translator.recorder.start
    translator.recorder.start = broken
    with running(translator) as server:
        answer = server.post("/translate", {"text": "s4"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert "secret" not in answer.text
        translator.recorder.start = own
        texts_of(server.post("/translate", {"text": "s4"}))
    assert len(calls) == 1
    assert "a secret of the inside" in caplog.text


def jobs(*sizes, asks=None):
    """Requests that wait; nothing renders them."""
    asks = asks or [GREEDY] * len(sizes)
    return [Job(ask, ["x"] * size, lambda *_: None) for ask, size in zip(asks, sizes, strict=True)]


def taken(queue, size, waiting):
    """Take all batches; name each piece by its request."""
    found = []
    while (batch := queue.take(size)) is not None:
        found.append("".join("abcdefgh"[waiting.index(piece.job)] for piece in batch.pieces))
    assert queue.waiting == 0
    assert queue.next_arrival() is None
    return found


@pytest.mark.parametrize(
    ("sizes", "asks", "size", "order"),
    [
        ((1, 1, 1), None, 2, ["ab", "c"]),
        ((5, 1, 1), None, 3, ["abc", "aaa", "a"]),
        ((4, 2, 3), None, 4, ["abca", "bcac", "a"]),
        ((2, 2), (GREEDY, BEAM), 1, ["a", "b", "a", "b"]),
        ((3, 1, 1), (GREEDY, BEAM, GREEDY), 2, ["ac", "b", "aa"]),
    ],
)
def test_order_is_fair(sizes, asks, size, order):
    async def run():
        queue, waiting = FairQueue(100), jobs(*sizes, asks=asks)
        assert all(queue.add(job) for job in waiting)
        assert queue.waiting == sum(sizes)
        return taken(queue, size, waiting)

    assert finish(run()) == order


def test_what_could_not_be_done_in_time_is_not_accepted():
    """At 2.1 sentences a second and 3 seconds there is time for 6; one request always finds room when nothing waits."""

    async def run():
        queue, (a, b, c, d) = FairQueue(100, 3.0), jobs(7, 3, 3, 1)
        assert queue.add(a)
        queue.learn_speed(21, time.monotonic() - 10)
        assert not queue.add(d)
        queue.take(7)
        assert [queue.add(job) for job in (b, c, d)] == [True, True, False]
        assert queue.seconds_until_room() == 2

    finish(run())


def test_a_request_that_left_is_not_taken_and_makes_room():
    async def run():
        queue, (a, b, c, d) = FairQueue(6), jobs(3, 2, 1, 2)
        assert queue.add(a)
        assert queue.add(b)
        assert queue.add(c)
        assert not queue.add(d)
        queue.remove(b)
        queue.remove(b)
        queue.remove(d)
        assert queue.waiting == 4
        assert queue.add(d)
        return taken(queue, 3, [a, b, c, d])

    assert finish(run()) == ["acd", "ada"]
