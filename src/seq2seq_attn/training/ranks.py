"""The processes of a training: who they are, and how they come to the same numbers and decisions.

``torchrun`` starts them and tells each by its environment which one it is. They talk through ``torch.distributed``:
whatever is decided (an end, a skipped step, an error) is agreed on through gloo, on the CPU; gradients are summed with
gloo or, on CUDA devices, with NCCL.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor

from seq2seq_attn.errors import ConfigError, Seq2SeqError, TrainingError
from seq2seq_attn.training.ranks_network import choose_interface

T = TypeVar("T")

NO_ANSWER = timedelta(minutes=30)  # after which a process that is expected to answer is given up
PATIENCE = timedelta(days=365)  # for what may take any time: preparation of a corpus, scoring of tests


class RanksLost(TrainingError):  # noqa: N818 - what happened; as an error it is a TrainingError
    """Another process of the training is gone; nothing can be agreed on any more."""


class Elsewhere(Seq2SeqError):  # noqa: N818 - where it happened, not an error of ours
    """What went wrong in another process; the first one tells of it, all others keep quiet.

    Attributes:
        exit_status: that of the error itself.
    """

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Ranks:
    """A training of one process: whatever is to be agreed on is agreed on already, and costs nothing.

    Attributes:
        number: of this process, from 0.
        size: how many there are.
    """

    number = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prepares, saves, logs and talks to the user."""
        return self.number == 0

    def use(self, device: torch.device) -> None:
        """Give each process of a machine a device of its own; tensors there are summed from now on.

        Raises:
            ConfigError: if there are fewer devices than processes, or devices of different kinds.
        """

    def sum(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""

    def copy(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of the first process."""

    def add(self, numbers: Sequence[int]) -> list[int]:
        """Return sums over all processes."""
        return list(numbers)

    def largest(self, number: int) -> int:
        """Return the largest number that any process has."""
        return number

    def any(self, flag: bool) -> bool:
        """Tell whether it is so in any process."""
        return bool(self.largest(int(flag)))

    def gather(self, item: T) -> list[T]:
        """Return what each process has, in their order."""
        return [item]

    def first(self, make: Callable[[], T], *, patient: bool = False) -> T:
        """Let the first process do something; return in all of them what came out.

        Args:
            make: what to do; its result travels as a pickle.
            patient: whether it may take hours.

        Raises:
            Elsewhere: in all others, if it ends with an error in the first.
        """
        del patient
        return make()

    def together(self, make: Callable[[], T]) -> T:
        """Let each process do something; return its own result.

        Raises:
            Elsewhere: in those where it goes well, if it ends with an error in any.
        """
        return make()

    def wait(self) -> None:
        """Wait for all others, however long that takes."""

    def follow(self) -> None:
        """Wait until the first process is gone, so that it can end its work."""


class JoinedRanks(Ranks):
    """A training of the processes that ``torchrun`` has started.

    Raises:
        RanksLost: if the others cannot be reached.
    """

    def __init__(self) -> None:
        import torch.distributed as dist

        self.number, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self._local = int(os.environ.get("LOCAL_RANK", "0"))
        self._dist: Any = dist
        choose_interface(os.environ)
        if dist.is_initialized():  # a training before this one, which failed
            dist.destroy_process_group()
        with self._talking("cannot be reached"):
            dist.init_process_group("gloo", timeout=NO_ANSWER)
            self._patient = dist.new_group(backend="gloo", timeout=PATIENCE)
        self._tensors = dist.group.WORLD

    def use(self, device: torch.device) -> None:
        """Give each process of a machine a device of its own; tensors there are summed from now on."""
        self.together(lambda: self._check_devices(device))
        kinds = self.gather(device.type)
        if len(set(kinds)) > 1:
            raise ConfigError(
                f"training.device: process 0 would compute on {kinds[0]}, but process "
                f"{next(number for number, kind in enumerate(kinds) if kind != kinds[0])} on another kind of device; "
                "set it to cpu, or use machines with CUDA devices only"
            )
        if device.type == "cuda":
            torch.cuda.set_device(self._local)
            with self._talking("cannot be reached through NCCL"):
                self._tensors = self._dist.new_group(backend="nccl", timeout=NO_ANSWER)

    def _check_devices(self, device: torch.device) -> None:
        if device.type == "cuda" and self._local >= torch.cuda.device_count():
            raise ConfigError(
                f"this machine has {torch.cuda.device_count()} CUDA devices, but more processes than that were "
                "started on it; start one per device (torchrun --nproc-per-node), or set training.device to cpu"
            )

    def sum(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""
        with self._talking():
            self._dist.all_reduce(tensor, group=self._tensors)

    def copy(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        with self._talking(), torch.no_grad():
            for tensor in tensors:
                self._dist.broadcast(tensor.detach(), 0, group=self._tensors)

    def add(self, numbers: Sequence[int]) -> list[int]:
        """Return sums over all processes."""
        sums = torch.tensor(numbers, dtype=torch.int64)
        with self._talking():
            self._dist.all_reduce(sums)
        return sums.tolist()

    def largest(self, number: int) -> int:
        """Return the largest number that any process has."""
        found = torch.tensor(number, dtype=torch.int64)
        with self._talking():
            self._dist.all_reduce(found, op=self._dist.ReduceOp.MAX)
        return int(found)

    def gather(self, item: T) -> list[T]:
        """Return what each process has, in their order."""
        items: list[Any] = [None] * self.size
        with self._talking():
            self._dist.all_gather_object(items, item)
        return items

    def first(self, make: Callable[[], T], *, patient: bool = False) -> T:
        """Let the first process do something; return in all of them what came out."""
        answer: list[Any] = [None, None]
        failure: BaseException | None = None
        if self.is_first:
            try:
                answer[0] = make()
            except (Seq2SeqError, OSError) as error:
                failure = error
                answer[1] = _told(error)
        with self._talking():
            self._dist.broadcast_object_list(answer, 0, group=self._patient if patient else None)
        if failure is not None:
            raise failure
        if answer[1] is not None:
            raise Elsewhere(*answer[1])
        return answer[0]

    def together(self, make: Callable[[], T]) -> T:
        """Let each process do something; return its own result."""
        failure: BaseException | None = None
        try:
            made = make()
        except (Seq2SeqError, OSError) as error:
            failure = error
        told = self.gather(None if failure is None else _told(failure))
        if self.is_first and failure is not None:
            raise failure
        for found in told:
            if found is not None:
                raise Elsewhere(*found)
        return made

    def wait(self) -> None:
        """Wait for all others, however long that takes; this is the end of the training."""
        with self._talking():
            self._dist.barrier(group=self._patient)
        self._dist.destroy_process_group()

    def follow(self) -> None:
        """Wait until the first process is gone, so that it can end its work."""
        if not self.is_first:
            with contextlib.suppress(RuntimeError):
                self._dist.barrier(group=self._patient)  # in which the first never takes part

    @contextlib.contextmanager
    def _talking(self, what: str = "has ended, or cannot be reached any more") -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # the base of all errors of torch.distributed
            reason = re.sub(r"^\[\S+:\d+\] ", "", str(error)).partition(". ")[0].partition("\n")[0]
            raise RanksLost(
                f"another process of this training {what}, so this one ends, too; go on with --resume ({reason})"
            ) from error


def join() -> Ranks:
    """Return the processes that ``torchrun`` has started, or the only one there is."""
    return JoinedRanks() if _are_several() else Ranks()


def is_first_process() -> bool:
    """Tell whether this process is the one that talks to the user, without asking any other."""
    return not _are_several() or os.environ["RANK"] == "0"


def _are_several() -> bool:
    started = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    return started and int(os.environ["WORLD_SIZE"]) > 1


def _told(error: BaseException) -> tuple[str, int]:
    if isinstance(error, Seq2SeqError):
        return str(error), error.exit_status
    return str(error), 1
