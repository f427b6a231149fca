"""What a right configuration means: defaults, short forms, YAML's traps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from seq2seq_attn.config import Config, dump_config, load_config, parse_config
from seq2seq_attn.config.schema import (
    AttentionConfig,
    DropoutConfig,
    JsonlCorpus,
    ParquetCorpus,
    TextCorpus,
    TokenizerConfig,
    TrainingConfig,
    TsvCorpus,
)


def test_a_config_of_data_alone_has_the_documented_defaults(write):
    config = load_config(write())
    assert config.name == "exp"  # the stem of the file
    assert config.seed == 1
    assert config.data.max_length == 100
    assert config.data.test == {}
    assert (config.tokenizer.kind, config.tokenizer.vocabulary_size, config.tokenizer.shared) == (
        "sentencepiece",
        8000,
        True,
    )
    assert config.model.attention == "luong-general"
    assert config.model.decoder.wiring is None
    assert config.model.encoder.hidden_size == 256
    assert config.model.decoder.hidden_size == 512
    assert config.model.tie_embeddings == "target"
    assert (config.model.dropout.output, config.model.dropout.share_of_recurrent) == (0.4, 0.3)
    assert config.training.optimizer.learning_rate == 0.0015
    assert config.training.optimizer.betas == (0.9, 0.999)
    assert (config.training.schedule.kind, config.training.schedule.warmup_steps) == ("cosine", 200)
    assert (config.training.batch_tokens, config.training.batch_sentences) == (640, None)
    assert config.training.validate_every == "epoch"
    assert (config.decoding.beam_size, config.decoding.length_penalty) == (5, 1.0)


def test_four_ways_to_write_a_corpus(write):
    test_sets = """\
  test:
    text: {source: [a.en, b.en], target: [a.pt, b.pt]}
    table: {tsv: pairs.tsv.gz, target_column: 3}
    lines: {jsonl: [x.jsonl, y.jsonl], source: english, target: portuguese}
    columns: {parquet: z.parquet, source: en, target: pt}
"""
    path = write()  # ends inside `data`
    path.write_text(path.read_text() + test_sets)
    test = load_config(path).data.test
    assert test == {
        "text": TextCorpus(source=("a.en", "b.en"), target=("a.pt", "b.pt")),
        "table": TsvCorpus(tsv=("pairs.tsv.gz",), source_column=0, target_column=3),
        "lines": JsonlCorpus(jsonl=("x.jsonl", "y.jsonl"), source="english", target="portuguese"),
        "columns": ParquetCorpus(parquet=("z.parquet",), source="en", target="pt"),
    }


def test_one_corpus_and_a_list_of_one_are_the_same(write):
    listed = ["data.train=[{source: train.en, target: [train.pt]}]"]
    assert load_config(write(), listed) == load_config(write())


def test_paths_stay_as_they_are_written(write):
    config = load_config(write(name="deep/exp.yaml"), ["data.train.source=../x/./train.en"])
    assert config.data.train[0].source == ("../x/./train.en",)


def test_a_dropout_number_stands_for_three_places(write):
    assert load_config(write("model: {dropout: 0.25}\n")).model.dropout == DropoutConfig(
        embedding=0.25, state=0.25, output=0.25, recurrent=0.0, variational=False
    )


def test_attention_may_be_given_by_its_parts(write):
    config = load_config(write("model: {attention: {score: general, window: local-p, hidden_size: 7}}\n"))
    assert config.model.attention == AttentionConfig(score="general", window="local-p", hidden_size=7)


@pytest.mark.parametrize("word", ["no", "on", "off", "yes", "y", "n", "No", "YES"])
def test_words_that_yaml_1_1_takes_for_booleans_are_text(write, word):
    assert load_config(write(), [f"data.source_language={word}"]).data.source_language == word


@pytest.mark.parametrize(
    ("written", "number"),
    [("1e-3", 0.001), ("1E-3", 0.001), (".5", 0.5), ("5.", 5.0), ("+1.5e+2", 150.0), ("2", 2.0), ("007", 7.0)],
)
def test_numbers_of_yaml_1_2(write, written, number):
    """PyYAML alone reads 1e-3 as text, and 007 as octal."""
    rate = load_config(
        write(f"training: {{optimizer: {{learning_rate: {written}}}}}\n")
    ).training.optimizer.learning_rate
    assert rate == number
    assert isinstance(rate, float)


@pytest.mark.parametrize(("written", "number"), [("1e5", 100_000), ("64.0", 64), ("0x10", 16), ("0o17", 15)])
def test_whole_numbers_may_be_written_in_other_ways(write, written, number):
    steps = load_config(write(f"training: {{max_steps: {written}}}\n")).training.max_steps
    assert steps == number
    assert isinstance(steps, int)


@pytest.mark.parametrize("written", ["12:30:00", "2001-01-01", "1_0", "=", "1.2.3"])
def test_sexagesimals_and_dates_are_text(write, written):
    assert load_config(write(), [f"data.source_language={written}"]).data.source_language == written


def test_keys_are_text_whatever_they_look_like(write):
    names = load_config(write(), ["data.test={2016: {tsv: a}, no: {tsv: b}, 1e3: {tsv: c}}"]).data.test
    assert list(names) == ["2016", "no", "1e3"]


def test_anchors_and_aliases_work(write):
    data = """\
data:
  source_language: en
  target_language: pt
  train: &corpus {source: a.en, target: a.pt}
  validation: *corpus
"""
    config = load_config(write(data=data))
    assert config.data.validation == config.data.train


def test_a_section_with_every_key_commented_out_has_its_defaults(write):
    config = load_config(write("decoding:\n  # beam_size: 7\nmodel:\n"))
    assert config == load_config(write())


def test_a_byte_order_mark_and_windows_line_ends(write):
    path = write("seed: 5\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_config(path).seed == 5


@pytest.mark.parametrize(
    ("written", "tokens", "sentences"),
    [("{}", 640, None), ("{batch_tokens: 77}", 77, None), ("{batch_sentences: 7}", None, 7)],
)
def test_a_batch_has_one_size(write, written, tokens, sentences):
    training = load_config(write(f"training: {written}\n")).training
    assert (training.batch_tokens, training.batch_sentences) == (tokens, sentences)


@pytest.mark.parametrize(
    ("written", "epochs", "steps"),
    [
        ("{}", 17, 4000),
        ("{max_epochs: 3}", 3, None),
        ("{max_epochs: null, max_steps: 9}", None, None),
        ("{min_steps: 7}", 17, 7),
        ("{min_steps: null}", 17, None),
        ("{max_epochs: 3, min_steps: 7}", 3, 7),
    ],
)
def test_little_text_is_read_more_often_unless_epochs_are_counted(write, written, epochs, steps):
    training = load_config(write(f"training: {written}\n")).training
    assert (training.max_epochs, training.min_steps) == (epochs, steps)
    assert parse_config(dump_config(load_config("exp.yaml"))).training == training


def test_sections_can_be_made_in_python():
    assert TrainingConfig(batch_sentences=3).batch_tokens is None
    assert TokenizerConfig(kind="word").vocabulary_size == 8000


def test_a_config_is_frozen(write):
    config = load_config(write())
    with pytest.raises(ValidationError, match="frozen"):
        config.model.encoder.layers = 2  # type: ignore[misc]


def test_dump_writes_every_key_and_reads_back(write):
    config = load_config(write("model: {dropout: 0.1}\ntraining: {clip_norm: null}\n"), ["data.source_language='1e-3'"])
    text = dump_config(config)
    assert "clip_norm: null" in text
    assert "source_language: '1e-3'" in text
    assert parse_config(text) == config
    saved = Path("config.yaml")
    saved.write_text(text, encoding="utf-8")
    assert load_config(saved) == config  # its name is kept, not taken from the file


def test_no_heavy_library_is_imported():
    code = (
        "import sys, seq2seq_attn.config;"
        "print(sorted({'torch', 'numpy', 'torchtext', 'sentencepiece'} & set(sys.modules)), 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "True"]


def test_config_is_what_load_config_returns(write):
    assert isinstance(load_config(str(write())), Config)
