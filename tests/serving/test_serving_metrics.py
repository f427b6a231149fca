"""Numbers for Prometheus, read by a parser of our own that follows the format's description."""

from __future__ import annotations

import re

import pytest
from serving_cases import recorded, running

from seq2seq_attn.serving.metrics import Counter, Gauge, Histogram, expose

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def parse(text):
    """Return the kind of every metric, and the value of every sample by name and labels."""
    assert text.endswith("\n")
    kinds, samples = {}, {}
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
            continue
        if line.startswith("# HELP "):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        found = LABEL.findall(labels or "")
        assert "".join(f'{key}="{of}",' for key, of in found).rstrip(",") == (labels or "")
        pairs = tuple((key, re.sub(r"\\.", lambda match: UNESCAPED[match[0]], of)) for key, of in found)
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in kinds or kinds[family] == "histogram"
        assert (name, pairs) not in samples
        samples[name, pairs] = float(value)
    return kinds, samples


def test_numbers_are_written_as_the_format_says():
    counter = Counter("asked_total", "How often.\nAnd \\ more.", ("path", "odd"))
    counter.add("/a", 'quote " back \\ line \n {end}')
    counter.add("/a", 'quote " back \\ line \n {end}', amount=2.5)
    counter.add("/b", "")
    plain = Counter("plain_total", "Nothing yet.")
    histogram = Histogram("took_seconds", "How long.", ("who",), bounds=(0.1, 1.0, 5))
    for value in (0.05, 0.1, 0.7, 5, 70):
        histogram.add(value, "me")
    gauge = Gauge("free", "Now.", look=lambda: {(): -1.5})
    kinds, samples = parse(expose([counter, plain, histogram, gauge]))
    assert kinds == {"asked_total": "counter", "plain_total": "counter", "took_seconds": "histogram", "free": "gauge"}
    assert samples["asked_total", (("path", "/a"), ("odd", 'quote " back \\ line \n {end}'))] == 3.5
    assert samples["asked_total", (("path", "/b"), ("odd", ""))] == 1
    assert samples["plain_total", ()] == 0
    buckets = {dict(labels)["le"]: value for (name, labels), value in samples.items() if name == "took_seconds_bucket"}
    assert buckets == {"0.1": 2, "1": 3, "5": 4, "+Inf": 5}
    assert samples["took_seconds_count", (("who", "me"),)] == 5
    assert samples["took_seconds_sum", (("who", "me"),)] == pytest.approx(75.85)
    assert samples["free", ()] == -1.5


def test_a_server_counts_what_it_did():
    with running(recorded(), characters=500, sentences=10) as server:
        server.post("/translate", {"text": ["s4", "s5", "s6"]})
        server.post("/translate", {"text": "s7"})
        server.post("/score", {"source": "s4", "target": "t4"})
        server.post("/translate", {"text": "x" * 501})
        server.client.get("/some/where")
        server.client.get("/assets/none")
        answer = server.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds, samples = parse(answer.text)
    assert all(name.startswith(("seq2seq_attn_", "process_")) for name in kinds)

    def value(name, **labels):
        return samples[f"seq2seq_attn_{name}", tuple(labels.items())]

    assert value("requests_total", path="/translate", method="POST", status="200") == 2
    assert value("requests_total", path="/translate", method="POST", status="413") == 1
    assert value("requests_total", path="/score", method="POST", status="200") == 1
    assert value("requests_total", path="other", method="GET", status="404") == 1
    assert value("requests_total", path="/assets", method="GET", status="404") == 1
    assert value("refused_total", code="too_long") == 1
    assert value("refused_total", code="unknown_path") == 2
    assert value("sentences_total", model="small") == 5
    assert value("batch_sentences_sum", model="small") == 5
    assert value("batch_sentences_count", model="small") == 3
    assert value("batch_sentences_bucket", model="small", le="2") == 2
    assert value("request_seconds_count", path="/translate") == 3
    assert value("waiting_sentences", model="small") == 0
    assert samples["process_resident_memory_bytes", ()] > 10_000_000
