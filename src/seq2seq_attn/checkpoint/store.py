"""The checkpoints of one run: which stay, which is best, which is last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seq2seq_attn.checkpoint.contents import NotWritten, write_checkpoint
from seq2seq_attn.checkpoint.folders import BEST, LAST
from seq2seq_attn.checkpoint.info import Info, check_files, read_info
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.files import link_atomic, remove_folder, remove_leftovers
from seq2seq_attn.models.base import Seq2Seq


class CheckpointStore:
    """The folder ``checkpoints`` of a run.

    Args:
        folder: where checkpoints are kept; made when the first one is saved.
        metric: the validation score that ranks them.
        higher_is_better: whether more of it is better.
        keep_best: how many of the best stay; the newest always does.
    """

    def __init__(self, folder: Path, *, metric: str, higher_is_better: bool, keep_best: int) -> None:
        self.folder = folder
        self.metric = metric
        self.sign = 1.0 if higher_is_better else -1.0
        self.keep_best = keep_best

    def save(
        self,
        model: Seq2Seq,
        training: Mapping[str, Any],
        *,
        step: int,
        epoch: int,
        scores: Mapping[str, float] | None,
    ) -> Path:
        """Write a checkpoint, point ``last`` and ``best``, delete what is no longer wanted.

        Raises:
            NotWritten: if the disk is full or refuses; the message names the newest checkpoint that is whole.
        """
        path = self.folder / _name(step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_checkpoint(path, model, training, step=step, epoch=epoch, scores=scores)
            self._tidy(path)
        except (NotWritten, OSError) as error:
            what = str(error) if isinstance(error, NotWritten) else f"{path}: cannot be written ({error.strerror})"
            found = self._newest_whole(lambda _: None)
            rest = "nothing has been saved yet" if found is None else f"the newest whole checkpoint is {found[0].name}"
            raise NotWritten(f"{what}; {rest}. Make room or mend the folder, then go on with --resume") from error
        return path

    def newest(self, report: Callable[[str], None]) -> tuple[Path, Info] | None:
        """Return the newest checkpoint that is whole, or None when there is none.

        Damaged ones are reported and passed over. What an interrupted write left undone is done:
        a run that had just ended saves nothing any more that would do it.

        Raises:
            CheckpointError: if there are checkpoints, and none is whole: beginning anew would bury them.
        """
        if not self.folder.is_dir():
            return None
        self._rescue()
        remove_leftovers(self.folder)
        found = self._newest_whole(lambda error: report(f"passing over a damaged checkpoint: {error}"))
        if found is not None:
            self._tidy(found[0])
        elif self._folders():
            raise CheckpointError(
                f"{self.folder}: none of the checkpoints here is whole; restore one from a backup, "
                "or delete this folder to begin anew"
            )
        return found

    def _newest_whole(self, report: Callable[[CheckpointError], None]) -> tuple[Path, Info] | None:
        for path in sorted(self._folders(), reverse=True):
            try:
                info = read_info(path)
                check_files(path, info)
            except CheckpointError as error:
                report(error)
            else:
                return path, info
        return None

    def _tidy(self, newest: Path) -> None:
        """Point ``last`` and ``best``, delete what is no longer wanted.

        Later ones than the newest whole one are damaged; training will come by and replace them.
        """
        link_atomic(self.folder / LAST, newest.name)
        ranked = [path for path in self._ranked() if path.name <= newest.name]
        if ranked:
            link_atomic(self.folder / BEST, ranked[0].name)
        keep = {newest.name, *(kept.name for kept in ranked[: self.keep_best])}
        for old in self._folders():
            if old.name < newest.name and old.name not in keep:
                remove_folder(old)

    def _rescue(self) -> None:
        """Give a whole checkpoint its name when the machine died between writing and naming it.

        Replacing a checkpoint takes two renames; between them neither the old nor the new one has the name.
        """
        for aside in self.folder.glob(".aside-step-*"):
            try:
                info = read_info(aside)
                check_files(aside, info)
            except CheckpointError:
                continue
            path = self.folder / _name(info.step)
            if not path.exists():
                aside.rename(path)

    def _folders(self) -> list[Path]:
        return [path for path in self.folder.glob("step-*") if path.is_dir() and not path.is_symlink()]

    def _ranked(self) -> list[Path]:
        """All validated checkpoints, best first; of equal ones the earlier comes first."""
        ranked = []
        for path in self._folders():
            try:
                scores = read_info(path).scores
            except CheckpointError:
                continue  # passed over when resuming; kept out of the ranking here
            if scores is not None and self.metric in scores:
                ranked.append((-self.sign * scores[self.metric], path.name, path))
        return [path for _, _, path in sorted(ranked)]


def _name(step: int) -> str:
    return f"step-{step:08d}"
