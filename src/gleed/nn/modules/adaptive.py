"""The adaptive softmax, for very many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gleed
from gleed import Tensor
from gleed.errors import BoundsError, RangeError, ShapeError
from gleed.nn import functional as F
from gleed.nn.module import Module
from gleed.nn.modules.containers import ModuleList, Sequential
from gleed.nn.modules.linear import Linear


class ASMoutput(NamedTuple):
    """The log-probability of every target, and the mean of their negatives."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A log-softmax over classes in order of their frequency, cheap where most are rare.

    The first `cutoffs[0]` classes and one entry per cluster of rarer ones form the head; the
    classes between two cutoffs are a cluster, reached through a projection that is `div_value`
    times narrower than that of the cluster before.

    Shapes: input `(N, in_features)` or `(in_features)`, target `(N)` or `()` of classes; a named
    tuple of `output` `(N)` or `()` and a 0-d `loss`. Raises RangeError for cutoffs that do not
    ascend between 1 and n_classes−1, BoundsError for other classes.

    Source: Grave et al., "Efficient softmax approximation for GPUs", 2016.

    >>> import gleed
    >>> softmax = gleed.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 10])
    >>> softmax(gleed.randn(5, 16), gleed.tensor([0, 3, 7, 12, 19])).output.shape
    gleed.Size([5])
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        given = list(cutoffs)
        if not given or given != sorted(set(given)) or not 0 < given[0] <= given[-1] < n_classes:
            raise RangeError(
                "AdaptiveLogSoftmaxWithLoss: cutoffs ascend between 1 and n_classes-1; got "
                f"{given} for {n_classes} classes; leave n_classes itself out"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*given, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = given[0]
        self.n_clusters = len(given)
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (first, end) in enumerate(zip(self.cutoffs, self.cutoffs[1:], strict=False)):
            width = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, width, bias=False, **options),
                    Linear(width, end - first, bias=False, **options),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        layers = [layer for cluster in self.tail for layer in cluster.children()]
        for layer in (self.head, *layers):
            layer.reset_parameters()  # type: ignore[attr-defined]

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        """The log-probability of each target, and the loss."""
        if target.ndim > 1 or input.ndim != target.ndim + 1 or input.shape[:-1] != target.shape:
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss: the input must be (N, in_features) with a target "
                f"(N), or (in_features) with a 0-d one; got {tuple(input.shape)} and "
                f"{tuple(target.shape)}; reshape them"
            )
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise BoundsError(
                f"AdaptiveLogSoftmaxWithLoss: classes must lie in 0 … {self.n_classes - 1}; got "
                f"targets from {int(target.min())} to {int(target.max())}; check the labels"
            )
        rows, classes = input.reshape(-1, input.shape[-1]), target.reshape(-1)
        entry = classes.clone()  # of the head: the class itself, or its cluster's
        inside = gleed.zeros_like(rows[:, 0])
        for i, cluster in enumerate(self.tail):
            first, end = self.cutoffs[i], self.cutoffs[i + 1]
            members = ((classes >= first) & (classes < end)).nonzero().squeeze(1)
            if len(members) == 0:
                continue
            scores = F.log_softmax(cluster(rows[members]), 1)
            own = scores.gather(1, (classes[members] - first).unsqueeze(1)).squeeze(1)
            inside = inside.index_copy(0, members, own)
            entry[members] = self.shortlist_size + i
        head = F.log_softmax(self.head(rows), 1).gather(1, entry.unsqueeze(1)).squeeze(1)
        output = (head + inside).reshape(target.shape)
        return ASMoutput(output, -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: `(N, in_features)` → `(N, n_classes)`."""
        return self._all(input, self.head(input))

    def _all(self, input: Tensor, head: Tensor) -> Tensor:
        scores = F.log_softmax(head, 1)
        size = self.shortlist_size
        tails = [
            F.log_softmax(cluster(input), 1) + scores[:, size + i : size + i + 1]
            for i, cluster in enumerate(self.tail)
        ]
        return gleed.cat([scores[:, :size], *tails], 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row: `(N, in_features)` → `(N)`.

        Clusters are looked into only for the rows whose head points to one.
        """
        head = self.head(input)
        output = head.argmax(1)
        unsure = (output >= self.shortlist_size).nonzero().squeeze(1)
        if len(unsure):
            output[unsure] = self._all(input[unsure], head[unsure]).argmax(1)
        return output
