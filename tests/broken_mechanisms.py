"""Mechanisms that break a promise, one each, and one of either kind that is in order.

No pytest here: the conformance kit is run on them in plain processes, too.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from seq2seq_attn.attention import Attended, Attention, Memory

# --- a mechanism that is in order, to be broken one line at a time ----------------------------------


class Plain(Attention):
    """Dot products of a projection, softmax, mean; each method one step, so that one can be done wrong."""

    paper = "of these tests"
    summary = "dot product after one matrix"

    def __init__(self, *, query_size, value_size, hidden_size):
        super().__init__(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
        self.key_layer = nn.Linear(value_size, query_size, bias=False)

    def memorize(self, values, mask):
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        return Memory(values, self.key_layer(values), mask)

    def start(self, memory):
        return ()

    def energies(self, query, memory, state):
        return query.to(memory.keys.dtype) @ memory.keys.mT

    def normalize(self, energies, mask):
        energies = energies.float() if energies.dtype == torch.bfloat16 else energies
        return energies.masked_fill(~mask.unsqueeze(1), -math.inf).softmax(-1)

    def forward(self, query, memory, state):
        weights = self.normalize(self.energies(query, memory, state), memory.mask)
        return Attended(weights.to(memory.values.dtype) @ memory.values, weights, self.next(state, weights))

    def next(self, state, weights):
        return state


class Counting(Plain):
    """Carries the steps made in its state, as a mechanism with a history would, and still is in order."""

    recurrent = True

    def start(self, memory):
        return (torch.zeros_like(memory.mask, dtype=memory.values.dtype),)

    def energies(self, query, memory, state):
        return super().energies(query, memory, state) - state[0].unsqueeze(1)

    def next(self, state, weights):
        return (state[0] + weights.squeeze(1),)


# --- and its broken kin -------------------------------------------------------------------------------


class Unnamed(Plain):
    paper = " "


class ListOfThree(Plain):
    def forward(self, query, memory, state):
        return list(super().forward(query, memory, state))


class OwnMemory(Plain):
    def memorize(self, values, mask):
        return tuple(super().memorize(values, mask))


class TargetLast(Plain):
    def forward(self, query, memory, state):
        found = super().forward(query, memory, state)
        return found._replace(context=found.context.mT)


class NamesItsDtype(Plain):
    def normalize(self, energies, mask):
        return super().normalize(energies, mask).float()


class FloatOnly(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.offset = torch.ones(1, 1, 1)

    def energies(self, query, memory, state):
        return torch.cat([super().energies(query, memory, state)[..., :-1], memory.keys[..., :1, :1] @ self.offset], -1)


class LayersFirst(Counting):
    """The layout of torch.nn.LSTM's states."""

    def start(self, memory):
        return (super().start(memory)[0].unsqueeze(0),)


class ListState(Counting):
    def start(self, memory):
        return list(super().start(memory))


class UnequalSizes(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.key_layer = nn.Identity()


class ForgetsTheMask(Plain):
    def normalize(self, energies, mask):
        return energies.softmax(-1)


class Unnormalized(Plain):
    def normalize(self, energies, mask):
        return energies.sigmoid() * mask.unsqueeze(1)


class BelowZero(Plain):
    def normalize(self, energies, mask):
        weights = energies.tanh() * mask.unsqueeze(1)
        return weights - (weights.sum(-1, keepdim=True) - 1) / mask.sum(1)[:, None, None] * mask.unsqueeze(1)


class MoreThanOne(Unnormalized):
    sums_to_one = False


class NeverLooks(Plain):
    sums_to_one = False

    def normalize(self, energies, mask):
        return energies * 0.0


class LooksInSecret(Plain):
    attends = False


class Overflows(Plain):
    def normalize(self, energies, mask):
        masses = energies.exp() * mask.unsqueeze(1)
        return masses / masses.sum(-1, keepdim=True)


class DividesByLength(Plain):
    def energies(self, query, memory, state):
        return super().energies(query, memory, state) / query.norm(dim=-1, keepdim=True)


class RootOfZero(Plain):
    def energies(self, query, memory, state):
        return super().energies(query * (query * query).sum(-1, keepdim=True).sqrt(), memory, state)


class ReadsPadding(Plain):
    def memorize(self, values, mask):
        return Memory(values, self.key_layer(values), mask)


class PaddingInTheMean(Plain):
    """Garbage of every size moves the keys, none of it to infinity: only a look at the numbers sees it."""

    def memorize(self, values, mask):
        memory = super().memorize(values, mask)
        seen = values.nan_to_num(0.0, 0.0, 0.0).clamp(-2, 2).mean(1, keepdim=True)
        return memory._replace(keys=memory.keys * (1 + seen.mean(-1, keepdim=True)))


class GradientIntoPadding(Plain):
    def memorize(self, values, mask):
        memory = super().memorize(values, mask)
        nothing = (values - values.detach()).nan_to_num().mean((1, 2), keepdim=True)
        return memory._replace(keys=memory.keys * (1 + nothing))


class SizedByTheLongest(Plain):
    def energies(self, query, memory, state):
        positions = torch.arange(memory.mask.shape[1], device=query.device) / memory.mask.shape[1]
        return super().energies(query, memory, state) * positions.to(query.dtype)


class KnowsItsNeighbors(Plain):
    def energies(self, query, memory, state):
        energies = super().energies(query, memory, state)
        return energies / energies.masked_select(memory.mask.unsqueeze(1)).abs().max().clamp(min=1e-3)


class FirstSentenceOnly(Plain):
    def energies(self, query, memory, state):
        return query @ memory.keys[:1].mT + 0 * super().energies(query, memory, state)


class SecretlyRecurrent(Counting):
    recurrent = False

    def energies(self, query, memory, state):
        return Plain.energies(self, query, memory, state) - state[0].unsqueeze(1)

    def next(self, state, weights):
        return (state[0] + weights.sum(1),)


class AveragesQueries(Plain):
    def energies(self, query, memory, state):
        return super().energies(query - query.mean(1, keepdim=True) / 2, memory, state)


class KnowsItsRow(Counting):
    """Its state has the batch first, and speaks of rows all the same."""

    def start(self, memory):
        return (*super().start(memory), torch.arange(len(memory.mask), device=memory.mask.device))

    def energies(self, query, memory, state):
        return super().energies(query, memory, state) * (1.0 + (state[1] > 1)[:, None, None])

    def next(self, state, weights):
        return (state[0] + weights.squeeze(1), torch.arange(len(weights), device=weights.device))


class WritesToMemory(Plain):
    def energies(self, query, memory, state):
        with torch.no_grad():
            memory.keys.mul_(0.5)
        return super().energies(query, memory, state)


class WritesNothingNew(Plain):
    """Masks in place what is masked already: the numbers stay, and autograd of a caller may not."""

    def memorize(self, values, mask):
        with torch.no_grad():
            values.mul_(1.0)
        return super().memorize(values, mask)


class WritesToState(Counting):
    def next(self, state, weights):
        return (state[0].add_(weights.detach().squeeze(1)),)


class KeepsWeights(Plain):
    last = None

    def next(self, state, weights):
        self.last = weights.detach()
        return state


class KeepsList(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.seen = []

    def next(self, state, weights):
        self.seen.append(1)
        return state


class CountsCalls(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.register_buffer("calls", torch.zeros(()))

    def next(self, state, weights):
        self.calls.add_(1)
        return state


class RunningMean(Plain):
    """Harmless in evaluation mode; in training it learns of the batch behind the optimizer's back."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.norm = nn.BatchNorm1d(sizes["query_size"])

    def energies(self, query, memory, state):
        return super().energies(self.norm(query.mT).mT, memory, state)


OUTSIDE = {}


class KeepsItsMemoryElsewhere(Plain):
    """Nothing changes on the module, and yet the last batch memorized is the one that is looked at."""

    def memorize(self, values, mask):
        OUTSIDE["keys"] = super().memorize(values, mask).keys
        return super().memorize(values, mask)

    def energies(self, query, memory, state):
        keys = OUTSIDE["keys"]
        return query @ (keys if keys.shape == memory.keys.shape else memory.keys).mT


class CoinToss(Plain):
    def energies(self, query, memory, state):
        return super().energies(query, memory, state) + 0.1 * torch.randn_like(memory.keys[:, None, :, 0])


class Detached(Plain):
    def energies(self, query, memory, state):
        return super().energies(query, memory, state).detach()


class DetachedQuery(Plain):
    def energies(self, query, memory, state):
        return super().energies(query.detach(), memory, state)


class NoGradientAtAll(Plain):
    def forward(self, query, memory, state):
        with torch.no_grad():
            return super().forward(query, memory, state)


class OverflowsInTraining(Overflows):
    def normalize(self, energies, mask):
        return super().normalize(energies, mask) if self.training else Plain.normalize(self, energies, mask)


class ReadsPaddingInTraining(ReadsPadding):
    def memorize(self, values, mask):
        return super().memorize(values, mask) if self.training else Plain.memorize(self, values, mask)


class DetachedInTraining(Plain):
    """Drops nothing, but draws: the same numbers must come again for finite differences to mean anything."""

    def energies(self, query, memory, state):
        energies = super().energies(query, memory, state)
        return energies.detach() + torch.randn_like(energies) if self.training else energies


class HalfWeights(Plain):
    def normalize(self, energies, mask):
        return super().normalize(energies, mask).to(energies.dtype)


class CancelsInFloat(Plain):
    def energies(self, query, memory, state):
        return super().energies(query, memory, state) + 1e5 - 1e5


class Unregistered(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.bias = torch.randn(())

    def energies(self, query, memory, state):
        return super().energies(query * self.bias, memory, state)


class MoreThanTensors(Plain):
    def get_extra_state(self):
        return {"names": ["a", "b"]}

    def set_extra_state(self, state):
        pass


class HoldsOnToItself(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.project = lambda values: self.key_layer(values)

    def memorize(self, values, mask):
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        return Memory(values, self.project(values), mask)


class LeavesTheGraph(Plain):
    def energies(self, query, memory, state):
        scale = 2.0 if float(query.detach().sum()) > 1e9 else 1.0
        return super().energies(query, memory, state) * scale


class OtherwiseCompiled(Plain):
    def energies(self, query, memory, state):
        scale = 2.0 if torch.compiler.is_compiling() else 1.0
        return super().energies(query, memory, state) * scale


class Unfinished(Plain):
    def energies(self, query, memory, state):
        raise NotImplementedError("to be written")


# which checks find it, and what the message says
BROKEN = [
    (Unnamed, {"described"}, ["paper is ' '", 'write paper = "..."']),
    (ListOfThree, {"shapes"}, ["forward returned list", "return Attended(context, weights, state)"]),
    (OwnMemory, {"shapes"}, ["memorize returned tuple", "return Memory(values, keys, mask)"]),
    (TargetLast, {"shapes"}, ["context has the shape (4, 5, 3) instead of (4, 3, 5)", "(sentences, queries, context"]),
    (NamesItsDtype, {"shapes"}, ["weights is torch.float32 for inputs and parameters of torch.float64", "no .float()"]),
    (FloatOnly, {"shapes"}, ["it raised RuntimeError", "register_buffer"]),
    (LayersFirst, {"shapes"}, ["tensor 0 of the state from start has the shape (1, 4, 7) for 4 sentences", "beam"]),
    (ListState, {"shapes"}, ["start gave the state list, which is no tuple of tensors"]),
    (UnequalSizes, {"shapes"}, ["it raised RuntimeError", "refuse sizes that do not fit in the constructor"]),
    (Unfinished, {"shapes"}, ["it raised NotImplementedError: to be written"]),
    (ForgetsTheMask, {"weights", "more-padding", "batch"}, ["padding has weights up to 0.", "to -inf before the sof"]),
    (Unnormalized, {"weights"}, ["weights of one query sum to", "instead of 1", "set sums_to_one = False"]),
    (MoreThanOne, {"weights"}, ["weights of one query sum to", "more than 1"]),
    (BelowZero, {"weights"}, ["a weight of -", "softmax"]),
    (NeverLooks, {"weights"}, ["all weights are zero", "attends = False"]),
    (LooksInSecret, {"weights"}, ["there are weights, but attends is False"]),
    (Overflows, {"finite"}, ["values and queries 30 times as large: weights are not finite", "guard"]),
    (DividesByLength, {"finite"}, ["a query of zeros: weights are not finite", "guard divisions"]),
    (RootOfZero, {"finite"}, ["a query of zeros: the gradient of queries is not finite", "before a division, a squ"]),
    (ReadsPadding, {"padding", "more-padding"}, ["with inf in the padding, contexts at [", "values.masked_fill("]),
    (PaddingInTheMean, {"padding", "more-padding", "batch"}, ["with 1000000.0 in the padding, weights at [", "zero t"]),
    (GradientIntoPadding, {"padding", "gradients"}, ["a gradient reaches the padded values"]),
    (SizedByTheLongest, {"more-padding", "batch"}, ["with 4 more positions of padding, weights at [", "mask.sum(1)"]),
    (KnowsItsNeighbors, {"batch"}, ["alone and without padding, weights at ["]),
    (FirstSentenceOnly, {"batch"}, ["in the order [2, 0, 3, 1] of the batch, weights at [", "mix no sent"]),
    (SecretlyRecurrent, {"steps"}, ["one query at a time, weights at [", "set recurrent = True"]),
    (AveragesQueries, {"steps"}, ["one query at a time, weights at [", "let no query know of another"]),
    (KnowsItsRow, {"batch", "select"}, ["in the second step, after rows [2, 2, 0, 3, 2] were kept, weights at ["]),
    (WritesToMemory, {"read-only"}, ["forward wrote to memory.keys", "masked_fill_"]),
    (WritesNothingNew, {"read-only"}, ["memorize wrote to values", "replace in-place operations"]),
    (WritesToState, {"read-only"}, ["forward wrote to tensor 0 of the state"]),
    (KeepsWeights, {"stateless"}, ["calls changed last of the module", "what belongs to a step into the state"]),
    (KeepsList, {"stateless"}, ["calls changed seen of the module"]),
    (CountsCalls, {"stateless"}, ["calls changed calls of the module"]),
    (RunningMean, {"stateless"}, ["calls changed norm.num_batches_tracked", "in training mode"]),
    (KeepsItsMemoryElsewhere, {"stateless"}, ["after another batch was memorized, weights at [", "read keys and val"]),
    (CoinToss, {"stateless"}, ["asked again, weights at ["]),
    (Detached, {"gradients"}, ["the gradient of values at [0, 0, 0] is", "finite differences give", "look for detach"]),
    (DetachedQuery, {"gradients"}, ["the gradient of queries at [0, 0, 0] is 0, finite differences give"]),
    (NoGradientAtAll, {"gradients"}, ["the gradient of values at [0, 0, 0] is 0, finite differences give"]),
    (OverflowsInTraining, {"finite"}, ["30 times as large in training mode: weights are not finite"]),
    (ReadsPaddingInTraining, {"padding"}, ["with inf in the padding in training mode, contexts at ["]),
    (DetachedInTraining, {"gradients"}, ["the gradient of values at [0, 0, 0] in training mode is"]),
    (HalfWeights, {"precision"}, ["under bfloat16 autocast, weights are torch.bfloat16", "energies.float()"]),
    (CancelsInFloat, {"precision"}, ["in float32, weights at [", "avoid differences of large numbers"]),
    (
        Unregistered,
        {"parameters", "copies"},
        ["another one that loaded its state_dict: weights at [", "register every"],
    ),
    (MoreThanTensors, {"parameters"}, ["_extra_state in the state_dict is dict, which no checkpoint can hold"]),
    (HoldsOnToItself, {"copies"}, ["after a deep copy was given other parameters, its weights at [", "lambda: self"]),
]

BROKEN_WHEN_COMPILED = [
    (LeavesTheGraph, {"compile"}, ["torch.compile(fullgraph=True) gave up: ", "let no number leave its tensor"]),
    (OtherwiseCompiled, {"compile"}, ["compiled, weights at [", "should be", "and are"]),
]
