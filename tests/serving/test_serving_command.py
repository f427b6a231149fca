"""The command: it says where it listens, ends in good order, and refuses in a line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest
from command_server import shared_commands
from serving_cases import PATIENCE, read_events, recorded, running, wait_until
from tiny import trained_run

ADDRESS = re.compile(r"serving (.+) at (http://\S+) \(Ctrl-C ends it\)")


@pytest.fixture(scope="module")
def commands():
    return shared_commands()


@pytest.fixture
def listener():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_accepted_work_finish(number, status):
    command = [sys.executable, "-m", "seq2seq_attn", "serve", str(trained_run()), "--port", "0", "--batch-size", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        names, url = ADDRESS.match(server.stderr.readline()).groups()
        assert names == "tiny"
        texts = ["one two three four five", "six seven"] * 50
        with (
            httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client,
            client.stream("POST", "/translate/stream", json={"text": texts, "beam_size": 4}) as answer,
        ):
            events = read_events(answer)
            assert next(events)[0] == "start"  # it is accepted
            server.send_signal(number)
            found = [(name, json.loads(data)) for name, data in events]
        assert found[-1] == ("end", {})
        assert sum(name == "result" for name, _ in found) == len(texts)
        out, err = server.communicate(timeout=PATIENCE)
        assert (server.returncode, out, err) == (status, "", "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
        server.stdout.close()


def test_while_it_stops_it_finishes_what_it_accepted_and_takes_nothing_more():
    translator = recorded()
    with running(translator) as server:
        translator.recorder.hold()
        first = server.later("/translate", {"text": "s4"})
        assert translator.recorder.entered.wait(PATIENCE)
        second = server.later("/translate", {"text": "s5"})
        wait_until(lambda: server.waiting() == 1)
        server.server.should_exit = True

        def is_closed():
            try:
                httpx.get(f"{server.url}/health", trust_env=False)
            except httpx.TransportError:
                return True
            return False

        wait_until(is_closed)
        translator.recorder.release()
        assert [first.result().status_code, second.result().status_code] == [200, 200]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("translate-")]


def test_a_port_in_use_is_said_in_a_line(commands, listener):
    port = listener.getsockname()[1]
    done = commands("serve", trained_run(), "--port", port)
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        f"seq2seq-attn: port {port} of 127.0.0.1 is in use; choose another one with --port, or --port 0 for any that "
        "is free\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no/such/run"], "no/such/run"),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid: this is no address of this machine"),
        (["--host", "203.0.113.7"], "--host 203.0.113.7"),
        (["--port", "70000"], "65535"),
        (["--queue", "5"], "--queue is 5, but one request may have 100 sentences"),
        (["--time-limit", "0"], "--time-limit is 0, but it must be at least 1"),
        (["--batch-size", "0"], "--batch-size is 0"),
        (["--token-file", "no/such/file"], "no/such/file: the token cannot be read: No such file"),
        (["--device", "tpu"], "device 'tpu' is unknown"),
    ],
)
def test_wrong_requests(commands, arguments, words, tmp_path):
    run = [] if arguments[0] == "no/such/run" else [trained_run()]
    port = [] if "--port" in arguments else ["--port", 0]
    done = commands("serve", *run, *arguments, *port, folder=str(tmp_path))
    assert done.status == 2
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("content", [b" \n", b"two words", b"\xff", "ümlaut".encode()])
def test_tokens_that_are_none(commands, content, tmp_path):
    (tmp_path / "token").write_bytes(content)
    done = commands("serve", trained_run(), "--token-file", tmp_path / "token")
    assert done.status == 2
    assert str(tmp_path / "token") in done.err
    assert len(done.err.splitlines()) == 1


def test_a_missing_library_is_named(tmp_path):
    code = "import sys; sys.modules['uvicorn'] = None; from seq2seq_attn.cli import main; main(['serve', 'run'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "seq2seq-attn: serve needs uvicorn: pip install 'seq2seq-attn[serve]'\n"
