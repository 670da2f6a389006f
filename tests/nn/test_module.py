"""Module: attributes and registration, iteration, modes, conversion, copies, text, error paths."""

import copy
import pickle
import weakref

import pytest

import gleed
from gleed import nn
from gleed.errors import ShapeError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.scale = nn.Parameter(gleed.ones(3))
        self.register_buffer("mean", gleed.zeros(3))
        self.register_buffer("scratch", gleed.zeros(2), persistent=False)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(3, 2, bias=False))

    def forward(self, x):
        return self.rest(self.first(x) * self.scale - self.mean)


class Holder(nn.Module):
    """A module that takes anything as its attributes."""


def names(pairs):
    return [name for name, _ in pairs]


# ---- attributes


def test_members_live_in_the_instance_dictionary():
    linear = nn.Linear(2, 3)
    assert vars(linear)["weight"] is linear.weight
    assert vars(linear)["bias"] is linear._parameters["bias"]


def test_views_write_through_to_attributes():
    net = Net()
    weight = nn.Parameter(gleed.zeros(3, 4))
    net.first._parameters["weight"] = weight
    assert net.first.weight is weight
    net._modules["first"] = other = nn.Linear(4, 3)
    assert net.first is other
    net._buffers["mean"] = mean = gleed.ones(3)
    assert net.mean is mean
    del net._parameters["scale"]
    assert not hasattr(net, "scale")
    with pytest.raises(KeyError):
        net._parameters["mean"]
    with pytest.raises(KeyError):
        del net._parameters["mean"]
    assert "mean" not in net._parameters and len(net._buffers) == 2


def test_views_can_be_replaced_and_copied():
    net = Net()
    net._modules = {"only": nn.ReLU()}
    assert names(net.named_children()) == ["only"]
    assert not hasattr(net, "rest")
    taken = copy.deepcopy(net._buffers)
    assert type(taken) is dict and list(taken) == ["mean", "scratch"]
    assert taken["mean"] is not net.mean
    assert repr(net._modules) == "{'only': ReLU()}"


def test_replica_by_its_dictionary_has_members_of_its_own():
    net = Net()
    replica = Net.__new__(Net)
    replica.__dict__ = net.__dict__.copy()
    replica._parameters = {"other": nn.Parameter(gleed.ones(1))}
    assert names(net.named_parameters(recurse=False)) == ["scale"]
    assert names(replica.named_parameters(recurse=False)) == ["other"]


def test_assignment_registers_by_type():
    holder = Holder()
    holder.a = nn.Parameter(gleed.ones(1))
    holder.b = nn.Linear(1, 1)
    holder.c = nn.Buffer(gleed.ones(1))
    holder.d = nn.Buffer(gleed.ones(1), persistent=False)
    holder.e = gleed.ones(1)
    assert names(holder.named_parameters(recurse=False)) == ["a"]
    assert names(holder.named_children()) == ["b"]
    assert names(holder.named_buffers()) == ["c", "d"]
    assert list(holder.state_dict()) == ["a", "c", "b.weight", "b.bias"]


def test_changing_the_kind_moves_the_name():
    holder = Holder()
    holder.register_buffer("x", gleed.ones(1), persistent=False)
    holder.y = nn.Parameter(gleed.ones(1))
    holder.x = nn.Parameter(gleed.ones(1))
    assert names(holder.named_parameters()) == ["y", "x"]
    assert not list(holder.buffers())
    holder.x = None
    assert holder.x is None and names(holder.named_parameters()) == ["y"]


def test_buffer_takes_a_plain_tensor():
    net = Net()
    net.mean = mean = gleed.ones(3)
    assert net._buffers["mean"] is mean


def test_deleting():
    net = Net()
    del net.scratch, net.scale, net.first
    net.plain = 3
    del net.plain
    assert list(net.state_dict()) == ["mean", "rest.1.weight"]
    assert not net._non_persistent_buffers_set


def test_override_of_getattr_reaches_the_default():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.module, name)

    assert Wrapper(nn.Linear(2, 3)).out_features == 3


def test_module_is_freed_without_the_garbage_collector():
    net = Net()
    net(gleed.zeros(1, 4))
    gone = weakref.ref(net)
    del net
    assert gone() is None


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (
            lambda: setattr(nn.Linear(2, 3), "weight", gleed.ones(2)),
            TypeError,
            'Linear: the parameter "weight" takes a Parameter or None; '
            "got a tensor of shape (2,); wrap it: nn.Parameter(value)",
        ),
        (
            lambda: setattr(Net(), "mean", 3),
            TypeError,
            'Net: the buffer "mean" takes a tensor or None; got 3 of type int; '
            "make it one: gleed.tensor(value)",
        ),
        (
            lambda: setattr(Net(), "first", 3),
            TypeError,
            'Net: the module "first" takes a Module or None; got 3 of type int; '
            "delete the attribute first to use its name for something else",
        ),
        (
            lambda: Net().register_parameter("p", gleed.ones(2)),
            TypeError,
            'Net: the parameter "p" takes a Parameter or None; got a tensor of shape (2,); '
            "wrap it: nn.Parameter(value)",
        ),
        (
            lambda: Net().register_parameter("a.b", None),
            KeyError,
            "Net: the name of a parameter is not empty and has no dot, which separates the names "
            'of a path; got "a.b"; write "a_b" instead',
        ),
        (
            lambda: Net().register_buffer("forward", None),
            KeyError,
            'Net: the name of a buffer must be free; the attribute "forward" already exists; '
            "choose another name",
        ),
        (
            lambda: Net().add_module(3, None),
            TypeError,
            "Net: the name of a module is a string; got 3 of type int",
        ),
        (
            lambda: nn.Parameter([1.0]),
            TypeError,
            "Parameter: data must be a tensor; got list; make one first, with gleed.tensor(data)",
        ),
        (
            lambda: Net().get_submodule("rest.x"),
            AttributeError,
            'get_submodule: every part of the path must be a submodule; "x" of "rest.x" is none of '
            "Sequential; its submodules: 0, 1",
        ),
        (
            lambda: Net().get_parameter("first.x"),
            AttributeError,
            'get_parameter: the path must end in a parameter; "x" of "first.x" is none of Linear; '
            "its parameters: weight, bias",
        ),
        (lambda: Net().missing, AttributeError, "'Net' object has no attribute 'missing'"),
        (
            lambda: Holder()(1),
            NotImplementedError,
            "Holder: a module must define forward; it has none; "
            'add a method "def forward(self, input)"',
        ),
        (
            lambda: Net().train(1),
            ValueError,
            "train: mode is True or False; got 1 of type int; "
            "to train, call your own training loop, not this method",
        ),
        (
            lambda: Net().to(gleed.int32),
            TypeError,
            "to: a module is converted to floating-point or complex dtypes only; got "
            f"{gleed.int32}; "
            f"to convert integer buffers too, use module.type({gleed.int32})",
        ),
        (
            lambda: Net().to(shape=3),
            TypeError,
            "to: takes a device, a dtype or a tensor; got the argument shape; leave it out",
        ),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act()
    assert caught.value.args[0] == text


def test_assignment_before_init():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError) as caught:
        Early()
    assert str(caught.value) == (
        "Early: a module can be assigned only after Module.__init__; "
        'got "layer"; call super().__init__() first'
    )


# ---- iteration and lookup


def test_iteration_orders_and_removes_duplicates():
    net = Net()
    net.again = net.first
    net.tied = net.scale
    assert names(net.named_modules()) == ["", "first", "rest", "rest.0", "rest.1"]
    everything = names(net.named_parameters(remove_duplicate=False))
    assert everything[:2] == ["scale", "tied"]
    assert everything[2:] == [
        *("first.weight", "first.bias", "rest.1.weight", "again.weight", "again.bias"),
    ]
    assert names(net.named_parameters()) == [
        *("scale", "first.weight", "first.bias", "rest.1.weight"),
    ]
    assert names(net.named_parameters(prefix="net", recurse=False)) == ["net.scale"]
    assert names(net.named_buffers()) == ["mean", "scratch"]
    assert names(net.named_children()) == ["first", "rest"]
    assert len(list(net.modules())) == 5 and len(list(net.children())) == 2
    assert next(net.parameters()).shape == (3,)


def test_lookup_by_path():
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("rest.1") is net.rest[1]
    assert net.get_parameter("rest.1.weight") is net.rest[1].weight
    assert net.get_buffer("mean") is net.mean
    net.set_submodule("rest.0", tanh := nn.Tanh())
    assert net.rest[0] is tanh
    with pytest.raises(AttributeError):
        net.set_submodule("rest.7", nn.Tanh(), strict=True)


def test_dir_lists_members_that_can_be_written_after_a_dot():
    listed = dir(nn.Sequential(nn.ReLU()))
    assert "forward" in listed and "training" in listed and "0" not in listed


# ---- modes and conversion


def test_modes():
    net = Net()
    assert net.eval() is net and not net.rest[1].training
    assert net.train() is net and net.rest[1].training
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_zero_grad():
    net = Net()
    net(gleed.ones(2, 4)).sum().backward()
    gradient = net.scale.grad
    net.zero_grad(set_to_none=False)
    assert net.scale.grad is gradient
    assert float(gradient.abs().sum()) == 0
    net.zero_grad()
    assert net.scale.grad is None


def test_apply_goes_children_first():
    visited = []
    Net().apply(lambda module: visited.append(type(module).__name__))
    assert visited == ["Linear", "ReLU", "Linear", "Sequential", "Net"]


def test_conversion_keeps_the_parameters():
    net = Net()
    net.register_buffer("count", gleed.tensor(3))
    weight = net.first.weight
    net(gleed.ones(2, 4)).sum().backward()
    net.double()
    assert net.first.weight is weight and weight.dtype == gleed.float64
    assert weight.grad.dtype == gleed.float64 and weight.requires_grad
    assert net.mean.dtype == gleed.float64 and net.count.dtype == gleed.int64
    assert net.to(gleed.ones(1)).mean.dtype == gleed.float32
    assert net.to("cpu", gleed.float16).mean.dtype == gleed.float16
    assert net.bfloat16().mean.dtype == gleed.bfloat16
    assert net.float().half().mean.dtype == gleed.float16
    assert net.to(dtype=gleed.float32).cpu().to(device="cpu").mean.dtype == gleed.float32
    assert net.type(gleed.float64).count.dtype == gleed.float64


# ---- copies


@pytest.mark.parametrize("make", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_deep_copies_are_independent(make):
    net = Net()
    other = make(net)
    x = gleed.ones(2, 4)
    assert (other(x) == net(x)).all()
    assert isinstance(other.scale, nn.Parameter) and other.scale is not net.scale
    with gleed.no_grad():
        other.first.weight.fill_(0)
    assert float(net.first.weight.detach().abs().sum()) > 0
    assert list(other.state_dict()) == list(net.state_dict())
    assert other.scale.requires_grad


def test_shallow_copy_shares_tensors_but_not_members():
    net = Net()
    other = copy.copy(net)
    other.extra = nn.Linear(1, 1)
    assert other.scale is net.scale and not hasattr(net, "extra")
    assert "extra" not in names(net.named_children())


def test_copy_keeps_hooks():
    linear = nn.Linear(1, 1)
    linear.register_forward_hook(lambda module, args, output: output * 0 + 7)
    assert copy.deepcopy(linear)(gleed.ones(1)).tolist() == [7.0]


def test_parameter_keeps_its_type_and_frozen_state():
    frozen = nn.Parameter(gleed.ones(2), requires_grad=False)
    for other in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert type(other) is nn.Parameter and not other.requires_grad
    assert nn.Parameter().shape == (0,)
    assert type(frozen + 1) is gleed.Tensor


# ---- text


def test_repr():
    class Multiline(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    net = Holder()
    net.lines = Multiline()
    net.none = None
    net.register_module("empty", None)
    assert repr(net) == (
        "Holder(\n  (lines): Multiline(\n    a=1\n    b=2\n  )\n  (empty): None\n)"
    )
    assert repr(nn.ReLU()) == "ReLU()"


# ---- where an error arose


def note_of(act):
    with pytest.raises(ShapeError) as caught:
        act()
    (note,) = caught.value.__notes__
    return note


class Failing(nn.Module):
    def forward(self, x):
        raise ShapeError("failing: on purpose; got it; leave it")


def test_error_names_the_path_once():
    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh(), Failing()))
    assert note_of(lambda: net(gleed.ones(1))) == "in 1.1: Failing()"


def test_error_path_through_a_list_that_is_not_called():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.ReLU(), Failing()])

        def forward(self, x):
            return self.layers[1](self.layers[0](x))

    assert note_of(lambda: Layers()(gleed.ones(1))) == "in layers.1: Failing()"


def test_error_of_a_single_module_names_its_sizes():
    assert note_of(lambda: nn.Linear(32, 4)(gleed.ones(2, 3))) == "in Linear(32 → 4)"


def test_errors_of_others_are_left_alone():
    class Other(nn.Module):
        def forward(self, x):
            raise LookupError("mine")

    with pytest.raises(LookupError) as caught:
        nn.Sequential(Other())(gleed.ones(1))
    assert not hasattr(caught.value, "__notes__")
