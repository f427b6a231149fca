"""Every message, read: file, line, key, what was found, what to do."""

from __future__ import annotations

import pytest

from seq2seq_attn.config import load_config, parse_config
from seq2seq_attn.errors import ConfigError


def test_all_errors_are_shown_at_once_in_the_order_of_the_file(complaint):
    text = """\
        seed: x
        model:
          atention: bahdanau
          encoder: {layers: 0}
        """
    assert complaint(text, ["training.clip_norm=fast"]) == [
        "exp.yaml has 4 errors",
        "line 6: seed: expected a whole number, got the text 'x'",
        "line 8: model.atention: unknown key; did you mean 'attention'?  (model has: architecture, attention, bridge, "
        "copying, decoder, dropout, embedding_size, encoder, source_vectors, target_vectors, tie_embeddings, "
        "transformer)",
        "line 9: model.encoder.layers: expected at least 1, got the number 0",
        "command line: training.clip_norm=fast: expected a number, got the text 'fast'",
    ]


def test_the_exit_status_is_that_of_a_wrong_request():
    assert ConfigError("").exit_status == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=1.5", "expected a whole number, got the number 1.5"),
        ("seed=true", "expected a whole number, got true"),
        ("seed=-1", "expected at least 0, got the number -1"),
        ("seed='3'", "expected a whole number, got the text '3'; remove the quotes"),
        ("seed=none", "expected a whole number, got the text 'none'"),
        ("seed=", "expected a whole number, got nothing"),
        ("seed={a: 1}", "expected a whole number, got a mapping"),
        ("name=5", "expected text, got the number 5; put it in quotes"),
        (
            "name=a/b",
            "expected a name that a folder can have: printable, without / \\ : and no dot in front, got the text 'a/b'",
        ),
        (
            "data=5",
            "expected a mapping of max_length, source_language, target_language, test, train, validation, workers, "
            "got the number 5",
        ),
        ("data.max_length=1_000", "expected a whole number, got the text '1_000'; write it without separators"),
        ("data.max_length=3e9", "expected at most 2147483647, got the number 3000000000.0"),
        ("data.source_language=''", "expected text, got empty text"),
        (
            "data.train=data/train.en",
            "expected a corpus, which is {source: FILE, target: FILE}, {tsv: FILE}, {jsonl: FILE, "
            "source: KEY, target: KEY} or {parquet: FILE, source: COLUMN, target: COLUMN}, "
            "got the text 'data/train.en'",
        ),
        ("data.train=[]", "expected at least one, got an empty list"),
        ("data.train.source=[]", "expected at least one, got an empty list"),
        ("data.train.source=7", "expected text, got the number 7; put it in quotes"),
        ("data.test=[a]", "expected a mapping of names, got a list of 1"),
        (
            "tokenizer.kind=words",
            "expected sentencepiece, word or character, got the text 'words'; did you mean 'word'?",
        ),
        ("tokenizer.shared=yes", "expected true or false, got the text 'yes'; write true"),
        ("tokenizer.shared=Off", "expected true or false, got the text 'Off'; write false"),
        ("tokenizer.shared=1", "expected true or false, got the number 1"),
        ("tokenizer.vocabulary_size=4", "expected at least 5, got the number 4"),
        ("model.dropout=1.5", "expected a number below 1, got the number 1.5"),
        (
            "model.dropout=high",
            "expected a number, or a mapping of embedding, state, output, recurrent and variational, "
            "got the text 'high'",
        ),
        (
            "model.dropout=true",
            "expected a number, or a mapping of embedding, state, output, recurrent and variational, got true",
        ),
        (
            "model.attention=5",
            "expected the name of a mechanism, or a mapping of its parts (score, normalize, window, ...), "
            "got the number 5",
        ),
        (
            "model.decoder.wiring=luog",
            "expected luong, bahdanau, conditional or gnmt, got the text 'luog'; did you mean 'luong'?",
        ),
        ("training.optimizer.learning_rate=0", "expected a number above 0, got the number 0"),
        ("training.optimizer.learning_rate=.nan", "expected a finite number, got the number nan"),
        ("training.optimizer.learning_rate=1e999", "expected a finite number, got the number inf"),
        ("training.optimizer.betas=0.9", "expected a list of two numbers, got the number 0.9"),
        ("training.optimizer.betas=[0.9]", "expected a list of two numbers, got a list of 1"),
        ("training.clip_norm=None", "expected a number, got the text 'None'; for no value write null"),
        ("training.validate_every=epochs", "expected the word epoch, or a number of steps, got the text 'epochs'"),
        ("training.validate_every=true", "expected the word epoch, or a number of steps, got true"),
        ("training.max_epochs=0", "expected at least 1, got the number 0"),
        (
            "decoding.minimum_risk=[]",
            "expected a mapping of candidates, of, utility, got an empty list",
        ),
    ],
)
def test_a_wrong_value_says_what_was_wanted_and_found(complaint, override, message):
    assert complaint("", [override]) == ["exp.yaml has 1 error", f"command line: {override}: {message}"]


def test_a_wrong_number_of_steps_between_validations(complaint):
    (_, line) = complaint("training: {validate_every: 0}\n")
    assert line == "line 6: training.validate_every: expected at least 1, got the number 0"


def test_items_of_lists_are_numbered(complaint):
    assert complaint("", ["training.optimizer.betas=[0.9, 1]", "data.train.source=[a, 2]"]) == [
        "exp.yaml has 2 errors",
        "command line: data.train.source=[a, 2]: data.train.source[1]: expected text, "
        "got the number 2; put it in quotes",
        "command line: training.optimizer.betas=[0.9, 1]: training.optimizer.betas[1]: "
        "expected a number below 1, got the number 1",
    ]


def test_a_line_inside_a_list_is_its_own(complaint):
    data = """\
data:
  source_language: en
  target_language: pt
  validation: {tsv: a}
  train:
    - {tsv: a}
    - source: a
      target: 5
"""
    assert complaint(data=data)[1] == "line 8: data.train[1].target: expected text, got the number 5; put it in quotes"


@pytest.mark.parametrize(
    ("override", "guess"),
    [
        ("sed=1", "seed"),
        ("tokenizer.vocab_size=1", "vocabulary_size"),
        ("training.learning_rate=1", "training.optimizer.learning_rate"),
        ("learning_rat=1", "training.optimizer.learning_rate"),
        ("model.bidirectional=true", "model.encoder.bidirectional"),
        ("model.layers=2", "model.encoder.layers or model.decoder.layers"),
        ("data.train.sorce=a", "source"),
        ("data.train.tvs=a", "tsv"),
        ("model.dropout.outputs=0.5", "output"),
        ("model.attention={score: dot, windo: local}", "window"),
        ("training.batch-tokens=5", "batch_tokens"),
    ],
)
def test_an_unknown_key_is_guessed_even_in_another_section(complaint, override, guess):
    (_, line) = complaint("", [override])
    assert "unknown key" in line
    assert f"; did you mean {guess!r}?  (" in line


def test_an_unknown_key_like_no_other(complaint):
    (_, line) = complaint("xyzzy: 1\n")
    assert line == (
        "line 6: xyzzy: unknown key  (a configuration has: "
        "data, decoding, extends, model, name, seed, tokenizer, training)"
    )


def test_a_misspelt_key_is_not_reported_missing_too(complaint):
    data = "data: {source_language: en, target_language: pt, validation: {tvs: a}, train: {sorce: a, target: b}}\n"
    lines = complaint(data=data)
    assert lines[0] == "exp.yaml has 2 errors"
    assert "data.train.sorce: unknown key; did you mean 'source'?" in lines[1]
    assert "data.validation.tvs: unknown key; did you mean 'tsv'?" in lines[2]


def test_missing_keys_name_the_section_they_belong_to(complaint):
    data = "seed: 1\ndata:\n  source_language: en\n  train:\n    jsonl: a\n    source: x\n  validation: {tsv: a}\n"
    assert complaint(data=data) == [
        "exp.yaml has 2 errors",
        "line 2: data.target_language: this key is missing (Language translated to, for example `de`)",
        "line 4: data.train.target: this key is missing (Key of the target sentence)",
    ]


def test_no_data_at_all(complaint):
    assert complaint("seed: 1\n", data="") == [
        "exp.yaml has 1 error",
        "data: this key is missing (Which text is learnt from, and which is judged on)",
    ]


def test_overrides_from_python_are_named_so(complaint):
    assert complaint("", {"seed": "x", "model.bridge": object}) == [
        "exp.yaml has 2 errors",
        "override: model.bridge=<class 'object'>: expected zero, last or mean, got a Python type",
        "override: seed='x': expected a whole number, got the text 'x'",
    ]


def test_a_long_override_from_python_is_cut(complaint):
    assert len(complaint("", {"seed": list(range(10_000))})[1]) < 200


def test_one_override_need_not_be_in_a_list(write):
    assert load_config(write(), "seed=5").seed == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "training:\n  batch_tokens: 5\n  batch_sentences: 7\n",
            "line 8: training.batch_sentences: a batch has a size in tokens or in sentences; "
            "remove this key or batch_tokens",
        ),
        (
            "training:\n  max_epochs: null\n",
            "line 7: training.max_epochs: training would never end; set max_epochs, max_steps or max_minutes",
        ),
        (
            "training:\n  max_epochs: null\n  max_steps: 5\n  min_steps: 3\n",
            "line 9: training.min_steps: holds off max_epochs, which is null; set that too, or remove this key",
        ),
        (
            "training:\n  max_epochs: null\n  max_minutes: 5\n",
            "line 6: training.schedule.kind: cosine must know its length in advance; set max_epochs or max_steps too, "
            "or use 'constant'",
        ),
        (
            "tokenizer: {shared: false}\nmodel: {tie_embeddings: all}\n",
            "line 7: model.tie_embeddings: 'all' needs one vocabulary for both languages; "
            "set tokenizer.shared to true, or use 'target'",
        ),
        (
            "tokenizer: {kind: word, sampling: 0.1}\n",
            "line 6: tokenizer.sampling: works with sentencepiece only, but tokenizer.kind is 'word'; set it to 0",
        ),
        (
            "tokenizer: {kind: character, character_coverage: 0.9}\n",
            "line 6: tokenizer.character_coverage: works with sentencepiece only, but tokenizer.kind is 'character'; "
            "set it to 1",
        ),
        (
            "model: {encoder: {direction: backward}}\n",
            "line 6: model.encoder.direction: the encoder reads from both ends already; set bidirectional to false, or "
            "remove this key",
        ),
        (
            "tokenizer: {minimum_frequency: 2}\n",
            "line 6: tokenizer.minimum_frequency: works with word and character tokenizers only; set it to 1",
        ),
    ],
)
def test_keys_that_contradict_each_other(complaint, text, line):
    assert complaint(text) == ["exp.yaml has 1 error", line]


def test_a_test_set_cannot_be_called_as_another_split(complaint):
    assert complaint("", ["data.test.validation={tsv: x}"])[1] == (
        "command line: data.test.validation={tsv: x}: a test set cannot be called 'validation', "
        "which is another split; rename it"
    )


def test_a_test_set_needs_a_name_that_a_folder_can_have(complaint):
    assert complaint("", ["data.test={a/b: {tsv: x}}"])[1] == (
        "command line: data.test={a/b: {tsv: x}}: data.test.a/b: expected a name that a folder can have: printable, "
        "without / \\ : and no dot in front, got the text 'a/b'"
    )


def test_minutes_alone_are_enough_for_other_schedules(write):
    path = write("training: {max_epochs: null, max_minutes: 0.5, schedule: {kind: constant}}\n")
    assert load_config(path).training.max_minutes == 0.5


def test_a_text_is_called_by_its_source():
    with pytest.raises(ConfigError, match=r"^runs/x/config\.yaml has 1 error\n  line 1: seed: expected a whole"):
        parse_config(
            "seed: x\ndata: {source_language: a, target_language: b, train: {tsv: a}, validation: {tsv: a}}",
            source="runs/x/config.yaml",
        )
