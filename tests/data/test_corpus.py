from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from seq2seq_attn.config.schema import CorpusConfig
from seq2seq_attn.data.corpus import SentencePair, corpus_files, read_corpus
from seq2seq_attn.data.lines import read_lines, read_stream
from seq2seq_attn.errors import DataError

ADAPTER = TypeAdapter(CorpusConfig)


def corpus(**settings: object) -> CorpusConfig:
    return ADAPTER.validate_python({key: str(v) if isinstance(v, Path) else v for key, v in settings.items()})


def message(error: pytest.ExceptionInfo[DataError]) -> str:
    return str(error.value)


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


class TestLines:
    @pytest.mark.parametrize(
        ("content", "lines"),
        [
            ("", []),
            ("a", ["a"]),
            ("a\n", ["a"]),
            ("a\nb", ["a", "b"]),
            ("a\n\n", ["a", ""]),
            ("\n\na\n", ["", "", "a"]),
            ("a\r\nb\r\n", ["a", "b"]),
            ("a\rb\rc", ["a", "b", "c"]),
            ("a\r\rb\r", ["a", "", "b"]),
            ("a\r\n\rb\n\r", ["a", "", "b", ""]),
            (" a \t\n", [" a \t"]),
            ("a\0b\nc", ["a\0b", "c"]),
            ("\ufeffa\n\ufeffb\n", ["a", "\ufeffb"]),  # a mark at the start only
            ("\ufeff", []),
            # str.splitlines would cut at each of these
            *[(f"a{mark}b\nc", [f"a{mark}b", "c"]) for mark in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"],
        ],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_end_at_newlines_only(self, write, content: str, lines: list[str], packed: bool) -> None:
        data = content.encode()
        path = write("text.gz", gzip.compress(data)) if packed else write("text", data)
        assert list(read_lines(path)) == lines

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_any_text_splits_as_a_regular_expression_would(self, tmp_path_factory, text: str) -> None:
        path = tmp_path_factory.mktemp("lines") / "text"
        path.write_bytes(text.encode())
        unified = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        expected = unified.split("\n")
        if expected[-1] == "":  # a line end ends a line, it does not begin another one
            expected.pop()
        assert list(read_lines(path)) == expected

    def test_a_line_of_100000_characters_is_one_line(self, write) -> None:
        line = "é" * 99_991
        assert list(read_lines(write("long", f"a\n{line}\nb\n"))) == ["a", line, "b"]

    def test_invalid_utf8_names_file_and_line(self, write) -> None:
        # far enough into the file that a decoder working in blocks would have lost count of the lines
        path = write("bad.txt", b"caf\xc3\xa9\n" * 20_011 + b"caf\xe9\n" + b"fine\n")
        with pytest.raises(DataError) as error:
            list(read_lines(path))
        assert message(error) == f"{path}:20012: byte 0xe9 is not valid UTF-8; save the file as UTF-8"

    def test_encoded_surrogates_are_invalid(self, write) -> None:
        path = write("bad.txt", b"a\n\xed\xa0\x80\n")
        with pytest.raises(DataError, match=r"bad.txt:2: byte 0xed is not valid UTF-8"):
            list(read_lines(path))

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
    def test_utf16_is_recognized(self, write, encoding: str) -> None:
        content = "\ufeffabc\n".encode(encoding) if encoding.endswith("be") else "abc\n".encode(encoding)
        with pytest.raises(DataError, match=r"not valid UTF-8; the file looks like UTF-16; save it as UTF-8"):
            list(read_lines(write("wide.txt", content)))

    def test_gzip_without_the_suffix_is_recognized(self, write) -> None:
        with pytest.raises(DataError, match=r"looks compressed; give it a name that ends in '.gz'"):
            list(read_lines(write("packed.txt", gzip.compress(b"abc\n"))))

    def test_missing_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError) as error:
            list(read_lines("data/train.en"))
        assert message(error) == (
            f"data/train.en: no such file (looked for it in {tmp_path}); paths are relative to the folder "
            "the command is started in"
        )

    @pytest.mark.parametrize(
        ("file", "says"),
        [
            ("data/multi30k/train.en.gz", "; to fetch this corpus: python scripts/download.py multi30k"),
            ("tatoeba/test.de.gz", "; to fetch this corpus: python scripts/download.py tatoeba"),
            ("data/multi30k/train.fr.gz", ""),  # fetching would not bring it
            ("data/mine/train.en.gz", ""),
        ],
    )
    def test_a_corpus_that_we_can_fetch(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, says: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError) as error:
            list(read_lines(file))
        assert message(error).partition("the command is started in")[2] == says

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
            list(read_lines(tmp_path))

    @pytest.mark.parametrize("damage", ["cut", "flipped", "plain"])
    def test_damaged_gzip(self, write, damage: str) -> None:
        whole = gzip.compress(b"".join(b"%d\n" % number for number in range(5_003)))
        content = {
            "cut": whole[: len(whole) // 2],
            "flipped": whole[:97] + bytes([whole[97] ^ 0xFF]) + whole[98:],
            "plain": b"not compressed\n",
        }[damage]
        path = write("text.gz", content)
        with pytest.raises(DataError) as error:
            list(read_lines(path))
        assert message(error).startswith(f"{path}: this is not a whole gzip file (")
        assert "fetch it again" in message(error)


class TestStreams:
    def test_a_line_is_given_as_soon_as_it_is_there(self) -> None:
        # a reader that waits for a whole block would keep a person at a terminal waiting
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as sender:
            lines = read_stream(stream, "standard input")
            sender.write(b"one\n")
            assert next(lines) == "one"
            sender.write(b"two\r\nthree\n")
            assert [next(lines), next(lines)] == ["two", "three"]
            sender.close()
            assert list(lines) == []
            assert not stream.closed  # it belongs to the caller

    def test_errors_call_it_by_its_name(self) -> None:
        with pytest.raises(DataError, match=r"^standard input:2: byte 0xff is not valid UTF-8"):
            list(read_stream(io.BytesIO(b"one\n\xff\n"), "standard input"))


class TestTwoFiles:
    def test_pairs(self, write) -> None:
        pairs = read_corpus(corpus(source=write("a.en", "one\ntwo\n"), target=write("a.de", "eins\nzwei")))
        assert list(pairs) == [SentencePair("one", "eins"), SentencePair("two", "zwei")]

    def test_several_files_and_several_corpora(self, write) -> None:
        text = ADAPTER.validate_python(
            {
                "source": [str(write("a.en", "one\n")), str(write("b.en", "two\n"))],
                "target": [str(write("a.de", "eins\n")), str(write("b.de", "zwei\n"))],
            }
        )
        table = corpus(tsv=write("c.tsv", "three\tdrei\n"))
        assert [pair.target for pair in read_corpus([text, table])] == ["eins", "zwei", "drei"]
        assert [Path(path).name for path in corpus_files((text, table))] == [
            "a.en",
            "b.en",
            "a.de",
            "b.de",
            "c.tsv",
        ]

    @pytest.mark.parametrize(("source", "target"), [(7, 5), (5, 7), (0, 3), (3, 0)])
    def test_different_line_counts_name_both(self, write, source: int, target: int) -> None:
        a, b = write("a.en", "x\n" * source), write("a.de", "y\n" * target)
        with pytest.raises(DataError) as error:
            list(read_corpus(corpus(source=a, target=b)))
        shorter = a if source < target else b
        assert message(error) == (
            f"{a} has {source} lines but {b} has {target}: {shorter} is shorter by {abs(source - target)}; "
            "line i of one must translate line i of the other"
        )

    def test_a_line_separator_within_a_line_does_not_shift_the_pairs(self, write) -> None:
        # the bug of reading with str.splitlines: from there on every pair is wrong, and nobody notices
        source, target = write("a.en", "a\u2028b\nc\n"), write("a.de", "d\ne\x85f\n")
        assert list(read_corpus(corpus(source=source, target=target))) == [("a\u2028b", "d"), ("c", "e\x85f")]

    def test_different_numbers_of_files(self, write) -> None:
        a = str(write("a", "x\n"))
        lopsided = ADAPTER.validate_python({"source": [a, a, a], "target": [a, a]})
        with pytest.raises(DataError, match=r"3 source files but 2 target files; name them in pairs"):
            list(read_corpus(lopsided))


class TestTables:
    def test_columns(self, write) -> None:
        path = write("a.tsv", "eins\tone\tuno\n zwei \ttwo\t\n")
        pairs = read_corpus(corpus(tsv=path, source_column=1, target_column=0))
        assert list(pairs) == [("one", "eins"), ("two", " zwei ")]

    def test_a_column_is_missing(self, write) -> None:
        path = write("a.tsv", "one\teins\ntwo zwei\n")
        with pytest.raises(DataError) as error:
            list(read_corpus(corpus(tsv=path)))
        assert message(error) == (
            f"{path}:2: 1 column, but column 1 is asked for (the first one is 0); columns are separated by tabs"
        )


class TestJson:
    def read(self, path: Path) -> list[SentencePair]:
        return list(read_corpus(corpus(jsonl=path, source="en", target="de")))

    def test_pairs_and_blank_lines(self, write) -> None:
        lines = [json.dumps({"en": "one", "de": "a\nb", "id": 3}), "", json.dumps({"de": "ü", "en": ""}), ""]
        assert self.read(write("a.jsonl", "\n".join(lines))) == [("one", "a\nb"), ("", "ü")]

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ('{"en": "x"', "this is not JSON (Expecting ',' delimiter: line 1 column 11 (char 10)); each line"),
            ("[1, 2]", "expected a JSON object with the keys 'en' and 'de'"),
            ('{"en": "x", "dee": "y"}', "no key 'de'; did you mean 'dee'? (found 'en', 'dee')"),
            ("{}", "no key 'en' (found no key at all)"),
            ('{"en": "x", "de": 5}', "'de' must be text, got 5"),
            ('{"en": "x", "de": null}', "'de' must be text, got null"),
            ('{"en": "\\ud83d", "de": "y"}', "'en' holds half a surrogate pair, which is no character"),
            ("[" * 100_000, "this is not JSON ("),
            ('{"en": "x", "de": "y", "id": ' + "7" * 5000 + "}", "this is not JSON ("),
        ],
    )
    def test_bad_lines(self, write, line: str, complaint: str) -> None:
        path = write("a.jsonl", f'{{"en": "x", "de": "y"}}\n\n{line}\n')
        with pytest.raises(DataError) as error:
            self.read(path)
        assert message(error).startswith(f"{path}:3: {complaint}")


class TestParquet:
    def write(self, path: Path, **columns: list[object]) -> Path:
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        return path

    def read(self, path: Path) -> list[SentencePair]:
        return list(read_corpus(corpus(parquet=path, source="en", target="de")))

    def test_pairs(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.parquet", de=["eins", ""], number=[1, 2], en=["one", "two"])
        assert self.read(path) == [("one", "eins"), ("two", "")]

    def test_missing_column(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.parquet", en=["one"], den=["eins"])
        with pytest.raises(DataError, match=r"a.parquet: no column 'de'; did you mean 'den'\? \(found 'en', 'den'\)"):
            self.read(path)

    def test_null(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.parquet", en=["one", "two"], de=["eins", None])
        with pytest.raises(DataError, match=r"a.parquet, row 2: 'de' must be text, got None"):
            self.read(path)

    def test_text_in_another_encoding(self, tmp_path: Path) -> None:
        raw = pyarrow.array([b"eins", b"gr\xfc\xdfen"]).view(pyarrow.string())
        path = self.write(tmp_path / "a.parquet", en=["one", "greet"], de=raw)
        with pytest.raises(DataError, match=r"a.parquet, rows 1 to 2: there is text that is not UTF-8 \(.*0xfc"):
            self.read(path)

    def test_foreign_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        path.write_bytes(b"this is text\n" * 11)
        with pytest.raises(DataError, match=r"a.parquet: this is not a whole Parquet file"):
            self.read(path)

    def test_missing_file(self) -> None:
        with pytest.raises(DataError, match=r"no-such.parquet: no such file"):
            self.read(Path("no-such.parquet"))
