# Made by tools/generate_stubs.py; `make format` makes it anew.
from typing import Any, NamedTuple

from gleed import Tensor

class aminmax(NamedTuple):
    """What `aminmax` returns."""

    min: Tensor
    max: Tensor

class cummax(NamedTuple):
    """What `cummax` returns."""

    values: Tensor
    indices: Tensor

class cummin(NamedTuple):
    """What `cummin` returns."""

    values: Tensor
    indices: Tensor

class kthvalue(NamedTuple):
    """What `kthvalue` returns."""

    values: Tensor
    indices: Tensor

class max(NamedTuple):
    """What `max` returns."""

    values: Tensor
    indices: Tensor

class median(NamedTuple):
    """What `median` returns."""

    values: Tensor
    indices: Tensor

class min(NamedTuple):
    """What `min` returns."""

    values: Tensor
    indices: Tensor

class mode(NamedTuple):
    """What `mode` returns."""

    values: Tensor
    indices: Tensor

class nanmedian(NamedTuple):
    """What `nanmedian` returns."""

    values: Tensor
    indices: Tensor

class sort(NamedTuple):
    """What `sort` returns."""

    values: Tensor
    indices: Tensor

class topk(NamedTuple):
    """What `topk` returns."""

    values: Tensor
    indices: Tensor

def named(name: str, *fields: str) -> Any:
    """A type of named tuples that prints as PyTorch's do."""
