"""The Tensor object: sizes, getters, numbers in and out, lifetime."""

import gc
import math
import operator
import pickle
import weakref

import numpy as np
import pytest

from gleed import _C, dtypes
from gleed.devices import device, strided
from gleed.errors import (
    ArgumentError,
    BoundsError,
    DeviceError,
    DTypeError,
    OutOfMemoryError,
    RangeError,
    ShapeError,
    TraceError,
)

NUMPY = {
    dtypes.float32: "f4",
    dtypes.float64: "f8",
    dtypes.float16: "f2",
    dtypes.int8: "i1",
    dtypes.int16: "i2",
    dtypes.int32: "i4",
    dtypes.int64: "i8",
    dtypes.uint8: "u1",
    dtypes.bool: "?",
    dtypes.complex64: "c8",
    dtypes.complex128: "c16",
}
ALL = [*NUMPY, dtypes.bfloat16]


def arange(*shape, dtype="f4"):
    return _C.from_numpy(np.arange(math.prod(shape), dtype=dtype).reshape(shape))


# -------------------------------------------------------------------------- sizes, devices


def test_size_is_a_tuple_that_stays_a_size():
    size = _C.Size([2, 3])
    assert repr(size) == "gleed.Size([2, 3])"
    assert size == (2, 3) and hash(size) == hash((2, 3))
    assert size.numel() == 6 and _C.Size().numel() == 1
    longer, led = operator.add(size, (4,)), operator.add((4,), size)
    for derived in (longer, led, size[:1], size * 2, _C.Size(size)):
        assert type(derived) is _C.Size
    assert size[-1] == 3 and longer == (2, 3, 4) and led == (4, 2, 3) and size * 2 == (2, 3, 2, 3)
    assert pickle.loads(pickle.dumps(tuple(size))) == size
    with pytest.raises(ArgumentError, match=r"^Size: takes whole numbers; item 1 is a float"):
        _C.Size([1, 1.5])
    with pytest.raises(TypeError):
        operator.add(size, [1])


def test_device():
    assert arange(2).device == device("cpu") and repr(arange(2).device) == "device(type='cpu')"
    assert device("cuda:1") == device("cuda", 1) == device(1) != device("cuda")
    assert str(device("cuda:1")) == "cuda:1" and len({device("cpu"), device("cpu")}) == 1
    assert pickle.loads(pickle.dumps(device("cuda:1"))) == device("cuda:1")
    assert arange(2).layout is strided
    with pytest.raises(DeviceError, match=r"^device: must be one of cpu, cuda, .*; 'tpu' came"):
        device("tpu")
    with pytest.raises(DeviceError, match=r"'cuda:x' came"):
        device("cuda:x")
    with pytest.raises(DeviceError, match=r"one index is enough"):
        device("cuda:1", 2)
    with pytest.raises(ArgumentError, match=r"a NoneType came"):
        device(None)
    with pytest.raises(AttributeError):
        device("cpu").index = 3


# -------------------------------------------------------------------------------- geometry


def test_geometry():
    x = arange(2, 3, 4)
    assert type(x.shape) is _C.Size and x.shape == x.size() == (2, 3, 4)
    assert (x.size(1), x.size(-1), x.size(dim=0)) == (3, 4, 2)
    assert x.stride() == (12, 4, 1) and x.stride(-2) == 4
    assert (x.ndim, x.dim(), x.numel(), x.nelement(), len(x)) == (3, 3, 24, 24, 2)
    assert (x.itemsize, x.element_size(), x.nbytes) == (4, 4, 96)
    assert x.is_contiguous() and not x[:, 1:].is_contiguous()
    y = x[1, 1:, ::2]
    assert y.storage_offset() == 16 and y.data_ptr() == x.data_ptr() + 64
    assert (y.shape, y.stride()) == ((2, 2), (4, 2))
    with pytest.raises(BoundsError, match=r"^size: dim out of range; dim 3 .* use -3 … 2$"):
        x.size(3)
    with pytest.raises(BoundsError, match=r"a 0-d tensor has no axis$"):
        arange().size(0)
    with pytest.raises(ArgumentError, match=r"^size: takes one argument, dim; 2 came"):
        x.size(0, 1)


def test_contiguity_ignores_axes_of_one_element_and_empty_tensors():
    assert _C.empty_strided((2, 1, 3), (3, 77, 1), dtypes.int8).is_contiguous()
    assert _C.empty_strided((2, 0), (5, 9), dtypes.int8).is_contiguous()
    assert not _C.empty_strided((2, 3), (1, 2), dtypes.int8).is_contiguous()


def test_views_stay_inside_their_memory():
    x = arange(12)
    view = _C.view_of(x, (2, 3), (1, 4), 2)
    assert view.tolist() == [[2, 6, 10], [3, 7, 11]] and view._base is x
    assert _C.view_of(view, (2,), (1,), 0)._base is x
    for sizes, strides, offset in [
        ((13,), (1,), 0),
        ((2,), (-1,), 0),
        ((2,), (2**62,), 0),
        ((2**62, 2**62), (2**62, 2**62), 1),
    ]:
        with pytest.raises(BoundsError, match=r"^view_of: a view must stay inside of the memory"):
            _C.view_of(x, sizes, strides, offset)
    with pytest.raises(ShapeError, match=r"one stride per size; 2 sizes and 1 strides came"):
        _C.view_of(x, (1, 1), (1,), 0)


def test_creation_refuses_nonsense():
    with pytest.raises(ShapeError, match=r"^empty: sizes must not be negative; size -1 for axis 1"):
        _C.empty((2, -1), dtypes.int8)
    with pytest.raises(ShapeError, match=r"^empty: at most 16 dimensions; 17 came"):
        _C.empty((1,) * 17, dtypes.int8)
    with pytest.raises(ArgumentError, match=r"^empty: must be whole numbers; a float came"):
        _C.empty((1.5,), dtypes.int8)
    with pytest.raises(ArgumentError, match=r"^empty: dtype must be a gleed\.dtype; a str came"):
        _C.empty((1,), "float32")
    with pytest.raises(RangeError, match=r"^empty: must fit in 64 bits"):
        _C.empty((2**64,), dtypes.int8)
    for sizes in [(2**62,), (2**40, 2**40), (2**31, 2**31, 2**31)]:
        with pytest.raises(OutOfMemoryError, match=r"^memory: not enough"):
            _C.empty(sizes, dtypes.float32)
    assert _C.empty((2**40, 0, 2**40), dtypes.float32).numel() == 0


# --------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_numbers_go_in_and_come_out(dtype):
    values = [[1, 0, 3], [5, 7, 2]]
    if dtype is dtypes.bool:
        values = [[True, False, True], [False, False, True]]
    if dtype.is_complex:
        values = [[1 + 2j, 0j], [-3.5j, 4 + 0j]]
    t = _C.tensor_from_data(values, dtype)
    assert t.dtype is dtype and t.tolist() == values
    assert type(t[0, 0].item()) is type(t.tolist()[0][0])
    if dtype in NUMPY:
        assert t.tolist() == np.array(values, NUMPY[dtype]).tolist()


def test_inference_of_dtypes():
    def dtype(data):
        return _C.tensor_from_data(data).dtype

    assert dtype([1, 2]) is dtypes.int64 and dtype(True) is dtypes.bool
    assert dtype([True, 2]) is dtypes.int64 and dtype([1, 2.5, True]) is dtypes.float32
    assert dtype([]) is dtypes.float32 and dtype([1, 2j]) is dtypes.complex64
    assert dtype([np.float64(1), 2]) is dtypes.float64
    assert dtype([np.float16(1), 2]) is dtypes.float16
    assert dtype(np.int32(1)) is dtypes.int32 and dtype([np.bool_(1)]) is dtypes.bool
    assert dtype([arange(dtype="f8"), 2]) is dtypes.float64
    assert dtype(np.zeros(3, "u1")) is dtypes.uint8
    assert dtype(range(3)) is dtypes.int64


def test_shapes_of_data():
    def shape(data):
        return _C.tensor_from_data(data).shape

    assert shape(3) == () and shape([[1], [2]]) == (2, 1) and shape([[], []]) == (2, 0)
    assert shape(((1, 2), [3, 4])) == (2, 2) and shape([range(3)] * 2) == (2, 3)
    assert shape([np.ones(3), [1, 2, 3]]) == (2, 3) and shape([arange(2), arange(2)]) == (2, 2)
    assert shape([arange(), 1]) == (2,) and shape(np.float32(2)) == ()
    assert shape(np.zeros((2, 0, 3))) == (2, 0, 3)


def test_data_of_many_numbers():
    values = [float(i) for i in range(1000)]
    assert _C.tensor_from_data([values, values]).tolist() == [values, values]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([[1, 2], [3]], ShapeError, "tensor: expected sequence of length 2 at dim 1; got 1"),
        ([1, [2]], ArgumentError, "tensor: expected a number at dim 1; got a list"),
        ([[1], 2], ArgumentError, "tensor: expected a sequence at dim 1; got a int"),
        ([[], [1]], ShapeError, "tensor: expected sequence of length 0 at dim 1; got 1"),
        (
            "abc",
            ArgumentError,
            "tensor: takes numbers, sequences of numbers and arrays; a str came",
        ),
        ([None], ArgumentError, "tensor: takes numbers, .* a NoneType came"),
        ({}, ArgumentError, "tensor: takes numbers, .* a dict came"),
        ([2**63], RangeError, "tensor: a number does not fit in int64; 9223372036854775808 came"),
        (np.array(["a"]), DTypeError, "from_numpy: no dtype of gleed fits .* <U1 came"),
        (np.ones(2, "u2"), DTypeError, "from_numpy: no dtype of gleed fits .* uint16 came"),
        (np.ones(2, ">f4"), DTypeError, "from_numpy: no dtype of gleed fits .* >f4 came"),
    ],
    ids=str,
)
def test_data_that_makes_no_tensor(data, error, message):
    with pytest.raises(error, match=r"^" + message):
        _C.tensor_from_data(data)


def test_data_nested_in_itself():
    endless = []
    endless.append(endless)
    with pytest.raises(ShapeError, match=r"^tensor: at most 16 dimensions"):
        _C.tensor_from_data(endless)


def test_data_that_changes_while_it_is_read():
    class Hostile:
        def __len__(self):
            return 1

        def __getitem__(self, i):
            rows.clear()
            if i:
                raise IndexError
            return 1.0

    rows = [[1.0], Hostile(), [2.0]]
    with pytest.raises(ShapeError, match=r"^tensor: expected sequence of length 3"):
        _C.tensor_from_data(rows)


@pytest.mark.parametrize(
    ("value", "dtype", "error", "message"),
    [
        (300, dtypes.uint8, RangeError, "does not fit in uint8; 300 came"),
        (-129, dtypes.int8, RangeError, "does not fit in int8"),
        (1e10, dtypes.int32, RangeError, "does not fit in int32"),
        (math.nan, dtypes.int64, RangeError, "does not fit in int64; nan came"),
        (math.inf, dtypes.int8, RangeError, "does not fit in int8"),
        (1j, dtypes.float32, DTypeError, "a complex number has no place in float32; 1j came"),
        (10**400, dtypes.float32, OverflowError, "too large"),
    ],
)
def test_numbers_without_a_place(value, dtype, error, message):
    with pytest.raises(error, match=message):
        _C.tensor_from_data([value], dtype)


def test_numbers_are_converted():
    def item(value, dtype):
        return _C.tensor_from_data(value, dtype).item()

    assert item(1.9, dtypes.int32) == 1 and item(-1.9, dtypes.int32) == -1
    assert item(-1, dtypes.uint8) == 255 and item(0.5, dtypes.bool) is True
    assert item(1e300, dtypes.float32) == math.inf and item(2**53 + 1, dtypes.int64) == 2**53 + 1
    assert item(np.arange(3)[2], dtypes.float16) == 2.0
    mixed = np.array([[1.5, -2.5], [0, 3]])
    assert _C.tensor_from_data(mixed.T, dtypes.int8).tolist() == [[1, 0], [-2, 3]]
    assert _C.tensor_from_data(arange(2, 2)[:, ::-1], dtypes.complex64).tolist() == [[1, 0], [3, 2]]


def test_conversions_to_python():
    assert float(arange(1)) == 0.0 and int(_C.tensor_from_data([2.9])) == 2
    assert complex(_C.tensor_from_data(2)) == 2 and [5, 6][_C.tensor_from_data(1)] == 6
    assert bool(_C.tensor_from_data(2)) is True and bool(_C.tensor_from_data([[0.0]])) is False
    with pytest.raises(ShapeError, match=r"^item: takes a tensor with one element; this one has 2"):
        arange(2).item()
    with pytest.raises(ShapeError, match=r"^bool: the truth of a tensor with 2 elements is ambig"):
        bool(arange(2))
    with pytest.raises(ShapeError, match=r"with 0 elements is ambiguous"):
        bool(arange(0))
    with pytest.raises(ArgumentError, match=r"^index: only a tensor with one integer .* float32"):
        [5, 6][_C.tensor_from_data(1.0)]
    with pytest.raises(TypeError):
        float(_C.tensor_from_data(1j))
    with pytest.raises(ArgumentError, match=r"^len: a 0-d tensor has no length"):
        len(arange())
    with pytest.raises(ArgumentError, match=r"^iter: a 0-d tensor has nothing"):
        iter(arange())


# -------------------------------------------------------------------------------- lifetime


class Labelled(_C.Tensor):
    def __new__(cls, data, label):
        self = _C.Tensor._make_subclass(cls, data)
        self.label = label
        return self


def test_attributes_weak_references_and_hashes():
    x = arange(3)
    x.name = "x"
    assert x.__dict__ == {"name": "x"} and hash(x) == hash(x) != hash(arange(3))
    reference = weakref.ref(x)
    assert reference() is x
    del x
    assert reference() is None
    assert not hasattr(arange(3), "name")


def test_subclasses_share_memory():
    x = arange(3)
    y = Labelled(x, "a")
    assert isinstance(y, _C.Tensor) and y.label == "a" and y.data_ptr() == x.data_ptr()
    assert type(y[0]) is _C.Tensor and y._base is None
    reference = weakref.ref(y)
    del x, y
    assert reference() is None
    with pytest.raises(
        ArgumentError, match=r"^_make_subclass: makes subclasses of Tensor; int came"
    ):
        _C.Tensor._make_subclass(int, arange(1))
    with pytest.raises(TypeError):
        _C.Tensor._make_subclass(Labelled, [1])


@pytest.mark.parametrize("make", [lambda: arange(3), lambda: Labelled(arange(3), "a")])
def test_cycles_are_collected(make):
    x = make()
    x.view_of_mine = x[1:]
    x.itself = x
    reference = weakref.ref(x)
    del x
    gc.collect()
    assert reference() is None


def test_long_chains_of_tensors_are_freed():
    head = None
    for _ in range(100_000):
        x = arange(1)
        x.rest = head
        head = x
    del x, head


def test_memory_outlives_the_tensor_that_made_it():
    rows = [arange(100, 3)[i] for i in range(100)]
    gc.collect()
    for i, row in enumerate(rows):
        assert row.tolist() == [3 * i, 3 * i + 1, 3 * i + 2]


def test_many_tensors_at_once():
    kept = [_C.tensor_from_data([i, i + 1]) for i in range(5000)]
    assert len({t.data_ptr() for t in kept}) == 5000
    assert all(t.tolist() == [i, i + 1] for i, t in enumerate(kept))


class StandIn(_C.Tensor):
    pass


def test_stand_ins_answer_or_explain():
    t = _C.make_standin(StandIn, dtypes.int8, 2)
    assert (t.ndim, t.dtype, t._traced, t.element_size()) == (2, dtypes.int8, True, 1)
    questions = [
        lambda: t.shape,
        lambda: t.nbytes,
        lambda: t._version,
        t.size,
        t.stride,
        t.numel,
        t.data_ptr,
        t.storage_offset,
        t.is_contiguous,
        t.item,
        t.tolist,
        t.__array__,
        t.__dlpack__,
        lambda: len(t),
        lambda: bool(t),
        lambda: int(t),
        lambda: float(t),
        lambda: list(t),
        lambda: _C.to_numpy(t),
        lambda: _C.view_of(t, (1,), (1,), 0),
        lambda: _C.tensor_from_data(t),
        lambda: _C.Tensor._make_subclass(StandIn, t),
    ]
    for question in questions:
        with pytest.raises(TraceError, match=r"a value that is being traced is not known yet"):
            question()
    with pytest.raises(BufferError):
        memoryview(t)
    with pytest.raises(ArgumentError, match=r"^make_standin: cls must be a subclass of Tensor"):
        _C.make_standin(int, dtypes.int8, 1)
    with pytest.raises(ShapeError, match=r"^make_standin: 0 to 16 dimensions; 17 came"):
        _C.make_standin(StandIn, dtypes.int8, 17)
