"""One optimizer step: forward, loss, backward, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import Precision, give_memory_back
from seq2seq_attn.training.averages import MovingAverage
from seq2seq_attn.training.guard_memory import NoMemory, learn_in_parts
from seq2seq_attn.training.losses import batch_loss
from seq2seq_attn.training.objectives.base import Objective
from seq2seq_attn.training.ranks import Ranks
from seq2seq_attn.training.ranks_gradient import GradientSum, shares

TIDY_EVERY = 20  # steps; a fiftieth of a second each time

LOSS = "loss"
LIKELIHOOD = "likelihood"


class StepResult(NamedTuple):
    """What a step did; tensors stay on the device so that nobody waits for it."""

    likelihood: Tensor  # negative log-likelihood, summed over tokens
    gradient_norm: Tensor  # before clipping
    tokens: int
    parts: Mapping[str, Tensor] = MappingProxyType({})  # of the loss besides, by name, summed over tokens
    skipped: Tensor = torch.tensor(False)  # loss or gradient was not finite: nothing was learned, all sums are 0
    splits: int = 0  # how often a batch was split for want of memory


class Updater:
    """Makes optimizer steps from groups of batches.

    The loss of a step is the sum over all its target tokens divided by their number, counted
    over the whole group first: one batch of 32 sentences and two of 16 give the same gradient,
    whatever their lengths. Of several processes each learns from its share of every batch; what is counted, and
    what the optimizer follows, is the sum over all of them.

    Args:
        model: what learns.
        optimizer: over its parameters.
        device: where it is.
        precision: of the matrix products.
        objective: what is descended.
        clip_norm: largest norm of the gradient; None for any.
        average: of the parameters; None to keep none.
        ranks: the processes of the training; None for this one alone.
    """

    def __init__(
        self,
        model: Seq2Seq,
        optimizer: torch.optim.Optimizer,
        *,
        device: torch.device,
        precision: Precision,
        objective: Objective,
        clip_norm: float | None,
        average: MovingAverage | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.device = device
        self.precision = precision
        self.objective = objective
        self.average = average
        self.ranks = ranks or Ranks()
        self._gradient_sum = GradientSum(list(model.parameters()), self.ranks)
        self.clip_norm = float("inf") if clip_norm is None else clip_norm
        self._updates = 0
        # float16 has so narrow a range that small gradients vanish unless the loss is scaled up
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision.dtype == torch.float16)
        # it makes its scale with the first loss, but a process whose share of a batch is empty has none
        self.scaler.scale(torch.zeros((), device=device))

    def update(self, batches: Sequence[Batch], learning_rate: float, step: int = 0) -> StepResult:
        """Make one step from ``batches``, in parts where memory does not suffice for this process's share.

        When loss or gradient is not finite, parameters and optimizer stay as they are.

        Args:
            batches: what to learn from, over all processes.
            learning_rate: of this step.
            step: how many were made before it.

        Raises:
            NoMemory: if there is not even memory for one sentence pair, in any process.
        """
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        tokens = sum(batch.target_tokens for batch in batches)
        sums = self._zeros()

        def start_over() -> None:
            self.optimizer.zero_grad(set_to_none=True)
            sums.update(self._zeros())

        try:
            splits = self._learn_share(batches, lambda batch: self._learn(batch, tokens, step, sums), start_over, sums)
        except BaseException:
            start_over()
            raise
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        loss = sums.pop(LOSS)
        finite = torch.isfinite(loss + norm)
        self._follow(finite)
        if self.scaler.is_enabled():
            # too large a scale makes gradients overflow, which it is there to find out; nothing is wrong with these
            too_large = float(self.scaler.get_scale()) > 1
            finite = finite | torch.isfinite(loss) if too_large else finite
            self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self._updates += 1
        if self.device.type == "cpu" and self._updates % TIDY_EVERY == 0:
            give_memory_back()
        sums = {name: value.masked_fill(~finite, 0.0) for name, value in sums.items()}
        return StepResult(sums.pop(LIKELIHOOD), norm, tokens, sums, ~finite, splits)

    def loss_is_finite(self, batches: Sequence[Batch]) -> bool:
        """Tell whether the model as it is has a finite loss on ``batches``; nothing is learned or drawn."""
        self.model.eval()
        loss = torch.zeros((), device=self.device)
        with torch.no_grad(), self.precision.autocast(self.device):
            for batch in shares(batches, self.ranks, self.device):
                loss += batch_loss(self.model, batch.to(self.device)).negative_log_likelihood
        return not self.ranks.any(not bool(torch.isfinite(loss)))

    def _zeros(self) -> dict[str, Tensor]:
        names = (LOSS, LIKELIHOOD, *self.objective.parts)
        return {name: torch.zeros((), device=self.device) for name in names}

    def _learn_share(
        self,
        batches: Sequence[Batch],
        learn: Callable[[Batch], None],
        start_over: Callable[[], None],
        sums: dict[str, Tensor],
    ) -> int:
        """Add up gradients and ``sums`` of all processes; return how often any of them split a batch."""
        failure: NoMemory | None = None
        splits = 0
        try:
            splits = learn_in_parts(shares(batches, self.ranks, self.device), learn, start_over)
        except NoMemory as error:
            if self.ranks.size == 1:
                raise
            start_over()
            failure = error
        if self.ranks.size > 1:
            present = self._gradient_sum.present()
            splits, failed, *present = self.ranks.add([splits, int(failure is not None), *present])
            if failed:
                told = self.ranks.gather(None if failure is None else str(failure))
                raise NoMemory(next(message for message in told if message is not None)) from failure
            self._gradient_sum(present, sums)
        return splits

    def _learn(self, batch: Batch, tokens: int, step: int, sums: dict[str, Tensor]) -> None:
        """Add the gradient of a batch, and what it lost to ``sums``."""
        batch = batch.to(self.device)
        with self.precision.autocast(self.device):
            lost = self.objective(self.model, batch, step)
        self.scaler.scale(lost.total / tokens).backward()  # type: ignore[no-untyped-call]
        for name, found in {LOSS: lost.total, LIKELIHOOD: lost.likelihood, **lost.parts}.items():
            sums[name] += found.detach()

    def _follow(self, finite: Tensor) -> None:
        """Let the optimizer follow the gradient, if that is finite."""
        if self.device.type == "cuda" and getattr(self.optimizer, "_step_supports_amp_scaling", False):
            # the kernel looks for itself, as it does for a GradScaler; nobody waits for the device
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            self.optimizer.step()
            del self.optimizer.found_inf  # type: ignore[attr-defined]
        elif finite:
            self.optimizer.step()

    def averaged(self) -> AbstractContextManager[None]:
        """Give the model its averaged parameters until the block ends, where an average is kept."""
        return nullcontext() if self.average is None else self.average.applied()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs of optimizer, scaler and average."""
        average = {} if self.average is None else {"average": self.average.state_dict()}
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(), **average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
