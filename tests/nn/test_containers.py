"""Containers: indexing, changing, repr and their errors."""

from collections import OrderedDict

import pytest

import gleed
from gleed import nn


def test_sequential_indexing_and_changing():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert net[-1].out_features == 1 and len(net) == 3
    assert [type(m).__name__ for m in net] == ["Linear", "ReLU", "Linear"]
    net[1] = nn.Tanh()
    assert repr(net[1:2]) == "Sequential(\n  (1): Tanh()\n)"
    net.append(nn.ReLU()).insert(0, nn.Identity()).extend([nn.Sigmoid()])
    assert list(dict(net.named_children())) == ["0", "1", "2", "3", "4", "5"]
    assert isinstance(net[0], nn.Identity) and isinstance(net[5], nn.Sigmoid)
    del net[0]
    assert isinstance(net.pop(-1), nn.Sigmoid) and len(net) == 4
    del net[2:]
    assert len(net) == 2
    assert len(net + net) == 4 and len(net * 2) == 4 and len(2 * net) == 4
    net *= 3
    assert len(net) == 6 and net[0] is net[4]
    net += [nn.ReLU()]
    assert len(net) == 7


def test_sequential_by_name():
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 2), act=nn.ReLU()))
    assert net.act is net[1]
    assert list(net.state_dict()) == ["first.weight", "first.bias"]
    assert net(gleed.ones(1, 2)).shape == (1, 2)
    net[0] = other = nn.Linear(2, 2)
    assert net.first is other


def test_sequential_calls_what_is_there_now():
    net = nn.Sequential(nn.Identity())
    net._modules["0"] = nn.Flatten(0)
    assert net(gleed.ones(2, 2)).shape == (4,)


def test_module_list():
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers.append(nn.ReLU())
    assert len(list(layers.parameters())) == 6
    assert isinstance(layers[1:], nn.ModuleList) and len(layers[1:]) == 3
    assert len(layers + nn.ModuleList([nn.ReLU()])) == 5
    layers += [nn.Tanh()]
    layers.insert(-1, nn.Identity())
    assert repr(layers) == (
        "ModuleList(\n"
        "  (0-2): 3 x Linear(in_features=1, out_features=1, bias=True)\n"
        "  (3): ReLU()\n  (4): Identity()\n  (5): Tanh()\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"
    assert isinstance(layers.pop(4), nn.Identity) and isinstance(layers.pop(), nn.Tanh)


def test_module_dict():
    modules = nn.ModuleDict([("a", nn.Linear(1, 2)), ["b", nn.ReLU()]])
    modules["c"] = nn.Tanh()
    modules.update({"b": nn.Sigmoid()})
    modules.update(nn.ModuleDict({"d": nn.ReLU()}))
    assert list(modules) == list(modules.keys()) == ["a", "b", "c", "d"]
    assert "c" in modules and len(modules) == 4 and len(list(modules.values())) == 4
    assert isinstance(modules["b"], nn.Sigmoid)
    assert list(modules.state_dict()) == ["a.weight", "a.bias"]
    assert isinstance(modules.pop("c"), nn.Tanh)
    del modules["d"]
    assert [name for name, _ in modules.items()] == ["a", "b"]
    modules.clear()
    assert repr(modules) == "ModuleDict()"
    with pytest.raises(KeyError):
        modules["a"]


def test_parameter_list():
    weights = nn.ParameterList([gleed.ones(2), nn.Parameter(gleed.ones(3)), "text"])
    assert [p.shape for p in weights.parameters()] == [(2,), (3,)]
    weights[0] = gleed.ones(5)
    assert isinstance(weights[0], nn.Parameter) and len(weights) == 3
    assert weights.pop() == "text" and len(weights[:1]) == 1
    weights += [gleed.ones(1)]
    assert list(weights.state_dict()) == ["0", "1", "2"]
    assert repr(weights[:2]) == (
        "ParameterList(\n"
        f"    (0): Parameter containing: [{gleed.float32} of size 5]\n"
        f"    (1): Parameter containing: [{gleed.float32} of size 3]\n)"
    )


def test_parameter_dict():
    weights = nn.ParameterDict({"a": gleed.ones(2), "b": nn.Parameter(gleed.ones(3))})
    weights["c"] = gleed.ones(1)
    assert [name for name, _ in weights.named_parameters()] == ["a", "b", "c"]
    assert list(weights.keys()) == ["a", "b", "c"] and len(weights.values()) == 3
    assert weights.get("z") is None and weights.setdefault("a") is weights["a"]
    assert list(reversed(weights)) == ["c", "b", "a"] and "b" in weights
    assert weights.popitem()[0] == "c" and weights.pop("b").shape == (3,)
    merged = weights | nn.ParameterDict({"d": gleed.ones(1)})
    assert list(merged) == ["a", "d"] and merged["a"] is weights["a"]
    weights |= merged
    assert len(weights) == 2
    weights.clear()
    assert len(weights) == 0 and not list(weights.parameters())
    with pytest.raises(KeyError):
        weights["a"]
    with pytest.raises(KeyError, match="the dictionary is empty"):
        weights.popitem()


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (
            lambda: nn.Sequential(nn.ReLU())[3],
            IndexError,
            "Sequential: the index must be from -1 to 0; index 3 is out of range; it has 1 entries",
        ),
        (
            lambda: nn.ModuleList([nn.ReLU()])["a"],
            TypeError,
            "ModuleList: the index is an integer or a slice; got 'a' of type str; "
            "reach an entry with a name as an attribute",
        ),
        (
            lambda: nn.Sequential(3),
            TypeError,
            'Sequential: the module "0" takes a Module or None; got 3 of type int; '
            "delete the attribute first to use its name for something else",
        ),
        (
            lambda: nn.Sequential() + nn.ReLU(),
            TypeError,
            "Sequential: + joins two Sequentials; got ReLU; append(module) adds a single module",
        ),
        (
            lambda: nn.Sequential() * 0,
            TypeError,
            "Sequential: * takes how often to repeat, an integer from 1; got 0; "
            "an empty Sequential is nn.Sequential()",
        ),
        (
            lambda: nn.ModuleList()(1),
            NotImplementedError,
            "ModuleList: a list of modules cannot be called; it has no forward; "
            "call its modules in a loop, or use Sequential",
        ),
        (
            lambda: nn.ModuleDict()(1),
            NotImplementedError,
            "ModuleDict: a dictionary of modules cannot be called; it has no forward; "
            'call one of its modules: modules["name"](input)',
        ),
        (
            lambda: nn.ModuleDict([3]),
            TypeError,
            "ModuleDict: takes a mapping, or pairs of a name and a value; entry 0 is int; "
            "write {name: value}",
        ),
        (
            lambda: nn.ParameterList(gleed.ones(1)),
            TypeError,
            "ParameterList: takes an iterable of parameters; got Tensor; "
            "for a single one use append",
        ),
        (
            lambda: nn.ParameterList()(1),
            NotImplementedError,
            "ParameterList: a list of parameters cannot be called; it has no forward; "
            "index it: parameters[0]",
        ),
        (
            lambda: nn.ParameterDict()(1),
            NotImplementedError,
            "ParameterDict: a dictionary of parameters cannot be called; it has no forward; "
            'read it: parameters["name"]',
        ),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act()
    assert caught.value.args[0] == text
