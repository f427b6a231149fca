"""What TensorBoard shows of a training besides its numbers: the configuration, translations, pictures of attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from seq2seq_attn.config import Config, dump_config
from seq2seq_attn.config.schema import DecodingConfig, TrainingConfig
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.data.prepare import PreparedData
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.experiment.validation import validation_search
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.logging import Record, Sink, TensorBoard, check_tensorboard_installed
from seq2seq_attn.training.trainer import Trainer
from seq2seq_attn.translation import Translator
from seq2seq_attn.visualization.heatmap import attention_image
from seq2seq_attn.visualization.picture import check_drawing

SAMPLES = 4
LONGEST = 40
"""Most tokens of a side: a matrix that is read at a glance."""

LOOKED_AT = 1000  # validation sentences among which the samples are chosen


def check_tensorboard(training: TrainingConfig) -> None:
    """Refuse what could not be written, before any work is done.

    Raises:
        MissingExtra: if training is to write TensorBoard files and a library for it is not installed.
    """
    if training.tensorboard:
        check_tensorboard_installed()
        check_drawing("training.tensorboard")


def open_tensorboard(folder: Path, config: Config, trainer: Trainer, prepared: PreparedData) -> list[Sink]:
    """Return what writes into ``folder``; a resumed run hides what was written after the state it resumes from.

    Args:
        folder: for the files of TensorBoard.
        config: of the run.
        trainer: as it begins.
        prepared: what it learns from.
    """
    step = trainer.state.step
    board = TensorBoard(folder, resume_step=step)
    samples = Samples(
        board,
        trainer.updater.model,
        prepared.tokenizers,
        [pair for pair, _ in read_linked(config.data.validation)],
        decoding=validation_search(config),
        averaged=trainer.updater.averaged,
    )
    samples.write_config(config, step)
    return [board, samples]


class Samples:
    """After each validation: translations of the same few sentences, and where the model looks in them.

    A picture shows the model while it is made to write the reference translation. So its rows are the same at
    every step, and the slider of TensorBoard shows how attention forms.

    Args:
        board: where they are written.
        model: as it is at each validation.
        tokenizers: of both languages.
        pairs: validation sentences, among which a few are chosen: of those that are short enough, and far apart.
        decoding: how they are translated.
        averaged: gives the model the parameters that validation saw, until its block ends.
    """

    def __init__(
        self,
        board: TensorBoard,
        model: Seq2Seq,
        tokenizers: Tokenizers,
        pairs: Sequence[SentencePair],
        *,
        decoding: DecodingConfig,
        averaged: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.board = board
        self.model = model
        self.tokenizers = tokenizers
        self.pairs = choose_samples(pairs, tokenizers)
        self.decoding = decoding
        self.averaged = averaged

    def write_config(self, config: Config, step: int) -> None:
        """Show the whole configuration as the run folder has it."""
        lines = dump_config(config).splitlines()
        self.board.write_text("configuration", "".join(f"    {line}\n" for line in lines), step)

    def write(self, record: Record) -> None:
        """Show what a validation record belongs to; other records are none of ours."""
        step = record["step"]
        if record["kind"] != "validation" or not isinstance(step, int) or not self.pairs:
            return
        self.model.eval()
        with self.averaged():
            translator = Translator(self.model, self.tokenizers, self.decoding)
            self._write_translations(translator, step)
            if self.model.attends:
                self._write_attention(translator, step)
        self.board.flush()

    def close(self) -> None:
        """Nothing is left; the board is closed by whom it belongs to."""

    def _write_translations(self, translator: Translator, step: int) -> None:
        found = translator.translate([pair.source for pair in self.pairs])
        rows = [(pair.source, pair.target, one.text) for pair, one in zip(self.pairs, found, strict=True)]
        lines = ["| source | reference | translation |", "| --- | --- | --- |"]
        lines += [f"| {' | '.join(map(plain_markdown, row))} |" for row in rows]
        self.board.write_text("translations", "\n".join(lines), step)

    def _write_attention(self, translator: Translator, step: int) -> None:
        for number, (source, reference) in enumerate(self.pairs, start=1):
            first = translator.attention_maps(source, reference)[0]
            if max(first.weights.shape) > LONGEST + 1:
                continue  # there was no shorter sentence
            title = f"validation sentence {number}, step {step}"
            image = attention_image(first.weights, first.columns, first.rows, title=title)
            self.board.write_image(f"attention/{number}", image, step)


def choose_samples(pairs: Sequence[SentencePair], tokenizers: Tokenizers) -> list[SentencePair]:
    """Return a few pairs, the same ones at every call: evenly spread among those that are not too long.

    Where all are too long, the shortest are taken.
    """
    known = [pair for pair in pairs[:LOOKED_AT] if pair.source.strip() and pair.target.strip()]
    sources = tokenizers.source.encode_batch([pair.source for pair in known])
    targets = tokenizers.target.encode_batch([pair.target for pair in known])
    sizes = [max(len(source), len(target)) for source, target in zip(sources, targets, strict=True)]
    short = [pair for pair, size in zip(known, sizes, strict=True) if size <= LONGEST]
    if not short:
        return [known[number] for number in sorted(range(len(known)), key=sizes.__getitem__)[:SAMPLES]]
    count = min(SAMPLES, len(short))
    return [short[number * len(short) // count] for number in range(count)]


def plain_markdown(text: str) -> str:
    """Return ``text`` so that Markdown, and the HTML made of it, show it as it is and do nothing else."""
    return "".join(f"&#{ord(c)};" if c.isascii() and not c.isalnum() and c != " " else c for c in text)
