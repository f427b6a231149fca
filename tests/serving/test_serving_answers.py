"""What the JSON interface answers: what the translator itself says."""

from __future__ import annotations

import json
import re

import pytest
from serving_cases import FACTS, recorded, running
from translators import small_translator, some_sentences

from seq2seq_attn.translation.document import attention_document, attention_panel

TEXTS = [*some_sentences(5), "", " "]
WORDS = ("text", "score", "log_prob", "finished", "truncated")
WEIGHTS = ("tokens", "source_tokens", "token_log_probs", "alignment", "attention")
HOSTILE = [
    "<script>alert(1)</script>",
    "s4 </s> <s> <unk>",
    '"; DROP TABLE models; --',
    "{{7*7}} ${7*7} %s %n",
    "\x00\x07\x1b[31m",
    "s4\r\n\r\nevent: end\r\ndata: {}\r\n\r\n",
    "\u202ereversed \u2028 \u2029 \ufeff",
    "😀 مرحبا 你好",
]


@pytest.fixture(scope="module")
def translator():
    return small_translator("luong-general", beam_size=3, max_length=9)


@pytest.fixture(scope="module")
def server(translator):
    with running(translator, recorded()) as found:
        yield found


def expected(candidates, keys=WORDS):
    translations = [{key: one.to_dict()[key] for key in keys} for one in candidates]
    return json.loads(json.dumps({"source": candidates[0].source, "translations": translations}))


def check(result, candidates, keys=WORDS):
    """Compare with what the translator says; in another batch a last digit may differ."""
    other = expected(candidates, keys)
    assert result["source"] == other["source"]
    assert len(result["translations"]) == len(other["translations"])
    for one, two in zip(result["translations"], other["translations"], strict=True):
        assert one.keys() == two.keys()
        for key in keys:
            if key in ("score", "log_prob", "token_log_probs"):
                assert one[key] == pytest.approx(two[key], abs=1e-4)
            elif key == "attention":
                assert len(one[key]) == len(two[key])
                for row, of in zip(one[key], two[key], strict=True):
                    assert row == pytest.approx(of, abs=2e-4)
            else:
                assert one[key] == two[key]


def test_one_sentence(server, translator):
    answer = server.post("/translate", {"text": TEXTS[0]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "small"
    (result,) = answer.json()["results"]
    check(result, translator.n_best([TEXTS[0]], count=1)[0])


@pytest.mark.parametrize(
    ("options", "search"),
    [
        ({}, {"count": 1}),
        ({"n_best": 2}, {"count": 2}),
        ({"n_best": 4}, {"count": 4, "beam_size": 4}),
        ({"beam_size": 1}, {"count": 1, "beam_size": 1}),
        ({"beam_size": 4, "n_best": 3, "length_penalty": 0.3}, {"count": 3, "beam_size": 4, "length_penalty": 0.3}),
    ],
)
def test_a_list_in_its_order(server, translator, options, search):
    answer = server.post("/translate", {"text": TEXTS, **options})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [result["source"] for result in results] == TEXTS
    for result, candidates in zip(results, translator.n_best(TEXTS, **search), strict=True):
        check(result, candidates)


def test_weights_when_asked_for(server, translator):
    results = server.post("/translate", {"text": TEXTS, "weights": True}).json()["results"]
    for result, candidates in zip(results, translator.n_best(TEXTS, count=1), strict=True):
        check(result, candidates, WORDS + WEIGHTS)


def test_scores_of_given_translations(server, translator):
    found = [one.text for one in translator.translate(TEXTS)]
    results = server.post("/score", {"source": TEXTS, "target": found, "weights": True}).json()["results"]
    for result, candidate in zip(results, translator.score(TEXTS, found), strict=True):
        check(result, [candidate], WORDS + WEIGHTS)
    single = server.post("/score", {"source": TEXTS[0], "target": found[0]}).json()["results"]
    assert len(single) == 1
    assert single[0]["translations"][0]["log_prob"] == pytest.approx(results[0]["translations"][0]["log_prob"])
    unequal = server.post("/score", {"source": TEXTS, "target": "one"})
    assert (unequal.status_code, unequal.json()["error"]["code"]) == (422, "unequal")


def test_the_second_model_answers_to_its_name(server):
    answer = server.post("/translate", {"text": "s4 s5", "model": "second"})
    assert (answer.status_code, answer.json()["model"]) == (200, "second")


def test_models_and_limits(server):
    found = server.client.get("/models").json()
    assert [model["name"] for model in found["models"]] == ["small", "second"]
    assert found["models"][0] == {"name": "small", **FACTS, "beam_size": 3}
    assert found["limits"] == {"characters": 10_000, "sentences": 100, "beam_size": 16, "seconds": 300.0}


def test_health(server):
    answer = server.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def plain(content):
    return json.loads(json.dumps(content))


def close(one, two):
    """Say whether two documents are the same but for the last digits of numbers."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(close(value, two[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(two) and all(map(close, one, two))
    return one == (pytest.approx(two, abs=3e-4) if isinstance(two, float) else two)


def test_a_panel_is_what_the_attention_view_draws(server, translator):
    answer = server.post("/translate", {"text": [TEXTS[0], ""], "panel": True, "n_best": 2}).json()
    candidates = translator.n_best([TEXTS[0]], count=2)[0]
    for number, one in enumerate(answer["results"][0]["translations"]):
        panel = attention_panel(translator, candidates[number], name="small", languages=("en", "pt"), heads=number == 0)
        assert close(one["panel"], plain(panel))
    assert answer["results"][1]["translations"][0]["panel"]["tokens"] == []


def test_attention_documents(server, translator):
    found = server.post("/attend", {"text": TEXTS[1], "beam": True, "alternatives": 3}).json()
    (translation,) = translator.translate([TEXTS[1]])
    panel = attention_panel(
        translator, translation, name="small", languages=("en", "pt"), alternatives=3, beam=translator.beam(TEXTS[1])
    )
    assert close(found, plain(attention_document([panel], title=TEXTS[1])))
    forced = server.post("/attend", {"text": TEXTS[1], "target": "t5 t6", "heads": False}).json()
    (scored,) = translator.score([TEXTS[1]], ["t5 t6"])
    panel = attention_panel(translator, scored, name="small", languages=("en", "pt"), forced=True, heads=False)
    assert close(forced["panels"][0], plain(panel))
    assert server.post("/attend", {"text": " "}).json()["panels"][0]["tokens"] == []
    refused = server.post("/attend", {"text": " ", "beam": True})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "impossible")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(server, text):
    answer = server.post("/translate", {"text": text, "weights": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["results"][0]["source"] == text


def test_openapi_describes_every_path_and_names_nothing_elsewhere(server):
    found = server.client.get("/openapi.json").json()
    paths = {"/translate", "/translate/stream", "/score", "/attend", "/models", "/health", "/metrics"}
    assert paths <= set(found["paths"])
    translate = found["paths"]["/translate"]["post"]
    assert {"200", "401", "413", "422", "429", "504"} <= set(translate["responses"])
    refused = translate["responses"]["429"]["content"]["application/json"]["schema"]
    assert refused == {"$ref": "#/components/schemas/ErrorAnswer"}
    assert re.findall(r"https?://", json.dumps(found)) == []


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/assets/../app.py", "/assets/nothing.js", "/translate/"])
def test_nothing_else_is_there(server, path):
    answer = server.client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_path")


def test_the_page_and_its_files_load_nothing_from_elsewhere(server):
    page = server.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text)
    assert loaded
    for path in loaded:
        file = server.client.get(path)
        assert file.status_code == 200, path
        again = server.client.get(path, headers={"If-None-Match": file.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert "//" not in page.text
    assert "<script>" not in page.text
    assert not re.search(r"\son\w+=|style=", page.text)
