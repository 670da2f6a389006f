"""The text of a tensor, character by character as PyTorch prints it.

Only the elements that are shown are read, so a tensor of any size prints at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import gleed
from gleed._C import Tensor
from gleed.errors import RangeError

Elements = Any
"""What is shown of a tensor: a Python scalar, or lists of them nested as deep as it has dims."""


class PrintOptions(NamedTuple):
    """How tensors are printed; see `set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}

_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is not given stays, except `sci_mode`.

    `precision` is the number of digits after the point, `threshold` the number of elements above
    which a tensor is summarised to `edgeitems` at the ends of each dim, `linewidth` the columns of
    a line. A `profile` ("default", "short" or "full") sets these four first. `sci_mode` forces
    scientific notation on or off; without it the values decide, as in PyTorch.

    Raises RangeError for an unknown profile, and for a number that is negative or of another type.

    >>> set_printoptions(precision=2)
    >>> gleed.tensor([1.12345])
    tensor([1.12])
    >>> set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise RangeError(
            f"set_printoptions: profile is one of {', '.join(map(repr, _PROFILES))}; "
            f"got {profile!r}"
        )
    given: dict[str, Any] = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        numbers = (int, float) if name == "threshold" else int
        if isinstance(value, bool) or not isinstance(value, numbers) or not value >= 0:
            raise RangeError(f"set_printoptions: {name} is a number of 0 or more; got {value!r}")
    base = _options if profile is None else _PROFILES[profile]
    _options = base._replace(sci_mode=sci_mode, **given)


def get_printoptions() -> dict[str, Any]:
    """Return the print options as a dict that `set_printoptions` takes.

    >>> get_printoptions()["precision"]
    4
    """
    return _options._asdict()


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set print options (see `set_printoptions`) inside a `with` block.

    >>> with printoptions(sci_mode=True, precision=1):
    ...     print(gleed.tensor([0.5]))
    tensor([5.0e-01])
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_repr(tensor: Tensor) -> str:
    """Return the text of `tensor`, as `repr` and `print` show it, for any shape and dtype.

    >>> tensor_repr(gleed.tensor([[1.0, 2.5], [3.0, 4.0]]))
    'tensor([[1.0000, 2.5000],\\n        [3.0000, 4.0000]])'
    """
    name = type(tensor).__name__
    prefix = "tensor(" if name in ("Tensor", "Parameter") else f"{name}("
    contents = tensor_str(tensor, indent=len(prefix))
    return _with_suffixes(prefix + contents, _suffixes(tensor), indent=len(prefix))


def tensor_format(tensor: Tensor, spec: str) -> str:
    """Return the text of `tensor` in an f-string: of a 0-d one that of its number.

    >>> loss = gleed.tensor(0.125)
    >>> f"{loss:.2f}", f"{loss}", f"{gleed.ones(2)}"
    ('0.12', '0.125', 'tensor([1., 1.])')
    """
    if tensor.ndim == 0 and type(tensor) is Tensor:
        return format(tensor.item(), spec)
    return object.__format__(tensor, spec)


def tensor_str(tensor: Tensor, indent: int = 0) -> str:
    """Return only the elements of `tensor`, in brackets, for lines that begin at `indent`.

    >>> tensor_str(gleed.tensor([True, False]))
    '[ True, False]'
    """
    if tensor.numel() == 0:
        return "[]"
    summarize = tensor.numel() > _options.threshold
    # Above this size a dim is cut to its ends.
    limit = 2 * _options.edgeitems if summarize else math.inf
    elements = _shown(tensor.detach(), limit)
    scalars = list(_flatten(elements))
    if tensor.is_floating_point():
        width, text = _float_format(scalars)
    else:
        width, text = max((len(str(value)) for value in scalars), default=1), str

    def padded(value: float) -> str:
        return text(value).rjust(width)

    return _layout(elements, tuple(tensor.shape), indent, limit, width, padded)


def _shown(tensor: Tensor, limit: float) -> Elements:
    """Read what is shown of `tensor`: of dims longer than `limit`, only the ends."""
    if all(size <= limit for size in tensor.shape):
        return tensor.tolist()
    size, edge = tensor.shape[0], _options.edgeitems
    if size > limit:
        if tensor.ndim == 1:
            return tensor[:edge].tolist() + tensor[size - edge :].tolist()
        rows = [*range(edge), *range(size - edge, size)]
    else:
        rows = [*range(size)]
    return [_shown(tensor[row], limit) for row in rows]


def _flatten(elements: Elements) -> Iterator[Any]:
    if isinstance(elements, list):
        for element in elements:
            yield from _flatten(element)
    else:
        yield elements


def _float_format(values: Sequence[float]) -> tuple[int, Callable[[float], str]]:
    """Choose the notation that suits all of `values`; return its width and its function."""
    precision = _options.precision
    regular = [value for value in values if math.isfinite(value) and value != 0]
    # Zeros, nan and inf alone have the shortest notation, and set no width.
    if not regular:
        return 1, _integer_text
    largest, smallest = max(map(abs, regular)), min(map(abs, regular))
    sci_mode = _options.sci_mode
    if sci_mode is None:
        sci_mode = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
    if sci_mode:
        text: Callable[[float], str] = f"{{:.{precision}e}}".format
    elif all(value.is_integer() for value in regular):
        text = _integer_text
    else:
        text = f"{{:.{precision}f}}".format
    return max(len(text(value)) for value in regular), text


def _integer_text(value: float) -> str:
    """Write a whole number as a float: `3.`."""
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


def _layout(
    elements: Elements,
    shape: tuple[int, ...],
    indent: int,
    limit: float,
    width: int,
    text: Callable[[Any], str],
) -> str:
    """Lay out nested `elements` in brackets, lines beginning below the first element."""
    if not shape:
        return text(elements)
    is_cut = shape[0] > limit
    edge = _options.edgeitems
    if len(shape) > 1:
        parts = [
            _layout(element, shape[1:], indent + 1, limit, width, text) for element in elements
        ]
        if is_cut:
            parts.insert(edge, "...")
        separator = "," + "\n" * (len(shape) - 1) + " " * (indent + 1)
        return "[" + separator.join(parts) + "]"
    parts = [text(element) for element in elements]
    if is_cut:
        # PyTorch pads the dots between elements, and not the dots alone.
        parts.insert(edge, " ..." if edge else "...")
    per_line = max(1, (_options.linewidth - indent) // (width + len(", ")))
    lines = [", ".join(parts[start : start + per_line]) for start in range(0, len(parts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _suffixes(tensor: Tensor) -> list[str]:
    """Name what the elements do not tell: device, size, dtype and the part in a graph."""
    suffixes = []
    default = gleed.get_default_dtype()
    if tensor.device.type != "cpu":
        suffixes.append(f"device='{tensor.device}'")
    if tensor.numel() == 0:
        if tensor.ndim != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        dtype_is_plain = tensor.dtype == default
    else:
        if _options.edgeitems == 0:
            suffixes.append(f"size={tuple(tensor.shape)}")
        dtype_is_plain = tensor.dtype in (default, gleed.int64, gleed.bool)
    if not dtype_is_plain:
        suffixes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes


def _with_suffixes(text: str, suffixes: Sequence[str], indent: int) -> str:
    """Append `suffixes`, each on a new line where the last one has no room for it."""
    # The columns that the last line takes with the comma that follows it.
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
