"""`Tensor(...)`, `FloatTensor(...)` and the like."""

import numpy as np
import pytest

import gleed
from gleed.errors import ArgumentError

NAMED = {
    "FloatTensor": gleed.float32,
    "DoubleTensor": gleed.float64,
    "HalfTensor": gleed.float16,
    "BFloat16Tensor": gleed.bfloat16,
    "CharTensor": gleed.int8,
    "ShortTensor": gleed.int16,
    "IntTensor": gleed.int32,
    "LongTensor": gleed.int64,
    "ByteTensor": gleed.uint8,
    "BoolTensor": gleed.bool,
}


@pytest.mark.parametrize("name", NAMED)
def test_constructors_convert_copy_and_recognise(name):
    make, dtype = getattr(gleed, name), NAMED[name]
    data = np.array([[0, 1], [1, 0]])
    made = make(data)
    assert made.dtype is dtype and made.tolist() == data.tolist()
    data[0, 0] = 1
    assert made[0, 0].item() == 0
    assert make(2, 3).shape == (2, 3) and make().shape == (0,)
    assert isinstance(made, make) and isinstance(made, gleed.Tensor)
    others = [getattr(gleed, other) for other in NAMED if other != name]
    assert not any(isinstance(made, other) for other in others)


def test_tensor_takes_data_or_sizes():
    assert gleed.Tensor([1, 2]).dtype is gleed.float32
    assert gleed.Tensor(2, 3).shape == (2, 3)
    assert gleed.Tensor(gleed.Size([4])).shape == (4,)
    with pytest.raises(ArgumentError) as raised:
        gleed.Tensor([1], [2])
    assert str(raised.value) == (
        "Tensor: takes sizes as whole numbers, or one object with the data; got 2 arguments; "
        "put the data into one list"
    )


def test_questions():
    x = gleed.ones(2, 3)
    assert gleed.is_tensor(x) and not gleed.is_tensor([1])
    assert gleed.is_floating_point(x) and not gleed.is_floating_point(x.long())
    assert gleed.numel(x) == 6 and not gleed.is_complex(x)
