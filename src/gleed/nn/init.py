"""Initial values: functions that fill a tensor in place, without recording a gradient.

Each returns its tensor. Random ones draw from the generator exactly as PyTorch's do, so the same
seed gives the same values.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import gleed
from gleed import Tensor, no_grad
from gleed.errors import RangeError, ShapeError

GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    # Not the value of the paper: 3/4 trains more stably than 1.
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights before `nonlinearity` are scaled to keep the variance of activations.

    `param` is the slope of "leaky_relu", 0.01 by default. Raises RangeError for an unknown name.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise RangeError(
                f"calculate_gain: param is the slope of leaky_relu, a number; got {slope!r}; "
                "leave it out for 0.01"
            )
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise RangeError(
            "calculate_gain: nonlinearity is one of "
            f"{', '.join(sorted([*GAINS, 'leaky_relu']))}; got {nonlinearity!r}; "
            "'relu' is a fair choice for its smooth relatives"
        )
    return GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output depends on, and how many outputs an input influences.

    Linear weights are `(out, in)`, those of convolutions `(out, in, *kernel)`.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            "init: fan in and fan out need a weight of at least 2 dimensions, (out, in, …); "
            f"got shape {tuple(tensor.shape)}; use uniform_ or zeros_ for a bias"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    if mode.lower() not in fans:
        raise RangeError(
            f"init: mode is fan_in or fan_out; got {mode!r}; fan_in keeps the variance of the "
            "forward pass"
        )
    return fans[mode.lower()]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with numbers drawn uniformly from `a` … `b`."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with numbers drawn from the normal distribution."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    >>> import gleed
    >>> constant_(gleed.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity, as far as it is square.

    >>> import gleed
    >>> eye_(gleed.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _need_matrix("eye_", tensor)
    with no_grad():
        tensor.zero_()
        tensor.diagonal().fill_(1)
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make the weight of a convolution, of 3 to 5 dimensions, pass on its input channels unchanged.

    With `groups` each group of outputs passes on the first channels of its inputs.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(
            "dirac_: the weight of a convolution has 3, 4 or 5 dimensions; "
            f"got shape {tuple(tensor.shape)}; use eye_ for a matrix"
        )
    outputs, channels, *kernel = tensor.shape
    if outputs % groups:
        raise RangeError(
            "dirac_: the number of outputs must be a multiple of groups; "
            f"got {outputs} and {groups}; use a divisor of {outputs}"
        )
    per_group = outputs // groups
    centre = [size // 2 for size in kernel]
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, channels)):
                tensor[(group * per_group + channel, channel, *centre)] = 1
    return tensor


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill uniformly in ±`gain` √(6 / (fan_in + fan_out)).

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill from the normal distribution of deviation `gain` √(2 / (fan_in + fan_out)).

    Source as for `xavier_uniform_`.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill uniformly in ±gain √(3 / fan), the gain being that of `nonlinearity` with slope `a`.

    `mode` is "fan_in", which keeps the variance of activations, or "fan_out", of gradients.

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """
    if _is_empty(tensor):
        return tensor
    fan = _calculate_correct_fan(tensor, mode)
    std = calculate_gain(nonlinearity, a) / math.sqrt(fan)
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill from the normal distribution of deviation gain / √fan.

    Arguments and source as for `kaiming_uniform_`.
    """
    if _is_empty(tensor):
        return tensor
    fan = _calculate_correct_fan(tensor, mode)
    std = calculate_gain(nonlinearity, a) / math.sqrt(fan)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix times `gain`.

    All dimensions after the first count as one.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", 2013.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            "orthogonal_: the tensor must have at least 2 dimensions; "
            f"got shape {tuple(tensor.shape)}; a vector has nothing to be orthogonal to, use "
            "normal_"
        )
    if tensor.numel() == 0:
        return tensor
    with no_grad():
        rows = tensor.shape[0]
        drawn = gleed.empty(rows, tensor.numel() // rows, dtype=tensor.dtype, device=tensor.device)
        drawn.normal_(0, 1, generator=generator)
        wide = drawn.shape[0] < drawn.shape[1]
        q = _uniform_orthogonal(drawn.t() if wide else drawn)
        return tensor.copy_((q.t() if wide else q).reshape(tensor.shape)).mul_(gain)


def _uniform_orthogonal(drawn: Tensor) -> Tensor:
    """The orthogonal factor of a tall matrix of normal numbers, distributed uniformly."""
    import numpy  # not needed to import gleed

    q, r = numpy.linalg.qr(drawn.double().numpy())
    # Of the signs that a factorisation leaves open, these make the distribution uniform.
    return gleed.from_numpy(q * numpy.sign(numpy.diagonal(r)))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fill a matrix from the normal distribution, a share `sparsity` of each column with zeros.

    Source: Martens, "Deep learning via Hessian-free optimization", 2010.
    """
    _need_matrix("sparse_", tensor)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            # PyTorch orders the rows with the global generator, whatever `generator` is.
            tensor[gleed.randperm(rows)[:zeros], column] = 0
    return tensor


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Fill from the normal distribution restricted to `a` … `b`.

    Numbers outside are drawn again; where most would be, candidates are drawn uniformly from `a` …
    `b` and accepted in proportion to the density.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "trunc_normal_: the mean should be within two deviations of the range; got mean "
            f"{mean}, std {std} and {a} … {b}; the values may follow another distribution",
            stacklevel=2,
        )
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    with no_grad():
        if inside > 0.3:
            return _redraw_outside(tensor, mean, std, a, b, generator)
        return _accept_by_density(tensor, mean, std, a, b, generator)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redraw_outside(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any
) -> Tensor:
    # Compared with the bounds as the tensor's dtype holds them: a value rounded to a bound is
    # inside.
    low, high = gleed.tensor([a, b], dtype=tensor.dtype).tolist()
    tensor.normal_(mean, std, generator=generator)
    outside = (tensor < low) | (tensor > high)
    while outside.any().item():
        again = gleed.empty_like(tensor).normal_(mean, std, generator=generator)
        tensor.copy_(gleed.where(outside, again, tensor))
        outside = (tensor < low) | (tensor > high)
    return tensor


def _accept_by_density(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any
) -> Tensor:
    mode = max(a, min(mean, b))
    log_peak = -0.5 * ((mode - mean) / std) ** 2
    pending = gleed.ones_like(tensor, dtype=gleed.bool)
    while True:
        candidates = gleed.empty_like(tensor).uniform_(a, b, generator=generator)
        tensor.copy_(gleed.where(pending, candidates, tensor))
        log_density = ((candidates - mean) / std) ** 2 * -0.5 - log_peak
        log_threshold = gleed.empty_like(tensor).uniform_(generator=generator).log()
        pending = pending & (log_threshold > log_density)
        if not pending.any().item():
            return tensor


def _need_matrix(who: str, tensor: Tensor) -> None:
    if tensor.ndim != 2:
        raise ShapeError(
            f"{who}: the tensor must have 2 dimensions; got shape {tuple(tensor.shape)}; "
            "reshape it to (rows, columns)"
        )


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warnings.warn(
            "init: a tensor without elements has nothing to initialise; "
            f"got shape {tuple(tensor.shape)}; check the sizes of the layer",
            stacklevel=3,
        )
        return True
    return False
