"""Everything before training: checks of what is asked for, the tokenizer and the encoded corpus."""

from __future__ import annotations

import collections
import socket
from pathlib import Path

import torch

from seq2seq_attn.checkpoint.folders import CHECKPOINTS
from seq2seq_attn.config import Config
from seq2seq_attn.data.links import alignment_files, read_linked
from seq2seq_attn.data.prepare import PreparedData, open_prepared, prepare
from seq2seq_attn.data.record import read_record
from seq2seq_attn.data.tokenizers import PAD
from seq2seq_attn.errors import ConfigError, DataError, UserError
from seq2seq_attn.experiment.initial import check_initial
from seq2seq_attn.experiment.processes import say
from seq2seq_attn.experiment.run_folder import CORPUS, check_run_folder, write_run_config
from seq2seq_attn.experiment.tensorboard import check_tensorboard
from seq2seq_attn.experiment.validation import check_validation
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.training.freezing import freeze
from seq2seq_attn.training.ranks import Ranks


def prepare_run(config: Config, folder: Path, *, resume: bool = False) -> PreparedData:
    """Check everything that can be checked before hours are spent, then make tokenizer and corpus.

    Raises:
        ConfigError: if the model cannot be built, or the folder belongs to another configuration.
        DataError: if a text is missing or wrong.
    """
    check_run_folder(folder, config, resume=resume)
    with torch.device("meta"):  # sizes and names only; the vocabulary does not matter
        model = build_model(config.model, source_vocabulary=8, target_vocabulary=8, padding=PAD)
    _check_weight_losses(config, model)
    check_validation(config, model)
    check_tensorboard(config.training)
    freeze(model, config.training.freeze or ())
    if not (resume and any((folder / CHECKPOINTS).glob("step-*"))):
        check_initial(config)
    # what is wrong in them should not show after training
    collections.deque(read_linked(config.data.validation), maxlen=0)
    for name, corpus in config.data.test.items():
        if sum(1 for _ in read_linked((corpus,))) == 0:
            raise DataError(
                f"data.test.{name}: there are no sentence pairs in it, so nothing to score; name other files"
            )
    prepared = prepare(config, folder, report=say)
    write_run_config(folder, config)
    return prepared


def prepare_for_all(config: Config, folder: Path, ranks: Ranks, *, resume: bool) -> PreparedData:
    """Let the first process prepare, and the others open what it has made.

    Raises:
        DataError: if a process does not see it.
    """
    made: list[PreparedData] = []
    ranks.first(lambda: made.append(prepare_run(config, folder, resume=resume)), patient=True)
    record = ranks.first(lambda: read_record(folder / CORPUS))

    def open_it() -> PreparedData:
        if made:
            return made[0]
        try:
            if read_record(folder / CORPUS) != record:
                raise DataError("nothing is there, or another corpus")
            return open_prepared(config, folder)
        except UserError as error:
            raise DataError(
                f"{folder}: process {ranks.number} on {socket.gethostname()} does not see the corpus that process 0 "
                f"has prepared there ({error}); put the run folder on a disk that all machines share, or copy its "
                "folders tokenizer and corpus to the same place on each"
            ) from error

    return ranks.together(open_it)


def _check_weight_losses(config: Config, model: Seq2Seq) -> None:
    """Refuse losses on weights that nothing gives, or that nothing says what they should be."""
    guided = config.training.guided_alignment.weight > 0
    for key, is_on in (("guided_alignment", guided), ("coverage_loss", config.training.coverage_loss > 0)):
        if is_on and not model.attends:
            raise ConfigError(
                f"training.{key} is about attention weights, but this model has none (model.attention is "
                f"{config.model.attention!r}); set it to 0, or choose an attention"
            )
    if guided and not alignment_files(config.data.train):
        raise ConfigError(
            "training.guided_alignment learns from gold alignments, but data.train has none: name their files as "
            "data.train.alignments (a line per pair, such as 0-0 1-2), or set training.guided_alignment to 0"
        )
