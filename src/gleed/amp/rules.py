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
    *("rnn_tanh", "rnn_relu", "rnn_tanh_cell", "rnn_relu_cell", "scaled_dot_product_attention"),
)
# Products as well, of which states are sums: these are as wide as they were.
STATES = ("lstm", "gru", "lstm_cell", "gru_cell")
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


def keeps_states(op: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether a recurrent network has its states as they are; all of an LSTM is converted, unless
    it is packed or projected, which PyTorch runs step by step."""
    return op is not OPS["lstm"].public or _step_by_step(*args, **kwargs)


def _step_by_step(
    input: Any = None,
    hx: Any = None,
    params: Any = (),
    has_biases: Any = True,
    num_layers: Any = 1,
    dropout: Any = 0.0,
    train: Any = False,
    bidirectional: Any = False,
    *rest: Any,
    mask: Any = None,
    **options: Any,
) -> bool:
    if mask is not None or isinstance(hx, _C.Tensor):
        return True
    if getattr(input, "dtype", None) is _C.float16:
        return True
    return len(params) != num_layers * (1 + bidirectional) * (2 + 2 * has_biases)


# Calls of listed operations that are left alone all the same, as PyTorch has it.
CONDITIONS: dict[str, Callable[..., bool]] = {
    "einsum": _sums_products,
    "inner": lambda input, other: input.ndim > 1 or other.ndim > 1,
    "pad": lambda input, pad, mode="constant", value=None: mode in ("reflect", "replicate"),
}


def by_operation() -> dict[Any, tuple[str, Callable[..., bool] | None]]:
    """The rule for each operation that has one: "lower", "states", "float32" or "widest", and
    when."""
    return {
        OPS[name].public: (rule, CONDITIONS.get(name))
        for rule, names in (
            *(("lower", LOWER), ("states", STATES), ("float32", FLOAT32), ("widest", WIDEST)),
        )
        for name in names
        if name in OPS
    }


def with_states(
    convert: Callable[[Any], Any], widen: Callable[[Any], Any], args: Any, kwargs: Any
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a recurrent network converted, by `widen` its states."""
    packed = len(args) > 1 and isinstance(args[1], _C.Tensor) and args[1].dtype is _C.int64
    at = 2 if packed else 1
    found = [each_tensor(widen if i == at else convert, x) for i, x in enumerate(args)]
    named = {k: each_tensor(widen if k == "hx" else convert, x) for k, x in kwargs.items()}
    return found, named


def each_tensor(convert: Callable[[Any], Any], value: Any) -> Any:
    """An argument with its tensors converted, also those in lists, tuples and dicts."""
    if isinstance(value, _C.Tensor):
        return convert(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(each_tensor(convert, item) for item in value)
    if isinstance(value, dict):
        return {key: each_tensor(convert, item) for key, item in value.items()}
    return value
