"""What autocast converts: PyTorch's lists of operations for the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import _C
from gleed.ops.record import OPS

# Products, which gain speed and lose little: their arguments are converted to the 16-bit dtype.
LOWER = (
    *("matmul", "mm", "bmm", "addmm", "baddbmm", "addbmm", "linear", "inner", "tensordot"),
    *("einsum", "multi_dot", "chain_matmul", "matrix_power", "linalg_vecdot", "prelu"),
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    "scaled_dot_product_attention",
)
# What needs the range or the digits of float32: arguments of 16 bits are converted to it.
FLOAT32 = (
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "nll_loss", "ctc_loss"),
    *("cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("cosine_embedding_loss", "hinge_embedding_loss", "poisson_nll_loss", "soft_margin_loss"),
    *("margin_ranking_loss", "triplet_margin_loss", "multi_margin_loss", "multilabel_margin_loss"),
    *("multilabel_soft_margin_loss", "prod", "quantile", "nanquantile", "cdist", "trace"),
    *("avg_pool3d", "max_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d", "max_unpool2d"),
    *("max_unpool3d", "fractional_max_pool2d", "fractional_max_pool3d", "grid_sample", "pad"),
    *("cholesky", "cholesky_inverse", "cholesky_solve", "inverse", "pinverse", "lu_solve", "qr"),
    *("svd", "triangular_solve", "polar", "stft", "geqrf", "ormqr", "orgqr"),
    *(f"linalg_{name}" for name in ("cond", "matrix_rank", "solve", "cholesky", "svdvals")),
    *(f"linalg_{name}" for name in ("eigvals", "eigvalsh", "inv", "householder_product")),
    *(f"linalg_{name}" for name in ("tensorinv", "tensorsolve", "qr", "svd", "eig", "eigh")),
    *(f"linalg_{name}" for name in ("cholesky_ex", "inv_ex", "lstsq")),
    *(f"fft_{part}{kind}{n}" for part in ("", "i") for kind in ("fft", "rfft", "hfft")
      for n in ("", "2", "n")),
)  # fmt: skip
# What takes tensors of one dtype: the widest of them.
WIDEST = ("index_copy",)


def _sums_products(equation: Any, *operands: Any) -> bool:
    """Whether an equation of einsum has a matrix product in it."""
    if not isinstance(equation, str) or "->" not in equation:
        return isinstance(equation, str)
    terms, _, result = equation.replace(" ", "").partition("->")
    letters = [a for term in terms.split(",") for a in set(term) - {"."}]
    return any(letters.count(a) > 1 and a not in result for a in letters)


# Calls of listed operations that are left alone all the same, as PyTorch has it.
CONDITIONS: dict[str, Callable[..., bool]] = {
    "einsum": _sums_products,
    "inner": lambda input, other: input.ndim > 1 or other.ndim > 1,
    "pad": lambda input, pad, mode="constant", value=None: mode in ("reflect", "replicate"),
}


def by_operation() -> dict[Any, tuple[str, Callable[..., bool] | None]]:
    """The rule for each operation that has one: "lower", "float32" or "widest", and when."""
    return {
        OPS[name].public: (rule, CONDITIONS.get(name))
        for rule, names in (("lower", LOWER), ("float32", FLOAT32), ("widest", WIDEST))
        for name in names
        if name in OPS
    }


def each_tensor(convert: Callable[[Any], Any], value: Any) -> Any:
    """An argument with its tensors converted, also those in lists, tuples and dicts."""
    if isinstance(value, _C.Tensor):
        return convert(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(each_tensor(convert, item) for item in value)
    if isinstance(value, dict):
        return {key: each_tensor(convert, item) for key, item in value.items()}
    return value
