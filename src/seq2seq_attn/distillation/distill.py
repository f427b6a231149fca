"""From one configuration to a student of several teachers (Kim and Rush 2016; Nguyen et al. 2020)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from seq2seq_attn.config import Config, dump_config
from seq2seq_attn.data.workers import available_cores
from seq2seq_attn.distillation.jobs import GO_ON, Job, run_jobs
from seq2seq_attn.distillation.plan import Plan, Teacher, make_plan
from seq2seq_attn.distillation.text import cut, join, write_sides
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.experiment.lock import RunLock
from seq2seq_attn.experiment.processes import say
from seq2seq_attn.experiment.train import Run, train
from seq2seq_attn.files import write_atomic
from seq2seq_attn.runtime import choose_device
from seq2seq_attn.training.interrupts import Interrupted


def distill(
    config: str | Path,
    overrides: Mapping[str, object] | Sequence[str] = (),
    *,
    teacher: Sequence[str] = (),
    forward: int = 2,
    backward: int = 2,
    jobs: int | None = None,
    output: str | Path | None = None,
) -> Run:
    """Train teachers, translate the training text with them, and train a student on all of it.

    The student learns from the text itself, from its sources with the translations that the ensemble of the forward
    teachers makes of them (Kim and Rush 2016, section 3.2; Freitag et al. 2017), and from its targets with the
    translations that the ensemble of the backward teachers makes of those (Nguyen et al. 2020, algorithm 1). What is
    done already is kept: the same call goes on from there.

    Args:
        config: a YAML file.
        overrides: of all models: ``{"model.attention": "bahdanau"}`` or ``["model.attention=bahdanau"]``.
        teacher: of the teachers alone: ``["training.max_epochs=10"]``.
        forward: number of teachers that translate as the student will.
        backward: number of teachers that translate the other way.
        jobs: teachers that are trained at a time, and parts of the text that are translated; by default one for each
            core, or one on a GPU.
        output: the folder of everything; ``runs/<name>`` when not given. The student is in ``student``.

    Returns:
        The run of the student.

    Raises:
        ConfigError: if the settings are wrong, or the folder was begun with others.
        DataError: if a text is missing or wrong.
        JobFailed: if a teacher cannot be trained, or cannot translate.
        TrainingError: if the training of the student cannot go on.
        Interrupted: after Ctrl-C or SIGTERM while the student learns; everything has been saved.
    """
    plan = make_plan(
        config,
        overrides,
        teacher,
        forward=forward,
        backward=backward,
        output=None if output is None else Path(output),
    )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("distill starts processes of its own; start it without torchrun")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs {jobs}: expected a whole number of at least 1")
    at_once = _jobs(plan.config) if jobs is None else jobs
    with RunLock(plan.folder):
        plan.begin()
        _write_text(plan)
        work = [(texts, teachers) for texts, teachers in _work(plan) if teachers and not all(map(_is_done, texts))]
        learning = [teacher for _, teachers in work for teacher in teachers]
        if learning:
            together = min(at_once, len(learning))
            threads = max(1, available_cores() // together)
            say(f"teachers: {len(learning)}, {together} at a time, threads of each: {threads}")
            run_jobs(map(_training, learning), at_once=at_once, threads=threads, report=say)
        for texts, teachers in work:
            runs = ",".join(str(one.folder) for one in teachers)
            for text in texts:
                _translate(text, runs, device=plan.config.training.device, at_once=at_once)
        say("the student")
        try:
            return train(plan.student(), output=plan.student_folder, resume=plan.student_folder.exists())
        except Interrupted:
            say(GO_ON)
            raise


def _jobs(config: Config) -> int:
    return available_cores() if choose_device(config.training.device).type == "cpu" else 1


def _write_text(plan: Plan) -> None:
    for number, part in enumerate(plan.config.data.train, start=1):
        write_sides(part, plan.corpus_folder(number))
    if plan.backward:
        for number, part in enumerate(plan.config.data.validation, start=1):
            write_sides(part, plan.text / f"validation-{number}")


def _training(teacher: Teacher) -> Job:
    path = teacher.folder.with_suffix(".yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, dump_config(teacher.config))
    resume = ("--resume",) if teacher.folder.exists() else ()
    return Job(teacher.name, ("train", str(path), "--output", str(teacher.folder), *resume))


class _Text(NamedTuple):
    """A file, the folder of its parts, the file of its translations, and what stands before each sentence."""

    source: Path
    parts: Path
    output: Path
    tag: str | None


def _work(plan: Plan) -> list[tuple[list[_Text], list[Teacher]]]:
    """Return what is translated by whom, for either direction."""
    found = []
    for teachers, side, other in (
        (plan.forward_teachers(), "source", "target"),
        (plan.backward_teachers(), "target", "source"),
    ):
        texts = []
        for number, corpus in enumerate(plan.config.data.train, start=1):
            folder = plan.corpus_folder(number)
            texts.append(_Text(folder / side, folder / f"{side}.parts", folder / f"{other}.translated", corpus.tag))
        found.append((texts, teachers))
    return found


def _is_done(text: _Text) -> bool:
    return text.output.exists()


def _translate(text: _Text, runs: str, *, device: str, at_once: int) -> None:
    if _is_done(text):
        shutil.rmtree(text.parts, ignore_errors=True)  # of a start that was stopped right behind the last one
        return
    parts = cut(text.source, text.parts, tag=text.tag, at_once=at_once)
    jobs = [
        Job(
            f"{text.source.name} {part.source.stem}",
            ("translate", runs, "--source", str(part.source), "--output", str(part.target), "--device", device),
        )
        for part in parts
        if not part.target.exists()
    ]
    threads = max(1, available_cores() // min(at_once, len(parts)))
    say(f"translating {text.source}: {len(jobs)} of {len(parts)} parts, {min(at_once, len(parts))} at a time")
    bar = tqdm(desc="translating", total=len(parts), initial=len(parts) - len(jobs), unit="part", disable=None)

    def count(job: Job) -> None:
        del job
        bar.update()

    with bar:
        run_jobs(jobs, at_once=at_once, threads=threads, report=say, done=count)
    join(parts, text.output)
