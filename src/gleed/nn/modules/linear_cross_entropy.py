"""A linear layer and the cross entropy of its results as one module."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gleed import Tensor
from gleed.errors import RangeError, ShapeError
from gleed.nn import functional as F
from gleed.nn.modules.linear import Linear
from gleed.nn.modules.loss import WeightedLoss


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch divides the work of a LinearCrossEntropyLoss; results do not depend on it.

    gleed takes these options, so that programs run, and computes as with the default ones.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyLoss(WeightedLoss):
    """The CrossEntropyLoss of logits that a Linear layer, its `linear`, makes of the input.

    Shapes: input `(N, in_features)` or `(in_features)`; target `(N, *out_features)` or `()`,
    integers in 0 … num_classes−1, or probabilities `(N, num_classes, *out_features)`.

    Args:
        out_features: further dims of the logits, behind the classes.
        weight: a weight for each class.
        ignore_index: a target that counts neither in the loss nor in the mean; None: -100.
        label_smoothing: how much of the target is spread evenly over all classes, 0 to 1.
        options: see LinearCrossEntropyOptions.

    >>> import gleed
    >>> loss = gleed.nn.LinearCrossEntropyLoss(3, 4)
    >>> loss(gleed.zeros(2, 3), gleed.tensor([2, 0]))
    tensor(1.3863, grad_fn=<NllLossBackward0>)
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and weight.shape != (num_classes,):
            raise ShapeError(
                f"LinearCrossEntropyLoss: weight must hold one number for each of {num_classes} "
                f"classes; got {tuple(weight.shape)}; make them agree"
            )
        if not 0 <= label_smoothing <= 1:
            raise RangeError(
                f"LinearCrossEntropyLoss: label_smoothing must lie in 0 … 1; got {label_smoothing};"
                " use 0.1, say"
            )
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        count = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, count, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        logits = self.num_classes, *self.out_features
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*logits, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(logits),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
