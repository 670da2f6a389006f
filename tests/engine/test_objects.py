"""The ELF loader: what LLVM makes is loaded, what is damaged is refused, and nothing crashes."""

import random
import struct

import numpy as np
import pytest

from gleed import _C
from gleed.compiler import kernel as k
from gleed.compiler.emit import compile_variant

from .harness import ONE_TENSOR, op, tensor


@pytest.fixture(scope="module")
def compiled():
    """An object with constants of its own, so with relocations."""
    value = k.math("exp", k.load(0, "f32")) + k.math("sin", k.load(0, "f32"))
    ir = k.Kernel("f", (k.Operand("f32", "in"), k.Operand("f32", "out")), (), (k.Store(1, value),))
    return compile_variant(ir, k.Variant("map", "11"))


def test_a_good_object_is_loaded(compiled):
    code, symbol = compiled
    _C.check_object(code, symbol)


def test_a_symbol_must_exist(compiled):
    with pytest.raises(ValueError, match="no symbol nothing"):
        _C.check_object(compiled[0], "nothing")


def test_every_truncation_is_refused(compiled):
    code, symbol = compiled
    for length in [*range(0, 64), *range(64, len(code), 37)]:
        with pytest.raises(ValueError, match="cannot be loaded"):
            _C.check_object(code[:length], symbol)


def test_damaged_headers_are_refused(compiled):
    code, symbol = compiled
    for position in (0, 4, 5, 16, 18, 58):  # magic, class, byte order, type, machine, entry size
        damaged = bytearray(code)
        damaged[position] ^= 0xFF
        with pytest.raises(ValueError, match="cannot be loaded"):
            _C.check_object(bytes(damaged), symbol)


def test_random_damage_never_crashes(compiled):
    """Loading never runs the code, so whatever is damaged either loads or is refused."""
    code, symbol = compiled
    draw = random.Random(1)
    sections = struct.unpack_from("<Q", code, 40)[0]
    refused = 0
    for _ in range(1500):
        damaged = bytearray(code)
        for _ in range(draw.randint(1, 4)):
            low = draw.choice((0, 0, sections))
            at = draw.randrange(low, min(len(code), low + 1200))
            damaged[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        try:
            _C.check_object(bytes(damaged), symbol)
        except ValueError:
            refused += 1
    assert refused > 200


def test_damaged_objects_of_kernels_are_refused(compiled):
    kernel = _C.Kernel(object(), 1, lambda ir, orientation, strides: (b"\x7fELF", "f"))
    steps = (("alloc", 1, ()), ("kernel", kernel, (0,), 1, ((0, (0,)), (1, (0,))), ()))
    plan = _C.Plan(
        ((_C.float32, 1),), (("size", 0, 0),), (), ((_C.float32, (0,)),), steps, (1,), (), ()
    )
    f = op("f", ONE_TENSOR, lambda *_: plan)
    with pytest.raises(RuntimeError, match="the object cannot be loaded; it is truncated"):
        f(tensor(np.zeros(3, "f")))
