# Made by tools/generate_stubs.py; `make format` makes it anew.
"""The native core."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, SupportsIndex, TypeVar, overload

from gleed import return_types
from gleed._typing import (
    Bool,
    Device,
    Dims,
    DType,
    Float,
    Int,
    Ints,
    MemoryFormat,
    Number,
    Operand,
)
from gleed.devices import device as _device
from gleed.devices import layout as _layout
from gleed.hooks import RemovableHandle

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Subclass = TypeVar("_Subclass", bound=Tensor)

__version__: str

class dtype:
    """The type of a tensor's elements."""

    @property
    def name(self) -> str: ...
    @property
    def kernel_name(self) -> str: ...
    @property
    def itemsize(self) -> Int: ...
    @property
    def is_floating_point(self) -> Bool: ...
    @property
    def is_complex(self) -> Bool: ...
    @property
    def is_signed(self) -> Bool: ...
    def to_complex(self) -> DType: ...
    def to_real(self) -> DType: ...

float16: dtype
float32: dtype
float64: dtype
bfloat16: dtype
complex64: dtype
complex128: dtype
int8: dtype
int16: dtype
int32: dtype
int64: dtype
uint8: dtype
bool: dtype
half: dtype
float: dtype
double: dtype
cfloat: dtype
cdouble: dtype
short: dtype
int: dtype
long: dtype

class Size(tuple[Int, ...]):
    """The sizes of a tensor: a tuple of ints."""

    def __new__(cls, sizes: Iterable[SupportsIndex] = ()) -> Self: ...
    def numel(self) -> Int: ...

class Generator:
    def manual_seed(self, seed: Int) -> Self: ...
    def seed(self) -> Int: ...
    def initial_seed(self) -> Int: ...
    def _state_bytes(self) -> bytes: ...
    def _restore_bytes(self, state: bytes) -> None: ...

class Node:
    """A node of the graph that backward runs through."""

    @property
    def metadata(self) -> dict[Any, Any]: ...
    @property
    def next_functions(self) -> tuple[tuple[Node | None, Int], ...]: ...
    def name(self) -> str: ...
    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle: ...
    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle: ...

class FunctionContext:
    """What forward and backward of a Function share."""

    needs_input_grad: tuple[Bool, ...]
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

class ModuleBase:
    """Calling an instance calls its `forward`, or `_call_hooked`."""

    forward: Callable[..., Any]
    _hooked: Bool
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class Op:
    """An operation of the public API."""

    fallback: Callable[..., Any] | None
    def __init__(self, name: str, overloads: Sequence[tuple[Any, ...]]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class Kernel:
    def __init__(
        self,
        ir: Any,
        inputs: Int,
        compile: Callable[..., Any],
        split: Any = None,
        online: Any = None,
    ) -> None: ...

class Plan:
    program: Any
    memory: Int
    separate: Int

    def __init__(self, *parts: Any) -> None: ...

class Entry:
    def __init__(self, *parts: Any) -> None: ...
    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

class GradRecord:
    def __init__(self, *parts: Any) -> None: ...

class _GradMode:
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, function: _Function) -> _Function: ...

class set_grad_enabled(_GradMode):
    """Switch the recording of gradients: at once, or for a `with` block or a function."""

    def __init__(self, mode: Bool) -> None: ...

@overload
def no_grad() -> _GradMode:
    """No gradients are recorded inside. A context manager and a decorator."""

@overload
def no_grad(function: _Function) -> _Function: ...
@overload
def enable_grad() -> _GradMode:
    """Gradients are recorded inside, also within no_grad. A context manager and a decorator."""

@overload
def enable_grad(function: _Function) -> _Function: ...
@overload
def inference_mode(mode: Bool = True) -> _GradMode:
    """Like no_grad, and what is made inside can never be part of a graph."""

@overload
def inference_mode(mode: _Function) -> _Function: ...
def is_grad_enabled() -> Bool: ...
def is_inference_mode_enabled() -> Bool: ...
def get_anomaly() -> tuple[Bool, Bool]: ...
def set_anomaly(enabled: Bool, check_nan: Bool) -> None: ...
def set_mode_decorator(decorate: Callable[..., Any]) -> None: ...
def run_backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    retain_graph: Bool | None,
    create_graph: Bool,
    inputs: Any,
    accumulate: Bool,
    allow_unused: Bool,
    partial: Bool = False,
) -> Any: ...
def record_function(ctx: FunctionContext, inputs: Any, outputs: Any) -> Any: ...
def autograd_stats() -> dict[str, Int]: ...
def empty(sizes: Ints, dtype: DType) -> Tensor: ...
def empty_like(tensor: Tensor, dtype: DType) -> Tensor: ...
def empty_strided(sizes: Ints, strides: Ints, dtype: DType) -> Tensor: ...
def tensor_from_data(data: Any, dtype: DType | None = None) -> Tensor: ...
def from_numpy(array: Any) -> Tensor: ...
def from_dlpack(producer: Any) -> Tensor: ...
def frombuffer(buffer: Any, dtype: DType, count: Int = -1, offset: Int = 0) -> Tensor: ...
def to_numpy(tensor: Tensor) -> Any: ...
def view_of(
    tensor: Tensor, sizes: Ints, strides: Ints, offset: Int, dtype: DType = ...
) -> Tensor: ...
def make_standin(cls: type, dtype: DType, ndim: Int) -> Any: ...
def get_default_dtype() -> DType: ...
def set_default_dtype(dtype: DType) -> None: ...
def promote_types(a: DType, b: DType) -> DType: ...
def get_num_threads() -> Int: ...
def set_num_threads(threads: Int) -> None: ...
def memory_stats() -> dict[str, Int]: ...
def release_cached_memory() -> None: ...
def reset_peak_memory() -> None: ...
def set_memory_limit(limit: Int | None) -> None: ...
def engine_stats() -> dict[str, Int]: ...
def check_object(object: bytes, symbol: str) -> None: ...
def register_engine_op(name: str, callable: Callable[..., Any]) -> None: ...
def register_slot(name: str, operation: Callable[..., Any]) -> None: ...
def set_attention_kernels(find: Callable[..., Kernel]) -> None: ...
def set_batch_compiler(together: Callable[[list[Any]], list[Any]] | None) -> None: ...
def set_contraction_compiler(compile: Callable[..., Any]) -> None: ...
def set_default_generator(generator: Generator) -> None: ...
def set_identity_kernels(kernels: dict[str, Kernel]) -> None: ...
def set_converter(callable: Callable[..., Any] | None, ops: Any) -> tuple[Any, Any]: ...
def set_recorder(recorder: Any) -> Any: ...
def set_dry_runs(dry: Bool) -> Bool: ...
def set_number_type(type: Any) -> None: ...
def set_memory_reuse(reuse: Bool) -> Bool: ...
def is_recording() -> Bool: ...
def place_of(tensor: Tensor) -> tuple[Int, str, Int, tuple[Int, ...], tuple[Int, ...]]: ...
def set_out_helper(callable: Callable[..., Any]) -> None: ...

class Tensor:
    """A multi-dimensional array of numbers of one dtype."""

    data: Tensor
    grad: Tensor | None
    requires_grad: Bool
    @property
    def shape(self) -> Size: ...
    @property
    def dtype(self) -> DType: ...
    @property
    def device(self) -> _device: ...
    @property
    def layout(self) -> _layout: ...
    @property
    def ndim(self) -> Int: ...
    @property
    def itemsize(self) -> Int: ...
    @property
    def nbytes(self) -> Int: ...
    @property
    def grad_fn(self) -> Node | None: ...
    @property
    def output_nr(self) -> Int: ...
    @property
    def is_leaf(self) -> Bool: ...
    @property
    def retains_grad(self) -> Bool: ...
    @property
    def is_cuda(self) -> Bool: ...
    @property
    def is_meta(self) -> Bool: ...
    @property
    def is_quantized(self) -> Bool: ...
    @property
    def is_sparse(self) -> Bool: ...
    @property
    def _base(self) -> Tensor | None: ...
    @property
    def _traced(self) -> Bool: ...
    @property
    def _version(self) -> Int: ...
    def _hook_tables(self) -> tuple[dict[Int, Any], ...]: ...
    @staticmethod
    def _make_subclass(cls: type[_Subclass], data: Tensor, requires_grad: Bool) -> _Subclass: ...
    @overload
    def size(self) -> Size: ...
    @overload
    def size(self, dim: Int) -> Int: ...
    @overload
    def stride(self) -> tuple[Int, ...]: ...
    @overload
    def stride(self, dim: Int) -> Int: ...
    def dim(self) -> Int: ...
    def ndimension(self) -> Int: ...
    def numel(self) -> Int: ...
    def nelement(self) -> Int: ...
    def element_size(self) -> Int: ...
    def storage_offset(self) -> Int: ...
    def data_ptr(self) -> Int: ...
    def get_device(self) -> Int: ...
    def is_complex(self) -> Bool: ...
    def is_contiguous(self, memory_format: MemoryFormat | None = None) -> Bool: ...
    def is_floating_point(self) -> Bool: ...
    def is_inference(self) -> Bool: ...
    def is_pinned(self) -> Bool: ...
    def is_shared(self) -> Bool: ...
    def is_signed(self) -> Bool: ...
    def pin_memory(self) -> Tensor: ...
    def item(self) -> Any: ...
    def tolist(self) -> Any: ...
    def detach(self) -> Tensor: ...
    def detach_(self) -> Self: ...
    def requires_grad_(self, requires_grad: Bool = True) -> Self: ...
    def retain_grad(self) -> None: ...
    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: Bool | None = None,
        create_graph: Bool = False,
        inputs: Any = None,
    ) -> None: ...
    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle: ...
    def register_post_accumulate_grad_hook(
        self, hook: Callable[[Tensor], Any]
    ) -> RemovableHandle: ...
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any: ...
    def __array_wrap__(self, array: Any, *context: Any) -> Tensor: ...
    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: Any = None,
        dl_device: Any = None,
        copy: Any = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[Int, Int]: ...
    def __contains__(self, element: Any) -> Bool: ...
    def __deepcopy__(self, memo: dict[Int, Any]) -> Tensor: ...
    def __reduce_ex__(self, protocol: Any) -> Any: ...
    def __repr__(self) -> str: ...
    def __hash__(self) -> Int: ...
    def __len__(self) -> Int: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __getitem__(self, index: Any) -> Tensor: ...
    def __setitem__(self, index: Any, value: Any) -> None: ...
    def __bool__(self) -> Bool: ...
    def __float__(self) -> Float: ...
    def __int__(self) -> Int: ...
    def __index__(self) -> Int: ...
    def __abs__(self) -> Tensor: ...
    def __invert__(self) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __lt__(self, other: Operand) -> Tensor: ...
    def __le__(self, other: Operand) -> Tensor: ...
    def __gt__(self, other: Operand) -> Tensor: ...
    def __ge__(self, other: Operand) -> Tensor: ...
    def __matmul__(self, other: Tensor) -> Tensor: ...
    def __rmatmul__(self, other: Tensor) -> Tensor: ...
    def __add__(self, other: Operand) -> Tensor: ...
    def __radd__(self, other: Operand) -> Tensor: ...
    def __iadd__(self, other: Operand) -> Self: ...
    def __and__(self, other: Operand) -> Tensor: ...
    def __rand__(self, other: Operand) -> Tensor: ...
    def __iand__(self, other: Operand) -> Self: ...
    def __floordiv__(self, other: Operand) -> Tensor: ...
    def __rfloordiv__(self, other: Operand) -> Tensor: ...
    def __ifloordiv__(self, other: Operand) -> Self: ...
    def __lshift__(self, other: Operand) -> Tensor: ...
    def __rlshift__(self, other: Operand) -> Tensor: ...
    def __ilshift__(self, other: Operand) -> Self: ...
    def __mod__(self, other: Operand) -> Tensor: ...
    def __rmod__(self, other: Operand) -> Tensor: ...
    def __imod__(self, other: Operand) -> Self: ...
    def __mul__(self, other: Operand) -> Tensor: ...
    def __rmul__(self, other: Operand) -> Tensor: ...
    def __imul__(self, other: Operand) -> Self: ...
    def __or__(self, other: Operand) -> Tensor: ...
    def __ror__(self, other: Operand) -> Tensor: ...
    def __ior__(self, other: Operand) -> Self: ...
    def __pow__(self, other: Operand) -> Tensor: ...
    def __rpow__(self, other: Operand) -> Tensor: ...
    def __ipow__(self, other: Operand) -> Self: ...
    def __rshift__(self, other: Operand) -> Tensor: ...
    def __rrshift__(self, other: Operand) -> Tensor: ...
    def __irshift__(self, other: Operand) -> Self: ...
    def __sub__(self, other: Operand) -> Tensor: ...
    def __rsub__(self, other: Operand) -> Tensor: ...
    def __isub__(self, other: Operand) -> Self: ...
    def __truediv__(self, other: Operand) -> Tensor: ...
    def __rtruediv__(self, other: Operand) -> Tensor: ...
    def __itruediv__(self, other: Operand) -> Self: ...
    def __xor__(self, other: Operand) -> Tensor: ...
    def __rxor__(self, other: Operand) -> Tensor: ...
    def __ixor__(self, other: Operand) -> Self: ...
    @property
    def H(self) -> Tensor:
        """All dims in reverse order."""
    @property
    def T(self) -> Tensor:
        """All dims in reverse order."""
    def __format__(self, spec: str) -> str:
        """Return the text of `tensor` in an f-string: of a 0-d one that of its number."""
    def _to(
        self, dtype: DType, copy: Bool = False, memory_format: MemoryFormat | None = ...
    ) -> Tensor:
        """The tensor in another dtype; itself if it has it and `copy` is false."""
    def abs(self, *, out: Tensor | None = None) -> Tensor:
        """The absolute value."""
    def abs_(self) -> Tensor:
        """In-place version of `abs`; returns the tensor itself."""
    def acos(self, *, out: Tensor | None = None) -> Tensor:
        """The angle in radians whose cosine is given; NaN outside [-1, 1]."""
    def acos_(self) -> Tensor:
        """In-place version of `acos`; returns the tensor itself."""
    def acosh(self, *, out: Tensor | None = None) -> Tensor:
        """The inverse hyperbolic cosine; NaN below 1."""
    def acosh_(self) -> Tensor:
        """In-place version of `acosh`; returns the tensor itself."""
    @overload
    def add(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """input + alpha * other, with broadcasting and type promotion."""
    @overload
    def add(self, other: Operand, *, alpha: Number, out: Tensor | None = None) -> Tensor: ...
    @overload
    def add_(self, other: Operand) -> Tensor:
        """In-place version of `add`; returns the tensor itself."""
    @overload
    def add_(self, other: Operand, *, alpha: Number) -> Tensor: ...
    def addcdiv(
        self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """input + value * tensor1 / tensor2."""
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """In-place version of `addcdiv`; returns the tensor itself."""
    def addcmul(
        self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1, out: Tensor | None = None
    ) -> Tensor:
        """input + value * tensor1 * tensor2."""
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """In-place version of `addcmul`; returns the tensor itself."""
    def addmm(
        self,
        mat1: Tensor,
        mat2: Tensor,
        *,
        beta: Number = 1,
        alpha: Number = 1,
        out: Tensor | None = None,
    ) -> Tensor:
        """beta * input + alpha * (mat1 @ mat2); `input` broadcasts."""
    def addmm_(self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """In-place version of `addmm`; returns the tensor itself."""
    def addmv(
        self,
        mat: Tensor,
        vec: Tensor,
        *,
        beta: Number = 1,
        alpha: Number = 1,
        out: Tensor | None = None,
    ) -> Tensor:
        """beta * input + alpha * (mat @ vec)."""
    def addmv_(self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """In-place version of `addmv`; returns the tensor itself."""
    def all(self, dim: Dims = None, keepdim: Bool = False) -> Tensor:
        """Whether every element is nonzero."""
    def allclose(
        self, other: Any, rtol: Float = 1e-05, atol: Float = 1e-08, equal_nan: Bool = False
    ) -> Bool:
        """Whether every element is close, as `isclose` has it."""
    def amax(self, dim: Dims = None, keepdim: Bool = False, *, out: Tensor | None = None) -> Tensor:
        """The greatest element over `dim`; equal ones share the gradient."""
    def amin(self, dim: Dims = None, keepdim: Bool = False, *, out: Tensor | None = None) -> Tensor:
        """The least element over `dim`; equal ones share the gradient."""
    def aminmax(self, *, dim: Int | None = None, keepdim: Bool = False) -> return_types.aminmax:
        """Least and greatest element."""
    def angle(self, *, out: Tensor | None = None) -> Tensor:
        """The angle in the complex plane: pi of negative numbers, 0 of others; NaN stays."""
    def any(self, dim: Dims = None, keepdim: Bool = False) -> Tensor:
        """Whether any element is nonzero."""
    def argmax(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """The index of the greatest element along `dim`, or in the flattened tensor."""
    def argmin(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """The index of the least element along `dim`, or in the flattened tensor."""
    def argsort(
        self, dim: Int = -1, descending: Bool = False, *, stable: Bool | None = None
    ) -> Tensor:
        """The indices that sort along `dim`."""
    def argwhere(self) -> Tensor:
        """The positions of the elements that are not zero, as rows."""
    def as_strided(self, size: Any, stride: Any, storage_offset: Int | None = None) -> Any:
        """Any view of the memory: element (i, j, …) lies at storage_offset + i*stride[0] + …,
        counted from the start of the storage, or of the tensor if no offset is given; places
        may repeat.
        """
    def asin(self, *, out: Tensor | None = None) -> Tensor:
        """The angle in radians whose sine is given; NaN outside [-1, 1]."""
    def asin_(self) -> Tensor:
        """In-place version of `asin`; returns the tensor itself."""
    def asinh(self, *, out: Tensor | None = None) -> Tensor:
        """The inverse hyperbolic sine."""
    def asinh_(self) -> Tensor:
        """In-place version of `asinh`; returns the tensor itself."""
    def atan(self, *, out: Tensor | None = None) -> Tensor:
        """The angle in radians whose tangent is given."""
    def atan2(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The angle in radians of the point (other, input)."""
    def atan2_(self, other: Operand) -> Tensor:
        """In-place version of `atan2`; returns the tensor itself."""
    def atan_(self) -> Tensor:
        """In-place version of `atan`; returns the tensor itself."""
    def atanh(self, *, out: Tensor | None = None) -> Tensor:
        """The inverse hyperbolic tangent; NaN outside [-1, 1]."""
    def atanh_(self) -> Tensor:
        """In-place version of `atanh`; returns the tensor itself."""
    def baddbmm(
        self,
        batch1: Tensor,
        batch2: Tensor,
        *,
        beta: Number = 1,
        alpha: Number = 1,
        out: Tensor | None = None,
    ) -> Tensor:
        """beta * input + alpha * bmm(batch1, batch2)."""
    def baddbmm_(
        self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
    ) -> Tensor:
        """In-place version of `baddbmm`; returns the tensor itself."""
    @overload
    def bernoulli(self, *, generator: Generator | None = None, out: Tensor | None = None) -> Tensor:
        """1 with the probability that `input` gives, and 0 otherwise; or with probability p."""
    @overload
    def bernoulli(self, p: Number, *, generator: Generator | None = None) -> Tensor: ...
    def bernoulli_(self, p: Operand = 0.5, *, generator: Generator | None = None) -> Tensor:
        """Fill with 1 with probability p, a number or a tensor that broadcasts, and 0 otherwise."""
    def bfloat16(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as bfloat16; itself if it is that already."""
    def bincount(self, weights: Any = None, minlength: Int = 0) -> Any:
        """How often each of 0, 1, … occurs in a vector, or the sum of its weights; at least
        `minlength` numbers.
        """
    def bitwise_and(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """And of bits; of truth values for bool."""
    def bitwise_and_(self, other: Operand) -> Tensor:
        """In-place version of `bitwise_and`; returns the tensor itself."""
    def bitwise_left_shift(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Bits moved up by `other` places."""
    def bitwise_left_shift_(self, other: Operand) -> Tensor:
        """In-place version of `bitwise_left_shift`; returns the tensor itself."""
    def bitwise_not(self, *, out: Tensor | None = None) -> Tensor:
        """The complement of bits; `not` for bool."""
    def bitwise_not_(self) -> Tensor:
        """In-place version of `bitwise_not`; returns the tensor itself."""
    def bitwise_or(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Or of bits; of truth values for bool."""
    def bitwise_or_(self, other: Operand) -> Tensor:
        """In-place version of `bitwise_or`; returns the tensor itself."""
    def bitwise_right_shift(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Bits moved down by `other` places; the sign stays."""
    def bitwise_right_shift_(self, other: Operand) -> Tensor:
        """In-place version of `bitwise_right_shift`; returns the tensor itself."""
    def bitwise_xor(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Exclusive or of bits; of truth values for bool."""
    def bitwise_xor_(self, other: Operand) -> Tensor:
        """In-place version of `bitwise_xor`; returns the tensor itself."""
    def bmm(self, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The products of two batches of matrices."""
    def bool(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as bool; itself if it is that already."""
    def broadcast_to(self, size: Ints) -> Tensor:
        """A view repeated to `size`, as `expand`."""
    def byte(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as uint8; itself if it is that already."""
    def cauchy_(
        self, median: Number = 0.0, sigma: Number = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Fill from the Cauchy distribution about `median`, half of it within `sigma`."""
    def ceil(self, *, out: Tensor | None = None) -> Tensor:
        """The least integer not below."""
    def ceil_(self) -> Tensor:
        """In-place version of `ceil`; returns the tensor itself."""
    def char(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as int8; itself if it is that already."""
    def chunk(self, chunks: Int, dim: Int = 0) -> tuple[Tensor, ...]:
        """At most `chunks` parts of equal size along `dim`; the last may be smaller."""
    @overload
    def clamp(
        self, min: Number | None = None, max: Number | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        """Every element moved into [min, max]; bounds are numbers or tensors, either may be
        None. Where min > max the result is max. NaN stays.
        """
    @overload
    def clamp(
        self, min: Tensor | None = None, max: Tensor | None = None, *, out: Tensor | None = None
    ) -> Tensor: ...
    @overload
    def clamp_(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        """In-place version of `clamp`; returns the tensor itself."""
    @overload
    def clamp_(self, min: Tensor | None = None, max: Tensor | None = None) -> Tensor: ...
    def clamp_max(self, max: Operand, *, out: Tensor | None = None) -> Tensor:
        """`clamp` with an upper bound alone."""
    def clamp_max_(self, max: Operand) -> Tensor:
        """In-place version of `clamp_max`; returns the tensor itself."""
    def clamp_min(self, min: Operand, *, out: Tensor | None = None) -> Tensor:
        """`clamp` with a lower bound alone."""
    def clamp_min_(self, min: Operand) -> Tensor:
        """In-place version of `clamp_min`; returns the tensor itself."""
    def clone(self, *, memory_format: MemoryFormat | None = None) -> Tensor:
        """A copy with memory of its own, in the order of strides of `input` or a memory format."""
    def conj(self) -> Tensor:
        """The complex conjugate, which a real tensor is itself."""
    def conj_physical(self) -> Tensor:
        """The complex conjugate, in memory of its own if it differs, which a real tensor is
        itself.
        """
    def contiguous(self, memory_format: MemoryFormat | None = ...) -> Tensor:
        """The tensor itself if it is row-major, or lies in the memory format; else a copy that
        does.
        """
    def copy_(self, src: Tensor, non_blocking: Bool = False) -> Tensor:
        """Overwrite with the values of `src`, which broadcasts, converted to this dtype."""
    def copysign(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The magnitude of `input` with the sign of `other`."""
    def copysign_(self, other: Operand) -> Tensor:
        """In-place version of `copysign`; returns the tensor itself."""
    def cos(self, *, out: Tensor | None = None) -> Tensor:
        """The cosine of every element, in radians."""
    def cos_(self) -> Tensor:
        """In-place version of `cos`; returns the tensor itself."""
    def cosh(self, *, out: Tensor | None = None) -> Tensor:
        """The hyperbolic cosine."""
    def cosh_(self) -> Tensor:
        """In-place version of `cosh`; returns the tensor itself."""
    def count_nonzero(self, dim: Dims = None) -> Tensor:
        """How many elements are nonzero."""
    def cpu(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor on the CPU."""
    def cross(self, other: Tensor, dim: Int | None = None) -> Tensor:
        """The cross product along `dim`, of size 3 (the first such dim if None)."""
    def cuda(self, device: Device | None = None, non_blocking: Bool = False) -> Tensor:
        """The tensor on a GPU."""
    def cummax(self, dim: Int) -> return_types.cummax:
        """The greatest of the first 1, 2, … elements along `dim`, and where it was seen last."""
    def cummin(self, dim: Int) -> return_types.cummin:
        """The least of the first 1, 2, … elements along `dim`, and where it was seen last."""
    def cumprod(self, dim: Int, *, dtype: DType | None = None, out: Tensor | None = None) -> Tensor:
        """Products of the first 1, 2, … elements along `dim`."""
    def cumprod_(self, dim: Int, *, dtype: DType | None = None) -> Tensor:
        """In-place version of `cumprod`; returns the tensor itself."""
    def cumsum(self, dim: Int, *, dtype: DType | None = None, out: Tensor | None = None) -> Tensor:
        """Sums of the first 1, 2, … elements along `dim`."""
    def cumsum_(self, dim: Int, *, dtype: DType | None = None) -> Tensor:
        """In-place version of `cumsum`; returns the tensor itself."""
    def deg2rad(self, *, out: Tensor | None = None) -> Tensor:
        """Degrees to radians."""
    def deg2rad_(self) -> Tensor:
        """In-place version of `deg2rad`; returns the tensor itself."""
    def diag(self, diagonal: Int = 0) -> Tensor:
        """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    def diag_embed(self, offset: Int = 0, dim1: Int = -2, dim2: Int = -1) -> Tensor:
        """Matrices, in dims `dim1` and `dim2` of the result, with the last dim on their
        diagonal.
        """
    def diagonal(self, offset: Int = 0, dim1: Int = 0, dim2: Int = 1) -> Tensor:
        """The diagonal of two dims, as a new last dim; `offset` > 0 lies above it."""
    def diagonal_scatter(
        self, src: Tensor, offset: Int = 0, dim1: Int = 0, dim2: Int = 1
    ) -> Tensor:
        """`input` with `src` on the diagonal of two dims."""
    def diff(
        self, n: Int = 1, dim: Int = -1, prepend: Tensor | None = None, append: Tensor | None = None
    ) -> Tensor:
        """Each element less the one before it along `dim`, `n` times over; `prepend` and
        `append` come before and after the first time.
        """
    def digamma(self, *, out: Tensor | None = None) -> Tensor:
        """The derivative of `lgamma`: -inf at 0, NaN at negative integers."""
    def digamma_(self) -> Tensor:
        """In-place version of `digamma`; returns the tensor itself."""
    def dist(self, other: Tensor, p: Any = 2) -> Tensor:
        """The vector norm of order `p` of input - other."""
    def div(
        self, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None
    ) -> Tensor:
        """input / other. Integers become floating point, unless `rounding_mode` is "trunc"
        (towards zero) or "floor" (towards minus infinity), which round the quotient.
        """
    def div_(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
        """In-place version of `div`; returns the tensor itself."""
    def dot(self, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The inner product of two vectors of equal size."""
    def double(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as float64; itself if it is that already."""
    def dsplit(self, indices_or_sections: Int | Sequence[Int]) -> tuple[Tensor, ...]:
        """Parts along the third dim, as `tensor_split`."""
    def entr(self, *, out: Tensor | None = None) -> Tensor:
        """-x * log(x): 0 at 0, -inf below."""
    def eq(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Whether elements are equal."""
    def equal(self, other: Any) -> Bool:
        """Whether two tensors have one shape and equal elements."""
    def erf(self, *, out: Tensor | None = None) -> Tensor:
        """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    def erf_(self) -> Tensor:
        """In-place version of `erf`; returns the tensor itself."""
    def erfc(self, *, out: Tensor | None = None) -> Tensor:
        """The complementary error function 1 - erf(x), exact also where erf is near 1."""
    def erfc_(self) -> Tensor:
        """In-place version of `erfc`; returns the tensor itself."""
    def erfinv(self, *, out: Tensor | None = None) -> Tensor:
        """The inverse of erf; NaN outside [-1, 1]."""
    def erfinv_(self) -> Tensor:
        """In-place version of `erfinv`; returns the tensor itself."""
    def exp(self, *, out: Tensor | None = None) -> Tensor:
        """e to the power of every element. Integers become floating point."""
    def exp2(self, *, out: Tensor | None = None) -> Tensor:
        """2 to the power of every element."""
    def exp2_(self) -> Tensor:
        """In-place version of `exp2`; returns the tensor itself."""
    def exp_(self) -> Tensor:
        """In-place version of `exp`; returns the tensor itself."""
    @overload
    def expand(self, *size: Int) -> Tensor:
        """A view with dims of size 1 repeated to `size`; -1 keeps a dim."""
    @overload
    def expand(self, size: Ints) -> Tensor: ...
    def expand_as(self, other: Tensor) -> Tensor:
        """`expand` to the shape of `other`."""
    def expm1(self, *, out: Tensor | None = None) -> Tensor:
        """exp(x) - 1, exact also near zero."""
    def expm1_(self) -> Tensor:
        """In-place version of `expm1`; returns the tensor itself."""
    def exponential_(self, lambd: Number = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fill from the exponential distribution of density lambd * exp(-lambd * x)."""
    def fill_(self, value: Operand) -> Tensor:
        """Overwrite every element with `value`, a number or a 0-d tensor."""
    def flatten(self, start_dim: Int = 0, end_dim: Int = -1) -> Tensor:
        """The dims from `start_dim` to `end_dim` as one."""
    @overload
    def flip(self, *dims: Int) -> Tensor:
        """Backwards along `dims`."""
    @overload
    def flip(self, dims: Sequence[Int] | Int) -> Tensor: ...
    def fliplr(self) -> Tensor:
        """Backwards along the second dim."""
    def flipud(self) -> Tensor:
        """Backwards along the first dim."""
    def float(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as float32; itself if it is that already."""
    def float_power(self, exponent: Operand) -> Tensor:
        """`pow` in float64."""
    def floor(self, *, out: Tensor | None = None) -> Tensor:
        """The greatest integer not above."""
    def floor_(self) -> Tensor:
        """In-place version of `floor`; returns the tensor itself."""
    def floor_divide(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The quotient rounded towards minus infinity."""
    def floor_divide_(self, other: Operand) -> Tensor:
        """In-place version of `floor_divide`; returns the tensor itself."""
    def fmax(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The greater of two elements; a number beside NaN wins."""
    def fmin(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The smaller of two elements; a number beside NaN wins."""
    def fmod(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The remainder of division rounded towards zero: it has the sign of `input`."""
    def fmod_(self, other: Operand) -> Tensor:
        """In-place version of `fmod`; returns the tensor itself."""
    def frac(self, *, out: Tensor | None = None) -> Tensor:
        """The part behind the point, with the sign of the number."""
    def frac_(self) -> Tensor:
        """In-place version of `frac`; returns the tensor itself."""
    def gather(
        self, dim: Int, index: Tensor, *, sparse_grad: Bool = False, out: Tensor | None = None
    ) -> Tensor:
        """result[i][j] = input[index[i][j]][j] for dim 0, and so on for other dims."""
    def ge(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Whether `input` is greater or equal."""
    def geometric_(self, p: Number, *, generator: Generator | None = None) -> Tensor:
        """Fill with how many trials the first success takes, if each succeeds with probability
        p.
        """
    def gt(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Whether `input` is greater."""
    def half(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as float16; itself if it is that already."""
    def hardshrink(self, lambd: Number = 0.5) -> Tensor:
        """x, but 0 within lambd of zero."""
    def heaviside(self, values: Tensor, *, out: Tensor | None = None) -> Tensor:
        """0 below zero, 1 above, `values` at zero."""
    def heaviside_(self, values: Tensor) -> Tensor:
        """In-place version of `heaviside`; returns the tensor itself."""
    def histc(
        self, bins: Int = 100, min: Number = 0, max: Number = 0, *, out: Tensor | None = None
    ) -> Tensor:
        """How many elements fall into each of `bins` equal parts of [min, max]; of the range of
        the data if both are 0. Elements outside are not counted.
        """
    def hsplit(self, indices_or_sections: Int | Sequence[Int]) -> tuple[Tensor, ...]:
        """Parts along the second dim (the first, of a vector), as `tensor_split`."""
    def hypot(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """sqrt(input**2 + other**2) without needless overflow."""
    def hypot_(self, other: Operand) -> Tensor:
        """In-place version of `hypot`; returns the tensor itself."""
    def index_add(self, dim: Int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
        """`input` with alpha * source added at the places `index` along `dim`, in order."""
    def index_add_(self, dim: Int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
        """In-place version of `index_add`; returns the tensor itself."""
    def index_copy(self, dim: Int, index: Tensor, source: Tensor) -> Tensor:
        """`input` with the places `index` along `dim` replaced by `source`."""
    def index_copy_(self, dim: Int, index: Tensor, source: Tensor) -> Tensor:
        """In-place version of `index_copy`; returns the tensor itself."""
    def index_fill(self, dim: Int, index: Tensor, value: Operand) -> Tensor:
        """`input` with the places `index` along `dim` set to `value`."""
    def index_fill_(self, dim: Int, index: Tensor, value: Operand) -> Tensor:
        """In-place version of `index_fill`; returns the tensor itself."""
    def index_put(self, indices: Any, values: Any, accumulate: Bool = False) -> Any:
        """`input` with `values` at the places that `input[indices]` reads, as `index_put_`."""
    def index_put_(self, indices: Any, values: Any, accumulate: Bool = False) -> Any:
        """Write `values`, which broadcast, at the places that `input[indices]` reads; add them
        if `accumulate`. `indices` is a tuple of integer or bool tensors.
        """
    def index_reduce(
        self, dim: Int, index: Tensor, source: Tensor, reduce: str, *, include_self: Bool = True
    ) -> Tensor:
        """`input` with the slices of `source` taken into the places `index` along `dim` by
        `reduce`:
        """
    def index_reduce_(
        self, dim: Int, index: Tensor, source: Tensor, reduce: str, *, include_self: Bool = True
    ) -> Tensor:
        """In-place version of `index_reduce`; returns the tensor itself."""
    def index_select(self, dim: Int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The places `index` along `dim`."""
    def inner(self, other: Tensor) -> Tensor:
        """The inner products along the last dims."""
    def int(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as int32; itself if it is that already."""
    def is_nonzero(self) -> Bool:
        """Whether the one element of a tensor is not zero."""
    def isclose(
        self, other: Operand, rtol: Number = 1e-05, atol: Number = 1e-08, equal_nan: Bool = False
    ) -> Tensor:
        """Whether |input - other| <= atol + rtol * |other|; equal infinities are close, NaN to
        NaN only if `equal_nan`.
        """
    def isfinite(self) -> Tensor:
        """Whether an element is neither infinite nor NaN."""
    def isinf(self) -> Tensor:
        """Whether an element is plus or minus infinity."""
    def isnan(self) -> Tensor:
        """Whether an element is not a number."""
    def isneginf(self, *, out: Tensor | None = None) -> Tensor:
        """Whether an element is minus infinity."""
    def isposinf(self, *, out: Tensor | None = None) -> Tensor:
        """Whether an element is plus infinity."""
    def isreal(self) -> Tensor:
        """Whether the imaginary part is zero: true of real tensors."""
    def kron(self, other: Tensor) -> Tensor:
        """The Kronecker product: every element of `input` times the whole of `other`."""
    def kthvalue(self, k: Int, dim: Int = -1, keepdim: Bool = False) -> return_types.kthvalue:
        """The `k`-th least element along `dim`, counted from 1, and where it is."""
    def ldexp(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """input * 2**other."""
    def ldexp_(self, other: Operand) -> Tensor:
        """In-place version of `ldexp`; returns the tensor itself."""
    def le(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Whether `input` is less or equal."""
    def lerp(self, end: Tensor, weight: Operand, *, out: Tensor | None = None) -> Tensor:
        """input + weight * (end - input): from `input` (weight 0) to `end` (weight 1)."""
    def lerp_(self, end: Tensor, weight: Operand) -> Tensor:
        """In-place version of `lerp`; returns the tensor itself."""
    def lgamma(self, *, out: Tensor | None = None) -> Tensor:
        """The logarithm of the absolute value of the gamma function."""
    def lgamma_(self) -> Tensor:
        """In-place version of `lgamma`; returns the tensor itself."""
    def log(self, *, out: Tensor | None = None) -> Tensor:
        """The natural logarithm: -inf at zero, NaN below."""
    def log10(self, *, out: Tensor | None = None) -> Tensor:
        """The logarithm to base 10."""
    def log10_(self) -> Tensor:
        """In-place version of `log10`; returns the tensor itself."""
    def log1p(self, *, out: Tensor | None = None) -> Tensor:
        """log(1 + x), exact also near zero."""
    def log1p_(self) -> Tensor:
        """In-place version of `log1p`; returns the tensor itself."""
    def log2(self, *, out: Tensor | None = None) -> Tensor:
        """The logarithm to base 2."""
    def log2_(self) -> Tensor:
        """In-place version of `log2`; returns the tensor itself."""
    def log_(self) -> Tensor:
        """In-place version of `log`; returns the tensor itself."""
    def log_normal_(
        self, mean: Number = 1.0, std: Number = 2.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Fill with exponentials of normal numbers of the given mean and deviation."""
    def log_softmax(self, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None) -> Tensor:
        """log(softmax(x)) along `dim`, without overflow or cancellation."""
    def logaddexp(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """log(exp(input) + exp(other)) without overflow."""
    def logaddexp2(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """log2(2**input + 2**other) without overflow."""
    def logcumsumexp(self, dim: Int, *, out: Tensor | None = None) -> Tensor:
        """log(exp(x0) + … + exp(xi)) for the first 1, 2, … elements along `dim`, without
        overflow.
        """
    def logical_and(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Whether both are nonzero."""
    def logical_and_(self, other: Tensor) -> Tensor:
        """In-place version of `logical_and`; returns the tensor itself."""
    def logical_not(self, *, out: Tensor | None = None) -> Tensor:
        """Whether an element is zero."""
    def logical_not_(self) -> Tensor:
        """In-place version of `logical_not`; returns the tensor itself."""
    def logical_or(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Whether either is nonzero."""
    def logical_or_(self, other: Tensor) -> Tensor:
        """In-place version of `logical_or`; returns the tensor itself."""
    def logical_xor(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Whether exactly one is nonzero."""
    def logical_xor_(self, other: Tensor) -> Tensor:
        """In-place version of `logical_xor`; returns the tensor itself."""
    def logit(self, eps: Float | None = None, *, out: Tensor | None = None) -> Tensor:
        """log(x / (1 - x)), with x first clamped to [eps, 1 - eps] if eps is given."""
    def logit_(self, eps: Float | None = None) -> Tensor:
        """In-place version of `logit`; returns the tensor itself."""
    def logsumexp(self, dim: Dims, keepdim: Bool = False, *, out: Tensor | None = None) -> Tensor:
        """log(sum(exp(x))) over `dim`, without overflow."""
    def long(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as int64; itself if it is that already."""
    def lt(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Whether `input` is less."""
    @property
    def mH(self) -> Tensor:
        """The last two dims exchanged."""
    @property
    def mT(self) -> Tensor:
        """The last two dims exchanged."""
    def masked_fill(self, mask: Tensor, value: Operand) -> Tensor:
        """`value` where `mask` holds, else `input`; `mask` broadcasts."""
    def masked_fill_(self, mask: Tensor, value: Operand) -> Tensor:
        """In-place version of `masked_fill`; returns the tensor itself."""
    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """`input` with the elements of `source`, in order, where `mask` holds; `mask`
        broadcasts.
        """
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor:
        """In-place version of `masked_scatter`; returns the tensor itself."""
    def masked_select(self, mask: Any) -> Any:
        """The elements where `mask` holds, one after another; both broadcast."""
    def matmul(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The matrix product: of vectors a number, of a matrix and a vector a vector, else of
        the last two dims, with the leading dims broadcast.
        """
    def matrix_power(self, n: Int) -> Tensor:
        """The product of `n` times the same square matrix; n = 0 gives the identity."""
    @overload
    def max(self, dim: Int, keepdim: Bool = False) -> return_types.max:
        """The greatest element: of all, or along `dim` with its index, or of two tensors
        (`maximum`).
        """
    @overload
    def max(self) -> Tensor: ...
    @overload
    def max(self, other: Tensor) -> Tensor: ...
    def maximum(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The greater of two elements; NaN if either is NaN."""
    def maximum_(self, other: Operand) -> Tensor:
        """In-place version of `maximum`; returns the tensor itself."""
    def mean(
        self,
        dim: Dims = None,
        keepdim: Bool = False,
        *,
        dtype: DType | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """The mean over `dim` (all dims if None), of floating-point tensors."""
    @overload
    def median(self, dim: Int, keepdim: Bool = False) -> return_types.median:
        """The middle element in order: of all, or along `dim` with its index. Of two middle
        ones, the lower; NaN if there is one.
        """
    @overload
    def median(self) -> Tensor: ...
    @overload
    def min(self, dim: Int, keepdim: Bool = False) -> return_types.min:
        """The least element: of all, or along `dim` with its index, or of two tensors
        (`minimum`).
        """
    @overload
    def min(self) -> Tensor: ...
    @overload
    def min(self, other: Tensor) -> Tensor: ...
    def minimum(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The smaller of two elements; NaN if either is NaN."""
    def minimum_(self, other: Operand) -> Tensor:
        """In-place version of `minimum`; returns the tensor itself."""
    def mm(self, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The product of two matrices."""
    def mode(self, dim: Int = -1, keepdim: Bool = False) -> return_types.mode:
        """The most frequent element along `dim` (the least of several), and where it is last."""
    def movedim(self, source: Int | Sequence[Int], destination: Int | Sequence[Int]) -> Tensor:
        """Dims moved to other positions; the rest keep their order."""
    def msort(self) -> Tensor:
        """The elements in order along the first dim."""
    def mul(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """input * other, with broadcasting and type promotion."""
    def mul_(self, other: Operand) -> Tensor:
        """In-place version of `mul`; returns the tensor itself."""
    def multinomial(
        self,
        num_samples: Int,
        replacement: Bool = False,
        *,
        generator: Generator | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Places drawn from the last dim of `input`, each as likely as its weight there."""
    def mv(self, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The product of a matrix and a vector."""
    def mvlgamma(self, p: Int) -> Tensor:
        """The logarithm of the multivariate gamma function of dimension `p`, for x > (p - 1) /
        2.
        """
    def mvlgamma_(self, p: Int) -> Tensor:
        """In-place version of `mvlgamma`; returns the tensor itself."""
    def nan_to_num(
        self,
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
        self, nan: Float | None = None, posinf: Float | None = None, neginf: Float | None = None
    ) -> Tensor:
        """In-place version of `nan_to_num`; returns the tensor itself."""
    @overload
    def nanmedian(self, dim: Int, keepdim: Bool = False) -> return_types.nanmedian:
        """The median of the elements that are not NaN."""
    @overload
    def nanmedian(self) -> Tensor: ...
    def nanquantile(
        self,
        q: Operand,
        dim: Int | None = None,
        keepdim: Bool = False,
        *,
        interpolation: str = "linear",
        out: Tensor | None = None,
    ) -> Tensor:
        """As `quantile`, of the elements that are not NaN."""
    def nansum(
        self,
        dim: Dims = None,
        keepdim: Bool = False,
        *,
        dtype: DType | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """The sum with NaN counted as zero."""
    def narrow(self, dim: Int, start: Int, length: Int) -> Tensor:
        """`length` elements along `dim`, from `start` on (from the end if negative)."""
    def ndtr(self, *, out: Tensor | None = None) -> Tensor:
        """The share of the standard normal distribution that lies below x."""
    def ne(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """Whether elements differ; NaN differs from everything."""
    def neg(self, *, out: Tensor | None = None) -> Tensor:
        """Every element with the other sign. Not for bool: use `logical_not`."""
    def neg_(self) -> Tensor:
        """In-place version of `neg`; returns the tensor itself."""
    def new_empty(
        self,
        *size: Any,
        dtype: DType | None = None,
        device: Device | None = None,
        requires_grad: Bool = False,
    ) -> Tensor:
        """Uninitialised memory of another shape with the dtype of this tensor."""
    def new_empty_strided(
        self, size: Any, stride: Any, *, dtype: DType | None = None, device: Device | None = None
    ) -> Tensor:
        """Uninitialised memory with given strides and the dtype of this tensor."""
    @overload
    def new_full(
        self,
        size: Ints,
        fill_value: Number,
        *,
        dtype: DType | None = None,
        device: Device | None = None,
    ) -> Tensor:
        """One number in another shape with the dtype of the tensor."""
    @overload
    def new_full(self, *args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
    @overload
    def new_ones(
        self, *size: Int, dtype: DType | None = None, device: Device | None = None
    ) -> Tensor:
        """Ones of another shape with the dtype of the tensor."""
    @overload
    def new_ones(
        self, size: Ints, *, dtype: DType | None = None, device: Device | None = None
    ) -> Tensor: ...
    @overload
    def new_ones(self, *args: Any, requires_grad: Bool | None = None, **options: Any) -> Tensor: ...
    def new_tensor(
        self,
        data: Any,
        *,
        dtype: DType | None = None,
        device: Device | None = None,
        requires_grad: Bool = False,
    ) -> Tensor:
        """A tensor of `data` with the dtype of this one."""
    @overload
    def new_zeros(
        self, *size: Int, dtype: DType | None = None, device: Device | None = None
    ) -> Tensor:
        """Zeros of another shape with the dtype of the tensor."""
    @overload
    def new_zeros(
        self, size: Ints, *, dtype: DType | None = None, device: Device | None = None
    ) -> Tensor: ...
    @overload
    def new_zeros(
        self, *args: Any, requires_grad: Bool | None = None, **options: Any
    ) -> Tensor: ...
    @overload
    def nonzero(self, *, out: Tensor | None = None) -> Tensor:
        """The positions of the elements that are not zero, as rows in row-major order; with
        `as_tuple=True` one vector of indices per dim, as indexing takes them.
        """
    @overload
    def nonzero(self, *args: Any, as_tuple: Any = None, **named: Any) -> Tensor: ...
    def norm(
        self,
        p: Any = "fro",
        dim: Dims = None,
        keepdim: Bool = False,
        *,
        dtype: DType | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """The vector norm of order `p` over `dim`: "fro" or 2 (Euclidean), 1, inf, -inf, 0 (how
        many are nonzero) or any number.
        """
    def normal_(
        self, mean: Float = 0.0, std: Float = 1.0, *, generator: Generator | None = None
    ) -> Any:
        """Fill with numbers from the normal distribution of the given mean and deviation."""
    def numpy(self, *, force: Bool = False) -> Any:
        """A NumPy array that shares memory; with `force`, of the detached tensor."""
    def outer(self, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
        """All products of the elements of two vectors."""
    @overload
    def permute(self, *dims: Int) -> Tensor:
        """The dims in another order."""
    @overload
    def permute(self, dims: Sequence[Int]) -> Tensor: ...
    def pixel_shuffle(self, upscale_factor: Int) -> Tensor:
        """(*, C r², H, W) as (*, C, H r, W r), with r = `upscale_factor` (Shi et al., 2016)."""
    def pixel_unshuffle(self, downscale_factor: Int) -> Tensor:
        """(*, C, H r, W r) as (*, C r², H, W), with r = `downscale_factor`: undoes
        `pixel_shuffle`.
        """
    @overload
    def polygamma(self, n: Int) -> Tensor:
        """The n-th derivative of `digamma`, for n = 0, 1, …; `polygamma(n, input)` as a
        function. At 0 and at negative integers: inf for odd n, -inf for even n > 0. Sources:
        DLMF 5.15.1 and 5.15.6.
        """
    @overload
    def polygamma(self, input: Tensor) -> Tensor: ...
    def polygamma_(self, n: Int) -> Tensor:
        """In-place version of `polygamma`; returns the tensor itself."""
    def positive(self) -> Tensor:
        """The tensor itself."""
    def pow(self, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
        """input to the power of exponent, with broadcasting and type promotion. Integers to a
        negative power give 0 but for bases 1 and -1.
        """
    def pow_(self, exponent: Operand) -> Tensor:
        """In-place version of `pow`; returns the tensor itself."""
    def prelu(self, weight: Tensor) -> Tensor:
        """x above zero, weight * x below; one weight, or one per channel (dim 1)."""
    def prod(
        self,
        dim: Int | None = None,
        keepdim: Bool = False,
        *,
        dtype: DType | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """The product over `dim` (all dims if None)."""
    def put(self, index: Tensor, source: Tensor, accumulate: Bool = False) -> Tensor:
        """`input` with `source` at `index` in the flattened tensor; added if `accumulate`."""
    def put_(self, index: Tensor, source: Tensor, accumulate: Bool = False) -> Tensor:
        """In-place version of `put`; returns the tensor itself."""
    def quantile(
        self,
        q: Operand,
        dim: Int | None = None,
        keepdim: Bool = False,
        *,
        interpolation: str = "linear",
        out: Tensor | None = None,
    ) -> Tensor:
        """The value below which the fraction `q` (a number or a vector, 0 … 1) of the elements
        lie: of all, or along `dim`. Several fractions make a new first dim. NaN if there is
        one.
        """
    def rad2deg(self, *, out: Tensor | None = None) -> Tensor:
        """Radians to degrees."""
    def rad2deg_(self) -> Tensor:
        """In-place version of `rad2deg`; returns the tensor itself."""
    @overload
    def random_(self, *, generator: Generator | None = None) -> Tensor:
        """Fill with whole numbers from `from` (0 if not given) to `to` - 1; without bounds, with
        all numbers of 0 or more that the dtype holds exactly.
        """
    @overload
    def random_(self, to: Number, *, generator: Generator | None = None) -> Tensor: ...
    @overload
    def random_(
        self, from_: Number, to: Number | None, *, generator: Generator | None = None
    ) -> Tensor: ...
    def ravel(self) -> Tensor:
        """All elements in one dim."""
    @property
    def real(self) -> Any: ...
    def reciprocal(self, *, out: Tensor | None = None) -> Tensor:
        """1 / x."""
    def reciprocal_(self) -> Tensor:
        """In-place version of `reciprocal`; returns the tensor itself."""
    @overload
    def relu(self) -> Tensor:
        """max(x, 0)."""
    @overload
    def relu(self, *args: Any, inplace: Bool = False, **kwargs: Any) -> Tensor: ...
    def relu_(self) -> Tensor:
        """In-place version of `relu`; returns the tensor itself."""
    def remainder(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """The remainder of `floor_divide`: it has the sign of `other`."""
    def remainder_(self, other: Operand) -> Tensor:
        """In-place version of `remainder`; returns the tensor itself."""
    def renorm(self, p: Float, dim: Int, maxnorm: Number) -> Tensor:
        """Every slice along `dim` whose norm of order `p` (infinity: its greatest magnitude) is
        greater than `maxnorm` scaled down to it.
        """
    def renorm_(self, p: Float, dim: Int, maxnorm: Number) -> Tensor:
        """In-place version of `renorm`; returns the tensor itself."""
    @overload
    def repeat(self, *repeats: Int) -> Tensor:
        """The tensor laid side by side, `repeats` times per dim."""
    @overload
    def repeat(self, repeats: Sequence[Int]) -> Tensor: ...
    @overload
    def repeat_interleave(self, repeats: Int, dim: Int | None = None) -> Tensor:
        """Every element `repeats` times in a row, along `dim` or of the flattened tensor."""
    @overload
    def repeat_interleave(
        self, repeats: Any = None, dim: Int | None = None, *, output_size: Any = None
    ) -> Tensor: ...
    @overload
    def reshape(self, *shape: Int) -> Tensor:
        """The same elements in another shape; one size may be -1. A view where strides allow it,
        else a copy.
        """
    @overload
    def reshape(self, shape: Ints) -> Tensor: ...
    def reshape_as(self, other: Tensor) -> Tensor:
        """`reshape` to the shape of `other`."""
    def resize_(self, *sizes: Any, memory_format: MemoryFormat | None = None) -> Tensor:
        """Change the shape in place; where the tensor grows, new elements are not initialised."""
    def resize_as_(self, other: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
        """Change the shape in place to that of another tensor."""
    def resolve_conj(self) -> Tensor:
        """The tensor with a pending conjugation done, which a real tensor is itself."""
    def resolve_neg(self) -> Tensor:
        """The tensor with a pending negation done, which a real tensor is itself."""
    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        """Elements moved along `dims` by `shifts`; what leaves at the end comes in at the start."""
    def rot90(self, k: Int = 1, dims: Sequence[Int] = ...) -> Tensor:
        """Turned by 90 degrees `k` times, from the first of `dims` towards the second."""
    def round(self, *, decimals: Int = 0, out: Tensor | None = None) -> Tensor:
        """The nearest integer, halves to the even one; or the nearest multiple of 10**-decimals."""
    def round_(self, *, decimals: Int = 0) -> Tensor:
        """In-place version of `round`; returns the tensor itself."""
    def rsqrt(self, *, out: Tensor | None = None) -> Tensor:
        """The reciprocal of the square root."""
    def rsqrt_(self) -> Tensor:
        """In-place version of `rsqrt`; returns the tensor itself."""
    @overload
    def rsub(self, other: Operand) -> Tensor:
        """other - input."""
    @overload
    def rsub(self, other: Operand, *, alpha: Number) -> Tensor: ...
    @overload
    def scatter(self, dim: Int, index: Tensor, src: Operand) -> Tensor:
        """`input` with result[index[i][j]][j] = src[i][j] for dim 0, and so on; `src` may be a
        number.
        """
    @overload
    def scatter(self, dim: Int, index: Tensor, *, value: Operand) -> Tensor: ...
    @overload
    def scatter(self, dim: Int, index: Tensor, src: Operand, *, reduce: str) -> Tensor: ...
    @overload
    def scatter_(self, dim: Int, index: Tensor, src: Operand) -> Tensor:
        """In-place version of `scatter`; returns the tensor itself."""
    @overload
    def scatter_(self, dim: Int, index: Tensor, *, value: Operand) -> Tensor: ...
    @overload
    def scatter_(self, dim: Int, index: Tensor, src: Operand, *, reduce: str) -> Tensor: ...
    def scatter_add(self, dim: Int, index: Tensor, src: Tensor) -> Tensor:
        """`input` with src[i][j] added at [index[i][j]][j] for dim 0, and so on, in order."""
    def scatter_add_(self, dim: Int, index: Tensor, src: Tensor) -> Tensor:
        """In-place version of `scatter_add`; returns the tensor itself."""
    def scatter_reduce(
        self, dim: Int, index: Tensor, src: Tensor, reduce: str, *, include_self: Bool = True
    ) -> Tensor:
        """`input` with src[i][j] taken into [index[i][j]][j] for dim 0, and so on, by `reduce`:
        "sum", "prod", "mean", "amax" or "amin". Without `include_self` what was there does
        not count.
        """
    def scatter_reduce_(
        self, dim: Int, index: Tensor, src: Tensor, reduce: str, *, include_self: Bool = True
    ) -> Tensor:
        """In-place version of `scatter_reduce`; returns the tensor itself."""
    def select(self, dim: Int, index: Int) -> Tensor:
        """One place along `dim`, which disappears."""
    def select_scatter(self, src: Tensor, dim: Int, index: Int) -> Tensor:
        """`input` with `src` at `index` along `dim`."""
    def sgn(self, *, out: Tensor | None = None) -> Tensor:
        """As `sign`."""
    def sgn_(self) -> Tensor:
        """In-place version of `sgn`; returns the tensor itself."""
    def short(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as int16; itself if it is that already."""
    def sigmoid(self, *, out: Tensor | None = None) -> Tensor:
        """1 / (1 + exp(-x))."""
    def sigmoid_(self) -> Tensor:
        """In-place version of `sigmoid`; returns the tensor itself."""
    def sign(self, *, out: Tensor | None = None) -> Tensor:
        """-1, 0 or 1. NaN stays."""
    def sign_(self) -> Tensor:
        """In-place version of `sign`; returns the tensor itself."""
    def signbit(self, *, out: Tensor | None = None) -> Tensor:
        """Whether the sign is minus, that of -0.0 too."""
    def sin(self, *, out: Tensor | None = None) -> Tensor:
        """The sine of every element, in radians."""
    def sin_(self) -> Tensor:
        """In-place version of `sin`; returns the tensor itself."""
    def sinc(self, *, out: Tensor | None = None) -> Tensor:
        """sin(pi x) / (pi x), and 1 at 0."""
    def sinc_(self) -> Tensor:
        """In-place version of `sinc`; returns the tensor itself."""
    def sinh(self, *, out: Tensor | None = None) -> Tensor:
        """The hyperbolic sine."""
    def sinh_(self) -> Tensor:
        """In-place version of `sinh`; returns the tensor itself."""
    def slice_scatter(
        self,
        src: Tensor,
        dim: Int = 0,
        start: Int | None = None,
        end: Int | None = None,
        step: Int = 1,
    ) -> Tensor:
        """`input` with `src` at start, start + step, … below `end` along `dim`."""
    def softmax(self, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    def sort(
        self, dim: Int = -1, descending: Bool = False, *, stable: Bool | None = None
    ) -> return_types.sort:
        """The elements in order along `dim`, and where they were. Equal ones keep their order,
        whether `stable` is asked for or not; NaN is greater than every number.
        """
    def split(self, split_size_or_sections: Any, dim: Int = 0) -> tuple[Tensor, ...]:
        """Parts along `dim`: each of the given size (the last may be smaller), or of the listed
        sizes.
        """
    def sqrt(self, *, out: Tensor | None = None) -> Tensor:
        """The square root; NaN for negative numbers."""
    def sqrt_(self) -> Tensor:
        """In-place version of `sqrt`; returns the tensor itself."""
    def square(self, *, out: Tensor | None = None) -> Tensor:
        """x * x."""
    def square_(self) -> Tensor:
        """In-place version of `square`; returns the tensor itself."""
    def squeeze(self, dim: Int | Sequence[Int] | None = None) -> Tensor:
        """Without the dims of size 1, or without those among `dim`."""
    @overload
    def std(
        self,
        dim: Dims = None,
        *,
        correction: Number | None = 1,
        keepdim: Bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """The standard deviation over `dim`: the square root of `var`."""
    @overload
    def std(self, dim: Dims = None, unbiased: Bool = True, keepdim: Bool = False) -> Tensor: ...
    @overload
    def sub(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """input - alpha * other, with broadcasting and type promotion. Not for bool."""
    @overload
    def sub(self, other: Operand, *, alpha: Number, out: Tensor | None = None) -> Tensor: ...
    @overload
    def sub_(self, other: Operand) -> Tensor:
        """In-place version of `sub`; returns the tensor itself."""
    @overload
    def sub_(self, other: Operand, *, alpha: Number) -> Tensor: ...
    def sum(
        self,
        dim: Dims = None,
        keepdim: Bool = False,
        *,
        dtype: DType | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """The sum over `dim` (all dims if None). Integers and bool are summed as int64; float16
        and bfloat16 accumulate in float32.
        """
    @overload
    def sum_to_size(self, *size: Int) -> Tensor:
        """What `expand` does, undone: the sum over what it would repeat to get from `size` to
        the shape of `input`.
        """
    @overload
    def sum_to_size(self, size: Ints) -> Tensor: ...
    def t(self) -> Tensor:
        """A matrix transposed; vectors and scalars as they are."""
    def take(self, index: Tensor, *, out: Tensor | None = None) -> Tensor:
        """The elements at `index` in the flattened tensor; negative indices count from the end."""
    def take_along_dim(self, indices: Tensor, dim: Int | None = None) -> Tensor:
        """`gather` with the other dims broadcast; of the flattened tensor if `dim` is None."""
    def tan(self, *, out: Tensor | None = None) -> Tensor:
        """The tangent of every element, in radians."""
    def tan_(self) -> Tensor:
        """In-place version of `tan`; returns the tensor itself."""
    def tanh(self, *, out: Tensor | None = None) -> Tensor:
        """The hyperbolic tangent."""
    def tanh_(self) -> Tensor:
        """In-place version of `tanh`; returns the tensor itself."""
    @overload
    def tensor_split(
        self, indices_or_sections: Int | Sequence[Int], dim: Int = 0
    ) -> tuple[Tensor, ...]:
        """Parts along `dim`: a number of parts of nearly equal size, or parts that end at the
        indices.
        """
    @overload
    def tensor_split(
        self,
        indices_or_sections: Any = None,
        dim: Int = 0,
        *,
        sections: Any = None,
        indices: Any = None,
    ) -> tuple[Tensor, ...]: ...
    @overload
    def tile(self, *dims: Int) -> Tensor:
        """As `repeat`; dims left out count once."""
    @overload
    def tile(self, dims: Sequence[Int]) -> Tensor: ...
    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """The tensor in another dtype, on another device, or both; itself if nothing changes."""
    def topk(
        self, k: Int, dim: Int = -1, largest: Bool = True, sorted: Bool = True
    ) -> return_types.topk:
        """The `k` greatest elements along `dim` (the least if not `largest`), in order, and
        where they are; among equals, those that come first.
        """
    def trace(self) -> Tensor:
        """The sum of the diagonal of a matrix."""
    def transpose(self, dim0: Int, dim1: Int) -> Tensor:
        """Two dims exchanged."""
    def tril(self, diagonal: Int = 0, *, out: Tensor | None = None) -> Tensor:
        """The lower triangle of the last two dims, up to `diagonal`; zeros elsewhere."""
    def tril_(self, diagonal: Int = 0) -> Tensor:
        """In-place version of `tril`; returns the tensor itself."""
    def triu(self, diagonal: Int = 0, *, out: Tensor | None = None) -> Tensor:
        """The upper triangle of the last two dims, from `diagonal`; zeros elsewhere."""
    def triu_(self, diagonal: Int = 0) -> Tensor:
        """In-place version of `triu`; returns the tensor itself."""
    def trunc(self, *, out: Tensor | None = None) -> Tensor:
        """The integer towards zero."""
    def trunc_(self) -> Tensor:
        """In-place version of `trunc`; returns the tensor itself."""
    def type(self, dtype: DType | None = None, non_blocking: Bool = False) -> Any:
        """The tensor in another dtype, or the name of its type."""
    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in the dtype of `other`."""
    def unbind(self, dim: Int = 0) -> tuple[Tensor, ...]:
        """Every place along `dim`, as a tuple."""
    def unflatten(self, dim: Int, sizes: Ints) -> Tensor:
        """One dim as several; one size may be -1."""
    def unfold(self, dimension: Int, size: Int, step: Int) -> Tensor:
        """All stretches of `size` along a dim, `step` apart, as a view with a new last dim."""
    def uniform_(
        self, from_: Number = 0.0, to: Number = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Fill with numbers drawn uniformly from [from, to)."""
    def unique(
        self,
        sorted: Bool = True,
        return_inverse: Bool = False,
        return_counts: Bool = False,
        dim: Int | None = None,
    ) -> Any:
        """The distinct elements in order, or the distinct slices along `dim`; on request with
        the number of every element's value, and how often each occurs.
        """
    def unique_consecutive(
        self, return_inverse: Bool = False, return_counts: Bool = False, dim: Int | None = None
    ) -> Any:
        """Runs of equal elements, or of equal slices along `dim`, reduced to one; on request
        with the number of every element's run, and their lengths.
        """
    def unsqueeze(self, dim: Int) -> Tensor:
        """A new dim of size 1 at `dim`."""
    @overload
    def var(
        self,
        dim: Dims = None,
        *,
        correction: Number | None = 1,
        keepdim: Bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """The variance over `dim`, the sum of squares divided by N - correction."""
    @overload
    def var(self, dim: Dims = None, unbiased: Bool = True, keepdim: Bool = False) -> Tensor: ...
    @overload
    def view(self, *size: Int) -> Tensor:
        """The same memory in another shape; one size may be -1. An error where strides do not
        allow it:
        """
    @overload
    def view(self, size: Ints) -> Tensor: ...
    @overload
    def view(self, dtype: DType) -> Tensor: ...
    def view_as(self, other: Tensor) -> Tensor:
        """`view` with the shape of `other`."""
    def vsplit(self, indices_or_sections: Int | Sequence[Int]) -> tuple[Tensor, ...]:
        """Parts along the first dim, as `tensor_split`."""
    def where(self, condition: Tensor, other: Any) -> Tensor:
        """The tensor where `condition` holds, else `other`; all three broadcast."""
    def xlog1py(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """input * log1p(other), and 0 where input is 0."""
    def xlogy(self, other: Operand, *, out: Tensor | None = None) -> Tensor:
        """input * log(other), and 0 where input is 0."""
    def xlogy_(self, other: Operand) -> Tensor:
        """In-place version of `xlogy`; returns the tensor itself."""
    def zero_(self) -> Tensor:
        """Overwrite with zeros."""
    absolute = abs
    absolute_ = abs_
    arccos = acos
    arccos_ = acos_
    arccosh = acosh
    arccosh_ = acosh_
    arcsin = asin
    arcsin_ = asin_
    arcsinh = asinh
    arcsinh_ = asinh_
    arctan = atan
    arctan2 = atan2
    arctan2_ = atan2_
    arctan_ = atan_
    arctanh = atanh
    arctanh_ = atanh_
    clip = clamp
    clip_ = clamp_
    divide = div
    divide_ = div_
    fix = trunc
    fix_ = trunc_
    greater = gt
    greater_equal = ge
    less = lt
    less_equal = le
    moveaxis = movedim
    multiply = mul
    multiply_ = mul_
    negative = neg
    negative_ = neg_
    not_equal = ne
    subtract = sub
    subtract_ = sub_
    swapaxes = transpose
    swapdims = transpose
    true_divide = div
    true_divide_ = div_
