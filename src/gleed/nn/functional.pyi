# Made by tools/generate_stubs.py; `make format` makes it anew.
from collections.abc import Callable, Sequence
from typing import Any, overload

from gleed import Generator, Tensor
from gleed._typing import (
    Bool,
    DType,
    Float,
    Int,
    Ints,
    Number,
    Operand,
)

@overload
def adaptive_avg_pool1d(input: Tensor, output_size: Ints) -> Tensor:
    """`avg_pool1d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`."""

@overload
def adaptive_avg_pool1d(
    input: Any, output_size: Any = None, *args: Any, **kwargs: Any
) -> Tensor: ...
@overload
def adaptive_avg_pool2d(input: Tensor, output_size: Ints) -> Tensor:
    """The mean of every window of (batch, channels, height, width) or (channels, height, width)."""

@overload
def adaptive_avg_pool2d(
    input: Any, output_size: Any = None, *args: Any, **kwargs: Any
) -> Tensor: ...
@overload
def adaptive_avg_pool3d(input: Tensor, output_size: Ints) -> Tensor:
    """The mean of every window of (batch, channels, depth, height, width) or (channels, depth,
    height, width); see `adaptive_avg_pool2d`.
    """

@overload
def adaptive_avg_pool3d(
    input: Any, output_size: Any = None, *args: Any, **kwargs: Any
) -> Tensor: ...
@overload
def adaptive_max_pool1d(input: Tensor, output_size: Ints, return_indices: Bool = False) -> Any:
    """`max_pool1d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`."""

@overload
def adaptive_max_pool1d(input: Any, output_size: Any = None, *args: Any, **kwargs: Any) -> Any: ...
def adaptive_max_pool1d_with_indices(
    input: Tensor, *args: Any, return_indices: Bool = True, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool1d` with `return_indices`, which may be given and changes nothing."""

@overload
def adaptive_max_pool2d(input: Tensor, output_size: Ints, return_indices: Bool = False) -> Any:
    """`max_pool2d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`."""

@overload
def adaptive_max_pool2d(input: Any, output_size: Any = None, *args: Any, **kwargs: Any) -> Any: ...
def adaptive_max_pool2d_with_indices(
    input: Tensor, *args: Any, return_indices: Bool = True, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` with `return_indices`, which may be given and changes nothing."""

@overload
def adaptive_max_pool3d(input: Tensor, output_size: Ints, return_indices: Bool = False) -> Any:
    """`max_pool3d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`."""

@overload
def adaptive_max_pool3d(input: Any, output_size: Any = None, *args: Any, **kwargs: Any) -> Any: ...
def adaptive_max_pool3d_with_indices(
    input: Tensor, *args: Any, return_indices: Bool = True, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool3d` with `return_indices`, which may be given and changes nothing."""

def affine_grid(theta: Tensor, size: Sequence[Int], align_corners: Bool | None = None) -> Tensor:
    """The positions at which `grid_sample` reads an image to move it by the matrices `theta`."""

@overload
def alpha_dropout(
    input: Tensor, p: Number = 0.5, training: Bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout for networks of SELU: keeps mean 0 and variance 1 (Klambauer et al., 2017)."""

@overload
def alpha_dropout(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def avg_pool1d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    ceil_mode: Bool = False,
    count_include_pad: Bool = True,
) -> Tensor:
    """The mean of every window along the last dim of (batch, channels, length) or (channels,
    length); see `avg_pool2d`.
    """

def avg_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    ceil_mode: Bool = False,
    count_include_pad: Bool = True,
    divisor_override: Int | None = None,
) -> Tensor:
    """The mean of every window of (batch, channels, height, width) or (channels, height, width)."""

def avg_pool3d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    ceil_mode: Bool = False,
    count_include_pad: Bool = True,
    divisor_override: Int | None = None,
) -> Tensor:
    """The mean of every window of (batch, channels, depth, height, width) or (channels, depth,
    height, width); see `avg_pool2d`.
    """

def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: Bool = False,
    momentum: Float = 0.1,
    eps: Float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for every channel of `(N, C, …)`."""

def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x₁ᵀ W_k x₂ + b_k."""

def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)), logarithms held above -100."""

def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), without overflow."""

@overload
def celu(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """x above zero, alpha * (exp(x / alpha) - 1) below (Barron, 2017)."""

@overload
def celu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def celu_(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """In-place version of `celu`; returns the tensor itself."""

def channel_shuffle(input: Tensor, groups: Int) -> Tensor:
    """Dim 1 read across `groups` equal groups: the first channel of each, then the second, and
    so on (Zhang et al., 2018).
    """

def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Int | Sequence[Int] = 1,
    padding: str | Int | Sequence[Int] = 0,
    dilation: Int | Sequence[Int] = 1,
    groups: Int = 1,
) -> Tensor:
    """The convolution of `input` (batch, in, length), or (in, length), with `weight` (out, in /
    groups, kernel): at every position the sum of the products of a window and the weight,
    plus `bias` (out,). See `conv2d`.
    """

def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Int | Sequence[Int] = 1,
    padding: str | Int | Sequence[Int] = 0,
    dilation: Int | Sequence[Int] = 1,
    groups: Int = 1,
) -> Tensor:
    """The convolution of `input` (batch, in, height, width), or without batch, with `weight`
    (out, in / groups, kernel height, kernel width), plus `bias` (out,).
    """

def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Int | Sequence[Int] = 1,
    padding: str | Int | Sequence[Int] = 0,
    dilation: Int | Sequence[Int] = 1,
    groups: Int = 1,
) -> Tensor:
    """The convolution of `input` (batch, in, depth, height, width), or without batch, with
    `weight` (out, in / groups, kernel depth, height, width), plus `bias` (out,). See
    `conv2d`.
    """

def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Int | Sequence[Int] = 1,
    padding: Int | Sequence[Int] = 0,
    output_padding: Int | Sequence[Int] = 0,
    groups: Int = 1,
    dilation: Int | Sequence[Int] = 1,
) -> Tensor:
    """The transpose of the linear map `conv1d`: `input` (batch, in, length), `weight` (in, out /
    groups, kernel). See `conv_transpose2d`.
    """

def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Int | Sequence[Int] = 1,
    padding: Int | Sequence[Int] = 0,
    output_padding: Int | Sequence[Int] = 0,
    groups: Int = 1,
    dilation: Int | Sequence[Int] = 1,
) -> Tensor:
    """The transpose of the linear map `conv2d`, which is the gradient of that for its input:
    every element of `input` (batch, in, height, width) adds a multiple of `weight` (in, out /
    groups, kernel height, kernel width) to a window of the result, plus `bias` (out,).
    """

def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Int | Sequence[Int] = 1,
    padding: Int | Sequence[Int] = 0,
    output_padding: Int | Sequence[Int] = 0,
    groups: Int = 1,
    dilation: Int | Sequence[Int] = 1,
) -> Tensor:
    """The transpose of the linear map `conv3d`: `input` (batch, in, depth, height, width),
    `weight` (in, out / groups, kernel depth, height, width). See `conv_transpose2d`.
    """

def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: Float = 0,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - c where the target is 1, max(c - margin, 0) where it is -1, with c the cosine between
    the vectors along the last dim.
    """

def cosine_similarity(x1: Tensor, x2: Tensor, dim: Int = 1, eps: Number = 1e-08) -> Tensor:
    """x1 . x2 / (max(norm(x1), eps) * max(norm(x2), eps)) along `dim`."""

def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Bool | None = None,
    ignore_index: Int = -100,
    reduce: Bool | None = None,
    reduction: str = "mean",
    label_smoothing: Float = 0.0,
) -> Tensor:
    """`nll_loss` of `log_softmax`: the cross entropy of logits [classes] or [batch, classes, …]
    with class indices, or with class probabilities of the logits' shape.
    """

def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[Int],
    target_lengths: Tensor | Sequence[Int],
    blank: Int = 0,
    reduction: str = "mean",
    zero_infinity: Bool = False,
) -> Tensor:
    """The negative log-likelihood of label sequences under log-probabilities per moment, summed
    over all alignments; `blank` is the class of no label.
    """

@overload
def dropout(
    input: Tensor, p: Number = 0.5, training: Bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Zeros in random places, each with probability p, and everything else divided by 1 - p
    (Srivastava et al., 2014); `input` itself if not training.
    """

@overload
def dropout(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def dropout1d(
    input: Tensor, p: Number = 0.5, training: Bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Dropout of whole channels of (N, C, L) or (C, L) (Tompson et al., 2015)."""

@overload
def dropout1d(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def dropout2d(
    input: Tensor, p: Number = 0.5, training: Bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Dropout of whole channels of (N, C, H, W); three dims are taken as (N, C, L), as in
    PyTorch.
    """

@overload
def dropout2d(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def dropout3d(
    input: Tensor, p: Number = 0.5, training: Bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W)."""

@overload
def dropout3d(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def elu(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """x above zero, alpha * (exp(x) - 1) below."""

@overload
def elu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def elu_(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """In-place version of `elu`; returns the tensor itself."""

@overload
def embedding(input: Tensor, weight: Tensor, padding_idx: Int | None = None) -> Tensor:
    """The rows of `weight` at the integers `input`. The row `padding_idx` gets no gradient. With
    `max_norm`, rows that are longer are first shortened in place (by the norm `norm_type`).
    With `scale_grad_by_freq`, the gradient of a row is divided by how often it occurs.
    Gradients are dense tensors also where `sparse` asks for others.
    """

@overload
def embedding(
    input: Any,
    weight: Any,
    padding_idx: Int | None = None,
    max_norm: Float | None = None,
    norm_type: Float = 2.0,
    scale_grad_by_freq: Bool = False,
    sparse: Bool = False,
) -> Tensor: ...
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: Float | None = None,
    norm_type: Float = 2,
    scale_grad_by_freq: Bool = False,
    mode: str = "mean",
    sparse: Bool = False,
    per_sample_weights: Any = None,
    include_last_offset: Bool = False,
    padding_idx: Int | None = None,
) -> Any:
    """The sum, mean or maximum (`mode`) of the rows of `weight` at each bag of integers."""

@overload
def feature_alpha_dropout(
    input: Tensor, p: Number = 0.5, training: Bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, …); `input` itself, of any shape, if not
    training.
    """

@overload
def feature_alpha_dropout(
    input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any
) -> Tensor: ...
def fold(
    input: Tensor,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:
    """The image of `output_size` in which columns as from `unfold` are added where they were
    read.
    """

def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    output_size: Ints | None = None,
    output_ratio: Float | Sequence[Float] | None = None,
    return_indices: Bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maximum of windows at pseudo-random places (Graham, 2014)."""

def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Ints,
    output_size: Ints | None = None,
    output_ratio: Float | Sequence[Float] | None = None,
    return_indices: Bool = True,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maximum of windows at pseudo-random places (Graham, 2014)."""

def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Ints,
    output_size: Ints | None = None,
    output_ratio: Float | Sequence[Float] | None = None,
    return_indices: Bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maximum of windows at pseudo-random places (Graham, 2014)."""

def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Ints,
    output_size: Ints | None = None,
    output_ratio: Float | Sequence[Float] | None = None,
    return_indices: Bool = True,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maximum of windows at pseudo-random places (Graham, 2014)."""

def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Operand,
    full: Bool = False,
    eps: Float = 1e-06,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of the target under normal distributions with mean `input` and
    variance `var`, held above `eps`. `full` adds log(2 pi) / 2.
    """

def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the normal distribution function (Hendrycks and Gimpel, 2016); with
    approximate="tanh" by their formula with tanh.
    """

def glu(input: Tensor, dim: Int = -1) -> Tensor:
    """a * sigmoid(b), with a and b the halves of `input` along `dim` (Dauphin et al., 2016)."""

def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: Bool | None = None,
) -> Tensor:
    """(N, C, H, W) read at the positions (x, y) of `grid` (N, H', W', 2), or (N, C, D, H, W) at
    the (x, y, z) of (N, D', H', W', 3): (N, C, H', W') or (N, C, D', H', W').
    """

def group_norm(
    input: Tensor,
    num_groups: Int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: Number = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias with the statistics of every sample's groups
    of channels, of [batch, channels, …] (Wu and He, 2018). `weight` and `bias` hold one
    number per channel. float16 and bfloat16 are computed in float32.
    """

def gumbel_softmax(
    logits: Tensor, tau: Number = 1.0, hard: Bool = False, eps: Float = 1e-10, dim: Int = -1
) -> Tensor:
    """A random choice as nearly one-hot softmax, sharper for small `tau`; with `hard` one-hot,
    with the gradient of the soft one (Jang, Gu and Poole, "Categorical reparameterization",
    2017).
    """

def hardshrink(input: Tensor, lambd: Number = 0.5) -> Tensor:
    """x, but 0 within lambd of zero."""

@overload
def hardsigmoid(input: Tensor) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""

@overload
def hardsigmoid(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def hardswish(input: Tensor) -> Tensor:
    """x * hardsigmoid(x)."""

@overload
def hardswish(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def hardtanh(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0) -> Tensor:
    """x moved into [min_val, max_val]."""

@overload
def hardtanh(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def hardtanh_(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0) -> Tensor:
    """In-place version of `hardtanh`; returns the tensor itself."""

def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: Float = 1.0,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where the target is 1, max(margin - input, 0) where it is -1."""

def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: Float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d**2 / 2 where the difference d is below delta, delta * (abs(d) - delta / 2) elsewhere
    (Huber, 1964).
    """

def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: Bool = True,
    momentum: Float = 0.1,
    eps: Float = 1e-05,
) -> Tensor:
    """As `batch_norm`, with the statistics of every sample's channels by themselves."""

def interpolate(
    input: Tensor,
    size: Ints | None = None,
    scale_factor: Float | Sequence[Float] | None = None,
    mode: str = "nearest",
    align_corners: Bool | None = None,
    recompute_scale_factor: Bool | None = None,
    antialias: Bool = False,
) -> Tensor:
    """(batch, channels, *) with the one, two or three dims * of another size."""

def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
    log_target: Bool = False,
) -> Tensor:
    """target * (log(target) - input), with `input` in log space; "batchmean" divides the sum by
    the first size.
    """

def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The absolute difference."""

def layer_norm(
    input: Tensor,
    normalized_shape: Ints,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: Number = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dims, which are
    `normalized_shape`; var is the biased variance (Ba, Kiros and Hinton, 2016). float16 and
    bfloat16 are computed in float32.
    """

@overload
def leaky_relu(input: Tensor, negative_slope: Number = 0.01) -> Tensor:
    """x above zero, negative_slope * x below."""

@overload
def leaky_relu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def leaky_relu_(input: Tensor, negative_slope: Number = 0.01) -> Tensor:
    """In-place version of `leaky_relu`; returns the tensor itself."""

def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias along the last dim; `weight` is (out_features, in_features)."""

def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: Int | None = None,
    label_smoothing: Float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of the logits that `linear` makes of the input."""

def local_response_norm(
    input: Tensor, size: Int, alpha: Number = 0.0001, beta: Number = 0.75, k: Number = 1.0
) -> Tensor:
    """x / (k + alpha * m)**beta, where m is the mean of the squares of `size` neighbouring
    channels, zeros beyond the first and last, of [batch, channels, …] (Krizhevsky et al.,
    2012).
    """

def log_softmax(
    input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None
) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow or cancellation."""

def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)) without overflow."""

def lp_pool1d(
    input: Tensor,
    norm_type: Number,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: Bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) over every window along the last dim, with p = `norm_type`; see
    `avg_pool1d`.
    """

def lp_pool2d(
    input: Tensor,
    norm_type: Number,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: Bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) over every window of the last two dims, with p = `norm_type`; see
    `avg_pool2d`.
    """

def lp_pool3d(
    input: Tensor,
    norm_type: Number,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: Bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) over every window of the last three dims, with p = `norm_type`; see
    `avg_pool2d`.
    """

def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: Float = 0,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(-target * (input1 - input2) + margin, 0): target 1 wants input1 ranked higher, -1
    input2.
    """

def max_pool1d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    dilation: Ints = ...,
    ceil_mode: Bool = False,
    return_indices: Bool = False,
) -> Any:
    """The maximum of every window along the last dim of (batch, channels, length) or (channels,
    length); see `max_pool2d`.
    """

def max_pool1d_with_indices(
    input: Tensor, *args: Any, return_indices: Bool = True, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` with `return_indices`, which may be given and changes nothing."""

def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    dilation: Ints = ...,
    ceil_mode: Bool = False,
    return_indices: Bool = False,
) -> Any:
    """The maximum of every window of (batch, channels, height, width) or (channels, height,
    width).
    """

def max_pool2d_with_indices(
    input: Tensor, *args: Any, return_indices: Bool = True, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """`max_pool2d` with `return_indices`, which may be given and changes nothing."""

def max_pool3d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    dilation: Ints = ...,
    ceil_mode: Bool = False,
    return_indices: Bool = False,
) -> Any:
    """The maximum of every window of (batch, channels, depth, height, width) or (channels,
    depth, height, width); see `max_pool2d`.
    """

def max_pool3d_with_indices(
    input: Tensor, *args: Any, return_indices: Bool = True, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """`max_pool3d` with `return_indices`, which may be given and changes nothing."""

def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[Int] | None = None,
) -> Tensor:
    """Zeros, but for the elements of `input` at `indices`: what `max_pool1d(…,
    return_indices=True)` took them from, as far as it is known.
    """

def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[Int] | None = None,
) -> Tensor:
    """Zeros, but for the elements of `input` at `indices`: what `max_pool2d(…,
    return_indices=True)` took them from, as far as it is known.
    """

def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[Int] | None = None,
) -> Tensor:
    """Zeros, but for the elements of `input` at `indices`: what `max_pool3d(…,
    return_indices=True)` took them from, as far as it is known.
    """

@overload
def mish(input: Tensor) -> Tensor:
    """x * tanh(softplus(x))."""

@overload
def mish(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The squared difference."""

def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: Int,
    num_heads: Int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: Bool,
    dropout_p: Float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: Bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: Bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: Bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: Bool = True,
    is_causal: Bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, its parameters given."""

def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: Int = 1,
    margin: Float = 1.0,
    weight: Tensor | None = None,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(margin - input[target] + input[i], 0)**p, times the weight of the target, summed over
    all other classes i and divided by the number of classes; `p` is 1 or 2.
    """

def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(1 - input[j] + input[i], 0), summed over all pairs of a class j of the sample and a
    class i that is none of its own, and divided by the number of classes. `target` has the
    input's shape (batch, classes) or (classes) and lists the classes of a sample, up to the
    first -1.
    """

def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the last dim, the classes, of the binary cross-entropy of sigmoid(input)."""

def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Bool | None = None,
    ignore_index: Int = -100,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[target class], for log-probabilities [classes] or [batch, classes, …]. "mean"
    divides by the summed class weights.
    """

def normalize(input: Tensor, p: Float = 2.0, dim: Int = 1, eps: Number = 1e-12) -> Tensor:
    """x / max(norm(x), eps) along `dim`."""

def one_hot(tensor: Tensor, num_classes: Int = -1) -> Tensor:
    """1 at the class of every element, along a new last dim; -1 classes: as many as occur."""

def pad(input: Tensor, pad: Ints, mode: str = "constant", value: Number | None = None) -> Tensor:
    """The tensor with `pad` = (before, after) more elements in the last dim, then in the one
    before it, and so on; negative numbers cut off. `mode`: "constant" (filled with `value`,
    or 0), "reflect" (mirrored without repeating the edge), "replicate" (the edge repeated),
    "circular".
    """

def pairwise_distance(
    x1: Tensor, x2: Tensor, p: Float = 2.0, eps: Float = 1e-06, keepdim: Bool = False
) -> Tensor:
    """The norm of order `p` of x1 - x2 + eps along the last dim."""

def pdist(input: Tensor, p: Float = 2.0) -> Tensor:
    """The distance, by the vector norm of order `p`, of every row of (N, M) from every later
    row:
    """

def pixel_shuffle(input: Tensor, upscale_factor: Int) -> Tensor:
    """(*, C r², H, W) as (*, C, H r, W r), with r = `upscale_factor` (Shi et al., 2016)."""

def pixel_unshuffle(input: Tensor, downscale_factor: Int) -> Tensor:
    """(*, C, H r, W r) as (*, C r², H, W), with r = `downscale_factor`: undoes `pixel_shuffle`."""

def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: Bool = True,
    full: Bool = False,
    size_average: Bool | None = None,
    eps: Float = 1e-08,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of counts under a Poisson distribution with log-rate `input`
    (its rate, if not `log_input`). `full` adds Stirling's term for log(target!), which is
    constant.
    """

def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above zero, weight * x below; one weight, or one per channel (dim 1)."""

@overload
def relu(input: Tensor) -> Tensor:
    """max(x, 0)."""

@overload
def relu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
@overload
def relu6(input: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""

@overload
def relu6(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def relu_(input: Tensor) -> Tensor:
    """In-place version of `relu`; returns the tensor itself."""

def rms_norm(
    input: Tensor, normalized_shape: Ints, weight: Tensor | None = None, eps: Float | None = None
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight over the last dims (Zhang and Sennrich, 2019); eps
    None is the dtype's machine epsilon.
    """

@overload
def rrelu(
    input: Tensor,
    lower: Number = 0.125,
    upper: Number = 0.3333333333333333,
    training: Bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """x above zero, x times a random slope of [lower, upper) below; if not training the middle
    one (Xu et al., 2015).
    """

@overload
def rrelu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def rrelu_(
    input: Tensor,
    lower: Number = 0.125,
    upper: Number = 0.3333333333333333,
    training: Bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """In-place version of `rrelu`; returns the tensor itself."""

def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: Float = 0.0,
    is_causal: Bool = False,
    *,
    scale: Number | None = None,
    enable_gqa: Bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + attn_mask) @ value (Vaswani et al., "Attention is all you
    need", 2017).
    """

@overload
def selu(input: Tensor) -> Tensor:
    """The self-normalising ELU of Klambauer et al., 2017."""

@overload
def selu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def selu_(input: Tensor) -> Tensor:
    """In-place version of `selu`; returns the tensor itself."""

def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / (1 + exp(-x))."""

def sigmoid_(input: Tensor) -> Tensor:
    """In-place version of `sigmoid`; returns the tensor itself."""

@overload
def silu(input: Tensor) -> Tensor:
    """x * sigmoid(x)."""

@overload
def silu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
    beta: Float = 1.0,
) -> Tensor:
    """d**2 / (2 beta) where the difference d is below beta, abs(d) - beta / 2 elsewhere."""

def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input))."""

def softmax(input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""

def softmin(input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None) -> Tensor:
    """softmax(-x) along `dim`."""

def softplus(input: Tensor, beta: Number = 1.0, threshold: Number = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above `threshold`."""

def softshrink(input: Tensor, lambd: Number = 0.5) -> Tensor:
    """x moved towards zero by lambd, and 0 within lambd of it."""

def softsign(input: Tensor) -> Tensor:
    """x / (1 + abs(x))."""

def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic tangent."""

def tanh_(input: Tensor) -> Tensor:
    """In-place version of `tanh`; returns the tensor itself."""

def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""

@overload
def threshold(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """x where it is above `threshold`, else `value`."""

@overload
def threshold(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def threshold_(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """In-place version of `threshold`; returns the tensor itself."""

def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: Float = 1.0,
    p: Float = 2,
    eps: Float = 1e-06,
    swap: Bool = False,
    size_average: Bool | None = None,
    reduce: Bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0), with d the
    `pairwise_distance`; with `swap`, d(positive, negative) counts if it is smaller (Balntas
    et al., 2016).
    """

def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: Float = 1.0,
    swap: Bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(d(anchor, positive) − d(anchor, negative) + margin, 0) with d a `distance_function`."""

def unfold(
    input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Tensor:
    """The windows of (batch, channels, height, width) as columns: (batch, channels * window,
    windows), both counted row by row; without a batch too. Zeros are read in the padding.
    """

def upsample(
    input: Tensor,
    size: Ints | None = None,
    scale_factor: Float | Sequence[Float] | None = None,
    mode: str = "nearest",
    align_corners: Bool | None = None,
) -> Tensor:
    """`interpolate` under its former name."""

def upsample_bilinear(
    input: Tensor, size: Ints | None = None, scale_factor: Float | Sequence[Float] | None = None
) -> Tensor:
    """`interpolate` in mode "bilinear" with `align_corners`."""

def upsample_nearest(
    input: Tensor, size: Ints | None = None, scale_factor: Float | Sequence[Float] | None = None
) -> Tensor:
    """`interpolate` to the nearest place."""
