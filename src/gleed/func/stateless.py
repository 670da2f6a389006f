"""Modules as functions of their parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gleed
from gleed import Tensor, nn
from gleed.errors import ArgumentError
from gleed.nn.members import BUFFER, PARAMETER

Tensors = dict[str, Tensor]


def functional_call(
    module: nn.Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other parameters and buffers than its own.

    Args:
        module: what to call; it is left as it is.
        parameter_and_buffer_dicts: tensors by name, as `named_parameters` and `named_buffers` have
            them, in one dictionary or several. Those not named stay the module's own.
        args: the arguments, a tuple; anything else is the only one.
        kwargs: keyword arguments.
        tie_weights: whether a tensor that the module has under several names is replaced under all
            of them when it is under one.
        strict: whether all parameters and buffers must be named.

    What the module assigns to a named buffer is put into the dictionary.

    >>> import gleed
    >>> layer = gleed.nn.Linear(2, 1)
    >>> state = {"weight": gleed.ones(1, 2), "bias": gleed.zeros(1)}
    >>> gleed.func.functional_call(layer, state, gleed.tensor([3.0, 4.0]))
    tensor([7.])
    """
    given = parameter_and_buffer_dicts
    dicts: list[Any] = [given] if isinstance(given, Mapping) else list(given)
    named: dict[str, Any] = {}
    for state in dicts:
        for name, tensor in state.items():
            if name in named:
                raise ArgumentError(
                    f'functional_call: every name comes once; got "{name}" in two dictionaries; '
                    "leave one out"
                )
            named[name] = tensor
    places = _places(module, named, tie_weights, strict)
    positional = args if isinstance(args, tuple) else () if args is None else (args,)
    with _replaced(places, named, dicts):
        return module(*positional, **(kwargs or {}))


Place = tuple[str, dict[str, Any], str]  # a name in the state, the attributes that have it, its key


def _places(
    module: nn.Module, named: Mapping[str, Any], tie_weights: bool, strict: bool
) -> list[Place]:
    """Where the named tensors belong."""
    known: dict[str, tuple[dict[str, Any], str]] = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        attributes = part.__dict__
        for key, kind in attributes["_members"].items():
            if kind in (PARAMETER, BUFFER) and attributes[key] is not None:
                known[f"{prefix}.{key}" if prefix else key] = attributes, key
    unknown = [name for name in named if name not in known]
    if unknown:
        raise ArgumentError(
            f'functional_call: names are those of parameters and buffers; "{unknown[0]}" is none '
            f"of {type(module).__name__}; see named_parameters() and named_buffers()"
        )
    own = {name: attributes[key] for name, (attributes, key) in known.items()}
    twins: dict[int, list[str]] = {}
    for name, tensor in own.items():
        twins.setdefault(id(tensor), []).append(name)
    same = {name: twins[id(own[name])] if tie_weights else [name] for name in named}
    _check_twins(same, named)
    found = {twin: name for name in named for twin in same[name] if twin not in named}
    found |= {name: name for name in named}
    missing = [name for name in known if name not in found]
    if strict and missing:
        raise ArgumentError(
            "functional_call: with strict, all parameters and buffers are given; "
            f'"{missing[0]}" is missing; give it, or strict=False'
        )
    return [(name, *known[place]) for place, name in found.items()]


def _check_twins(same: Mapping[str, list[str]], named: Mapping[str, Any]) -> None:
    """Raise if one tensor of the module is to be two."""
    for name, twins in same.items():
        for twin in twins:
            if twin in named and named[twin] is not named[name]:
                raise ArgumentError(
                    f'functional_call: "{name}" and "{twin}" are one tensor; got two for them; '
                    "give one, or tie_weights=False"
                )


@contextmanager
def _replaced(places: list[Place], named: Mapping[str, Any], dicts: list[Any]) -> Iterator[None]:
    """Have other tensors at some places; what is assigned there meanwhile goes to `dicts`."""
    before = [attributes[key] for _, attributes, key in places]
    for name, attributes, key in places:
        attributes[key] = named[name]
    try:
        yield
    finally:
        for (name, attributes, key), tensor in zip(places, before, strict=True):
            now, attributes[key] = attributes[key], tensor
            for state in dicts:
                if now is not named[name] and name in state:
                    state[name] = now


def stack_module_state(models: Sequence[nn.Module]) -> tuple[Tensors, Tensors]:
    """The parameters and the buffers of several models of one kind, stacked: what `vmap` maps over
    to run an ensemble.

    Every tensor has a new first axis for the models; parameters are new leaves.

    >>> import gleed
    >>> models = [gleed.nn.Linear(2, 3) for _ in range(4)]
    >>> parameters, buffers = gleed.func.stack_module_state(models)
    >>> parameters["weight"].shape, buffers
    (gleed.Size([4, 3, 2]), {})
    """
    if not models:
        raise ArgumentError(
            "stack_module_state: there is at least one model; got none; pass a list of modules"
        )
    kinds = {type(model).__name__ for model in models}
    if len(kinds) > 1:
        raise ArgumentError(
            "stack_module_state: all models are of one class; got "
            f"{' and '.join(sorted(kinds))}; stack each kind on its own"
        )
    if len({model.training for model in models}) > 1:
        raise ArgumentError(
            "stack_module_state: all models train, or all evaluate; got both; call train() or "
            "eval() on each"
        )
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return _stacked(parameters), _stacked(buffers)


def _stacked(states: list[dict[str, Any]]) -> Tensors:
    """One dictionary of stacked tensors for several of single ones."""
    with gleed.no_grad():
        return {
            name: gleed.stack([state[name].detach() for state in states]).requires_grad_(
                tensor.requires_grad
            )
            for name, tensor in states[0].items()
        }
