"""Functions for networks, as `import gleed.nn.functional as F` finds them.

Almost all are op records (`gleed.ops`); here are only those that decide something in Python first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import _C, ops
from gleed._C import Tensor
from gleed.errors import BoundsError, DTypeError, ShapeError

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
    if tensor.numel():
        least, most = tensor.min().item(), tensor.max().item()
        if least < 0 or most >= num_classes >= 0:
            worst = least if least < 0 else most
            raise BoundsError(
                f"one_hot: classes must lie in 0 … num_classes - 1; got class {worst} with "
                f"num_classes={num_classes}; raise num_classes"
            )
        num_classes = most + 1 if num_classes < 0 else num_classes
    return ops.OPS["_one_hot"].public(tensor, max(num_classes, 0))


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


def _inplace(name: str) -> Callable[..., Tensor]:
    """An activation with PyTorch's `inplace` flag, which its op record need not know."""
    function = ops.OPS[name].public

    def activation(input: Tensor, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if args and isinstance(args[-1], bool):
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
