"""Functions for networks, as `import gleed.nn.functional as F` finds them.

Almost all are op records (`gleed.ops`); here are only those that decide something in Python first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import _C, ops
from gleed._C import Tensor
from gleed.errors import ArgumentError, DTypeError, RangeError, ShapeError
from gleed.nn.ctc import ctc_loss as ctc_loss
from gleed.nn.resampling import (  # noqa: F401 (functions of this module too)
    affine_grid,
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from gleed.nn.windows import (  # noqa: F401 (functions of this module too)
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
    fold,
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
    max_pool1d_with_indices,
    max_pool2d_with_indices,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    unfold,
)

globals().update(ops.functions("nn.functional"))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the class of every element, along a new last dim; -1 classes: as many as occur.

    >>> import gleed
    >>> one_hot(gleed.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype is not _C.int64:
        raise DTypeError(
            f"one_hot: classes must be int64; got {tensor.dtype}; convert with .long()"
        )
    if num_classes < 0:
        num_classes = int(tensor.max()) + 1 if tensor.numel() else 0
    return ops.OPS["_one_hot"].public(tensor, num_classes)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x₁ᵀ W_k x₂ + b_k.

    Shapes: inputs `(*, in1)` and `(*, in2)`, weight `(out, in1, in2)`, bias `(out,)`, result
    `(*, out)`. Raises ShapeError for others.

    >>> import gleed
    >>> bilinear(gleed.tensor([[1.0, 2.0]]), gleed.tensor([[3.0]]), gleed.ones(1, 2, 1))
    tensor([[9.]])
    """
    outputs, in1, in2 = weight.shape
    batch = tuple(input1.shape[:-1])
    if (*batch, in1) != input1.shape or (*batch, in2) != input2.shape:
        raise ShapeError(
            f"bilinear: the inputs must be (*, {in1}) and (*, {in2}) with the same *, as the "
            f"weight is {tuple(weight.shape)}; got {tuple(input1.shape)} and "
            f"{tuple(input2.shape)}; reshape them"
        )
    half = input1.reshape(-1, in1) @ weight.permute(1, 0, 2).reshape(in1, outputs * in2)
    result = half.reshape(-1, outputs, in2) @ input2.reshape(-1, in2, 1)
    result = result.reshape(*batch, outputs)
    return result if bias is None else result + bias


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of the logits that `linear` makes of the input.

    Shapes: input `(N, in)` or `(in)`, `linear_weight` `(C, in)` or `(C, d₁, …, in)`, `linear_bias`
    the same without `in`, target `(N, d₁, …)` of classes or `(N, C, d₁, …)` of probabilities.
    `options` say how PyTorch divides the work; nothing depends on them here. Raises ShapeError for
    other shapes, and ArgumentError for an `ignore_index` beside probabilities.

    >>> import gleed
    >>> linear_cross_entropy(gleed.ones(1, 3), gleed.zeros(4, 3), gleed.tensor([2]))
    tensor(1.3863)
    """
    shape = tuple(linear_weight.shape)
    if input.ndim not in (1, 2) or len(shape) < input.ndim or shape[-1] != input.shape[-1]:
        raise ShapeError(
            "linear_cross_entropy: the input must be (N, in) or (in) and linear_weight (C, …, in), "
            f"(C, in) for a single input; got {tuple(input.shape)} and {shape}; reshape them"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != shape[:-1]:
        raise ShapeError(
            f"linear_cross_entropy: linear_bias must be {shape[:-1]}, as linear_weight is {shape}; "
            f"got {tuple(linear_bias.shape)}; reshape it"
        )
    if target.is_floating_point() and ignore_index is not None:
        raise ArgumentError(
            "linear_cross_entropy: ignore_index is for targets that are classes; got it with "
            "probabilities; leave it out"
        )
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = ops.OPS["linear"].public(input, linear_weight.reshape(-1, shape[-1]), bias)
    return ops.OPS["cross_entropy"].public(
        logits.reshape(*input.shape[:-1], *shape[:-1]),
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(d(anchor, positive) − d(anchor, negative) + margin, 0) with d a `distance_function`.

    It takes two tensors and gives their distances; None is `pairwise_distance`. With `swap`,
    d(positive, negative) counts if it is smaller. Raises RangeError for another reduction than
    "mean", "sum" and "none".

    >>> import gleed
    >>> near, far = gleed.zeros(1, 2), gleed.ones(1, 2)
    >>> city_block = lambda a, b: (a - b).abs().sum(-1)
    >>> triplet_margin_with_distance_loss(near, far, near, distance_function=city_block)
    tensor(3.)
    """
    if reduction not in ("mean", "sum", "none"):
        raise RangeError(
            'triplet_margin_with_distance_loss: reduction must be "mean", "sum" or "none"; got '
            f"{reduction!r}; correct the name"
        )
    distance = distance_function or ops.OPS["pairwise_distance"].public
    far = distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    loss = (distance(anchor, positive) - far + margin).clamp_min(0)
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for every channel of `(N, C, …)`.

    In training the statistics are those of the batch, var being biased, and the running ones, if
    given, move towards them by the share `momentum` (their var being unbiased); else the running
    ones are used. float16 and bfloat16 are computed in float32. Raises ShapeError if a vector does
    not hold one number per channel, or if statistics would be of one value.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    >>> import gleed
    >>> batch_norm(gleed.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    tracked = running_mean, running_var
    return _normalize("batch_norm", input, *tracked, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `batch_norm`, with the statistics of every sample's channels by themselves.

    The running statistics move towards the mean of those of the samples.

    Source: Ulyanov, Vedaldi, Lempitsky, "Instance Normalization", 2016.

    >>> import gleed
    >>> instance_norm(gleed.tensor([[[1.0, 3.0]], [[5.0, 5.0]]]))
    tensor([[[-1.0000,  1.0000]],
    <BLANKLINE>
            [[ 0.0000,  0.0000]]])
    """
    tracked = running_mean, running_var
    return _normalize(
        "instance_norm", input, *tracked, weight, bias, use_input_stats, momentum, eps
    )


def _normalize(
    name: str,
    input: Tensor,
    mean: Tensor | None,
    var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    own: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalise channels by statistics of their `own`, or by those given."""
    if input.numel() == 0:
        return input.clone()
    if input.ndim < 2:
        raise ShapeError(
            f"{name}: the input must be (batch, channels, …); got shape {tuple(input.shape)}; "
            "use unsqueeze(0) for a single sample"
        )
    by_sample = name == "instance_norm"
    # A batch that lies in memory with its channels last is normalised, and returned, that way.
    last = input.ndim > 3 and input.stride(1) == 1 and input.stride(-1) == input.size(1) > 1
    last = last and not by_sample
    x = input.movedim(1, -1) if last else input
    options = name, input.ndim - 1 if last else 1
    if not own:
        if mean is None or var is None:
            raise ArgumentError(
                f"{name}: without statistics of the input running ones are needed; got None; pass "
                "running_mean and running_var"
            )
        y = ops.OPS["normalize_by"].public(x, mean, var, weight, bias, eps, *options)
    elif mean is None or var is None:
        y = ops.OPS["normalize_channels"].public(x, weight, bias, eps, *options, by_sample, False)
    else:
        y, *found = ops.OPS["normalize_channels"].public(
            x, weight, bias, eps, *options, by_sample, True
        )
        found = (statistic.detach() for statistic in found)
        ops.OPS["track_statistics"].public(mean, var, *found, momentum, name)
    return y.movedim(-1, 1) if last else y


def _inplace(name: str) -> Callable[..., Tensor]:
    """An activation with PyTorch's `inplace` flag, which its op record need not know."""
    function = ops.OPS[name].public
    parameters = ops.OPS[name].overloads[0].parameters
    others = sum("k" not in parameter.flags for parameter in parameters) - 1

    def activation(input: Tensor, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if len(args) > others:
            *args, inplace = args  # type: ignore[assignment]
        # What the gradient needs of the input must outlive it.
        result = function(input.clone() if inplace else input, *args, **kwargs)
        return input.copy_(result) if inplace else result

    return activation


for _name in (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "silu",
    "mish",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "threshold",
    "rrelu",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_alpha_dropout",
):
    ops.OPS[_name].otherwise(_inplace(_name))
