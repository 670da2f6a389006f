"""Connectionist temporal classification: the loss of labels that are not aligned with time.

Source: Graves et al., "Connectionist temporal classification", 2006. The forward variables run here
in logarithms, a step per moment, over all samples and places at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import gleed
from gleed import Tensor, ops
from gleed.errors import RangeError, ShapeError

_step = ops.OPS["_ctc_step"].public


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """The negative log-likelihood of label sequences under log-probabilities per moment, summed
    over all alignments; `blank` is the class of no label.

    log_probs: (time, batch, classes), or (time, classes) for a single sample. targets: integers,
    (batch, longest), or all sequences one after another. The lengths, per sample, are tensors or
    sequences of integers. "mean" divides every loss by its target length before the mean is taken;
    `zero_infinity` replaces infinite losses, of targets that do not fit, and their gradients by 0.
    The gradient is PyTorch's: exp(log_probs) is added to the derivative, which a `log_softmax`
    before takes away again, so that behind one it is the derivative. Raises ShapeError and
    RangeError for lengths and classes that do not fit.

    >>> import gleed
    >>> even = gleed.full((2, 1, 2), 0.5).log()
    >>> gleed.nn.functional.ctc_loss(even, gleed.tensor([[1]]), [2], [1])
    tensor(0.2877)
    """
    if reduction not in ("mean", "sum", "none"):
        raise RangeError(
            f'ctc_loss: reduction must be "mean", "sum" or "none"; got {reduction!r}; correct the '
            "name"
        )
    single = log_probs.ndim == 2
    scores = log_probs.unsqueeze(1) if single else log_probs
    moments, lengths = _lengths(input_lengths), _lengths(target_lengths)
    _check(scores, targets, moments, lengths, blank)
    loss = -_log_likelihood(scores, _padded(targets, lengths, blank), moments, lengths, blank)
    share = scores.exp().sum(2)
    share = share.masked_fill(gleed.arange(len(scores)).unsqueeze(1) >= moments, 0).sum(0)
    loss = loss + (share - share.detach())  # 0, with the gradient exp(log_probs)
    if zero_infinity:
        loss = loss.masked_fill(loss.detach() == math.inf, 0)
    if reduction == "none":
        return loss.squeeze(0) if single else loss
    return loss.sum() if reduction == "sum" else (loss / lengths.clamp_min(1)).mean()


def _lengths(given: Tensor | Sequence[int]) -> Tensor:
    """Lengths as a vector of int64."""
    if isinstance(given, Tensor):
        return given.detach().long().reshape(-1)
    return gleed.tensor(list(given), dtype=gleed.int64)


def _check(scores: Tensor, targets: Tensor, moments: Tensor, lengths: Tensor, blank: int) -> None:
    if scores.ndim != 3 or not len(moments) == len(lengths) == scores.shape[1]:
        raise ShapeError(
            "ctc_loss: log_probs must be (time, batch, classes) with one input and target length "
            f"per sample; got {tuple(scores.shape)} with {len(moments)} and {len(lengths)} "
            "lengths; check the order of the dims"
        )
    time, batch, classes = scores.shape
    if not 0 <= blank < classes:
        raise RangeError(
            f"ctc_loss: blank must be a class, 0 … {classes - 1}; got {blank}; add a class for it"
        )
    longest, total = (max(lengths.tolist(), default=0), int(lengths.sum()))
    if any(not 0 <= n <= time for n in moments.tolist()) or any(n < 0 for n in lengths.tolist()):
        raise RangeError(
            f"ctc_loss: input lengths lie in 0 … {time}, the size of dim 0, and target lengths "
            f"are not negative; got {moments.tolist()} and {lengths.tolist()}; check the lengths"
        )
    rows = targets.ndim == 2
    if (rows and (targets.shape[0] != batch or targets.shape[1] < longest)) or (
        not rows and (targets.ndim != 1 or targets.shape[0] < total)
    ):
        raise ShapeError(
            "ctc_loss: targets must be (batch, longest), or all sequences one after another; got "
            f"{tuple(targets.shape)} for target lengths {lengths.tolist()}; check the lengths"
        )


def _padded(targets: Tensor, lengths: Tensor, blank: int) -> Tensor:
    """The targets as rows of one length, filled up with blanks."""
    longest = max(lengths.tolist(), default=0)
    places = gleed.arange(longest)
    known = places < lengths.unsqueeze(1)
    if targets.ndim == 2:
        rows = targets.detach().long()[:, :longest]
    else:
        first = (lengths.cumsum(0) - lengths).unsqueeze(1)
        rows = targets.detach().long()[(first + places).masked_fill(known.logical_not(), 0)]
    return rows.masked_fill(known.logical_not(), blank)


def _log_likelihood(
    scores: Tensor, rows: Tensor, moments: Tensor, lengths: Tensor, blank: int
) -> Tensor:
    """Per sample, over places: blank, label, blank, label, …, blank."""
    batch, longest = rows.shape
    labels = rows.new_full((batch, 2 * longest + 1), blank)
    labels[:, 1::2] = rows
    skip = (labels != blank).logical_and(labels != labels.roll(2, 1))
    skip[:, :2] = False
    emissions = scores.gather(2, labels.unsqueeze(0).expand(scores.shape[0], -1, -1))
    state = emissions.detach().new_full(labels.shape, -math.inf)
    state[:, 0] = 0  # before the first moment: from here its blank and the first label are reached
    for moment, emission in enumerate(_moments(emissions)):
        state = _step(state, emission, skip, moments, moment)
    ends = lengths.unsqueeze(1) * 2 + gleed.tensor([0, -1])
    last = state.gather(1, ends.clamp_min(0))
    # Without labels there is but one place to end at.
    return last.masked_fill(ends < 0, -math.inf).logsumexp(1)


def _moments(emissions: Tensor) -> Iterator[Tensor]:
    """What `unbind` gives, by halves: so the gradients are put together in few passes."""
    if len(emissions) <= 8:
        yield from emissions.unbind(0)
    else:
        for half in emissions.tensor_split(2):
            yield from _moments(half)
