"""Files and overrides that cannot be read at all, or not as YAML: every message, read."""

from __future__ import annotations

import pytest

from seq2seq_attn.config import load_config
from seq2seq_attn.errors import ConfigError


def test_a_repeated_key_names_both_lines(complaint):
    text = """\
        model:
          encoder:
            layers: 1
            hidden_size: 3
            layers: 2
        data: {}
        """
    assert complaint(text) == [
        "exp.yaml has 2 errors",
        "line 10: model.encoder.layers: written twice, first in line 8; remove one",
        "line 11: data: written twice, first in line 1; remove one",
    ]


def test_a_repeated_key_in_an_override(complaint):
    assert complaint("", ["decoding={beam_size: 1, beam_size: 2}"])[1] == (
        "command line: decoding={beam_size: 1, beam_size: 2}: decoding.beam_size: written twice; remove one"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model: [1, 2\n", "line 7: YAML syntax: expected ',' or ']', but got '<stream end>'"),
        ("model:\n\tlayers: 2\n", "line 7: a tab in the indentation; YAML takes spaces only"),
        (
            "seed:1\nname: x\n",
            "line 6: YAML syntax: could not find expected ':'; a key is followed by a colon and a space",
        ),
        (
            "name: a: b\n",
            "line 6: YAML syntax: mapping values are not allowed here; check the indentation, and put text that holds "
            "': ' in quotes",
        ),
        ("name: *other\n", "line 6: YAML syntax: found undefined alias 'other'"),
        (
            "---\nseed: 1\n",
            "line 6: YAML syntax: a second YAML document starts; a configuration is one, remove the line ---",
        ),
        (
            "name: !!python/name:os.system x\n",
            "line 6: name: the YAML tag 'tag:yaml.org,2002:python/name:os.system' is not supported here; remove it",
        ),
        ("seed: !!int x\n", "line 6: seed: the YAML tag 'tag:yaml.org,2002:int' does not fit the text 'x'; remove it"),
        ("data2: &a {x: *a}\n", "line 6: data2.x: this alias contains itself; write the value out"),
        ('name: "\\ud800"\n', "line 6: name: the text '\\ud800' is not valid Unicode"),
        ("name: a\x07b\n", "line 6: the character '\\x07' is not allowed in YAML; remove it"),
        ("? [a, b]\n: c\n", "line 6: a key must be one word, not a list or a mapping"),
        ('name: "\\U99999999"\n', "line 6: YAML cannot be read: "),
    ],
)
def test_what_is_not_yaml_names_the_line(complaint, text, line):
    assert any(shown.startswith(line) for shown in complaint(text))


def test_a_number_of_ten_thousand_digits(complaint):
    """Python itself refuses to read it."""
    assert complaint(f"seed: {'9' * 10_000}\n")[1].startswith(
        "line 6: seed: expected a whole number, got the text '9999"
    )


@pytest.mark.unchecked_shapes
def test_a_few_lines_that_stand_for_billions_of_values(complaint):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert any("too many values, or nested too deeply" in line for line in complaint("\n".join(rows)))


@pytest.mark.parametrize("depth", [50, 100_000])
def test_nesting_without_end(complaint, depth):
    assert "nested too deeply" in "".join(complaint("x: " + "[" * depth + "]" * depth + "\n"))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_file(complaint, text):
    assert complaint(text, data="") == ["exp.yaml has 1 error", "expected lines such as 'seed: 1', the file is empty"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("- a\n- b\n", "a list of 2"), ("hello\n", "the text 'hello'"), ("seed:1\n", "the text 'seed:1'")],
)
def test_a_file_that_is_not_a_mapping(complaint, text, found):
    assert complaint(text, data="")[1] == f"line 1: expected lines such as 'seed: 1', got {found}"


def test_a_missing_file(folder):
    (folder / "configs").mkdir()
    (folder / "configs" / "toy.yaml").touch()
    with pytest.raises(ConfigError) as caught:
        load_config("configs/toi.yaml")
    assert str(caught.value) == (
        f"configs/toi.yaml: no such file; did you mean 'configs/toy.yaml'?  (working directory: {folder})"
    )
    with pytest.raises(ConfigError, match=r"^nowhere/a\.yaml: no such file  \(working directory: "):
        load_config("nowhere/a.yaml")


def test_a_folder(folder):
    with pytest.raises(ConfigError, match=r"is a folder; name a \.yaml file in it$"):
        load_config(folder)


def test_a_file_where_a_folder_should_be(write):
    with pytest.raises(ConfigError, match=r"^exp\.yaml/a\.yaml: cannot be read: Not a directory$"):
        load_config(write() / "a.yaml")


def test_a_path_that_no_file_can_have(folder):
    with pytest.raises(ConfigError, match=r"^a\\x00b: cannot be read: "):
        load_config("a\0b")


def test_invalid_utf_8_names_the_line(write):
    path = write("name: caf\n")
    path.write_bytes(path.read_bytes().replace(b"caf", b"caf\xe9"))
    with pytest.raises(ConfigError, match=r"^exp\.yaml line 6: the byte 0xe9 is not UTF-8; save the file as UTF-8$"):
        load_config(path)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seed", "command line: seed: expected an override such as seed=2"),
        ("=2", "command line: =2: expected a key such as model.attention before the '='"),
        (
            "model..attention=x",
            "command line: model..attention=x: expected a key such as model.attention before the '='",
        ),
        ("seed=[1", "command line: seed=[1: YAML syntax: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_overrides_that_cannot_be_read(complaint, override, line):
    assert complaint("", [override])[1] == line


def test_text_that_is_not_unicode(complaint):
    """Arguments that are not UTF-8 reach Python with lone surrogates."""
    assert complaint("", ["data.train.source=a\udce9"])[1] == (
        "command line: data.train.source=a\\udce9: the character '\\udce9' is not allowed in YAML; remove it"
    )
    assert "this key is not valid Unicode" in complaint("", ['data={"\\ud800": 1}'])[1]
    assert complaint("", {"name": "\udce9"})[1].startswith("override: name='\\udce9': ")


def test_only_a_file_can_extend(complaint):
    assert complaint("", ["extends=base.yaml"])[1] == (
        "command line: extends=base.yaml: only a configuration file can extend another one"
    )
    assert complaint('extends: "a\\0b"\n')[1].startswith("line 6: extends: a\\x00b: cannot be read: ")


def test_terminal_codes_in_a_config_are_not_obeyed(complaint):
    assert "\x1b" not in "".join(complaint("", ["\x1b[31mseed=1"]))
