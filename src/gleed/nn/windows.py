"""Functions of windows that decide sizes, or draw random numbers, in Python first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gleed import ops
from gleed._C import Tensor
from gleed.errors import ArgumentError, RangeError, ShapeError

Sizes = int | Sequence[int]


def _each(size: Sizes, n: int) -> tuple[int, ...]:
    return (size,) * n if isinstance(size, int) else tuple(size)


# ---- columns
def unfold(
    input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """The windows of (batch, channels, height, width) as columns: (batch, channels * window,
    windows), both counted row by row; without a batch too. Zeros are read in the padding.

    >>> import gleed
    >>> unfold(gleed.arange(6.0).reshape(1, 2, 3), 2)
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])
    """
    return ops.OPS["im2col"].public(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """The image of `output_size` in which columns as from `unfold` are added where they were read.

    Shapes: (batch, channels * window, windows) to (batch, channels, height, width), or both without
    a batch.

    >>> import gleed
    >>> fold(gleed.ones(4, 2), (2, 3), 2)
    tensor([[[1., 2., 1.],
             [1., 2., 1.]]])
    """
    return ops.OPS["col2im"].public(input, output_size, kernel_size, dilation, padding, stride)


# ---- the way back from max_pool
def _unpool(n: int) -> Callable[..., Tensor]:
    name = f"max_unpool{n}d"
    record = ops.OPS["_" + name].public

    def max_unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        kernel, around = _each(kernel_size, n), _each(padding, n)
        steps = _each(kernel if stride is None or stride == () else stride, n)
        pools = zip(input.shape[-n:], kernel, steps, around, strict=True)
        usual = [(length - 1) * s - 2 * p + k for length, k, s, p in pools]
        size = usual if output_size is None else [*output_size][-n:]
        fits = len(size) == n and all(
            abs(m - u) < s for m, u, s in zip(size, usual, steps, strict=True)
        )
        if not fits:
            raise RangeError(
                f"{name}: output_size must be less than a stride from {usual}; got "
                f"{[*(output_size or ())]}; give the size that the pool had"
            )
        return record(input, indices, tuple(size))

    max_unpool.__name__ = max_unpool.__qualname__ = name
    max_unpool.__doc__ = f"""Zeros, but for the elements of `input` at `indices`: what
    `max_pool{n}d(…, return_indices=True)` took them from, as far as it is known.

    `output_size`: which of the sizes that such a pool reduces to that of `input`; by default the
    least that has no incomplete window. Shapes: as of the pool. Raises IndexError for indices
    outside of the result.

    >>> import gleed
    >>> x, i = gleed.ones(1{", 1" * n}), gleed.tensor({"[" * (n + 1)}1{"]" * (n + 1)})
    >>> max_unpool{n}d(x, i, 2).flatten()
    tensor([0., 1.{", 0., 0." * (n > 1)}{", 0., 0., 0., 0." * (n > 2)}])
    """
    return max_unpool


max_unpool1d, max_unpool2d, max_unpool3d = (_unpool(n) for n in (1, 2, 3))


# ---- max_pool with the places of the maxima
def _with_indices(name: str) -> Callable[..., tuple[Tensor, Tensor]]:
    record = ops.OPS[name].public

    def pool(
        input: Tensor, *args: Any, return_indices: bool = True, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return record(input, *args, return_indices=True, **kwargs)

    pool.__name__ = pool.__qualname__ = name + "_with_indices"
    pool.__doc__ = f"""`{name}` with `return_indices`, which may be given and changes nothing.

    >>> import gleed
    >>> {name}_with_indices(gleed.ones(1{", 5" * int(name[-2])}), 2)[1].dtype
    gleed.int64
    """
    return pool


max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (
    _with_indices(f"max_pool{n}d") for n in (1, 2, 3)
)
adaptive_max_pool1d_with_indices = _with_indices("adaptive_max_pool1d")
adaptive_max_pool2d_with_indices = _with_indices("adaptive_max_pool2d")
adaptive_max_pool3d_with_indices = _with_indices("adaptive_max_pool3d")


# ---- windows at random places
def _fractional(n: int, with_indices: bool) -> Callable[..., Any]:
    name = f"fractional_max_pool{n}d"
    record = ops.OPS["_fractional_max_pool"].public

    def pool(
        input: Tensor,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = with_indices,
        _random_samples: Tensor | None = None,
    ) -> Any:
        if input.ndim not in (n + 1, n + 2):
            raise ShapeError(
                f"{name}: the input must have {n} dims behind the channels, and a batch or none; "
                f"got {list(input.shape)}; reshape or unsqueeze it"
            )
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(
                f"{name}: output_size or output_ratio must be given; got "
                f"{'none of them' if output_size is None else 'both'}; give one"
            )
        if output_ratio is not None:
            ratios = (output_ratio,) * n if isinstance(output_ratio, int | float) else output_ratio
            if not all(0 < r < 1 for r in ratios):
                raise RangeError(
                    f"{name}: output_ratio must lie between 0 and 1; got {output_ratio}; correct it"
                )
            pairs = zip(input.shape[-n:], ratios, strict=True)
            output_size = tuple(int(length * r) for length, r in pairs)
        wanted = 1 if input.ndim == n + 1 else input.shape[0], input.shape[-n - 1], n
        if _random_samples is None:
            _random_samples = ops.OPS["rand"].public(wanted, dtype=input.dtype)
        _random_samples = _random_samples[: wanted[0]]
        if _random_samples.shape != wanted:
            raise ShapeError(
                f"{name}: _random_samples must be (batch, channels, {n}), here {wanted}; got "
                f"{tuple(_random_samples.shape)}; leave them out to have them drawn"
            )
        sizes = _each(kernel_size, n), _each(output_size, n)  # type: ignore[arg-type]
        values, indices = record(input, _random_samples, *sizes)
        return (values, indices) if return_indices else values

    pool.__name__ = pool.__qualname__ = name + "_with_indices" * with_indices
    pool.__doc__ = f"""The maximum of windows at pseudo-random places (Graham, 2014).

    `output_size` windows of `kernel_size`, or as many as `output_ratio` of the input's size. With
    `return_indices` also the places of the maxima, as from `max_pool{n}d`. `_random_samples`,
    (batch, channels, {n}): what decides about the places, drawn from the default generator.

    >>> import gleed
    >>> {pool.__name__}(gleed.ones(1{", 5" * n}), 2, 3){"[0]" * with_indices}.shape
    gleed.Size([1{", 3" * n}])
    """
    return pool


fractional_max_pool2d, fractional_max_pool3d = (_fractional(n, False) for n in (2, 3))
fractional_max_pool2d_with_indices, fractional_max_pool3d_with_indices = (
    _fractional(n, True) for n in (2, 3)
)
