from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seq2seq_attn.data import download as module
from seq2seq_attn.data.download import CORPORA, RemoteCorpus, download, download_corpus
from seq2seq_attn.errors import DataError, UserError

ROOT = Path(__file__).parents[2]
CONTENT = random.Random(1).randbytes(300_007)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A publisher whose manners a test can choose."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None  # bytes of the body, then the connection ends
    takes_ranges: bool = True
    etag: str | None = None
    wrong_range: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    url: str = ""


def handler_for(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.requests.append((self.path, wanted))
            server.agents.add(self.headers["User-Agent"])
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            fresh = self.headers.get("If-Range") in (None, server.etag)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if wanted and fresh and server.takes_ranges:
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                shown = 0 if server.wrong_range else start
                self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
            else:
                start = 0
                self.send_response(200)
            body = content[start:]
            self.send_header("Content-Length", str(len(body)))
            if server.etag:
                self.send_header("ETag", server.etag)
            self.end_headers()
            self.wfile.write(body[: server.cut_after])

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(state))
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{listening.server_address[1]}"
    state.files["/file.gz"] = CONTENT
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_fresh_download_is_whole_shown_and_leaves_nothing_else(server, tmp_path, capsys):
    lines: list[str] = []
    output = tmp_path / "new" / "file.gz"
    assert download(f"{server.url}/file.gz", output, sha256=DIGEST, report=lines.append) == DIGEST
    assert output.read_bytes() == CONTENT
    assert names_in(output.parent) == ["file.gz"]
    assert lines == [f"fetched {output}, SHA-256 {DIGEST}"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "file.gz: 100%" in captured.err
    assert "300k/300k" in captured.err
    # some publishers turn Python's own name away
    assert all(agent.startswith("seq2seq-attn/") for agent in server.agents)


@pytest.mark.parametrize("etag", ['"v1"', None])
def test_a_cut_download_goes_on_where_it_ended(server, tmp_path, etag):
    server.etag = etag
    output = tmp_path / "file.gz"
    server.cut_after = 200_003
    with pytest.raises(DataError) as caught:
        download(f"{server.url}/file.gz", output, sha256=DIGEST)
    assert str(caught.value) == (
        f"cannot fetch {server.url}/file.gz: the connection was cut after 200003 of 300007 bytes; "
        f"what came is kept in {output}.part, and the same command goes on from there"
    )
    assert not output.exists()
    server.cut_after = None
    download(f"{server.url}/file.gz", output, sha256=DIGEST)
    assert output.read_bytes() == CONTENT
    assert names_in(tmp_path) == ["file.gz"]
    assert server.requests == [("/file.gz", None), ("/file.gz", "bytes=200003-")]


def test_a_download_may_be_cut_again_and_again(server, tmp_path):
    server.cut_after = 100_003
    for _ in range(2):
        with pytest.raises(DataError, match="the connection was cut"):
            download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=DIGEST)
    download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=DIGEST)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100003-", "bytes=200006-"]
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server, tmp_path):
    # appending its answer to what is there would make a file that starts twice
    server.takes_ranges = False
    (tmp_path / "file.gz.part").write_bytes(CONTENT[:1009])
    download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=DIGEST)
    assert server.requests == [("/file.gz", "bytes=1009-")]
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_a_server_that_answers_with_another_range_is_not_believed(server, tmp_path):
    server.wrong_range = True
    (tmp_path / "file.gz.part").write_bytes(CONTENT[:1009])
    with pytest.raises(DataError, match=r"asked for what follows byte 1009, the server sent 'bytes 0-300006/300007'"):
        download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=DIGEST)


def test_killed_between_the_last_byte_and_the_name(server, tmp_path):
    (tmp_path / "file.gz.part").write_bytes(CONTENT)
    download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["file.gz"]


@pytest.mark.parametrize("left", [b"\0" * 1009, CONTENT + b"more", b"\0" * len(CONTENT)])
def test_leftovers_that_do_not_fit_are_replaced(server, tmp_path, left):
    (tmp_path / "file.gz.part").write_bytes(left)
    download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=DIGEST)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["file.gz"]


def test_a_file_that_changes_between_two_attempts_is_never_mixed(server, tmp_path):
    # without a digest to expect, only the version that the server names can tell
    server.etag = '"v1"'
    server.cut_after = 1009
    with pytest.raises(DataError, match="was cut after 1009 of"):
        download(f"{server.url}/file.gz", tmp_path / "file.gz")
    server.etag, server.cut_after = '"v2"', None
    server.files["/file.gz"] = CONTENT[::-1]
    download(f"{server.url}/file.gz", tmp_path / "file.gz")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT[::-1]
    assert names_in(tmp_path) == ["file.gz"]


@pytest.mark.parametrize(("etag", "wanted"), [('"v1"', "bytes=1009-"), (None, None), ('W/"v1"', None)])
def test_without_a_digest_only_a_known_version_is_continued(server, tmp_path, etag, wanted):
    server.etag = etag
    server.cut_after = 1009
    with pytest.raises(DataError, match="was cut after 1009 of"):
        download(f"{server.url}/file.gz", tmp_path / "file.gz")
    server.cut_after = None
    lines: list[str] = []
    assert download(f"{server.url}/file.gz", tmp_path / "file.gz", report=lines.append) == DIGEST
    assert server.requests[1] == ("/file.gz", wanted)
    assert lines[0].endswith(f"SHA-256 {DIGEST} (there is none to compare it with)")


def test_a_wrong_digest_names_both_and_keeps_nothing(server, tmp_path):
    wanted = "0" * 64
    with pytest.raises(DataError) as caught:
        download(f"{server.url}/file.gz", tmp_path / "file.gz", sha256=wanted)
    assert str(caught.value).startswith(f"{server.url}/file.gz has SHA-256 {DIGEST}, expected {wanted}: it was changed")
    assert names_in(tmp_path) == []


def test_what_is_there_is_checked_and_kept_without_a_request(server, tmp_path):
    output = tmp_path / "file.gz"
    output.write_bytes(CONTENT)
    lines: list[str] = []
    for digest in (DIGEST, None):
        assert download(f"{server.url}/file.gz", output, sha256=digest, report=lines.append) == DIGEST
    assert server.requests == []
    assert lines == [f"{output} is there already"] * 2


def test_what_is_there_and_wrong_is_fetched_again(server, tmp_path):
    output = tmp_path / "file.gz"
    output.write_bytes(b"an older one")
    lines: list[str] = []
    download(f"{server.url}/file.gz", output, sha256=DIGEST, report=lines.append)
    assert output.read_bytes() == CONTENT
    assert "is not the file expected" in lines[0]


def test_a_file_that_is_not_there_is_one_clear_line(server, tmp_path):
    with pytest.raises(DataError) as caught:
        download(f"{server.url}/none.gz", tmp_path / "new" / "none.gz", sha256=DIGEST)
    assert str(caught.value) == f"cannot fetch {server.url}/none.gz: the server answered 404 Not Found"
    assert names_in(tmp_path) == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_offline_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url = f"http://127.0.0.1:{free_port()}/file.gz"
    with pytest.raises(DataError) as caught:
        download(url, tmp_path / "new" / "file.gz", sha256=DIGEST)
    assert str(caught.value) == f"cannot fetch {url}: Connection refused; is there a network?"
    assert caught.value.exit_status == 2
    assert names_in(tmp_path) == []


def test_an_address_that_is_none_and_a_place_that_cannot_be_written(server, tmp_path):
    with pytest.raises(DataError, match=r"^file:///etc/passwd is not an address to fetch from"):
        download("file:///etc/passwd", tmp_path / "x")
    (tmp_path / "in the way").write_text("")
    with pytest.raises(DataError, match=r"^cannot write .*in the way/file\.gz: "):
        download(f"{server.url}/file.gz", tmp_path / "in the way" / "file.gz")
    with pytest.raises(DataError, match=r"^cannot write .*: Is a directory"):
        download(f"{server.url}/file.gz", tmp_path, sha256=DIGEST)


def test_an_unknown_corpus_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"unknown corpus 'multi30'; did you mean 'multi30k'\? \(known: multi30k, tat"):
        download_corpus("multi30", tmp_path)


def test_a_corpus_is_all_its_files_and_a_note_of_where_they_came_from(server, tmp_path, monkeypatch):
    files = {name: random.Random(name).randbytes(1009) for name in ("train.en.gz", "train.de.gz")}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    server.files |= {f"/raw/{name}": content for name, content in files.items()}
    monkeypatch.setitem(CORPORA, "multi30k", RemoteCorpus(f"{server.url}/raw/", dict(digests), "CC", ("train",)))
    lines: list[str] = []
    assert download_corpus("multi30k", tmp_path, report=lines.append) == tmp_path / "multi30k"
    assert names_in(tmp_path / "multi30k") == ["SOURCE.json", "train.de.gz", "train.en.gz"]
    note = json.loads((tmp_path / "multi30k" / "SOURCE.json").read_text())
    assert note == {"from": f"{server.url}/raw/", "sha256": digests, "license": "CC"}
    assert lines[-1] == f"multi30k is in {tmp_path / 'multi30k'}; license: CC"
    server.requests.clear()
    download_corpus("multi30k", tmp_path)
    assert server.requests == []


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


TATOEBA = "".join(f"Sentence {number}.\tSatz {number // 2}.\tCC-BY {number}\n" for number in range(1009))


def test_tatoeba_is_split_and_its_digest_is_noted(server, tmp_path):
    content = zipped({"_about.txt": b"about", "deu.txt": TATOEBA.encode()})
    server.files["/deu-eng.zip"] = content
    folder = download_corpus("tatoeba", tmp_path, base_url=server.url)
    texts = {
        name: [
            gzip.decompress((folder / f"{name}.{side}.gz").read_bytes()).decode().split("\n") for side in ("en", "de")
        ]
        for name in ("train", "val", "test")
    }
    pairs = {name: list(zip(*sides, strict=True))[:-1] for name, sides in texts.items()}
    rows = [tuple(line.split("\t")[:2]) for line in TATOEBA.splitlines()]
    assert sorted(pair for part in pairs.values() for pair in part) == sorted(rows)
    note = json.loads((folder / "SOURCE.json").read_text())
    assert note["pairs"] == {name: len(part) for name, part in pairs.items()}
    assert note["sha256"] == {"deu-eng.zip": hashlib.sha256(content).hexdigest()}
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    download_corpus("tatoeba", tmp_path, base_url=server.url)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def damaged() -> bytes:
    content = bytearray(zipped({"deu.txt": TATOEBA.encode()}))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"<html>busy, try again</html>", zipped({"fra.txt": b"a\tb\n"}), zipped({"deu.txt": b"\xff\tb\n"}), damaged()],
    ids=["a web page", "another language", "another encoding", "a flipped byte"],
)
def test_an_archive_that_is_none_is_deleted_so_that_the_next_try_is_fresh(server, tmp_path, content):
    server.files["/deu-eng.zip"] = content
    with pytest.raises(DataError, match=r"deu-eng\.zip is not the archive expected .*; it was deleted, try again"):
        download_corpus("tatoeba", tmp_path, base_url=server.url)
    assert names_in(tmp_path / "tatoeba") == []


def run_script(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    command = [sys.executable, str(ROOT / "scripts" / "download.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=cwd)


def test_the_script_fails_in_one_line_with_status_2(tmp_path):
    done = run_script("multi30k", "--base-url", f"http://127.0.0.1:{free_port()}", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: cannot fetch http://127.0.0.1:")
    done = run_script("multi", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0][:30]) == (2, "error: unknown corpus 'multi';")


def test_the_script_fetches_into_data(server, tmp_path):
    server.files["/deu-eng.zip"] = zipped({"deu.txt": TATOEBA.encode()})
    done = run_script("tatoeba", "--base-url", server.url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{Path('data') / 'tatoeba'}\n")
    assert "deu-eng.zip: 100%" in done.stderr
    assert names_in(tmp_path / "data" / "tatoeba")[0] == "SOURCE.json"


def shared_data() -> Path:
    return Path(os.environ.get("SEQ2SEQ_ATTN_DATA", ROOT.parent / "shared" / "data"))


def test_the_digests_of_multi30k_are_those_of_the_real_files(tmp_path, server):
    folder = shared_data() / "multi30k"
    if not folder.is_dir():
        pytest.skip(f"no Multi30k in {folder}; set SEQ2SEQ_ATTN_DATA to the folder that has it")
    for path in folder.glob("*.gz"):
        server.files[f"/{path.name}"] = path.read_bytes()
    download_corpus("multi30k", tmp_path, base_url=server.url)
    lines = {
        path.name: gzip.decompress(path.read_bytes()).count(b"\n") for path in (tmp_path / "multi30k").glob("*.gz")
    }
    assert lines["train.en.gz"] == lines["train.de.gz"] == 29_000
    assert lines["val.en.gz"] == lines["val.de.gz"] == 1014
    assert lines["test_2016_flickr.en.gz"] == lines["test_2016_flickr.de.gz"] == 1000


def test_a_full_disk_is_named(server, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_save", full)
    with pytest.raises(DataError, match=r"^cannot write .*file\.gz: No space left on device$"):
        download(f"{server.url}/file.gz", tmp_path / "file.gz")
