# Made by tools/generate_stubs.py; `make format` makes it anew.
"""gleed: a deep-learning framework, PyTorch's API on a small, fast engine."""

from collections.abc import Sequence
from typing import Any, overload

from gleed import _C as _C
from gleed import amp as amp
from gleed import autograd as autograd
from gleed import backends as backends
from gleed import cuda as cuda
from gleed import devices as devices
from gleed import dtypes as dtypes
from gleed import factories as factories
from gleed import formatting as formatting
from gleed import func as func
from gleed import graph as graph
from gleed import inquiries as inquiries
from gleed import linalg as linalg
from gleed import memory_formats as memory_formats
from gleed import nn as nn
from gleed import ops as ops
from gleed import optim as optim
from gleed import return_types as return_types
from gleed import special as special
from gleed import subscripts as subscripts
from gleed import tensor_methods as tensor_methods
from gleed import tensor_types as tensor_types
from gleed import utils as utils
from gleed._C import Size as Size
from gleed._C import Tensor as Tensor
from gleed._C import __version__ as __version__
from gleed._C import get_num_threads as get_num_threads
from gleed._C import memory_stats as memory_stats
from gleed._C import reset_peak_memory as reset_peak_memory
from gleed._C import set_num_threads as set_num_threads
from gleed._typing import (
    Bool,
    Device,
    Dims,
    DType,
    Float,
    Int,
    Ints,
    Layout,
    MemoryFormat,
    Number,
    Operand,
    Tensors,
)
from gleed.amp import autocast as autocast
from gleed.amp import get_autocast_cpu_dtype as get_autocast_cpu_dtype
from gleed.amp import get_autocast_dtype as get_autocast_dtype
from gleed.amp import get_autocast_gpu_dtype as get_autocast_gpu_dtype
from gleed.amp import is_autocast_cache_enabled as is_autocast_cache_enabled
from gleed.amp import is_autocast_cpu_enabled as is_autocast_cpu_enabled
from gleed.amp import is_autocast_enabled as is_autocast_enabled
from gleed.autograd import enable_grad as enable_grad
from gleed.autograd import inference_mode as inference_mode
from gleed.autograd import is_grad_enabled as is_grad_enabled
from gleed.autograd import is_inference_mode_enabled as is_inference_mode_enabled
from gleed.autograd import no_grad as no_grad
from gleed.autograd import set_grad_enabled as set_grad_enabled
from gleed.captured import compile as compile
from gleed.captured.control_flow import cond as cond
from gleed.captured.control_flow import map as map
from gleed.captured.control_flow import scan as scan
from gleed.captured.control_flow import while_loop as while_loop
from gleed.devices import *
from gleed.dtypes import *
from gleed.factories import *
from gleed.formatting import get_printoptions as get_printoptions
from gleed.formatting import printoptions as printoptions
from gleed.formatting import set_printoptions as set_printoptions
from gleed.func import vmap as vmap
from gleed.inquiries import *
from gleed.memory_formats import *
from gleed.random import Generator as Generator
from gleed.random import default_generator as default_generator
from gleed.random import fork_rng as fork_rng
from gleed.random import get_rng_state as get_rng_state
from gleed.random import initial_seed as initial_seed
from gleed.random import manual_seed as manual_seed
from gleed.random import seed as seed
from gleed.random import set_rng_state as set_rng_state
from gleed.serialization import load as load
from gleed.serialization import save as save
from gleed.settings import (
    are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled,
)
from gleed.settings import get_deterministic_debug_mode as get_deterministic_debug_mode
from gleed.settings import get_float32_matmul_precision as get_float32_matmul_precision
from gleed.settings import (
    is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled,
)
from gleed.settings import set_deterministic_debug_mode as set_deterministic_debug_mode
from gleed.settings import set_float32_matmul_precision as set_float32_matmul_precision
from gleed.settings import use_deterministic_algorithms as use_deterministic_algorithms
from gleed.tensor_types import *

def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The absolute value."""

def abs_(input: Tensor) -> Tensor:
    """In-place version of `abs`; returns the tensor itself."""

def acos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle in radians whose cosine is given; NaN outside [-1, 1]."""

def acos_(input: Tensor) -> Tensor:
    """In-place version of `acos`; returns the tensor itself."""

def acosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic cosine; NaN below 1."""

def acosh_(input: Tensor) -> Tensor:
    """In-place version of `acosh`; returns the tensor itself."""

@overload
def adaptive_avg_pool1d(input: Tensor, output_size: Ints) -> Tensor:
    """`avg_pool1d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`."""

@overload
def adaptive_avg_pool1d(
    input: Any, output_size: Any = None, *args: Any, **kwargs: Any
) -> Tensor: ...
@overload
def add(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input + alpha * other, with broadcasting and type promotion."""

@overload
def add(input: Operand, other: Operand, *, alpha: Number, out: Tensor | None = None) -> Tensor: ...
@overload
def add_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `add`; returns the tensor itself."""

@overload
def add_(input: Operand, other: Operand, *, alpha: Number) -> Tensor: ...
def addcdiv(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None
) -> Tensor:
    """input + value * tensor1 / tensor2."""

def addcdiv_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """In-place version of `addcdiv`; returns the tensor itself."""

def addcmul(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None
) -> Tensor:
    """input + value * tensor1 * tensor2."""

def addcmul_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """In-place version of `addcmul`; returns the tensor itself."""

def addmm(
    input: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2); `input` broadcasts."""

def addmm_(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """In-place version of `addmm`; returns the tensor itself."""

def addmv(
    input: Tensor,
    mat: Tensor,
    vec: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""

def addmv_(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """In-place version of `addmv`; returns the tensor itself."""

def alias_copy(input: Tensor) -> Tensor:
    """A copy with memory of its own."""

def all(input: Tensor, dim: Dims = None, keepdim: Bool = False) -> Tensor:
    """Whether every element is nonzero."""

def allclose(
    input: Any, other: Any, rtol: Float = 1e-05, atol: Float = 1e-08, equal_nan: Bool = False
) -> Bool:
    """Whether every element is close, as `isclose` has it."""

@overload
def alpha_dropout(
    input: Tensor, p: Number = 0.5, training: Bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout for networks of SELU: keeps mean 0 and variance 1 (Klambauer et al., 2017)."""

@overload
def alpha_dropout(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def amax(
    input: Tensor, dim: Dims = None, keepdim: Bool = False, *, out: Tensor | None = None
) -> Tensor:
    """The greatest element over `dim`; equal ones share the gradient."""

def amin(
    input: Tensor, dim: Dims = None, keepdim: Bool = False, *, out: Tensor | None = None
) -> Tensor:
    """The least element over `dim`; equal ones share the gradient."""

def aminmax(
    input: Tensor, *, dim: Int | None = None, keepdim: Bool = False
) -> return_types.aminmax:
    """Least and greatest element."""

def angle(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle in the complex plane: pi of negative numbers, 0 of others; NaN stays."""

def any(input: Tensor, dim: Dims = None, keepdim: Bool = False) -> Tensor:
    """Whether any element is nonzero."""

def argmax(input: Tensor, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
    """The index of the greatest element along `dim`, or in the flattened tensor."""

def argmin(input: Tensor, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
    """The index of the least element along `dim`, or in the flattened tensor."""

def argsort(
    input: Tensor, dim: Int = -1, descending: Bool = False, *, stable: Bool | None = None
) -> Tensor:
    """The indices that sort along `dim`."""

def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, as rows."""

def as_strided(input: Any, size: Any, stride: Any, storage_offset: Int | None = None) -> Any:
    """Any view of the memory: element (i, j, …) lies at storage_offset + i*stride[0] + …,
    counted from the start of the storage, or of the tensor if no offset is given; places may
    repeat.
    """

def as_strided_copy(input: Any, size: Any, stride: Any, storage_offset: Int | None = None) -> Any:
    """As `as_strided`, in memory of its own."""

def asin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle in radians whose sine is given; NaN outside [-1, 1]."""

def asin_(input: Tensor) -> Tensor:
    """In-place version of `asin`; returns the tensor itself."""

def asinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic sine."""

def asinh_(input: Tensor) -> Tensor:
    """In-place version of `asinh`; returns the tensor itself."""

def atan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle in radians whose tangent is given."""

def atan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The angle in radians of the point (other, input)."""

def atan2_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `atan2`; returns the tensor itself."""

def atan_(input: Tensor) -> Tensor:
    """In-place version of `atan`; returns the tensor itself."""

def atanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic tangent; NaN outside [-1, 1]."""

def atanh_(input: Tensor) -> Tensor:
    """In-place version of `atanh`; returns the tensor itself."""

@overload
def atleast_1d(input: Tensor) -> Tensor:
    """A view with 1 dim or more; of several tensors, a tuple."""

@overload
def atleast_1d(*tensors: Tensor) -> tuple[Tensor, ...]: ...
@overload
def atleast_1d(tensors: Tensors) -> tuple[Tensor, ...]: ...
@overload
def atleast_2d(input: Tensor) -> Tensor:
    """A view with 2 dims or more; of several tensors, a tuple."""

@overload
def atleast_2d(*tensors: Tensor) -> tuple[Tensor, ...]: ...
@overload
def atleast_2d(tensors: Tensors) -> tuple[Tensor, ...]: ...
@overload
def atleast_3d(input: Tensor) -> Tensor:
    """A view with 3 dims or more; of several tensors, a tuple."""

@overload
def atleast_3d(*tensors: Tensor) -> tuple[Tensor, ...]: ...
@overload
def atleast_3d(tensors: Tensors) -> tuple[Tensor, ...]: ...
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

def baddbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta * input + alpha * bmm(batch1, batch2)."""

def baddbmm_(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """In-place version of `baddbmm`; returns the tensor itself."""

@overload
def bernoulli(
    input: Tensor, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """1 with the probability that `input` gives, and 0 otherwise; or with probability p."""

@overload
def bernoulli(input: Tensor, p: Number, *, generator: Generator | None = None) -> Tensor: ...
def bincount(input: Any, weights: Any = None, minlength: Int = 0) -> Any:
    """How often each of 0, 1, … occurs in a vector, or the sum of its weights; at least
    `minlength` numbers.
    """

def bitwise_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """And of bits; of truth values for bool."""

def bitwise_and_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `bitwise_and`; returns the tensor itself."""

def bitwise_left_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bits moved up by `other` places."""

def bitwise_left_shift_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `bitwise_left_shift`; returns the tensor itself."""

def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complement of bits; `not` for bool."""

def bitwise_not_(input: Tensor) -> Tensor:
    """In-place version of `bitwise_not`; returns the tensor itself."""

def bitwise_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Or of bits; of truth values for bool."""

def bitwise_or_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `bitwise_or`; returns the tensor itself."""

def bitwise_right_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bits moved down by `other` places; the sign stays."""

def bitwise_right_shift_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `bitwise_right_shift`; returns the tensor itself."""

def bitwise_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Exclusive or of bits; of truth values for bool."""

def bitwise_xor_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `bitwise_xor`; returns the tensor itself."""

@overload
def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices one below and beside another, zeros elsewhere; vectors are rows."""

@overload
def block_diag(tensors: Tensors) -> Tensor: ...
def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The products of two batches of matrices."""

def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes have together."""

@overload
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Views of all tensors, expanded to their common shape."""

@overload
def broadcast_tensors(tensors: Tensors) -> tuple[Tensor, ...]: ...
def broadcast_to(input: Tensor, size: Ints) -> Tensor:
    """A view repeated to `size`, as `expand`."""

def bucketize(
    input: Operand, boundaries: Tensor, *, out_int32: Bool = False, right: Bool = False
) -> Tensor:
    """The number of the bucket between sorted `boundaries` that every element falls into; an
    element equal to a boundary into the bucket below it, above it if `right`.
    """

@overload
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element from each vector, as rows."""

@overload
def cartesian_prod(tensors: Tensors) -> Tensor: ...
def cat(tensors: Tensors, dim: Int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors one after another along `dim`; sizes agree in all other dims. Empty 1-d tensors
    are passed over.
    """

def cdist(x1: Tensor, x2: Tensor, p: Any = 2.0, compute_mode: str | None = None) -> Tensor:
    """The distance, by the vector norm of order `p`, of every row of `x1` from every row of
    `x2`.
    """

def ceil(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The least integer not below."""

def ceil_(input: Tensor) -> Tensor:
    """In-place version of `ceil`; returns the tensor itself."""

@overload
def celu(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """x above zero, alpha * (exp(x / alpha) - 1) below (Barron, 2017)."""

@overload
def celu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def celu_(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """In-place version of `celu`; returns the tensor itself."""

@overload
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices one after another, in the cheapest order."""

@overload
def chain_matmul(matrices: Tensors) -> Tensor: ...
def channel_shuffle(input: Tensor, groups: Int) -> Tensor:
    """Dim 1 read across `groups` equal groups: the first channel of each, then the second, and
    so on (Zhang et al., 2018).
    """

def chunk(input: Tensor, chunks: Int, dim: Int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of equal size along `dim`; the last may be smaller."""

@overload
def clamp(
    input: Tensor,
    min: Number | None = None,
    max: Number | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Every element moved into [min, max]; bounds are numbers or tensors, either may be None.
    Where min > max the result is max. NaN stays.
    """

@overload
def clamp(
    input: Tensor,
    min: Tensor | None = None,
    max: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def clamp_(input: Tensor, min: Number | None = None, max: Number | None = None) -> Tensor:
    """In-place version of `clamp`; returns the tensor itself."""

@overload
def clamp_(input: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor: ...
def clamp_max(input: Tensor, max: Operand, *, out: Tensor | None = None) -> Tensor:
    """`clamp` with an upper bound alone."""

def clamp_max_(input: Tensor, max: Operand) -> Tensor:
    """In-place version of `clamp_max`; returns the tensor itself."""

def clamp_min(input: Tensor, min: Operand, *, out: Tensor | None = None) -> Tensor:
    """`clamp` with a lower bound alone."""

def clamp_min_(input: Tensor, min: Operand) -> Tensor:
    """In-place version of `clamp_min`; returns the tensor itself."""

def clone(input: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
    """A copy with memory of its own, in the order of strides of `input` or a memory format."""

def column_stack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Joined along the second dim, vectors as columns."""

def concat(tensors: Tensors, dim: Int = 0, *, out: Tensor | None = None) -> Tensor:
    """Another name of `cat`."""

def conj(input: Tensor) -> Tensor:
    """The complex conjugate, which a real tensor is itself."""

def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, in memory of its own if it differs, which a real tensor is itself."""

def constant_pad_nd(input: Tensor, pad: Ints, value: Number = 0) -> Tensor:
    """As `nn.functional.pad` in mode "constant"."""

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

def copysign(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The magnitude of `input` with the sign of `other`."""

def copysign_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `copysign`; returns the tensor itself."""

def cos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The cosine of every element, in radians."""

def cos_(input: Tensor) -> Tensor:
    """In-place version of `cos`; returns the tensor itself."""

def cosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic cosine."""

def cosh_(input: Tensor) -> Tensor:
    """In-place version of `cosh`; returns the tensor itself."""

def cosine_similarity(x1: Tensor, x2: Tensor, dim: Int = 1, eps: Number = 1e-08) -> Tensor:
    """x1 . x2 / (max(norm(x1), eps) * max(norm(x2), eps)) along `dim`."""

def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are nonzero."""

def cross(input: Tensor, other: Tensor, dim: Int | None = None) -> Tensor:
    """The cross product along `dim`, of size 3 (the first such dim if None)."""

def cummax(input: Tensor, dim: Int) -> return_types.cummax:
    """The greatest of the first 1, 2, … elements along `dim`, and where it was seen last."""

def cummin(input: Tensor, dim: Int) -> return_types.cummin:
    """The least of the first 1, 2, … elements along `dim`, and where it was seen last."""

def cumprod(
    input: Tensor, dim: Int, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Products of the first 1, 2, … elements along `dim`."""

def cumprod_(input: Tensor, dim: Int, *, dtype: DType | None = None) -> Tensor:
    """In-place version of `cumprod`; returns the tensor itself."""

def cumsum(
    input: Tensor, dim: Int, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Sums of the first 1, 2, … elements along `dim`."""

def cumsum_(input: Tensor, dim: Int, *, dtype: DType | None = None) -> Tensor:
    """In-place version of `cumsum`; returns the tensor itself."""

def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Degrees to radians."""

def deg2rad_(input: Tensor) -> Tensor:
    """In-place version of `deg2rad`; returns the tensor itself."""

def diag(input: Tensor, diagonal: Int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""

def diag_embed(input: Tensor, offset: Int = 0, dim1: Int = -2, dim2: Int = -1) -> Tensor:
    """Matrices, in dims `dim1` and `dim2` of the result, with the last dim on their diagonal."""

def diagonal(input: Tensor, offset: Int = 0, dim1: Int = 0, dim2: Int = 1) -> Tensor:
    """The diagonal of two dims, as a new last dim; `offset` > 0 lies above it."""

def diagonal_copy(input: Tensor, offset: Int = 0, dim1: Int = 0, dim2: Int = 1) -> Tensor:
    """As `diagonal`, in memory of its own."""

def diagonal_scatter(
    input: Tensor, src: Tensor, offset: Int = 0, dim1: Int = 0, dim2: Int = 1
) -> Tensor:
    """`input` with `src` on the diagonal of two dims."""

def diff(
    input: Tensor,
    n: Int = 1,
    dim: Int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Each element less the one before it along `dim`, `n` times over; `prepend` and `append`
    come before and after the first time.
    """

def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The derivative of `lgamma`: -inf at 0, NaN at negative integers."""

def digamma_(input: Tensor) -> Tensor:
    """In-place version of `digamma`; returns the tensor itself."""

def dist(input: Tensor, other: Tensor, p: Any = 2) -> Tensor:
    """The vector norm of order `p` of input - other."""

def div(
    input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None
) -> Tensor:
    """input / other. Integers become floating point, unless `rounding_mode` is "trunc" (towards
    zero) or "floor" (towards minus infinity), which round the quotient.
    """

def div_(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """In-place version of `div`; returns the tensor itself."""

def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inner product of two vectors of equal size."""

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
def dsplit(input: Tensor, indices_or_sections: Int | Sequence[Int]) -> tuple[Tensor, ...]:
    """Parts along the third dim, as `tensor_split`."""

def dstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Joined along the third dim."""

@overload
def einsum(equation: str, *operands: Tensor) -> Tensor:
    """The sum of products that an equation such as "bij,bjk->bik" names: a letter per dim;
    letters that are not in the result are summed over; '...' covers dims without names, which
    broadcast. Without '->' the result has the letters that occur once, in alphabetical order.
    Products are matrix products where they can be; of several operands, the pair with the
    smallest product goes first.
    """

@overload
def einsum(equation: str, operands: Tensors) -> Tensor: ...
@overload
def einsum(*args: Any) -> Tensor: ...
def eq(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether elements are equal."""

def equal(input: Any, other: Any) -> Bool:
    """Whether two tensors have one shape and equal elements."""

def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

def erf_(input: Tensor) -> Tensor:
    """In-place version of `erf`; returns the tensor itself."""

def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complementary error function 1 - erf(x), exact also where erf is near 1."""

def erfc_(input: Tensor) -> Tensor:
    """In-place version of `erfc`; returns the tensor itself."""

def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of erf; NaN outside [-1, 1]."""

def erfinv_(input: Tensor) -> Tensor:
    """In-place version of `erfinv`; returns the tensor itself."""

def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e to the power of every element. Integers become floating point."""

def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """2 to the power of every element."""

def exp2_(input: Tensor) -> Tensor:
    """In-place version of `exp2`; returns the tensor itself."""

def exp_(input: Tensor) -> Tensor:
    """In-place version of `exp`; returns the tensor itself."""

@overload
def expand_copy(input: Tensor, *size: Int) -> Tensor:
    """As `expand`, in memory of its own."""

@overload
def expand_copy(input: Tensor, size: Ints) -> Tensor: ...
def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """exp(x) - 1, exact also near zero."""

def expm1_(input: Tensor) -> Tensor:
    """In-place version of `expm1`; returns the tensor itself."""

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
def fill_(input: Tensor, value: Operand) -> Tensor:
    """Overwrite every element with `value`, a number or a 0-d tensor."""

def flatten(input: Tensor, start_dim: Int = 0, end_dim: Int = -1) -> Tensor:
    """The dims from `start_dim` to `end_dim` as one."""

@overload
def flip(input: Tensor, *dims: Int) -> Tensor:
    """Backwards along `dims`."""

@overload
def flip(input: Tensor, dims: Sequence[Int] | Int) -> Tensor: ...
def fliplr(input: Tensor) -> Tensor:
    """Backwards along the second dim."""

def flipud(input: Tensor) -> Tensor:
    """Backwards along the first dim."""

def float_power(input: Operand, exponent: Operand) -> Tensor:
    """`pow` in float64."""

def floor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The greatest integer not above."""

def floor_(input: Tensor) -> Tensor:
    """In-place version of `floor`; returns the tensor itself."""

def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The quotient rounded towards minus infinity."""

def floor_divide_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `floor_divide`; returns the tensor itself."""

def fmax(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The greater of two elements; a number beside NaN wins."""

def fmin(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two elements; a number beside NaN wins."""

def fmod(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The remainder of division rounded towards zero: it has the sign of `input`."""

def fmod_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `fmod`; returns the tensor itself."""

def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The part behind the point, with the sign of the number."""

def frac_(input: Tensor) -> Tensor:
    """In-place version of `frac`; returns the tensor itself."""

@overload
def full(
    size: Ints,
    fill_value: Number,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """A tensor with one number everywhere; its dtype follows from the number if not given."""

@overload
def full(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def full_like(
    input: Tensor,
    fill_value: Number,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """One number everywhere, with the shape and dtype of `input`."""

@overload
def full_like(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
def gather(
    input: Tensor, dim: Int, index: Tensor, *, sparse_grad: Bool = False, out: Tensor | None = None
) -> Tensor:
    """result[i][j] = input[index[i][j]][j] for dim 0, and so on for other dims."""

def ge(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether `input` is greater or equal."""

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

@overload
def gru(
    input: Tensor,
    hx: Tensor,
    params: Tensors,
    has_biases: Bool,
    num_layers: Int,
    dropout: Float,
    train: Bool,
    bidirectional: Bool,
    batch_first: Bool = False,
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """A GRU over whole sequences: the outputs of all steps, and the last states."""

@overload
def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]: ...
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU: the hidden state that follows `hx`."""

def gt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether `input` is greater."""

def hardshrink(input: Tensor, lambd: Number = 0.5) -> Tensor:
    """x, but 0 within lambd of zero."""

def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 below zero, 1 above, `values` at zero."""

def heaviside_(input: Tensor, values: Tensor) -> Tensor:
    """In-place version of `heaviside`; returns the tensor itself."""

def histc(
    input: Tensor, bins: Int = 100, min: Number = 0, max: Number = 0, *, out: Tensor | None = None
) -> Tensor:
    """How many elements fall into each of `bins` equal parts of [min, max]; of the range of the
    data if both are 0. Elements outside are not counted.
    """

def hsplit(input: Tensor, indices_or_sections: Int | Sequence[Int]) -> tuple[Tensor, ...]:
    """Parts along the second dim (the first, of a vector), as `tensor_split`."""

def hstack(tensors: Tensors) -> Tensor:
    """Joined along the second dim (the first, for vectors)."""

def hypot(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """sqrt(input**2 + other**2) without needless overflow."""

def hypot_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `hypot`; returns the tensor itself."""

def index_add(input: Tensor, dim: Int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """`input` with alpha * source added at the places `index` along `dim`, in order."""

def index_add_(input: Tensor, dim: Int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """In-place version of `index_add`; returns the tensor itself."""

def index_copy(input: Tensor, dim: Int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with the places `index` along `dim` replaced by `source`."""

def index_copy_(input: Tensor, dim: Int, index: Tensor, source: Tensor) -> Tensor:
    """In-place version of `index_copy`; returns the tensor itself."""

def index_fill(input: Tensor, dim: Int, index: Tensor, value: Operand) -> Tensor:
    """`input` with the places `index` along `dim` set to `value`."""

def index_fill_(input: Tensor, dim: Int, index: Tensor, value: Operand) -> Tensor:
    """In-place version of `index_fill`; returns the tensor itself."""

def index_put(input: Any, indices: Any, values: Any, accumulate: Bool = False) -> Any:
    """`input` with `values` at the places that `input[indices]` reads, as `index_put_`."""

def index_reduce(
    input: Tensor,
    dim: Int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: Bool = True,
) -> Tensor:
    """`input` with the slices of `source` taken into the places `index` along `dim` by `reduce`:"""

def index_reduce_(
    input: Tensor,
    dim: Int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: Bool = True,
) -> Tensor:
    """In-place version of `index_reduce`; returns the tensor itself."""

def index_select(input: Tensor, dim: Int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The places `index` along `dim`."""

def inner(input: Tensor, other: Tensor) -> Tensor:
    """The inner products along the last dims."""

def is_nonzero(input: Any) -> Bool:
    """Whether the one element of a tensor is not zero."""

def isclose(
    input: Tensor,
    other: Operand,
    rtol: Number = 1e-05,
    atol: Number = 1e-08,
    equal_nan: Bool = False,
) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|; equal infinities are close, NaN to NaN
    only if `equal_nan`.
    """

def isfinite(input: Tensor) -> Tensor:
    """Whether an element is neither infinite nor NaN."""

def isin(
    elements: Operand, test_elements: Operand, *, assume_unique: Bool = False, invert: Bool = False
) -> Tensor:
    """Whether every element is among `test_elements` (is not, if `invert`)."""

def isinf(input: Tensor) -> Tensor:
    """Whether an element is plus or minus infinity."""

def isnan(input: Tensor) -> Tensor:
    """Whether an element is not a number."""

def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether an element is minus infinity."""

def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether an element is plus infinity."""

def isreal(input: Tensor) -> Tensor:
    """Whether the imaginary part is zero: true of real tensors."""

def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`."""

def kthvalue(input: Tensor, k: Int, dim: Int = -1, keepdim: Bool = False) -> return_types.kthvalue:
    """The `k`-th least element along `dim`, counted from 1, and where it is."""

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

def ldexp(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * 2**other."""

def ldexp_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `ldexp`; returns the tensor itself."""

def le(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether `input` is less or equal."""

def lerp(input: Tensor, end: Tensor, weight: Operand, *, out: Tensor | None = None) -> Tensor:
    """input + weight * (end - input): from `input` (weight 0) to `end` (weight 1)."""

def lerp_(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """In-place version of `lerp`; returns the tensor itself."""

def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the absolute value of the gamma function."""

def lgamma_(input: Tensor) -> Tensor:
    """In-place version of `lgamma`; returns the tensor itself."""

def log(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The natural logarithm: -inf at zero, NaN below."""

def log10(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm to base 10."""

def log10_(input: Tensor) -> Tensor:
    """In-place version of `log10`; returns the tensor itself."""

def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(1 + x), exact also near zero."""

def log1p_(input: Tensor) -> Tensor:
    """In-place version of `log1p`; returns the tensor itself."""

def log2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm to base 2."""

def log2_(input: Tensor) -> Tensor:
    """In-place version of `log2`; returns the tensor itself."""

def log_(input: Tensor) -> Tensor:
    """In-place version of `log`; returns the tensor itself."""

def log_softmax(
    input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None
) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow or cancellation."""

def logaddexp(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""

def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log2(2**input + 2**other) without overflow."""

def logcumsumexp(input: Tensor, dim: Int, *, out: Tensor | None = None) -> Tensor:
    """log(exp(x0) + … + exp(xi)) for the first 1, 2, … elements along `dim`, without overflow."""

def logical_and(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether both are nonzero."""

def logical_and_(input: Tensor, other: Tensor) -> Tensor:
    """In-place version of `logical_and`; returns the tensor itself."""

def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether an element is zero."""

def logical_not_(input: Tensor) -> Tensor:
    """In-place version of `logical_not`; returns the tensor itself."""

def logical_or(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether either is nonzero."""

def logical_or_(input: Tensor, other: Tensor) -> Tensor:
    """In-place version of `logical_or`; returns the tensor itself."""

def logical_xor(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether exactly one is nonzero."""

def logical_xor_(input: Tensor, other: Tensor) -> Tensor:
    """In-place version of `logical_xor`; returns the tensor itself."""

def logit(input: Tensor, eps: Float | None = None, *, out: Tensor | None = None) -> Tensor:
    """log(x / (1 - x)), with x first clamped to [eps, 1 - eps] if eps is given."""

def logit_(input: Tensor, eps: Float | None = None) -> Tensor:
    """In-place version of `logit`; returns the tensor itself."""

def logsumexp(
    input: Tensor, dim: Dims, keepdim: Bool = False, *, out: Tensor | None = None
) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow."""

@overload
def lstm(
    input: Tensor,
    hx: Tensors,
    params: Tensors,
    has_biases: Bool,
    num_layers: Int,
    dropout: Float,
    train: Bool,
    bidirectional: Bool,
    batch_first: Bool = False,
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """An LSTM over whole sequences: the outputs of all steps, the last hidden and cell states."""

@overload
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]: ...
def lstm_cell(
    input: Tensor,
    hx: Tensors,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """One step of an LSTM: the hidden and the cell state that follow `hx`, a pair of them."""

def lt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether `input` is less."""

def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`value` where `mask` holds, else `input`; `mask` broadcasts."""

def masked_fill_(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """In-place version of `masked_fill`; returns the tensor itself."""

def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the elements of `source`, in order, where `mask` holds; `mask` broadcasts."""

def masked_scatter_(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """In-place version of `masked_scatter`; returns the tensor itself."""

def masked_select(input: Any, mask: Any) -> Any:
    """The elements where `mask` holds, one after another; both broadcast."""

def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product: of vectors a number, of a matrix and a vector a vector, else of the
    last two dims, with the leading dims broadcast.
    """

def matrix_power(input: Tensor, n: Int) -> Tensor:
    """The product of `n` times the same square matrix; n = 0 gives the identity."""

@overload
def max(input: Tensor, dim: Int, keepdim: Bool = False) -> return_types.max:
    """The greatest element: of all, or along `dim` with its index, or of two tensors
    (`maximum`).
    """

@overload
def max(input: Tensor) -> Tensor: ...
@overload
def max(input: Tensor, other: Tensor) -> Tensor: ...
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
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = ...,
    dilation: Ints = ...,
    ceil_mode: Bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` with `return_indices`."""

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

def maximum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The greater of two elements; NaN if either is NaN."""

def maximum_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `maximum`; returns the tensor itself."""

def mean(
    input: Tensor,
    dim: Dims = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The mean over `dim` (all dims if None), of floating-point tensors."""

@overload
def median(input: Tensor, dim: Int, keepdim: Bool = False) -> return_types.median:
    """The middle element in order: of all, or along `dim` with its index. Of two middle ones,
    the lower; NaN if there is one.
    """

@overload
def median(input: Tensor) -> Tensor: ...
@overload
def meshgrid(*tensors: Tensor, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Vectors as the axes of a grid: each repeated along the axes of the others. "ij" (if None):"""

@overload
def meshgrid(tensors: Tensors, *, indexing: str | None = None) -> tuple[Tensor, ...]: ...
@overload
def min(input: Tensor, dim: Int, keepdim: Bool = False) -> return_types.min:
    """The least element: of all, or along `dim` with its index, or of two tensors (`minimum`)."""

@overload
def min(input: Tensor) -> Tensor: ...
@overload
def min(input: Tensor, other: Tensor) -> Tensor: ...
def minimum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two elements; NaN if either is NaN."""

def minimum_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `minimum`; returns the tensor itself."""

def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices."""

def mode(input: Tensor, dim: Int = -1, keepdim: Bool = False) -> return_types.mode:
    """The most frequent element along `dim` (the least of several), and where it is last."""

def movedim(input: Tensor, source: Int | Sequence[Int], destination: Int | Sequence[Int]) -> Tensor:
    """Dims moved to other positions; the rest keep their order."""

def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dim."""

def mul(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * other, with broadcasting and type promotion."""

def mul_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `mul`; returns the tensor itself."""

def multinomial(
    input: Tensor,
    num_samples: Int,
    replacement: Bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Places drawn from the last dim of `input`, each as likely as its weight there."""

def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of a matrix and a vector."""

def mvlgamma(input: Tensor, p: Int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`, for x > (p - 1) / 2."""

def mvlgamma_(input: Tensor, p: Int) -> Tensor:
    """In-place version of `mvlgamma`; returns the tensor itself."""

def nan_to_num(
    input: Tensor,
    nan: Float | None = None,
    posinf: Float | None = None,
    neginf: Float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the extreme finite
    numbers).
    """

def nan_to_num_(
    input: Tensor,
    nan: Float | None = None,
    posinf: Float | None = None,
    neginf: Float | None = None,
) -> Tensor:
    """In-place version of `nan_to_num`; returns the tensor itself."""

@overload
def nanmedian(input: Tensor, dim: Int, keepdim: Bool = False) -> return_types.nanmedian:
    """The median of the elements that are not NaN."""

@overload
def nanmedian(input: Tensor) -> Tensor: ...
def nanquantile(
    input: Tensor,
    q: Operand,
    dim: Int | None = None,
    keepdim: Bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """As `quantile`, of the elements that are not NaN."""

def nansum(
    input: Tensor,
    dim: Dims = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The sum with NaN counted as zero."""

def narrow(input: Tensor, dim: Int, start: Int, length: Int) -> Tensor:
    """`length` elements along `dim`, from `start` on (from the end if negative)."""

def narrow_copy(input: Tensor, dim: Int, start: Int, length: Int) -> Tensor:
    """As `narrow`, in memory of its own."""

def ne(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether elements differ; NaN differs from everything."""

def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Every element with the other sign. Not for bool: use `logical_not`."""

def neg_(input: Tensor) -> Tensor:
    """In-place version of `neg`; returns the tensor itself."""

@overload
def nonzero(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The positions of the elements that are not zero, as rows in row-major order; with
    `as_tuple=True` one vector of indices per dim, as indexing takes them.
    """

@overload
def nonzero(*args: Any, as_tuple: Any = None, **named: Any) -> Tensor: ...
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Dims = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The vector norm of order `p` over `dim`: "fro" or 2 (Euclidean), 1, inf, -inf, 0 (how many
    are nonzero) or any number.
    """

@overload
def normal(
    mean: Operand,
    std: Operand = 1.0,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Numbers from normal distributions, each of the mean and deviation at its place; with a
    size, all from one.
    """

@overload
def normal(
    mean: Number,
    std: Number,
    size: Ints,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def ones(
    *size: Int,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """A tensor of ones."""

@overload
def ones(
    size: Ints,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def ones(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def ones_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """Ones with the shape and dtype of `input`."""

@overload
def ones_like(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of the elements of two vectors."""

def pairwise_distance(
    x1: Tensor, x2: Tensor, p: Float = 2.0, eps: Float = 1e-06, keepdim: Bool = False
) -> Tensor:
    """The norm of order `p` of x1 - x2 + eps along the last dim."""

def pdist(input: Tensor, p: Float = 2.0) -> Tensor:
    """The distance, by the vector norm of order `p`, of every row of (N, M) from every later
    row:
    """

@overload
def permute(input: Tensor, *dims: Int) -> Tensor:
    """The dims in another order."""

@overload
def permute(input: Tensor, dims: Sequence[Int]) -> Tensor: ...
@overload
def permute_copy(input: Tensor, *dims: Int) -> Tensor:
    """As `permute`, in memory of its own."""

@overload
def permute_copy(input: Tensor, dims: Sequence[Int]) -> Tensor: ...
def pixel_shuffle(input: Tensor, upscale_factor: Int) -> Tensor:
    """(*, C r², H, W) as (*, C, H r, W r), with r = `upscale_factor` (Shi et al., 2016)."""

def pixel_unshuffle(input: Tensor, downscale_factor: Int) -> Tensor:
    """(*, C, H r, W r) as (*, C r², H, W), with r = `downscale_factor`: undoes `pixel_shuffle`."""

@overload
def polygamma(input: Tensor, n: Int) -> Tensor:
    """The n-th derivative of `digamma`, for n = 0, 1, …; `polygamma(n, input)` as a function. At
    0 and at negative integers: inf for odd n, -inf for even n > 0. Sources: DLMF 5.15.1 and
    5.15.6.
    """

@overload
def polygamma(n: Int, input: Tensor) -> Tensor: ...
def polygamma_(input: Tensor, n: Int) -> Tensor:
    """In-place version of `polygamma`; returns the tensor itself."""

def positive(input: Tensor) -> Tensor:
    """The tensor itself."""

def pow(input: Operand, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
    """input to the power of exponent, with broadcasting and type promotion. Integers to a
    negative power give 0 but for bases 1 and -1.
    """

def pow_(input: Operand, exponent: Operand) -> Tensor:
    """In-place version of `pow`; returns the tensor itself."""

def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above zero, weight * x below; one weight, or one per channel (dim 1)."""

def prod(
    input: Tensor,
    dim: Int | None = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The product over `dim` (all dims if None)."""

def quantile(
    input: Tensor,
    q: Operand,
    dim: Int | None = None,
    keepdim: Bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """The value below which the fraction `q` (a number or a vector, 0 … 1) of the elements lie:
    of all, or along `dim`. Several fractions make a new first dim. NaN if there is one.
    """

def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Radians to degrees."""

def rad2deg_(input: Tensor) -> Tensor:
    """In-place version of `rad2deg`; returns the tensor itself."""

@overload
def rand(
    *size: Int,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1)."""

@overload
def rand(
    size: Ints,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def rand(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1), in the shape and dtype of `input`."""

@overload
def rand_like(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def randint(
    high: Number,
    size: Ints,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Whole numbers from low (0 if not given) to high - 1, all equally likely."""

@overload
def randint(
    low: Number,
    high: Number,
    size: Ints,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def randint(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def randint_like(
    input: Tensor,
    high: Number,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """Whole numbers from low (0 if not given) to high - 1, in the shape and dtype of `input`."""

@overload
def randint_like(
    input: Tensor,
    low: Number,
    high: Number,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_format: MemoryFormat | None = None,
) -> Tensor: ...
@overload
def randint_like(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def randn(
    *size: Int,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Numbers from the normal distribution of mean 0 and deviation 1."""

@overload
def randn(
    size: Ints,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def randn(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
def randn_like(
    input: Any,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    memory_format: MemoryFormat | None = None,
    requires_grad: Bool = False,
) -> Any:
    """Numbers from the normal distribution, in the shape and dtype of `input`."""

@overload
def randperm(
    n: Int,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The numbers 0 … n - 1 in random order."""

@overload
def randperm(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
def ravel(input: Tensor) -> Tensor:
    """All elements in one dim."""

def real(input: Tensor) -> Tensor:
    """The real part, which a real tensor is itself."""

def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / x."""

def reciprocal_(input: Tensor) -> Tensor:
    """In-place version of `reciprocal`; returns the tensor itself."""

@overload
def relu(input: Tensor) -> Tensor:
    """max(x, 0)."""

@overload
def relu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def relu_(input: Tensor) -> Tensor:
    """In-place version of `relu`; returns the tensor itself."""

def remainder(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The remainder of `floor_divide`: it has the sign of `other`."""

def remainder_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `remainder`; returns the tensor itself."""

def renorm(input: Tensor, p: Float, dim: Int, maxnorm: Number) -> Tensor:
    """Every slice along `dim` whose norm of order `p` (infinity: its greatest magnitude) is
    greater than `maxnorm` scaled down to it.
    """

def renorm_(input: Tensor, p: Float, dim: Int, maxnorm: Number) -> Tensor:
    """In-place version of `renorm`; returns the tensor itself."""

@overload
def repeat_interleave(input: Tensor, repeats: Int, dim: Int | None = None) -> Tensor:
    """Every element `repeats` times in a row, along `dim` or of the flattened tensor."""

@overload
def repeat_interleave(
    input: Any, repeats: Any = None, dim: Int | None = None, *, output_size: Any = None
) -> Tensor: ...
@overload
def reshape(input: Tensor, *shape: Int) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where strides allow it,
    else a copy.
    """

@overload
def reshape(input: Tensor, shape: Ints) -> Tensor: ...
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor with a pending conjugation done, which a real tensor is itself."""

def resolve_neg(input: Tensor) -> Tensor:
    """The tensor with a pending negation done, which a real tensor is itself."""

def rms_norm(
    input: Tensor, normalized_shape: Ints, weight: Tensor | None = None, eps: Float | None = None
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight over the last dims (Zhang and Sennrich, 2019); eps
    None is the dtype's machine epsilon.
    """

@overload
def rnn_relu(
    input: Tensor,
    hx: Tensor,
    params: Tensors,
    has_biases: Bool,
    num_layers: Int,
    dropout: Float,
    train: Bool,
    bidirectional: Bool,
    batch_first: Bool = False,
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """As `rnn_tanh`, with relu."""

@overload
def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]: ...
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """As `rnn_tanh_cell`, with relu."""

@overload
def rnn_tanh(
    input: Tensor,
    hx: Tensor,
    params: Tensors,
    has_biases: Bool,
    num_layers: Int,
    dropout: Float,
    train: Bool,
    bidirectional: Bool,
    batch_first: Bool = False,
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """An Elman network over whole sequences: the outputs of all steps, and the last states."""

@overload
def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]: ...
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of an Elman network: tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)."""

def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along `dims` by `shifts`; what leaves at the end comes in at the start."""

def rot90(input: Tensor, k: Int = 1, dims: Sequence[Int] = ...) -> Tensor:
    """Turned by 90 degrees `k` times, from the first of `dims` towards the second."""

def round(input: Tensor, *, decimals: Int = 0, out: Tensor | None = None) -> Tensor:
    """The nearest integer, halves to the even one; or the nearest multiple of 10**-decimals."""

def round_(input: Tensor, *, decimals: Int = 0) -> Tensor:
    """In-place version of `round`; returns the tensor itself."""

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

def rsqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The reciprocal of the square root."""

def rsqrt_(input: Tensor) -> Tensor:
    """In-place version of `rsqrt`; returns the tensor itself."""

@overload
def rsub(input: Operand, other: Operand) -> Tensor:
    """other - input."""

@overload
def rsub(input: Operand, other: Operand, *, alpha: Number) -> Tensor: ...
@overload
def scatter(input: Tensor, dim: Int, index: Tensor, src: Operand) -> Tensor:
    """`input` with result[index[i][j]][j] = src[i][j] for dim 0, and so on; `src` may be a
    number.
    """

@overload
def scatter(input: Tensor, dim: Int, index: Tensor, *, value: Operand) -> Tensor: ...
@overload
def scatter(input: Tensor, dim: Int, index: Tensor, src: Operand, *, reduce: str) -> Tensor: ...
@overload
def scatter_(input: Tensor, dim: Int, index: Tensor, src: Operand) -> Tensor:
    """In-place version of `scatter`; returns the tensor itself."""

@overload
def scatter_(input: Tensor, dim: Int, index: Tensor, *, value: Operand) -> Tensor: ...
@overload
def scatter_(input: Tensor, dim: Int, index: Tensor, src: Operand, *, reduce: str) -> Tensor: ...
def scatter_add(input: Tensor, dim: Int, index: Tensor, src: Tensor) -> Tensor:
    """`input` with src[i][j] added at [index[i][j]][j] for dim 0, and so on, in order."""

def scatter_add_(input: Tensor, dim: Int, index: Tensor, src: Tensor) -> Tensor:
    """In-place version of `scatter_add`; returns the tensor itself."""

def scatter_reduce(
    input: Tensor, dim: Int, index: Tensor, src: Tensor, reduce: str, *, include_self: Bool = True
) -> Tensor:
    """`input` with src[i][j] taken into [index[i][j]][j] for dim 0, and so on, by `reduce`:
    "sum", "prod", "mean", "amax" or "amin". Without `include_self` what was there does not
    count.
    """

def scatter_reduce_(
    input: Tensor, dim: Int, index: Tensor, src: Tensor, reduce: str, *, include_self: Bool = True
) -> Tensor:
    """In-place version of `scatter_reduce`; returns the tensor itself."""

def searchsorted(
    sorted_sequence: Tensor,
    input: Operand,
    *,
    out_int32: Bool = False,
    right: Bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where to insert values so that the last dim stays sorted: before equal elements, after
    them if `right` (or side="right"). `sorter` holds the indices that sort, if the tensor is
    not sorted.
    """

def select(input: Tensor, dim: Int, index: Int) -> Tensor:
    """One place along `dim`, which disappears."""

def select_copy(input: Tensor, dim: Int, index: Int) -> Tensor:
    """As `select`, in memory of its own."""

def select_scatter(input: Tensor, src: Tensor, dim: Int, index: Int) -> Tensor:
    """`input` with `src` at `index` along `dim`."""

@overload
def selu(input: Tensor) -> Tensor:
    """The self-normalising ELU of Klambauer et al., 2017."""

@overload
def selu(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def selu_(input: Tensor) -> Tensor:
    """In-place version of `selu`; returns the tensor itself."""

def sgn(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """As `sign`."""

def sgn_(input: Tensor) -> Tensor:
    """In-place version of `sgn`; returns the tensor itself."""

def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / (1 + exp(-x))."""

def sigmoid_(input: Tensor) -> Tensor:
    """In-place version of `sigmoid`; returns the tensor itself."""

def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-1, 0 or 1. NaN stays."""

def sign_(input: Tensor) -> Tensor:
    """In-place version of `sign`; returns the tensor itself."""

def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the sign is minus, that of -0.0 too."""

def sin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sine of every element, in radians."""

def sin_(input: Tensor) -> Tensor:
    """In-place version of `sin`; returns the tensor itself."""

def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""

def sinc_(input: Tensor) -> Tensor:
    """In-place version of `sinc`; returns the tensor itself."""

def sinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic sine."""

def sinh_(input: Tensor) -> Tensor:
    """In-place version of `sinh`; returns the tensor itself."""

def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: Int = 0,
    start: Int | None = None,
    end: Int | None = None,
    step: Int = 1,
) -> Tensor:
    """`input` with `src` at start, start + step, … below `end` along `dim`."""

def softmax(input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""

def sort(
    input: Tensor, dim: Int = -1, descending: Bool = False, *, stable: Bool | None = None
) -> return_types.sort:
    """The elements in order along `dim`, and where they were. Equal ones keep their order,
    whether `stable` is asked for or not; NaN is greater than every number.
    """

def split(input: Tensor, split_size_or_sections: Any, dim: Int = 0) -> tuple[Tensor, ...]:
    """Parts along `dim`: each of the given size (the last may be smaller), or of the listed
    sizes.
    """

def split_copy(input: Tensor, split_size_or_sections: Any, dim: Int = 0) -> tuple[Tensor, ...]:
    """As `split`, in memory of its own."""

def sqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The square root; NaN for negative numbers."""

def sqrt_(input: Tensor) -> Tensor:
    """In-place version of `sqrt`; returns the tensor itself."""

def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """x * x."""

def square_(input: Tensor) -> Tensor:
    """In-place version of `square`; returns the tensor itself."""

def squeeze(input: Tensor, dim: Int | Sequence[Int] | None = None) -> Tensor:
    """Without the dims of size 1, or without those among `dim`."""

def squeeze_copy(input: Tensor, dim: Int | Sequence[Int] | None = None) -> Tensor:
    """As `squeeze`, in memory of its own."""

def stack(tensors: Tensors, dim: Int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors of one shape along a new dim."""

@overload
def std(
    input: Tensor,
    dim: Dims = None,
    *,
    correction: Number | None = 1,
    keepdim: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The standard deviation over `dim`: the square root of `var`."""

@overload
def std(
    input: Tensor, dim: Dims = None, unbiased: Bool = True, keepdim: Bool = False
) -> Tensor: ...
@overload
def std_mean(
    input: Tensor, dim: Dims = None, *, correction: Number | None = 1, keepdim: Bool = False
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean."""

@overload
def std_mean(
    input: Tensor, dim: Dims = None, unbiased: Bool = True, keepdim: Bool = False
) -> tuple[Tensor, Tensor]: ...
@overload
def sub(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input - alpha * other, with broadcasting and type promotion. Not for bool."""

@overload
def sub(input: Operand, other: Operand, *, alpha: Number, out: Tensor | None = None) -> Tensor: ...
@overload
def sub_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `sub`; returns the tensor itself."""

@overload
def sub_(input: Operand, other: Operand, *, alpha: Number) -> Tensor: ...
def sum(
    input: Tensor,
    dim: Dims = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The sum over `dim` (all dims if None). Integers and bool are summed as int64; float16 and
    bfloat16 accumulate in float32.
    """

def t(input: Tensor) -> Tensor:
    """A matrix transposed; vectors and scalars as they are."""

def t_copy(input: Tensor) -> Tensor:
    """As `t`, in memory of its own."""

def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements at `index` in the flattened tensor; negative indices count from the end."""

def take_along_dim(input: Tensor, indices: Tensor, dim: Int | None = None) -> Tensor:
    """`gather` with the other dims broadcast; of the flattened tensor if `dim` is None."""

def tan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The tangent of every element, in radians."""

def tan_(input: Tensor) -> Tensor:
    """In-place version of `tan`; returns the tensor itself."""

def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic tangent."""

def tanh_(input: Tensor) -> Tensor:
    """In-place version of `tanh`; returns the tensor itself."""

@overload
def tensor_split(
    input: Tensor, indices_or_sections: Int | Sequence[Int], dim: Int = 0
) -> tuple[Tensor, ...]:
    """Parts along `dim`: a number of parts of nearly equal size, or parts that end at the
    indices.
    """

@overload
def tensor_split(
    input: Any,
    indices_or_sections: Any = None,
    dim: Int = 0,
    *,
    sections: Any = None,
    indices: Any = None,
) -> tuple[Tensor, ...]: ...
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Summed over `dims` axes: the last ones of `a` with the first ones of `b`, or those listed
    in dims = (axes of a, axes of b). An axis of size 1 is repeated to the size of the other.
    """

@overload
def threshold(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """x where it is above `threshold`, else `value`."""

@overload
def threshold(input: Tensor, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
def threshold_(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """In-place version of `threshold`; returns the tensor itself."""

@overload
def tile(input: Tensor, *dims: Int) -> Tensor:
    """As `repeat`; dims left out count once."""

@overload
def tile(input: Tensor, dims: Sequence[Int]) -> Tensor: ...
def topk(
    input: Tensor, k: Int, dim: Int = -1, largest: Bool = True, sorted: Bool = True
) -> return_types.topk:
    """The `k` greatest elements along `dim` (the least if not `largest`), in order, and where
    they are; among equals, those that come first.
    """

def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""

def transpose(input: Tensor, dim0: Int, dim1: Int) -> Tensor:
    """Two dims exchanged."""

def transpose_copy(input: Tensor, dim0: Int, dim1: Int) -> Tensor:
    """As `transpose`, in memory of its own."""

def tril(input: Tensor, diagonal: Int = 0, *, out: Tensor | None = None) -> Tensor:
    """The lower triangle of the last two dims, up to `diagonal`; zeros elsewhere."""

def tril_(input: Tensor, diagonal: Int = 0) -> Tensor:
    """In-place version of `tril`; returns the tensor itself."""

def tril_indices(
    row: Int,
    col: Int,
    offset: Int = 0,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
    layout: Layout | None = None,
) -> Any:
    """The rows and columns of the lower triangle of a matrix, up to diagonal `offset`."""

def triu(input: Tensor, diagonal: Int = 0, *, out: Tensor | None = None) -> Tensor:
    """The upper triangle of the last two dims, from `diagonal`; zeros elsewhere."""

def triu_(input: Tensor, diagonal: Int = 0) -> Tensor:
    """In-place version of `triu`; returns the tensor itself."""

def triu_indices(
    row: Int,
    col: Int,
    offset: Int = 0,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
    layout: Layout | None = None,
) -> Any:
    """The rows and columns of the upper triangle of a matrix, from diagonal `offset`."""

def trunc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The integer towards zero."""

def trunc_(input: Tensor) -> Tensor:
    """In-place version of `trunc`; returns the tensor itself."""

def unbind(input: Tensor, dim: Int = 0) -> tuple[Tensor, ...]:
    """Every place along `dim`, as a tuple."""

def unbind_copy(input: Tensor, dim: Int = 0) -> tuple[Tensor, ...]:
    """As `unbind`, in memory of its own."""

def unflatten(input: Tensor, dim: Int, sizes: Ints) -> Tensor:
    """One dim as several; one size may be -1."""

def unfold_copy(input: Tensor, dimension: Int, size: Int, step: Int) -> Tensor:
    """As `unfold`, in memory of its own."""

def unique(
    input: Any,
    sorted: Bool = True,
    return_inverse: Bool = False,
    return_counts: Bool = False,
    dim: Int | None = None,
) -> Any:
    """The distinct elements in order, or the distinct slices along `dim`; on request with the
    number of every element's value, and how often each occurs.
    """

def unique_consecutive(
    input: Any, return_inverse: Bool = False, return_counts: Bool = False, dim: Int | None = None
) -> Any:
    """Runs of equal elements, or of equal slices along `dim`, reduced to one; on request with
    the number of every element's run, and their lengths.
    """

def unsqueeze(input: Tensor, dim: Int) -> Tensor:
    """A new dim of size 1 at `dim`."""

def unsqueeze_copy(input: Tensor, dim: Int) -> Tensor:
    """As `unsqueeze`, in memory of its own."""

@overload
def var(
    input: Tensor,
    dim: Dims = None,
    *,
    correction: Number | None = 1,
    keepdim: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The variance over `dim`, the sum of squares divided by N - correction."""

@overload
def var(
    input: Tensor, dim: Dims = None, unbiased: Bool = True, keepdim: Bool = False
) -> Tensor: ...
@overload
def var_mean(
    input: Tensor, dim: Dims = None, *, correction: Number | None = 1, keepdim: Bool = False
) -> tuple[Tensor, Tensor]:
    """Variance and mean."""

@overload
def var_mean(
    input: Tensor, dim: Dims = None, unbiased: Bool = True, keepdim: Bool = False
) -> tuple[Tensor, Tensor]: ...
@overload
def view_copy(input: Tensor, *size: Int) -> Tensor:
    """As `view`, in memory of its own."""

@overload
def view_copy(input: Tensor, size: Ints) -> Tensor: ...
def vsplit(input: Tensor, indices_or_sections: Int | Sequence[Int]) -> tuple[Tensor, ...]:
    """Parts along the first dim, as `tensor_split`."""

def vstack(tensors: Tensors) -> Tensor:
    """Joined along the first dim, vectors as rows."""

@overload
def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """`input` where `condition` holds, else `other`; all three broadcast."""

@overload
def where(condition: Any, *rest: Any, **named: Any) -> Tensor: ...
def xlogy(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * log(other), and 0 where input is 0."""

def xlogy_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `xlogy`; returns the tensor itself."""

def zero_(input: Tensor) -> Tensor:
    """Overwrite with zeros."""

@overload
def zeros(
    *size: Int,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """A tensor of zeros."""

@overload
def zeros(
    size: Ints,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    pin_memory: Bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
@overload
def zeros(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
@overload
def zeros_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Device | None = None,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """Zeros with the shape and dtype of `input`."""

@overload
def zeros_like(*args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...

absolute = abs
arccos = acos
arccosh = acosh
arcsin = asin
arcsinh = asinh
arctan = atan
arctan2 = atan2
arctanh = atanh
clip = clamp
concatenate = cat
divide = div
fix = trunc
greater = gt
greater_equal = ge
less = lt
less_equal = le
moveaxis = movedim
multiply = mul
negative = neg
not_equal = ne
row_stack = vstack
subtract = sub
swapaxes = transpose
swapdims = transpose
true_divide = div
