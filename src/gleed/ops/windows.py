"""Windows along the axes of a tensor: which places each of them reads.

A `Windows` lays `count` windows along an axis of `length` places. It has two tables, tiny tensors
filled by a kernel of their own: the places that every window reads, and the windows that every
place lies in; -1 stands for none. So a sum over windows and its gradient are one loop with the
tables exchanged, and no padding is ever copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.dims import Size, hint
from gleed.compiler.graph import Shape
from gleed.errors import RangeError, ShapeError
from gleed.ops.promotion import convert, expand_to, shape_text
from gleed.ops.record import Op, Tensor

FEW = 9  # places; written out by the compiler
Table = Callable[[Any], Tensor]  # from a trace to [outputs, places to read]


@dataclass(frozen=True)
class Windows:
    """`count` windows of at most `size` places, at most `overlap` of which share a place."""

    length: Size
    count: Size
    size: Size
    overlap: Size

    def place(self, o: Tensor, t: Tensor) -> Tensor:
        """Place `t` of window `o`, -1 outside of the tensor."""
        raise NotImplementedError

    def nearest(self, o: Tensor, t: Tensor) -> Tensor:
        """The same, with the nearest place of the window that is inside instead of -1."""
        raise NotImplementedError

    def window(self, i: Tensor, j: Tensor) -> Tensor:
        """The `j`-th window that place `i` lies in, or -1."""
        raise NotImplementedError

    def places(self, trace: Any) -> Tensor:
        """`place` as a table."""
        return table(trace, (self.count, self.size), self.place)

    def nearest_places(self, trace: Any) -> Tensor:
        """`nearest` as a table."""
        return table(trace, (self.count, self.size), self.nearest)

    def windows(self, trace: Any) -> Tensor:
        """`window` as a table."""
        return table(trace, (self.length, self.overlap), self.window)


@dataclass(frozen=True)
class SlidingWindows(Windows):
    """Windows of `size` places `dilation` apart, one every `stride` places."""

    stride: Size
    padding: Size
    dilation: Size

    def _first(self, o: Tensor) -> Tensor:
        return o * self.stride - self.padding

    def place(self, o: Tensor, t: Tensor) -> Tensor:
        """See `Windows.place`."""
        place = self._first(o) + t * self.dilation
        return where_inside(place, place < self.length)

    def nearest(self, o: Tensor, t: Tensor) -> Tensor:
        """See `Windows.nearest`."""
        first, d = self._first(o), self.dilation
        t = t.maximum(((-first).clamp(0, None) + (d - 1)) // d)
        t = t.minimum(((self.length - 1) - first).clamp(0, None) // d)
        return (first + t * d).clamp(0, self.length - 1)

    def window(self, i: Tensor, j: Tensor) -> Tensor:
        """See `Windows.window`."""
        o = (i + self.padding) // self.stride - j
        ahead = (i + self.padding) - o * self.stride
        hit = (ahead <= (self.size - 1) * self.dilation) & (o < self.count)
        if not (isinstance(self.dilation, int) and self.dilation == 1):
            hit = hit & (ahead % self.dilation == 0)
        return where_inside(o, hit)

    def taps(self, trace: Any) -> Tensor:
        """A table like `windows`: as which of its places a window reads a place."""

        def tap(i: Tensor, j: Tensor) -> Tensor:
            ahead = (i + self.padding) % self.stride + j * self.stride
            return (ahead // self.dilation).clamp(0, self.size - 1)

        return table(trace, (self.length, self.overlap), tap)

    def reach(self, o: Tensor, with_padding: bool) -> Tensor:
        """How many places window `o` covers, counting padding or not."""
        first, around = self._first(o), self.padding if with_padding else 0
        end = (first + self.size).minimum(expand_to(o.trace.size(self.length + around), o.shape))
        return end - (first if with_padding else first.clamp(0, None))


@dataclass(frozen=True)
class AdaptiveWindows(Windows):
    """Windows that divide the axis as evenly as whole places allow."""

    def _start(self, o: Tensor) -> Tensor:
        return (o * self.length) // self.count

    def _end(self, o: Tensor) -> Tensor:
        return ((o + 1) * self.length + (self.count - 1)) // self.count

    def place(self, o: Tensor, t: Tensor) -> Tensor:
        """See `Windows.place`."""
        place = self._start(o) + t
        return where_inside(place, place < self._end(o))

    def nearest(self, o: Tensor, t: Tensor) -> Tensor:
        """See `Windows.nearest`."""
        return (self._start(o) + t).minimum(self._end(o) - 1)

    def window(self, i: Tensor, j: Tensor) -> Tensor:
        """See `Windows.window`."""
        o = (i * self.count) // self.length + j
        return where_inside(o, o * self.length < (i + 1) * self.count)

    def reach(self, o: Tensor) -> Tensor:
        """How many places window `o` covers."""
        return self._end(o) - self._start(o)


def where_inside(place: Tensor, inside: Tensor) -> Tensor:
    """`place` where it is not negative and `inside` holds, else -1."""
    return p.where((place >= 0) & inside, place, p.fill(place, -1))


def table(trace: Any, shape: tuple[Size, Size], entry: Callable[..., Tensor]) -> Tensor:
    """entry(row, column) in memory, columns one after another: loops run along the rows."""
    turned = shape[::-1]
    made = entry(trace.iota(turned, 1), trace.iota(turned, 0))
    return p.permute(p.compact(made), axes=(1, 0))


# ---- reading
def spread(shape: Shape, axis: int, entries: Tensor) -> Tensor:
    """A table over all of a tensor of `shape` as it is read along an axis, the taps of an output
    along a new last axis."""
    count, taps = entries.shape
    full = (*shape[:axis], count, *shape[axis + 1 :], taps)
    return p.broadcast(entries, shape=full, axes=(axis, len(shape)))


def read(x: Tensor, axis: int, places: Tensor) -> Tensor:
    """x[places] along an axis, taps last; the places are inside of `x`."""
    return _read_at(x, axis, spread(x.shape, axis, places))


def read_or_zero(x: Tensor, axis: int, places: Tensor) -> Tensor:
    """The same, with 0 where the table says -1."""
    at = spread(x.shape, axis, places)
    found = _read_at(x, axis, at.clamp(0, None))
    return p.where(at >= 0, found, p.fill(found, 0))


def _read_at(x: Tensor, axis: int, at: Tensor) -> Tensor:
    rest = tuple(a for a in range(x.ndim) if a != axis)
    return p.gather(x, at, axes=(axis,), mapping=rest, checked=False)


def sum_along(x: Tensor, axis: int, places: Table, windows: Table) -> Tensor:
    """The sum of the places of every window along an axis. The gradient of a place is the sum over
    the windows that it lies in: the tables change roles."""

    def body(x: Tensor) -> Tensor:
        return p.reduce_sum(read_or_zero(x, axis, places(x.trace)), axes=(x.ndim,))

    def rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return sum_along(g, axis, windows, places)

    result: Tensor = x.trace.with_rule("window_sum", rule, body, [x])
    return result


# ---- sizes as users give them
def spatial(name: str, x: Tensor, n: int) -> list[int]:
    """The last `n` axes of (batch, channels, *) or (channels, *)."""
    if x.ndim not in (n + 1, n + 2):
        rest = ", ".join(("depth", "height", "width")[-n:] if n > 1 else ("length",))
        raise ShapeError(
            f"{name}: the input must be (batch, channels, {rest}) or (channels, {rest}); got "
            f"{shape_text(x.shape)}; reshape or unsqueeze it"
        )
    return list(range(x.ndim - n, x.ndim))


def each(name: str, what: str, given: Sequence[Size], n: int, least: int) -> tuple[Size, ...]:
    """One number for every one of `n` dims."""
    if len(given) not in (1, n):
        raise RangeError(
            f"{name}: {what} takes one number, or one for each of the {n} dims; got "
            f"{shape_text(given)}; give {n}"
        )
    if any(v < least for v in given):
        raise RangeError(
            f"{name}: {what} must be {least} or more; got {shape_text(given)}; raise it"
        )
    return tuple(given) * n if len(given) == 1 else tuple(given)


def sliding_windows(
    name: str,
    x: Tensor,
    n: int,
    kernel_size: Sequence[Size],
    stride: Sequence[Size] | None,
    padding: Sequence[Size],
    dilation: Sequence[Size] = (1,),
    ceil_mode: bool = False,
) -> list[tuple[int, SlidingWindows]]:
    """The windows of a pool along the last `n` axes, with those axes."""
    axes = spatial(name, x, n)
    sizes = each(name, "kernel_size", kernel_size, n, 1)
    strides = each(name, "stride", stride or kernel_size, n, 1)
    paddings = each(name, "padding", padding, n, 0)
    dilations = each(name, "dilation", dilation, n, 1)
    found = []
    for axis, k, s, pad, d in zip(axes, sizes, strides, paddings, dilations, strict=True):
        span, length = (k - 1) * d + 1, x.shape[axis]
        if 2 * pad > span:
            raise RangeError(
                f"{name}: padding must be at most half of what a window spans; got padding "
                f"{hint(pad)} for windows over {hint(span)}; pad less"
            )
        count = window_count(length, span, s, pad, ceil_mode)
        if count < 1 or length < 1:
            raise ShapeError(
                f"{name}: a window must fit into the padded input; got a window over {hint(span)} "
                f"along dim {axis} of {shape_text(x.shape)} with padding {hint(pad)}; take smaller "
                "windows"
            )
        overlap = (span - 1) // s + 1
        taps = (known(k), known(overlap))
        found.append((axis, SlidingWindows(length, count, *taps, s, pad, d)))
    return found


def known(count: Size) -> Size:
    """A small count as the number that it is: loops over so few places are written out."""
    return int(count) if hint(count) <= FEW else count


def window_count(length: Size, span: Size, stride: Size, padding: Size, ceil_mode: bool) -> Size:
    """How many windows fit. With `ceil_mode` the last one may reach beyond the padding, but must
    begin before it."""
    room = length + 2 * padding - span + (stride - 1 if ceil_mode else 0)
    if room < 0:
        return 0
    count = room // stride + 1
    if ceil_mode and (count - 1) * stride >= length + padding:
        count = count - 1
    return count


def adaptive_windows(
    name: str, x: Tensor, n: int, output_size: Sequence[Size]
) -> list[tuple[int, AdaptiveWindows]]:
    """Windows along the last `n` axes, `output_size` of them, with those axes."""
    axes = spatial(name, x, n)
    counts = each(name, "output_size", output_size, n, 0)
    found = []
    for axis, count in zip(axes, counts, strict=True):
        length = x.shape[axis]
        if length < 1:
            raise ShapeError(
                f"{name}: only the batch may be empty; got {shape_text(x.shape)}; check the size "
                "first"
            )
        even = count < 1 or length % count == 0
        size = length // count if even and count >= 1 else (length - 1) // max_one(count) + 2
        overlap = 1 if even else (count - 1) // length + 2
        found.append((axis, AdaptiveWindows(length, count, known(size), known(overlap))))
    return found


def keeping_sizes(record: Op, n: int) -> Callable[..., Any]:
    """What serves calls of an adaptive pool with None among the sizes: it keeps the input's."""

    def adaptive(input: Any, output_size: Any = None, *args: Any, **kwargs: Any) -> Any:
        sizes = output_size if isinstance(output_size, list | tuple) else (output_size,) * n
        if None not in sizes or len(sizes) != n or not isinstance(input, _C.Tensor):
            return NotImplemented
        if input.ndim < n:
            return NotImplemented
        kept = zip(sizes, input.shape[-n:], strict=True)
        sizes = tuple(int(own) if size is None else size for size, own in kept)
        return record.public(input, sizes, *args, **kwargs)

    return adaptive


def max_one(n: Size) -> Size:
    """`n`, or 1 if it is 0."""
    return n if n > 0 else 1


def widened(x: Tensor) -> Tensor:
    """16-bit floating-point numbers as float32, in which sums of them are kept."""
    return convert(x, "f32") if x.dtype in ("f16", "bf16") else x
