"""Values, dtypes and shapes of every op against NumPy and SciPy, for every dtype and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gleed
from gleed.errors import DTypeError

from .generate import DTYPES, FLOATS, LAYOUTS, array, flat, results, sampled
from .references import WITHOUT_REFERENCE, expected
from .tables import FULL_PRODUCT, LOOSE, NO_HALVES, ONE_LAYOUT, SKIPPED, WRITES, category, refuses

HALVES = ("float16", "bfloat16")
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
TINY = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-24, "bfloat16": 2.0**-126}


def cases() -> list[Any]:
    """Every sample in every dtype, the layouts in turn; all of them for some ops and float32."""
    found = []
    for sample in sampled():
        if sample.op.name in WITHOUT_REFERENCE:
            continue
        dtypes = DTYPES if sample.free else ("float32",)
        for i, dtype in enumerate(dtypes):
            if dtype in HALVES and sample.op.name in NO_HALVES:
                continue
            if refuses(sample, dtype) or (sample.op.name, dtype) in SKIPPED:
                continue
            every = sample.op.name in FULL_PRODUCT or dtype == "float32"
            layouts = LAYOUTS if every else ("contiguous", LAYOUTS[1 + (i + sample.number) % 4])
            for layout in layouts:
                if layout in forbidden_layouts(sample):
                    continue
                name = f"{sample.name}-{dtype}-{layout}"
                found.append(pytest.param(sample, dtype, layout, id=name))
    return found


def forbidden_layouts(sample: Any) -> tuple[str, ...]:
    """Layouts in which the call is an error."""
    if sample.op.name in ONE_LAYOUT:
        return LAYOUTS[1:]
    return ("expanded",) if sample.op.name in WRITES else ()


@pytest.mark.parametrize(("sample", "dtype", "layout"), cases())
def test_values(sample: Any, dtype: str, layout: str) -> None:
    call = sample.call(dtype, layout)
    wanted = expected(sample, call)
    before = [array(t).copy() for t in call.tensors]
    try:
        got = results(call.run(sample.op.public))
    except DTypeError:
        # Integers and bool may be refused, floating point only as the tables say.
        assert category(dtype) != "f"
        return
    wanted = list(flat(wanted))
    assert len(got) == len(wanted)
    for result, exact in zip(got, wanted, strict=True):
        compare(sample.op.name, result, np.asarray(exact), before)


def compare(name: str, result: Any, exact: np.ndarray, inputs: list[np.ndarray]) -> None:
    """A result beside the exact one: equal, or within a few units in the last place."""
    assert tuple(result.shape) == exact.shape
    got, dtype = array(result), result.dtype.name
    if dtype not in FLOATS:
        assert np.array_equal(got, _as_integers(exact, got.dtype))
        return
    full = dtype in ("float32", "float64")
    ulps = LOOSE.get(name, 4) if full else 4 if name in LOOSE else 1
    size = np.abs(exact)
    if name in LOOSE:
        # Terms cancel in these: errors are measured against the greatest of them.
        terms = [np.abs(x[np.isfinite(x)]).max(initial=0) for x in (*inputs, exact) if x.size]
        size = np.maximum(size, max(terms, default=0))
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype).astype(np.float64)
        near = np.abs(got.astype(np.float64) - exact) <= ulps * EPSILON[dtype] * size + TINY[dtype]
    same = (got == rounded) | (np.isnan(got) & np.isnan(exact))
    assert (near | same).all(), f"{dtype}: got {got}, exact {exact}"


def _as_integers(exact: np.ndarray, dtype: Any) -> np.ndarray:
    """Exact integers, wrapped around as the dtype does."""
    return exact.astype(bool if dtype.kind == "b" else np.int64).astype(dtype)


def test_alpha_meets_the_dtype_of_the_result() -> None:
    x, mask = gleed.tensor([1.0, 2.0]), gleed.tensor([True, False])
    assert gleed.add(x, mask, alpha=2.5).tolist() == [3.5, 2.0]
    assert gleed.sub(mask.int(), mask, alpha=3).tolist() == [-2, 0]
    assert gleed.rsub(mask, x, alpha=0.5).tolist() == [0.5, 2.0]
    assert gleed.add(x.half(), 2, alpha=1.5).dtype is gleed.float16
