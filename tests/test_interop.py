"""Memory shared with NumPy, the buffer protocol and DLPack, in both directions."""

import array
import gc
import struct
import sys
import weakref

import numpy as np
import pytest

from gleed import _C, dtypes
from gleed.errors import ArgumentError, DTypeError, GradientError, RangeError, ShapeError

CODES = ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "?", "c8", "c16"]


def layouts():
    whole = np.arange(60).reshape(3, 4, 5)
    return {
        "contiguous": whole,
        "transposed": whole.transpose(2, 0, 1),
        "stepped": whole[::2, 1:, ::3],
        "reversed": whole[::-1, :, ::-2],
        "expanded": np.broadcast_to(whole[:, :1], (3, 4, 5)),
        "scalar": whole[0, 0, 1:2].reshape(()),
        "empty": whole[:, :0],
        "new axes": whole[None, :, None],
    }


def address(a):
    return a.__array_interface__["data"][0]


def grown(sizes, dtype):
    t = _C.empty(sizes, dtype)
    t.requires_grad = True
    return t


# ------------------------------------------------------------------------------------- NumPy


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("code", CODES)
def test_arrays_there_and_back(name, code):
    source = layouts()[name].astype(code, order="K")
    tensor = _C.from_numpy(source)
    assert tensor.tolist() == source.tolist() and tensor.shape == source.shape
    back = _C.to_numpy(tensor)
    assert back.dtype == source.dtype and back.dtype.num == source.dtype.num
    np.testing.assert_array_equal(back, source)
    if source.size:
        assert tensor.data_ptr() == address(source) == address(back)
        assert all(
            a == b
            for n, a, b in zip(source.shape, back.strides, source.strides, strict=True)
            if n > 1
        )


def test_writes_are_seen_on_both_sides():
    source = np.zeros((4, 3), "f4")
    view = _C.from_numpy(source)[1:, ::-2]
    source[1, 2] = 5
    assert view[0, 0].item() == 5
    _C.to_numpy(view)[2, 1] = 7
    assert source[3, 0] == 7


def test_each_side_keeps_the_memory_alive():
    class Array(np.ndarray):
        pass

    source = np.arange(10.0).view(Array)
    reference = weakref.ref(source)
    tensor = _C.from_numpy(source)[2:]
    del source
    gc.collect()
    assert reference() is not None and tensor.tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    back = _C.to_numpy(tensor)
    del tensor
    assert back.tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    del back
    gc.collect()
    assert reference() is None


def test_an_exported_array_does_not_move():
    source = np.arange(4.0)
    tensor = _C.from_numpy(source)
    with pytest.raises(ValueError, match=r"resize"):
        source.resize(1000)
    assert tensor.tolist() == [0, 1, 2, 3]


def test_read_only_arrays_stay_read_only():
    source = np.arange(3.0)
    source.flags.writeable = False
    tensor = _C.from_numpy(source)
    assert not _C.to_numpy(tensor).flags.writeable
    assert memoryview(tensor[1:]).readonly
    assert _C.to_numpy(_C.tensor_from_data(source)).flags.writeable


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: [1, 2], ArgumentError, "takes a NumPy array; a list came"),
        (lambda: np.ones(2, "u4"), DTypeError, "no dtype of gleed fits .*; uint32 came"),
        (lambda: np.ones(2, ">i4"), DTypeError, "no dtype of gleed fits .*; >i4 came"),
        (lambda: np.array(["a"]), DTypeError, "no dtype of gleed fits .*; <U1 came"),
        (lambda: np.array([None]), DTypeError, "no dtype of gleed fits .*; object came"),
        (lambda: np.array(["2026-01-01"], "M8"), DTypeError, "no dtype .*; datetime64"),
        (lambda: np.zeros(2, "i4,f4"), DTypeError, "no dtype of gleed fits"),
        (lambda: np.zeros(2, "g"), DTypeError, "no dtype of gleed fits .*; float128|longdouble"),
        (lambda: np.zeros((1,) * 17), ShapeError, "at most 16 dimensions; the array has 17"),
        (
            lambda: np.zeros(2, "f4,u1")["f0"],
            ShapeError,
            "strides must be multiples of the element's size; stride 5 for 4 bytes on axis 0",
        ),
        (
            lambda: np.zeros(17, "u1")[1:].view("f8"),
            ShapeError,
            "the array's memory is not aligned",
        ),
    ],
)
def test_arrays_that_cannot_be_shared(make, error, message):
    with pytest.raises(error, match=r"^from_numpy: .*" + message):
        _C.from_numpy(make())


def test_tensors_that_numpy_cannot_share():
    with pytest.raises(DTypeError, match=r"^numpy: NumPy has no bfloat16; use tensor\.float\(\)"):
        _C.to_numpy(_C.empty((2,), dtypes.bfloat16))
    for convert in (_C.to_numpy, np.asarray, np.array, lambda t: t.__array__()):
        with pytest.raises(GradientError, match=r"the tensor requires grad; use tensor\.detach"):
            convert(grown((2,), dtypes.float32))
    with pytest.raises(BufferError, match=r"requires grad"):
        memoryview(grown((2,), dtypes.float32))
    with pytest.raises(ArgumentError, match=r"^numpy: takes a Tensor; a list came"):
        _C.to_numpy([1])


def test_array_protocol():
    tensor = _C.tensor_from_data([[1.0, 2.0], [3.0, 4.0]])
    shared = tensor.__array__()
    assert address(shared) == tensor.data_ptr() == address(np.asarray(tensor))
    assert address(np.array(tensor)) != tensor.data_ptr()
    converted = np.asarray(tensor, dtype="i8")
    assert converted.dtype == "i8" and converted.tolist() == [[1, 2], [3, 4]]
    assert tensor.__array__(np.float64).dtype == np.float64
    assert address(tensor.__array__(copy=True)) != tensor.data_ptr()
    assert address(tensor.__array__(dtype=None, copy=False)) == tensor.data_ptr()
    with pytest.raises(ArgumentError, match=r"^__array__: takes dtype=None and copy=None"):
        tensor.__array__(order="C")
    assert np.sqrt(tensor).tolist() == np.sqrt([[1.0, 2], [3, 4]]).astype("f4").tolist()
    assert tensor.__array_wrap__(np.arange(2.0)).dtype is dtypes.float64


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="copy=False is NumPy 2's")
def test_a_forbidden_copy_is_not_made():
    tensor = _C.tensor_from_data([1.0])
    assert address(np.asarray(tensor, copy=False)) == tensor.data_ptr()
    with pytest.raises(ValueError):
        tensor.__array__(np.int64, copy=False)


# ------------------------------------------------------------------------------------ buffers


def test_tensors_are_buffers():
    tensor = _C.tensor_from_data([[1, 2, 3], [4, 5, 6]], dtypes.int16)
    view = memoryview(tensor)
    assert (view.format, view.shape, view.strides, view.itemsize) == ("h", (2, 3), (6, 2), 2)
    assert view.tolist() == [[1, 2, 3], [4, 5, 6]] and view.contiguous and not view.readonly
    view[1, 2] = 9
    assert tensor[1, 2].item() == 9
    assert memoryview(tensor[:, 1]).tolist() == [2, 5]
    assert bytes(tensor[1]) == bytes(view)[6:]
    assert memoryview(_C.empty((0, 3), dtypes.int8)).nbytes == 0
    with pytest.raises(BufferError, match=r"not contiguous"):
        struct.unpack_from("h", tensor[:, 1])
    with pytest.raises(BufferError, match=r"bfloat16"):
        memoryview(_C.empty((1,), dtypes.bfloat16))


def test_a_buffer_outlives_its_tensor():
    view = memoryview(_C.tensor_from_data([1, 2, 3]))
    others = [_C.tensor_from_data([0, 0, 0]) for _ in range(100)]
    assert view.tolist() == [1, 2, 3] and len(others) == 100


def test_frombuffer():
    data = bytearray(b"\x01\x00\x02\x00\x03\x00")
    tensor = _C.frombuffer(data, dtypes.int16)
    data[0] = 9
    assert tensor.tolist() == [9, 2, 3]
    assert _C.frombuffer(data, dtypes.int16, 1, 2).tolist() == [2]
    assert _C.frombuffer(data, dtypes.int16, -1, 6).tolist() == []
    assert _C.frombuffer(array.array("d", [1, 2]), dtypes.float64).tolist() == [1, 2]
    assert memoryview(_C.frombuffer(b"\x01", dtypes.bool)).readonly
    for count, offset in [(4, 0), (-1, 1), (1, 7), (1, -1), (2**62, 0), (0, 7), (-1, 2**62)]:
        with pytest.raises(RangeError, match=r"^frombuffer: count and offset must fit the buffer"):
            _C.frombuffer(data, dtypes.int16, count, offset)
    with pytest.raises(TypeError):
        _C.frombuffer([1], dtypes.int16)


# ------------------------------------------------------------------------------------- DLPack


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("code", CODES)
def test_dlpack_there_and_back(name, code):
    source = layouts()[name].astype(code, order="K")
    tensor = _C.from_dlpack(source)
    assert tensor.tolist() == source.tolist()
    back = np.from_dlpack(tensor)
    np.testing.assert_array_equal(back, source)
    assert back.dtype == source.dtype
    if source.size:
        assert tensor.data_ptr() == address(source) == address(back)
    again = _C.from_dlpack(tensor.__dlpack__())
    assert again.dtype is tensor.dtype and again.tolist() == source.tolist()


def test_dlpack_of_what_numpy_lacks():
    tensor = _C.tensor_from_data([1.5, 2.5], dtypes.bfloat16)
    assert tensor.__dlpack_device__() == (1, 0)
    for version in (None, (0, 8), (1, 0), (1, 3)):
        back = _C.from_dlpack(tensor.__dlpack__(max_version=version))
        assert back.dtype is dtypes.bfloat16 and back.data_ptr() == tensor.data_ptr()
    copied = _C.from_dlpack(tensor.__dlpack__(copy=True, max_version=(1, 0)))
    assert copied.tolist() == [1.5, 2.5] and copied.data_ptr() != tensor.data_ptr()


def test_dlpack_keeps_memory_alive_and_lets_it_go():
    gc.collect()
    before = _C.memory_stats()["allocated"]
    tensor = _C.empty((1000,), dtypes.float64)
    back = np.from_dlpack(tensor)
    unused = tensor.__dlpack__()
    del tensor
    assert _C.memory_stats()["allocated"] > before
    del back, unused
    gc.collect()
    assert _C.memory_stats()["allocated"] == before


def test_dlpack_refuses():
    with pytest.raises(GradientError, match=r"^__dlpack__: .* requires grad"):
        grown((2,), dtypes.float32).__dlpack__()
    tensor = _C.tensor_from_data([1.0])
    with pytest.raises(BufferError, match=r"device type 2 was asked for"):
        tensor.__dlpack__(dl_device=(2, 0))
    with pytest.raises(TypeError):
        tensor.__dlpack__(None, None)
    with pytest.raises(
        ArgumentError, match=r"^from_dlpack: takes an object with __dlpack__; a list"
    ):
        _C.from_dlpack([1])
    capsule = tensor.__dlpack__()
    _C.from_dlpack(capsule)
    with pytest.raises(ArgumentError, match=r"^from_dlpack: takes a fresh DLPack capsule"):
        _C.from_dlpack(capsule)
    with pytest.raises(ArgumentError, match=r"^from_dlpack: takes a fresh DLPack capsule"):
        _C.from_dlpack(sys.modules["datetime"].datetime_CAPI)
    with pytest.raises(
        DTypeError, match=r"^from_dlpack: no dtype of gleed fits; code 1 with 16 bits"
    ):
        _C.from_dlpack(np.ones(2, "u2"))


def test_dlpack_of_read_only_memory():
    tensor = _C.frombuffer(b"\x01\x02", dtypes.uint8)
    with pytest.raises(BufferError, match=r"read-only"):
        tensor.__dlpack__()
    back = _C.from_dlpack(tensor)
    assert back.tolist() == [1, 2] and memoryview(back).readonly


def test_old_producers_without_arguments():
    class Old:
        def __dlpack__(self):
            return np.arange(3).__dlpack__()

    assert _C.from_dlpack(Old()).tolist() == [0, 1, 2]


# ---------------------------------------------------------------------------------- operators


def test_numpy_operands_become_tensors():
    tensor = _C.tensor_from_data([1.0, 2.0])
    for result in (np.array([3.0, 4.0]) - tensor, -(tensor - np.array([3.0, 4.0]))):
        assert type(result) is _C.Tensor
        assert result.dtype is dtypes.float64 and result.tolist() == [2, 2]
    for result in (np.float64(2) * tensor, tensor * np.float64(2)):
        assert result.dtype is dtypes.float32 and result.tolist() == [2, 4]
    assert (tensor == np.array([1.0, 3.0])).tolist() == [True, False]


def test_foreign_operands_are_left_to_them():
    class Friendly:
        def __radd__(self, other):
            return "added"

    tensor = _C.tensor_from_data([1.0])
    assert tensor + Friendly() == "added"
    assert (tensor == None) is False and (tensor != "a") is True  # noqa: E711
    for wrong in (
        lambda: tensor + "a",
        lambda: [1] - tensor,
        lambda: tensor < None,
        lambda: pow(tensor, 2, 3),
    ):
        with pytest.raises(TypeError, match=r"gleed\.Tensor"):
            wrong()
