"""state_dict and load_state_dict: layout, differences, hooks, extra state, versions."""

import copy

import pytest

import gleed
from gleed import nn


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


def test_layout():
    state = net().state_dict()
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert next(iter(net().state_dict(prefix="model."))) == "model.0.weight"
    assert state._metadata == {path: {"version": 1} for path in ("", "0", "1", "2")}


def test_values_share_memory_and_are_detached():
    linear = nn.Linear(2, 3)
    state = linear.state_dict()
    assert state["weight"].data_ptr() == linear.weight.data_ptr()
    assert not state["weight"].requires_grad
    assert linear.state_dict(keep_vars=True)["weight"] is linear.weight


def test_destination_is_added_to():
    destination = {"there": 1}
    nn.Linear(2, 3).state_dict(destination=destination, prefix="a.")
    assert list(destination) == ["there", "a.weight", "a.bias"]
    assert list(nn.ReLU().state_dict(destination, "b.", False)) == ["there", "a.weight", "a.bias"]


def test_round_trip():
    source, target = net(), net()
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert result.missing_keys == [] and result.unexpected_keys == []
    x = gleed.ones(4, 2)
    assert (source(x) == target(x)).all()
    assert target[0].weight.data_ptr() != source[0].weight.data_ptr()
    assert target[0].weight.requires_grad and target[0].weight.is_leaf


def test_values_are_converted():
    target = nn.Linear(2, 3).double()
    target.load_state_dict(nn.Linear(2, 3).state_dict())
    assert target.weight.dtype == gleed.float64


def test_all_differences_are_listed():
    state = net().state_dict()
    del state["2.bias"]
    state["0.weight"] = gleed.ones(3)
    state["1.extra"] = state["3.weight"] = gleed.ones(1)
    state["0.bias"] = 5
    with pytest.raises(RuntimeError) as caught:
        net().load_state_dict(state)
    assert str(caught.value) == (
        "load_state_dict: keys and shapes must be those of Sequential. "
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "2.bias".\n'
        '\tUnexpected key(s) in state_dict: "3.weight", "1.extra".\n'
        f"\tsize mismatch for 0.weight: copying a param with shape {gleed.Size([3])} from "
        f"checkpoint, the shape in current model is {gleed.Size([3, 2])}.\n"
        '\t"0.bias" must be a tensor, but the state dict has a int.\n'
        "Build the module with the sizes of the checkpoint; "
        "strict=False ignores missing and unexpected keys"
    )


def test_not_strict():
    state = net().state_dict()
    del state["2.bias"]
    state["x"] = gleed.ones(1)
    result = net().load_state_dict(state, strict=False)
    assert result == (["2.bias"], ["x"])
    assert repr(result) == "_IncompatibleKeys(missing_keys=['2.bias'], unexpected_keys=['x'])"
    state["0.weight"] = gleed.ones(1)
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.weight"):
        net().load_state_dict(state, strict=False)


def test_not_a_mapping():
    with pytest.raises(TypeError) as caught:
        net().load_state_dict("model.safetensors")
    assert str(caught.value) == (
        "load_state_dict: takes a mapping from paths to tensors; got str; "
        "read the file first, with gleed.load(path)"
    )


def test_assign_puts_the_tensors_in_place():
    source, target = nn.Linear(2, 3).double(), nn.Linear(2, 3)
    target.weight.requires_grad_(False)
    target.load_state_dict(source.state_dict(), assign=True)
    assert target.weight.data_ptr() == source.weight.data_ptr()
    assert isinstance(target.weight, nn.Parameter) and target.weight.dtype == gleed.float64
    assert not target.weight.requires_grad and target.bias.requires_grad


def test_single_value_fits_a_scalar():
    holder = nn.Module()
    holder.scale = nn.Parameter(gleed.tensor(1.0))
    holder.load_state_dict({"scale": gleed.tensor([3.0])})
    assert holder.scale.item() == 3


def test_non_persistent_buffers_are_left_out():
    holder = nn.Module()
    holder.register_buffer("kept", gleed.ones(1))
    holder.register_buffer("left", gleed.ones(1), persistent=False)
    assert list(holder.state_dict()) == ["kept"]
    holder.load_state_dict({"kept": gleed.zeros(1)})
    holder.register_buffer("left", gleed.ones(1))
    assert list(holder.state_dict()) == ["kept", "left"]


class Counted(nn.Module):
    _version = 3

    def __init__(self):
        super().__init__()
        self.count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_extra_state():
    source, target = Counted(), Counted()
    source.count = 5
    state = source.state_dict()
    assert state == {"_extra_state": {"count": 5}}
    target.load_state_dict(state)
    assert target.count == 5
    with pytest.raises(RuntimeError, match='Missing key\\(s\\) in state_dict: "_extra_state"'):
        target.load_state_dict({})
    with pytest.raises(RuntimeError, match='Unexpected key\\(s\\) in state_dict: "_extra_state"'):
        nn.ReLU().load_state_dict(state)
    with pytest.raises(RuntimeError, match="get_extra_state is not defined; define it"):
        nn.ReLU().get_extra_state()
    with pytest.raises(RuntimeError, match="set_extra_state is not defined; define it"):
        nn.ReLU().set_extra_state(1)


def test_version_reaches_the_loader():
    seen = []

    class Changed(Counted):
        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            seen.append((prefix, local_metadata["version"]))
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    outer = nn.Sequential(Changed())
    outer.load_state_dict(outer.state_dict())
    assert seen == [("0.", 3)]


def test_hooks_around_saving_and_loading():
    model, calls = net(), []
    model.register_state_dict_pre_hook(lambda m, prefix, keep: calls.append(("before", prefix)))
    model[0].register_state_dict_post_hook(
        lambda m, state, prefix, metadata: state.update({prefix + "added": gleed.ones(1)})
    )
    state = model.state_dict()
    assert calls == [("before", "")] and "0.added" in state
    model.register_load_state_dict_pre_hook(
        lambda m, state, prefix, *rest: state.pop("0.added") and calls.append(m is model)
    )
    model.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    del state["2.bias"]
    assert model.load_state_dict(state).missing_keys == []
    assert calls[1] is True
    assert "0.added" in state


def test_hook_of_a_copy_is_bound_to_the_copy():
    model, seen = nn.ReLU(), []
    model.register_load_state_dict_pre_hook(lambda m, *rest: seen.append(m))
    other = copy.deepcopy(model)
    other.load_state_dict({})
    assert seen == [other]
