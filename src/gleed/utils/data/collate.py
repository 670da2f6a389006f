"""Samples become a batch: tensors, arrays and numbers are stacked, whatever they are nested in."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import gleed
from gleed._C import Tensor
from gleed.errors import ArgumentError, RangeError, ShapeError


def default_collate(batch: Sequence[Any]) -> Any:
    """Return `batch`, a list of samples of one structure, as one sample with a new first dim.

    Tensors, NumPy arrays and scalars are stacked; ints become an int64 and floats a float64
    tensor; strings and bytes stay lists. Dicts, lists and named tuples are kept and go in depth;
    plain tuples become lists.

    Raises ArgumentError for samples of any other type, ShapeError for samples of different shapes
    or lengths, and RangeError for an empty batch.

    >>> default_collate([(1, 0.5), (2, 0.25)])
    [tensor([1, 2]), tensor([0.5000, 0.2500], dtype=gleed.float64)]
    """
    if len(batch) == 0:
        raise RangeError("default_collate: a batch has one sample at least; got none")
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if _is_numpy(first):
        return _collate_numpy(batch)
    if isinstance(first, float):
        return gleed.tensor(batch, dtype=gleed.float64)
    if isinstance(first, int):
        return gleed.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        columns = {key: default_collate([sample[key] for sample in batch]) for key in first}
        return _like_mapping(first, columns)
    if isinstance(first, Sequence):
        lengths = {len(sample) for sample in batch}
        if len(lengths) > 1:
            raise ShapeError(
                "default_collate: the samples of a batch have equally many parts; got "
                f"{sorted(lengths)}; pad them, or pass a collate_fn"
            )
        return _like_sequence(first, [default_collate(part) for part in zip(*batch, strict=True)])
    raise ArgumentError(_unsupported(type(first).__name__))


def default_convert(data: Any) -> Any:
    """Return one sample with its NumPy arrays and scalars as tensors; all else stays as it is.

    This is what a `DataLoader` does to samples that it does not batch (`batch_size=None`).

    >>> default_convert({"name": "a", "values": (1, 2.5)})
    {'name': 'a', 'values': [1, 2.5]}
    """
    if isinstance(data, (Tensor, str, bytes)):
        return data
    if _is_numpy(data):
        return data if data.dtype.kind in "SUO" else gleed.as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence):
        return _like_sequence(data, [default_convert(value) for value in data])
    return data


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ShapeError(
                "default_collate: the samples of a batch have one shape; got "
                f"{shapes[0]} for the first and {shape} for sample {i}; pad them, or pass a "
                "collate_fn"
            )
    return gleed.stack(list(tensors))


def _is_numpy(value: Any) -> bool:
    """Say whether `value` is a NumPy array or scalar, without importing NumPy for it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


def _collate_numpy(batch: Sequence[Any]) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(batch[0], numpy.str_ | numpy.bytes_):
        return batch
    if batch[0].dtype.kind in "SUO":
        raise ArgumentError(_unsupported(f"a NumPy array of dtype {batch[0].dtype}"))
    return _stack([gleed.as_tensor(value) for value in batch])


def _like_mapping(original: Mapping, items: dict) -> Any:
    """Return `items` in a mapping of the type of `original`, or a dict where it has no such way."""
    return _rebuilt(original, items, MutableMapping, lambda clone: clone.update(items))


def _like_sequence(original: Sequence, items: list) -> Any:
    """Return `items` in a sequence of the type of `original`; a list for plain tuples."""
    if isinstance(original, tuple):
        return type(original)(*items) if hasattr(original, "_fields") else items

    def fill(clone: Any) -> None:
        clone[:] = items

    return _rebuilt(original, items, MutableSequence, fill)


def _rebuilt(original: Any, items: Any, mutable: type, fill: Callable[[Any], Any]) -> Any:
    """Return `items` as the type of `original`; a type that cannot hold them leaves them as are."""
    try:
        if not isinstance(original, mutable):
            return type(original)(items)
        # A copy keeps the further attributes that a type of the user's may have.
        clone = copy.copy(original)
        fill(clone)
        return clone
    except TypeError:
        return items


def _unsupported(what: str) -> str:
    return (
        "default_collate: samples are tensors, NumPy arrays, numbers, strings, or dicts, lists "
        f"and tuples of those; got {what}; convert it in the data set, or pass a collate_fn"
    )
