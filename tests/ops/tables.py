"""What the tests know about ops that their records do not say."""

from __future__ import annotations

from .generate import FLOATS, Sample


def category(dtype: str) -> str:
    return "f" if dtype in FLOATS else "b" if dtype == "bool" else "i"


CONVOLUTIONS = [f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)]
MAX_POOLS = ("max_pool1d_with_indices",
             *(f"{kind}max_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3)))  # fmt: skip
MEAN_POOLS = tuple(f"{kind}_pool{n}d" for kind in ("avg", "adaptive_avg", "lp") for n in (1, 2, 3))
# Categories of dtypes that ops refuse: "f" floating point, "i" integers, "b" bool.
REFUSED = {
    **dict.fromkeys(("sub", "rsub", "neg", "floor_divide", "remainder", "fmod"), "b"),
    **dict.fromkeys(
        ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"), "f",
    ),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "inner", "addmm", "addmv", "baddbmm",
                     "linear"), "b"),
    **dict.fromkeys(("cross", *CONVOLUTIONS), "b"),
    **dict.fromkeys(
        ("dist", "cdist", "pdist", "renorm", "histc", "quantile", "nanquantile", "logcumsumexp"),
        "ib",
    ),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), "fb"),
    **dict.fromkeys(
        ("lerp", "silu", "tanhshrink", "logsigmoid", "elu", "selu", "glu", "normalize", "frac",
         "mse_loss", "l1_loss", "kl_div", "binary_cross_entropy",
         "binary_cross_entropy_with_logits", "mean", "var", "std", "var_mean", "std_mean", "norm",
         "cross_entropy", "nll_loss", "smooth_l1_loss", "huber_loss",
         "layer_norm", "rms_norm", "scaled_dot_product_attention",
         "group_norm", "multilabel_margin_loss", "lstm_cell", "gru_cell",
         "rnn_tanh_cell", "rnn_relu_cell", "lstm", "gru", "rnn_tanh", "rnn_relu"), "ib",
    ),
}  # fmt: skip
REFUSED |= {
    **dict.fromkeys(MAX_POOLS, "b"),
    **{name: "b" if name.startswith("avg") else "ib" for name in MEAN_POOLS},
    "grid_sample": "ib",
}
# The same for calls with certain arguments.
REFUSED_WITH = {("add", "alpha"): "b"}
# Dtypes in which a call is right but not what the reference computes.
SKIPPED = {
    ("cosine_embedding_loss", "uint8"),
    ("hardtanh", "bool"),
    ("mvlgamma", "bool"),
    ("hardtanh", "uint8"),
    *((name, "bool") for name in ("diff", "searchsorted", "bucketize")),
    *((name, "bool") for name in ("scatter_reduce", "index_reduce")),
}


def refuses(sample: Sample, dtype: str) -> bool:
    """Whether the call is an error in a dtype."""
    name, kind = sample.op.name, category(dtype)
    return kind in REFUSED.get(name, "") or any(
        kind in REFUSED_WITH.get((name, argument), "") for argument in sample.kwargs
    )


# Ops tested with every combination of dtype and layout; the others with each of both.
FULL_PRODUCT = {"exp", "add", "sum", "matmul", "softmax", "cat", "index_select", "where"}
# Units in the last place of the greatest term, where terms cancel or many are summed.
LOOSE = {
    **dict.fromkeys(
        ("add", "sub", "rsub", "lerp", "addcmul", "addcdiv", "gelu", "tanhshrink", "silu", "mish",
         "softmax", "softmin", "log_softmax", "logit", "lgamma", "logaddexp", "remainder", "fmod",
         "var", "std", "var_mean", "std_mean", "sum", "nansum", "mean", "prod", "norm", "logsumexp",
         "cumsum", "cumprod", "trace", "scatter", "scatter_add", "index_add", "pow", "normalize",
         "cross", "multi_dot", "sum_to_size",
         "glu", "softplus", "logsigmoid", "elu", "celu", "selu", "hardswish", "hardsigmoid",
         "softshrink", "frac", "prelu", "softsign",
         *(f"{kind}avg_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3))), 8,
    ),
    **dict.fromkeys(
        ("matmul", "mm", "bmm", "mv", "dot", "inner", "addmm", "addmv", "baddbmm", "linear",
         "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "binary_cross_entropy",
         "binary_cross_entropy_with_logits", "nll_loss", "cross_entropy", "cosine_similarity",
         "layer_norm", "rms_norm", "multi_dot", "chain_matmul", "cross", "linalg_cross", "ndtr",
         "sinc", "logaddexp2", "matrix_power", "triplet_margin_loss", "pairwise_distance",
         "mvlgamma", "multigammaln", "scaled_dot_product_attention", "polygamma",
         "group_norm", "local_response_norm", "multilabel_margin_loss", "lstm_cell", "gru_cell",
         "rnn_tanh_cell", "rnn_relu_cell", "lstm", "gru", "rnn_tanh", "rnn_relu",
         *CONVOLUTIONS), 16,
    ),
}  # fmt: skip
LOOSE |= dict.fromkeys((*MEAN_POOLS, "grid_sample"), 16)
# Ops that look at the memory behind a tensor, or need it in row-major order.
ONE_LAYOUT = {"view", "view_as", "view_copy"}
# Ops that write to their first argument.
WRITES = {"copy_", "fill_", "zero_"}
# Ops whose results never require a gradient: they are no real numbers, or do not depend on any.
WITHOUT_GRADIENT = {
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "logical_and", "logical_or",
    "logical_xor", "logical_not", "any", "all", "argmax", "argmin", "count_nonzero", "nonzero",
    "argwhere", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift",
    "bitwise_right_shift", "isclose", "searchsorted", "bucketize", "histc", "argsort", "isin",
    "isposinf", "isneginf", "isreal", "signbit",
}  # fmt: skip
# Samples whose result does not depend on the tensor: a zeroth power.
CONSTANT = {"matrix_power-1"}
# Ops of float32 and float64 alone, as in PyTorch.
NO_HALVES = {"quantile", "nanquantile"}
# Rules of piecewise constant functions: the gradient is zero everywhere.
ZERO_RULES = {"floor", "ceil", "trunc", "roundeven", "sign"}
# Mutants that no gradient shows, each with the reason.
UNOBSERVABLE: dict[str, str] = {}
