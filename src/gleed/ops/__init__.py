"""One record per operation of the public API, by family.

Importing this package defines all of them; `install` puts them where users look.
"""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed.ops import (  # noqa: F401 (each module defines ops)
    activation,
    arithmetic,
    arrangement,
    attention,
    average_pooling,
    closeness,
    convolution,
    copies,
    creation,
    ctc,
    distance,
    distributions,
    dropout,
    einsum,
    elementary,
    embedding_bag,
    folding,
    gradients,
    grid_sampling,
    indexing,
    interpolation,
    joining,
    linalg,
    linear,
    logic,
    loss,
    margin_loss,
    max_pooling,
    multi_head_attention,
    normalization,
    other_dtype,
    padding,
    random,
    random_integers,
    recurrent_cells,
    recurrent_networks,
    reduction,
    scattering,
    searching,
    selection,
    sorting,
    special,
    views,
)
from gleed.ops.record import OPS as OPS

# Second names of ops, as PyTorch has them.
ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clip": "clamp",
    "divide": "div",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "moveaxis": "movedim",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "subtract": "sub",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "true_divide": "div",
    "concatenate": "cat",
    "row_stack": "vstack",
}
# The ops behind Python's operators and behind indexing, as the core's slots name them.
SLOTS = (
    *("add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "matmul"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
    *("lt", "le", "eq", "ne", "gt", "ge", "neg", "positive", "abs", "bitwise_not", "basic_index"),
    *("add_", "sub_", "mul_", "div_", "floor_divide_", "remainder_", "pow_", "bitwise_and_"),
    *("bitwise_or_", "bitwise_xor_", "bitwise_left_shift_", "bitwise_right_shift_"),
)


def functions(namespace: str) -> dict[str, Any]:
    """The functions of a namespace: "gleed", "nn.functional", "special", …"""
    names = OPS | {alias: OPS[name] for alias, name in ALIASES.items()}
    return {name: op.public for name, op in names.items() if namespace in op.namespaces}


def install() -> None:
    """Give Tensor its methods, and the core the ops behind Python's operators."""
    for name, record in OPS.items():
        if record.method:
            setattr(_C.Tensor, name, record.public)
    for alias, name in ALIASES.items():
        for mark in ("", "_"):
            if name + mark in OPS and OPS[name + mark].method:
                setattr(_C.Tensor, alias + mark, OPS[name + mark].public)
    for name in SLOTS:
        _C.register_slot(name, OPS[name].public)
