"""Losses that compare, and losses of predicted distributions, as modules: the same formulas as in
`gleed.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gleed import Tensor
from gleed.errors import RangeError
from gleed.nn import functional as F
from gleed.nn.modules.distance import PairwiseDistance
from gleed.nn.modules.loss import Loss, WeightedLoss


class MarginLoss(Loss):
    """A loss with a `margin`."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class MarginRankingLoss(MarginLoss):
    """max(−target · (input1 − input2) + `margin`, 0): 1 wants input1 ranked higher, −1 input2.

    Shapes: three tensors that broadcast.

    >>> import gleed
    >>> one = gleed.tensor([1.0])
    >>> gleed.nn.MarginRankingLoss()(one, one * 3, one)
    tensor(2.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss of the two inputs against `target`."""
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class HingeEmbeddingLoss(MarginLoss):
    """The input where the target is 1, max(`margin` − input, 0) where it is −1."""

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(MarginLoss):
    """1 − c where the target is 1, max(c − `margin`, 0) where it is −1, with c the cosine.

    Shapes: inputs `(N, D)` or `(D)`, target `(N)` or `()`.
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss of the two inputs against `target`."""
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class SoftMarginLoss(Loss):
    """log(1 + exp(−target · input)), the target being 1 or −1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """max(`margin` − input[target] + input[i], 0)^`p`, summed over the other classes i, divided by
    the number of classes, times the weight of the target.

    Shapes: input `(N, C)` or `(C)`, target `(N)` or `()`; `p` is 1 or 2.

    >>> import gleed
    >>> gleed.nn.MultiMarginLoss()(gleed.tensor([[0.5, 1.0]]), gleed.tensor([0]))
    tensor(0.7500)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise RangeError(f"MultiMarginLoss: p is 1 or 2; got {p}; use 1")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class MultiLabelMarginLoss(Loss):
    """max(1 − input[j] + input[i], 0), summed over the classes j of the sample and i of the others,
    divided by the number of classes.

    Shapes: input and target `(N, C)` or `(C)`; the target lists classes up to the first −1.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The mean over the classes of the binary cross-entropy of sigmoid(input).

    Shapes: input and target `(N, C)`, targets in 0 … 1; `weight` is `(C)`.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of `input` against `target`."""
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


class TripletMarginLoss(Loss):
    """max(d(anchor, positive) − d(anchor, negative) + `margin`, 0), with d the norm of order `p`.

    With `swap`, d(positive, negative) counts if it is smaller. Shapes: three times `(N, D)` or
    `(D)`.

    Source: Balntas et al., "Learning local feature descriptors with triplets", 2016.

    >>> import gleed
    >>> near, far = gleed.zeros(1, 2), gleed.ones(1, 2)
    >>> gleed.nn.TripletMarginLoss(p=1)(near, far, near)
    tensor(3.0000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise RangeError(f"TripletMarginLoss: margin is positive; got {margin}; use 1.0")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of `anchor` between `positive` and `negative`."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(Loss):
    """TripletMarginLoss with any `distance_function` of two tensors; None: PairwiseDistance."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        if margin <= 0:
            raise RangeError(
                f"TripletMarginWithDistanceLoss: margin is positive; got {margin}; use 1.0"
            )
        self.distance_function = distance_function or PairwiseDistance()
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of `anchor` between `positive` and `negative`."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class PoissonNLLLoss(Loss):
    """The negative log-likelihood of counts under Poisson distributions.

    The input holds log-rates, or rates without `log_input`. `full` adds Stirling's approximation
    of log(target!), which is constant.

    >>> import gleed
    >>> gleed.nn.PoissonNLLLoss()(gleed.tensor([0.0]), gleed.tensor([2.0]))
    tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """The loss of the (log-)rates against the counts `target`."""
        return F.poisson_nll_loss(
            log_input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


class GaussianNLLLoss(Loss):
    """The negative log-likelihood of targets under normal distributions of mean `input`.

    `var`, held above `eps`, has the input's shape, or one number per row, or is a number. `full`
    adds log(2π)/2, which is constant.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """The loss of `input` with variance `var` against `target`."""
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class CTCLoss(Loss):
    """The negative log-likelihood of label sequences, summed over all their alignments with time.

    Shapes: log-probabilities `(T, N, C)` or `(T, C)`; targets `(N, S)` or all sequences one after
    another; input and target lengths `(N)`. `blank` is the class of no label; `zero_infinity`
    replaces infinite losses, of targets that do not fit, by zero.

    Source: Graves et al., "Connectionist temporal classification", 2006.

    >>> import gleed
    >>> even = gleed.full((2, 1, 2), 0.5).log()
    >>> gleed.nn.CTCLoss()(even, gleed.tensor([[1]]), [2], [1])
    tensor(0.2877)
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor | Sequence[int],
        target_lengths: Tensor | Sequence[int],
    ) -> Tensor:
        """The loss of `log_probs` against `targets`."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
