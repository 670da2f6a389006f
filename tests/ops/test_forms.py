"""The forms of every op: method, in-place, out=, second names, namespaces."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import _C
from gleed.errors import DTypeError, GleedError, ShapeError
from gleed.ops import ALIASES
from gleed.ops.record import OPS

from .generate import Sample, array, is_public, results, sampled
from .tables import WRITES

DTYPES = ("float32", "bfloat16", "int64")


def calls(samples: list[Sample]) -> list[Any]:
    """Each sample in float32, and one of each op in two more dtypes."""
    found = []
    for s in samples:
        dtypes = DTYPES if s.number == 1 else DTYPES[:1]
        found += [pytest.param(s, d, id=f"{s.name}-{d}") for d in dtypes]
    return found


def has_first_tensor(sample: Sample) -> bool:
    return bool(sample.args) and isinstance(sample.call("bool").args[0], _C.Tensor)


def attempt(function: Any, call: Any) -> Any:
    """The result of a call, or None if the op does not take the dtype."""
    try:
        return call.run(function)
    except DTypeError:
        return None


def same(got: Any, wanted: Any) -> None:
    """Results of equal dtypes, shapes and bits."""
    for a, b in zip(results(got), results(wanted), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert np.array_equal(array(a), array(b), equal_nan=a.is_floating_point())


METHODS = [s for s in sampled() if s.op.method and s.op.name not in WRITES and has_first_tensor(s)]


@pytest.mark.parametrize(("sample", "dtype"), calls(METHODS))
def test_method(sample: Sample, dtype: str) -> None:
    call = sample.call(dtype)
    wanted = attempt(sample.op.public, call)
    if wanted is not None:
        same(getattr(call.args[0], sample.op.name)(*call.args[1:], **call.kwargs), wanted)


IN_PLACE = [s for s in sampled() if s.op.name + "_" in OPS and has_first_tensor(s)]


@pytest.mark.parametrize("layout", ["contiguous", "sliced"])
@pytest.mark.parametrize(("sample", "dtype"), calls(IN_PLACE))
def test_in_place(sample: Sample, dtype: str, layout: str) -> None:
    """`name_` gives the values of `name` in the tensor itself; what does not fit is an error."""
    wanted = attempt(sample.op.public, sample.call(dtype, layout))
    if wanted is None:
        return
    call = sample.call(dtype, layout)
    first, before = call.args[0], array(call.args[0]).copy()
    change = partial(OPS[sample.op.name + "_"].public, first)
    fits = wanted.shape == first.shape and gleed.can_cast(wanted.dtype, first.dtype)
    if not fits:
        with pytest.raises((ShapeError, DTypeError)):
            change(*call.args[1:], **call.kwargs)
        assert np.array_equal(array(first), before)
        return
    version = first._version
    assert change(*call.args[1:], **call.kwargs) is first
    assert first._version > version
    same(first, wanted.to(first.dtype))


OUT = [s for s in sampled() if any(p.name == "out" for p in s.overload.parameters)]


@pytest.mark.parametrize(("sample", "dtype"), calls(OUT))
def test_out(sample: Sample, dtype: str) -> None:
    """out= is returned and holds the result, whatever its shape, strides and dtype were."""
    call = sample.call(dtype)
    wanted = attempt(sample.op.public, call)
    if wanted is None:
        return

    def run(out: Any) -> None:
        assert sample.op.public(*call.args, **call.kwargs, out=out) is out
        same(out, wanted.to(out.dtype))

    run(gleed.empty(0, dtype=wanted.dtype))
    run(gleed.empty(wanted.shape, dtype=wanted.dtype))
    wide = gleed.empty(*wanted.shape, 2, dtype=wanted.dtype)[..., 1]
    strides = wide.stride()
    run(wide)
    assert wide.stride() == strides
    if wanted.dtype is gleed.float32:
        run(gleed.empty(wanted.shape, dtype=gleed.float64))
        with pytest.raises(GleedError):
            sample.op.public(*call.args, **call.kwargs, out=gleed.empty(0, dtype=gleed.int32))


@pytest.mark.parametrize("other", [True, False])
def test_out_may_be_memory_that_is_read(other: bool) -> None:
    """A result written while arguments are still read would be wrong."""
    values = np.arange(9.0).reshape(3, 3)
    wanted = values + values.T
    x = gleed.from_numpy(values)
    out = gleed.from_numpy(values) if other else x
    version = out._version
    assert gleed.add(x, x.t(), out=out) is out
    assert np.array_equal(values, wanted)
    assert out._version > version


def test_out_is_written_where_it_lies() -> None:
    out = gleed.zeros(9)
    part = out[1:8]
    gleed.add(gleed.ones(7), 1, out=part)
    assert out.tolist() == [0.0, *[2.0] * 7, 0.0]


@pytest.mark.parametrize("name", [n for n in OPS if is_public(OPS[n])])
def test_where_users_find_it(name: str) -> None:
    """Functions are in their namespaces, methods on Tensor."""
    record = OPS[name]
    for namespace in record.namespaces:
        place = gleed
        for part in namespace.split(".") if namespace != "gleed" else ():
            place = getattr(place, part)
        assert callable(getattr(place, name))
    if record.method:
        assert callable(getattr(gleed.Tensor, name))


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_second_names(alias: str, name: str) -> None:
    if "gleed" in OPS[name].namespaces:
        assert getattr(gleed, alias) is getattr(gleed, name)
    if OPS[name].method:
        assert getattr(gleed.Tensor, alias) is getattr(gleed.Tensor, name)


def test_where_as_a_method() -> None:
    """Its first argument is the second of the function."""
    x = gleed.tensor([[1.0], [2.0]])
    mask = gleed.tensor([True, False])
    assert x.where(mask, -1).tolist() == gleed.where(mask, x, -1).tolist()
