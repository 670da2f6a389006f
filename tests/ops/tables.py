"""What the tests know about ops that their records do not say."""

from __future__ import annotations

from .generate import FLOATS


def category(dtype: str) -> str:
    return "f" if dtype in FLOATS else "b" if dtype == "bool" else "i"


# Categories of dtypes that ops refuse: "f" floating point, "i" integers, "b" bool.
REFUSED = {
    **dict.fromkeys(("sub", "rsub", "neg"), "b"),
    **dict.fromkeys(
        ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"), "f",
    ),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), "fb"),
    **dict.fromkeys(
        ("lerp", "silu", "tanhshrink", "logsigmoid", "elu", "selu", "glu", "normalize", "frac",
         "mse_loss", "l1_loss", "kl_div", "binary_cross_entropy",
         "binary_cross_entropy_with_logits", "mean", "var", "std", "var_mean", "std_mean", "norm",
         "cross_entropy", "nll_loss", "smooth_l1_loss", "huber_loss"), "ib",
    ),
}  # fmt: skip
# Ops tested with every combination of dtype and layout; the others with each of both.
FULL_PRODUCT = {"exp", "add", "sum", "matmul", "softmax", "cat", "index_select", "where"}
# Units in the last place of the greatest term, where terms cancel or many are summed.
LOOSE = {
    **dict.fromkeys(
        ("add", "sub", "rsub", "lerp", "addcmul", "addcdiv", "gelu", "tanhshrink", "silu", "mish",
         "softmax", "softmin", "log_softmax", "logit", "lgamma", "logaddexp", "remainder", "fmod",
         "var", "std", "var_mean", "std_mean", "sum", "nansum", "mean", "prod", "norm", "logsumexp",
         "cumsum", "cumprod", "trace", "scatter", "scatter_add", "index_add", "pow", "normalize",
         "glu", "softplus", "logsigmoid", "elu", "celu", "selu", "hardswish", "hardsigmoid",
         "softshrink", "frac", "prelu", "softsign"), 8,
    ),
    **dict.fromkeys(
        ("matmul", "mm", "bmm", "mv", "dot", "inner", "addmm", "addmv", "baddbmm", "linear",
         "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "binary_cross_entropy",
         "binary_cross_entropy_with_logits", "nll_loss", "cross_entropy", "cosine_similarity",
         "layer_norm", "rms_norm"), 16,
    ),
}  # fmt: skip
# Ops that look at the memory behind a tensor, or need it in row-major order.
ONE_LAYOUT = {"as_strided", "view", "view_as"}
# Ops that write to their first argument.
WRITES = {"copy_", "fill_", "zero_"}
