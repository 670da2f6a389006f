"""Loss functions as modules: the same formulas as in `gleed.nn.functional`."""

from __future__ import annotations

from typing import ClassVar

from gleed import Tensor
from gleed.errors import RangeError
from gleed.nn import functional as F
from gleed.nn.module import Module


class Loss(Module):
    """What all losses share: `reduction` is "mean", "sum" or "none" (a loss per element).

    `size_average` and `reduce` are PyTorch's older words for it.
    """

    reductions: ClassVar[tuple[str, ...]] = ("mean", "sum", "none")

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = (
                ("sum" if size_average is False else "mean") if reduce is not False else "none"
            )
        if reduction not in self.reductions:
            raise RangeError(
                f"{type(self).__name__}: reduction is one of {', '.join(self.reductions)}; "
                f"got {reduction!r}; use 'mean' if in doubt"
            )
        self.reduction = reduction


class WeightedLoss(Loss):
    """A loss with a buffer `weight`."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class CrossEntropyLoss(WeightedLoss):
    """−log softmax(input) at the target class.

    Shapes: input `(C)`, `(N, C)` or `(N, C, d₁, …)`, floating-point and not normalised; target the
    same without C, integers in 0 … C−1, or probabilities of the input's shape.

    Args:
        weight: a weight for each of the C classes.
        ignore_index: a target that counts neither in the loss nor in the mean.
        label_smoothing: how much of the target is spread evenly over all classes, 0 to 1.

    >>> import gleed
    >>> gleed.nn.CrossEntropyLoss()(gleed.zeros(1, 4), gleed.tensor([2]))
    tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(WeightedLoss):
    """−input at the target class; the input holds log-probabilities, such as LogSoftmax gives.

    Shapes as for CrossEntropyLoss, the target being integers.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class MSELoss(Loss):
    """(input − target)²; shapes broadcast.

    >>> import gleed
    >>> gleed.nn.MSELoss()(gleed.tensor([1.0, 2.0]), gleed.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """|input − target|; shapes broadcast."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """d² / (2 `beta`) where d = |input − target| is below `beta`, else d − `beta`/2.

    Source: Girshick, "Fast R-CNN", 2015.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """d²/2 where d = |input − target| is at most `delta`, else `delta` · (d − `delta`/2).

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class BCELoss(WeightedLoss):
    """−(t log p + (1−t) log(1−p)) of probabilities p (the input) and targets t, both in 0 … 1.

    Logarithms are limited to −100, so the loss is finite. Input and target have the same shape;
    `weight` broadcasts to it.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """BCELoss of sigmoid(input), accurate where the sigmoid is close to 0 or 1.

    `pos_weight` is a weight of the positive term, one per class (the last dimension).
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            weight=self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
        )


class KLDivLoss(Loss):
    """t (log t − input) of targets t and an input of log-probabilities.

    `log_target` says that the targets are logarithms too; `reduction="batchmean"` divides the sum
    by the size of the first dimension, which is what the mathematical definition asks for.
    """

    reductions = (*Loss.reductions, "batchmean")

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
