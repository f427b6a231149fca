"""Who may ask, and what a browser is told of the answers."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest
from serving_cases import recorded, running

from seq2seq_attn.serving.guard import allowed_hosts, is_loopback

TOKEN = "a-Token_of.some~length+and/signs="
GUARDED = ("/models", "/metrics")
OPEN = ("/", "/health", "/openapi.json", "/assets/serve.js")


@pytest.fixture(scope="module")
def server():
    with running(recorded(), token=TOKEN, hosts=("Translate.Example",)) as found:
        yield found


def bearer(token):
    return {"Authorization": token}


def ask_as(server, host, path="/health"):
    """Ask with any ``Host`` header, or none."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.putrequest("GET", path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        TOKEN,
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
    ],
)
def test_without_the_token_nothing_is_told(server, shown):
    headers = {} if shown is None else bearer(shown)
    answers = [server.client.get(path, headers=headers) for path in GUARDED]
    answers += [
        server.post(path, {"text": "s4"}, headers=headers) for path in ("/translate", "/translate/stream", "/attend")
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no_token")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


def test_with_the_token_all_is_answered(server):
    for scheme in ("Bearer", "bearer"):
        headers = bearer(f"{scheme} {TOKEN}")
        assert [server.client.get(path, headers=headers).status_code for path in GUARDED] == [200, 200]
        assert server.post("/translate", {"text": "s4"}, headers=headers).status_code == 200


def test_what_needs_no_token(server):
    assert [server.client.get(path).status_code for path in OPEN] == [200] * 4


def test_names_that_are_answered_to(server):
    port = urlsplit(server.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", "[::1]:80", f"translate.example:{port}"):
        assert ask_as(server, host)[0] == 200, host
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost@evil.example", "[", ""):
        status, content = ask_as(server, host)
        assert (status, b"wrong_host" in content) == (403, True), host


def test_which_names_there_are():
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.8.9.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::")
    assert not is_loopback("example.org")
    assert allowed_hosts("127.0.0.5", ()) == {"localhost", "127.0.0.1", "::1", "127.0.0.5"}
    assert allowed_hosts("0.0.0.0", ()) is None
    assert allowed_hosts("0.0.0.0", ["Proxy.example"]) == {"proxy.example", "0.0.0.0"}


def test_headers_of_every_answer(server):
    headers = bearer(f"Bearer {TOKEN}")
    answers = [server.client.get(path, headers=headers) for path in (*OPEN, *GUARDED, "/nowhere", "/translate")]
    answers.append(server.client.get("/models"))  # which is refused
    answers.append(server.post("/translate", {"text": "s4"}, headers=headers))
    answers.append(server.post("/translate/stream", {"text": "s4"}, headers=headers))
    for answer in answers:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert {"'none'", "'self'"} == set(policy.values())  # nothing inline, nothing from elsewhere
        assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        is_file = answer.request.url.path == "/" or answer.request.url.path.startswith("/assets/")
        assert answer.headers["cache-control"] == ("no-cache" if is_file else "no-store")
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
