"""An exported folder: graphs, tokenizers, configuration and manifest, written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Set
from pathlib import Path

import onnx

from seq2seq_attn.checkpoint import Checkpoint, load_checkpoint
from seq2seq_attn.checkpoint.folders import BEST
from seq2seq_attn.checkpoint.folders import TOKENIZER as RUN_TOKENIZER
from seq2seq_attn.checkpoint.info import read_info
from seq2seq_attn.config import dump_config
from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, UNK
from seq2seq_attn.errors import CheckpointError, ConfigError
from seq2seq_attn.export.check import check_graphs
from seq2seq_attn.export.convert import Graphs, convert_model
from seq2seq_attn.export.converting.builder import OPSET
from seq2seq_attn.export.converting.int8 import Int8
from seq2seq_attn.export.converting.weights import Float32
from seq2seq_attn.export.tracing import CannotExport
from seq2seq_attn.exported.manifest import CONFIG, MANIFEST, TOKENIZER, Manifest, describe_files, read_manifest
from seq2seq_attn.files import check_folder, folder_atomic
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.translation.sources import MAX_SOURCE_TOKENS

ENCODER, STEP = "encoder.onnx", "step.onnx"


def export_onnx(
    run: Path,
    output: Path,
    *,
    int8: bool = False,
    checkpoint: str = BEST,
    report: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write a trained model as a folder that onnxruntime translates with; return the folder.

    Args:
        run: a run folder, or a checkpoint folder inside one.
        output: the folder to make; an earlier export there is replaced.
        int8: store matrices as whole numbers of 8 bits.
        checkpoint: ``best``, ``last`` or ``step-...``; only for a run folder.
        report: is told what is being done.

    Raises:
        CannotExport: naming what no graph can be made of.
        CheckpointError: if there is no such run or checkpoint, or it is damaged.
        ConfigError: if there is something else at ``output``.
    """
    check_export_output(output)
    loaded = load_checkpoint(run, checkpoint=checkpoint)
    with folder_atomic(output.absolute()) as aside:
        write_model(loaded, aside, int8=int8, report=report)
    return output


def write_model(
    loaded: Checkpoint, folder: Path, *, int8: bool = False, report: Callable[[str], None] = lambda _: None
) -> Manifest:
    """Fill an empty folder, and compare what was written with the model; return the manifest.

    Args:
        loaded: the model with all it needs.
        folder: that exists.
        int8: store matrices as whole numbers of 8 bits.
        report: is told what is being done.

    Raises:
        CannotExport: naming what no graph can be made of.
        WrongExport: if the graphs compute something else.
    """
    report(f"making graphs of {loaded.folder}")
    try:
        graphs = convert_model(loaded.model, Int8() if int8 else Float32())
    except CannotExport as error:
        attention = describe_attention(loaded.config.model)
        raise CannotExport(
            f"{loaded.folder}: a model with attention {attention} cannot be exported: {error}"
        ) from error
    onnx.save(graphs.encoder, folder / ENCODER)
    onnx.save(graphs.step, folder / STEP)
    (folder / CONFIG).write_text(dump_config(loaded.config), encoding="utf-8")
    shutil.copytree(loaded.run / RUN_TOKENIZER, folder / TOKENIZER)
    manifest = describe_export(loaded, graphs, folder, precision="int8" if int8 else "float32")
    report("comparing the graphs with the model")
    check_graphs(loaded.model, folder, manifest)
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def check_export_output(output: Path) -> None:
    """Refuse a place that holds anything but an earlier export, before any work is done for it.

    Raises:
        ConfigError: naming what is there.
        UserError: if no folder can be written there.
    """
    check_replaceable(output, {ENCODER, STEP, CONFIG, TOKENIZER, MANIFEST}, output)


def check_replaceable(output: Path, own: Set[str], model: Path) -> None:
    """Refuse a folder of which anything would be lost that no export has written.

    Args:
        output: that would be replaced.
        own: names of the files and folders that an export has there.
        model: the exported model in it.

    Raises:
        ConfigError: naming what is there.
        UserError: if no folder can be written there.
    """
    check_folder(output, "an export", option="--output")
    there = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if not there:
        return
    mend = "choose another folder with --output"
    if there - own:
        raise ConfigError(f"{output}: holds other files ({min(there - own)}) than an export; {mend}")
    try:
        read_manifest(model)
    except CheckpointError as error:
        raise ConfigError(f"{output}: holds files ({min(there)}) and no export ({error}); {mend}") from error


def describe_export(loaded: Checkpoint, graphs: Graphs, folder: Path, *, precision: str) -> Manifest:
    """Make the manifest of a folder whose other files are written."""
    config, model = loaded.config, loaded.model
    info = read_info(loaded.folder)
    sums_to_one = model.decoder.attention.sums_to_one if isinstance(model, RNNSeq2Seq) else True
    return Manifest(
        name=config.name,
        source_language=config.data.source_language,
        target_language=config.data.target_language,
        architecture=config.model.architecture,
        attention=describe_attention(config.model),
        checkpoint={"name": loaded.folder.name, "step": info.step, "epoch": info.epoch},
        precision=precision,
        attends=model.attends,
        sums_to_one=sums_to_one,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        encoder=ENCODER,
        step=STEP,
        memory=graphs.memory,
        state=graphs.state,
        shared_memory=graphs.shared_memory,
        vocabulary={"source": len(loaded.tokenizer.source), "target": len(loaded.tokenizer.target)},
        special={"pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS},
        max_source_tokens=MAX_SOURCE_TOKENS,
        decoding=config.decoding.model_dump(mode="json"),
        opset=OPSET,
        files=describe_files(folder),
    )
