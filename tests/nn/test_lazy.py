"""Modules that read sizes off their first input."""

import copy

import pytest

import gleed
from gleed import nn
from gleed.errors import ShapeError

CASES = [
    (nn.LazyLinear(4), nn.Linear(5, 4), (2, 5)),
    (nn.LazyLinear(4, bias=False), nn.Linear(5, 4, bias=False), (5,)),
    (nn.LazyBatchNorm1d(), nn.BatchNorm1d(3), (4, 3)),
    (nn.LazyBatchNorm2d(affine=False), nn.BatchNorm2d(3, affine=False), (4, 3, 2, 2)),
    (nn.LazyBatchNorm3d(momentum=None), nn.BatchNorm3d(3, momentum=None), (4, 3, 2, 2, 2)),
    (
        nn.LazyInstanceNorm1d(),
        nn.InstanceNorm1d(3, affine=True, track_running_stats=True),
        (4, 3, 5),
    ),
    (nn.LazyInstanceNorm2d(1e-5, 0.1, False, False), nn.InstanceNorm2d(3), (4, 3, 2, 2)),
    (
        nn.LazyInstanceNorm3d(track_running_stats=False, bias=False),
        nn.InstanceNorm3d(3, affine=True, bias=False),
        (4, 3, 2, 2, 2),
    ),
    (nn.LazyConv1d(4, 3, groups=2), nn.Conv1d(6, 4, 3, groups=2), (2, 6, 5)),
    (nn.LazyConv2d(4, 3, 2, 1), nn.Conv2d(3, 4, 3, 2, 1), (2, 3, 5, 5)),
    (nn.LazyConv3d(4, 2, bias=False), nn.Conv3d(3, 4, 2, bias=False), (3, 4, 4, 4)),
    (nn.LazyConvTranspose1d(4, 3), nn.ConvTranspose1d(6, 4, 3), (2, 6, 5)),
    (
        nn.LazyConvTranspose2d(4, 3, groups=2),
        nn.ConvTranspose2d(6, 4, 3, groups=2),
        (2, 6, 5, 5),
    ),
    (nn.LazyConvTranspose3d(4, 2), nn.ConvTranspose3d(6, 4, 2), (2, 6, 3, 3, 3)),
]
IDS = [type(case[0]).__name__ for case in CASES]


@pytest.mark.parametrize(("lazy", "plain", "shape"), CASES, ids=IDS)
def test_becomes_the_plain_module(lazy, plain, shape):
    lazy, other = copy.deepcopy(lazy), copy.deepcopy(lazy)
    x = gleed.randn(shape)
    assert list(lazy.state_dict()) == list(plain.state_dict())
    given = lazy.has_uninitialized_params()
    assert given == bool([name for name in plain.state_dict() if name != "num_batches_tracked"])
    y = lazy(x)
    assert type(lazy) is type(plain) and repr(lazy) == repr(plain)
    assert y.shape == plain(x).shape
    shapes = {name: value.shape for name, value in plain.state_dict().items()}
    assert {name: value.shape for name, value in lazy.state_dict().items()} == shapes
    # A state may come before the first input.
    other.load_state_dict(lazy.state_dict())
    assert (other.eval()(x) == lazy.eval()(x)).all() and type(other) is type(plain)
    gleed.manual_seed(1)
    fresh = copy.deepcopy(CASES[IDS.index("LazyConv2d")][0])
    fresh(gleed.zeros(1, 3, 5, 5))
    gleed.manual_seed(1)
    assert (fresh.weight == nn.Conv2d(3, 4, 3, 2, 1).weight).all()


def test_optimizers_keep_the_parameters():
    net = nn.Sequential(nn.LazyLinear(3).double(), nn.ReLU(), nn.LazyLinear(1).double())
    weight = net[0].weight
    assert repr(weight) == "<UninitializedParameter>"
    net(gleed.ones(2, 5, dtype=gleed.float64)).sum().backward()
    assert net[0].weight is weight and weight.dtype is gleed.float64
    assert type(weight) is nn.Parameter and weight.grad is not None


def test_messages():
    with pytest.raises(ShapeError) as caught:
        nn.LazyLinear(3).weight.shape  # noqa: B018
    assert str(caught.value) == (
        "UninitializedParameter: it has a shape only after the first call of its lazy module; it "
        "was asked for before; run a batch through the model first"
    )
    with pytest.raises(ShapeError) as caught:
        nn.LazyConv1d(4, 3, groups=2)(gleed.zeros(1, 3, 5))
    assert str(caught.value).splitlines()[0] == (
        "LazyConv1d: groups divide the channels; got groups=2 for 3 channels in and 4 out; choose "
        "a divisor"
    )

    class Forgetful(nn.modules.lazy.LazyModuleMixin, nn.Linear):
        def initialize_parameters(self, input):
            pass

    module = Forgetful(2, 3)
    module.weight = nn.UninitializedParameter()
    with pytest.raises(ShapeError) as caught:
        module(gleed.zeros(1, 2))
    assert str(caught.value).splitlines()[0] == (
        "Forgetful: initialize_parameters gives every parameter its shape; some have none "
        "afterwards; call materialize(shape) of each"
    )
