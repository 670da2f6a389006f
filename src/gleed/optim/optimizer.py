"""Optimizer: the base class, which keeps parameter groups and state."""

from __future__ import annotations

import copy
import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from gleed import Tensor, enable_grad, no_grad
from gleed.errors import ArgumentError, GleedError, RangeError
from gleed.hooks import HookTable, RemovableHandle


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


# As the default of an option it says that every parameter group must set the option.
required = _Required()

HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def with_step_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """The `step` of a subclass with the optimizer's step hooks around it."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        return self._run_hooked(step, args, kwargs)

    return hooked


class Optimizer:
    """The base class of optimizers.

    A subclass passes its options' defaults to `__init__` and defines either `_update(group)`, which
    trains the parameters of one group, or `step` itself.

    Args:
        params: parameters, or pairs of a name and a parameter, or dictionaries with "params" and
            the options that differ for them.
        defaults: the options of groups that do not set them.

    `param_groups` is a list of dictionaries, `state` has a dictionary for each parameter.
    """

    # Whether `step` was called; a scheduler that moves on before that skips its first value.
    _opt_called = False
    _optimizer_step_pre_hooks: HookTable
    _optimizer_step_post_hooks: HookTable

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._make_hook_tables()
        for group in self._as_groups(params):
            self.add_param_group(group)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "step" in cls.__dict__:
            cls.step = with_step_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def _make_hook_tables(self) -> None:
        for name in HOOK_TABLES:
            self.__dict__.setdefault(name, HookTable())

    def _as_groups(self, params: Any) -> list[Any]:
        who = type(self).__name__
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise ArgumentError(
                f"{who}: params is an iterable of tensors or of groups; got {_describe(params)}; "
                "pass model.parameters(), or [tensor] for a single one"
            )
        groups = list(params)
        if not groups:
            raise RangeError(
                f"{who}: there must be something to optimize; got an empty parameter list; "
                "an iterator such as model.parameters() is empty once it has been used"
            )
        return groups if isinstance(groups[0], dict) else [{"params": groups}]

    # Parameter groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: a dictionary with "params" and the options that differ from the defaults.

        Raises ArgumentError for what is no dictionary or no tensor, and RangeError for a tensor
        that is computed from others, or already in another group.
        """
        who = type(self).__name__
        if not isinstance(param_group, dict):
            raise ArgumentError(
                f"{who}: a parameter group is a dictionary; got {_describe(param_group)}; "
                'write {"params": parameters, "lr": 0.1}'
            )
        params = param_group["params"]
        if isinstance(params, set):
            raise ArgumentError(
                f"{who}: parameters need an order, by which their state is saved; got a set; "
                "pass a list"
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [p for p in params if isinstance(p, tuple)]
        if named:
            if len(named) < len(params):
                raise RangeError(
                    f"{who}: either all parameters of a group have names or none; "
                    f"got {len(named)} with and {len(params) - len(named)} without; "
                    "pass model.named_parameters() or model.parameters()"
                )
            param_group["param_names"] = [name for name, _ in params]
            params = [parameter for _, parameter in params]
        param_group["params"] = params
        self._check_params(params)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise RangeError(
                    f"{who}: every group needs a value of {name}; got a group without; "
                    f"pass {name}= to the optimizer, or set it in the group"
                )
            param_group.setdefault(name, default)
        self.param_groups.append(param_group)

    def _check_params(self, params: list[Any]) -> None:
        who = type(self).__name__
        for i, parameter in enumerate(params):
            if not isinstance(parameter, Tensor):
                raise ArgumentError(
                    f"{who}: only tensors can be optimized; parameter {i} is "
                    f"{_describe(parameter)}; pass model.parameters()"
                )
            if not (parameter.is_leaf or parameter.retains_grad):
                raise RangeError(
                    f"{who}: can't optimize a tensor that is computed from others (a non-leaf); "
                    f"parameter {i} of shape {tuple(parameter.shape)} is; "
                    "optimize what it is computed from, or parameter.detach().requires_grad_()"
                )
        here = {id(parameter) for parameter in params}
        if len(here) < len(params):
            warnings.warn(
                f"{who}: a parameter should appear once in a group; {len(params) - len(here)} "
                "appear again and would be updated more than once a step; remove the duplicates",
                stacklevel=4,
            )
        before = {id(p) for group in self.param_groups for p in group["params"]}
        if not here.isdisjoint(before):
            raise RangeError(
                f"{who}: some parameters appear in more than one parameter group; "
                f"{len(here & before)} of this group do; leave them out of one of the groups"
            )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.detach_().zero_()

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Train every parameter that has a gradient by one step.

        `closure`, if given, computes the loss and its gradients anew and returns the loss, which is
        returned.
        """
        self._opt_called = True
        if self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks:
            return self._run_hooked(Optimizer._step, (closure,) if closure else (), {})
        return self._step(closure)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                self._update(group)
        return loss

    def _run_hooked(self, step: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        for hook in tuple(self._optimizer_step_pre_hooks.values()):
            replaced = hook(self, args, kwargs)
            if replaced is not None:
                if not (isinstance(replaced, tuple) and len(replaced) == 2):
                    raise GleedError(
                        "register_step_pre_hook: a hook returns None or the pair (args, kwargs); "
                        f"{hook!r} returned {replaced!r}; return both, changed or not"
                    )
                args, kwargs = replaced
        result = step(self, *args, **kwargs)
        for hook in tuple(self._optimizer_step_post_hooks.values()):
            hook(self, args, kwargs)
        return result

    def _update(self, group: dict[str, Any]) -> None:
        raise NotImplementedError(
            f"{type(self).__name__}: an optimizer must say how it trains; it defines neither step "
            "nor _update; define step(self, closure=None)"
        )

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before every step.

        It returns None, or the pair (args, kwargs) to call `step` with.
        """
        return self._optimizer_step_pre_hooks.add(hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after every step."""
        return self._optimizer_step_post_hooks.add(hook)

    # State

    def state_dict(self) -> dict[str, Any]:
        """The state and the options, with parameters replaced by their numbers.

        "state" has the tensors kept for each parameter, "param_groups" the options of each group
        with "params", a list of numbers. The tensors are the optimizer's own, not copies.
        """
        for hook in tuple(self.__dict__["_optimizer_state_dict_pre_hooks"].values()):
            hook(self)
        numbers: dict[int, int] = {}
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers.setdefault(id(parameter), len(numbers))
        groups: list[dict[str, Any]] = []
        for group in self.param_groups:
            options = {name: value for name, value in group.items() if name != "params"}
            options["params"] = [numbers[id(parameter)] for parameter in group["params"]]
            groups.append(options)
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        packed = {"state": state, "param_groups": groups}
        for hook in tuple(self.__dict__["_optimizer_state_dict_post_hooks"].values()):
            replaced = hook(self, packed)
            packed = packed if replaced is None else replaced
        return packed

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the options that `state_dict()` returned, as copies.

        State tensors are converted to their parameter's dtype and device. Raises RangeError unless
        the groups have the same numbers of parameters, in the same order.
        """
        state_dict = dict(state_dict)
        for hook in tuple(self.__dict__["_optimizer_load_state_dict_pre_hooks"].values()):
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        saved = copy.deepcopy(state_dict["param_groups"])
        self._check_groups(saved)
        by_number: dict[int, Tensor] = {}
        groups: list[dict[str, Any]] = []
        for options, group in zip(saved, self.param_groups, strict=True):
            by_number.update(zip(options["params"], group["params"], strict=True))
            names = {"param_names": group["param_names"]} if "param_names" in group else {}
            groups.append({**names, **options, "params": group["params"]})
        state: dict[Any, Any] = defaultdict(dict)
        for number, value in state_dict["state"].items():
            parameter = by_number.get(number)
            key = number if parameter is None else parameter
            state[key] = _copy_state(value, parameter)
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in tuple(self.__dict__["_optimizer_load_state_dict_post_hooks"].values()):
            hook(self)

    def _check_groups(self, saved: list[dict[str, Any]]) -> None:
        here = [len(group["params"]) for group in self.param_groups]
        there = [len(group["params"]) for group in saved]
        if here != there:
            raise RangeError(
                "load_state_dict: the saved parameter groups must be those of this optimizer; "
                f"they have {there} parameters and this one has {here}; "
                "make the optimizer with the same model and groups as the saved one"
            )

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return self.__dict__["_optimizer_state_dict_pre_hooks"].add(hook, prepend=prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; its result may replace it."""
        return self.__dict__["_optimizer_state_dict_post_hooks"].add(hook, prepend=prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; its result may replace it."""
        return self.__dict__["_optimizer_load_state_dict_pre_hooks"].add(hook, prepend=prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return self.__dict__["_optimizer_load_state_dict_post_hooks"].add(hook, prepend=prepend)

    # Copies and text

    def __getstate__(self) -> dict[str, Any]:
        # Hooks belong to this object; a copy starts without.
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hook_tables()
        # A state saved before an option existed takes the option's default.
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        """The options of every group, sorted by name."""
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += ["", f"Parameter Group {i}"] if i else [f"Parameter Group {i}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def with_gradients(group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters of a group that have a gradient, and the gradients."""
    params, grads = [], []
    for parameter in group["params"]:
        gradient = parameter.grad
        if gradient is not None:
            params.append(parameter)
            grads.append(gradient)
    return params, grads


def check_option(who: str, name: str, value: Any, fix: str) -> None:
    """Raise RangeError unless `value` is a number from 0 on."""
    if not value >= 0:
        raise RangeError(f"{who}: {name} is a number from 0 on; got {value}; {fix}")


def refuse_differentiable(who: str, differentiable: bool) -> None:
    """Raise GleedError if gradients are to flow through the optimizer's steps."""
    if differentiable:
        raise GleedError(
            f"{who}: a step overwrites the parameters and is not differentiable; got "
            "differentiable=True; write the step in ordinary operations to differentiate through it"
        )


def _copy_state(value: Any, parameter: Tensor | None, key: Any = None) -> Any:
    if isinstance(value, Tensor):
        if parameter is not None and key != "step" and parameter.is_floating_point():
            value = value.to(dtype=parameter.dtype, device=parameter.device)
        return value.detach().clone()
    if isinstance(value, dict):
        return {k: _copy_state(v, parameter, k) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copy_state(v, parameter) for v in value)
    return copy.deepcopy(value)


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"{value!r} of type {type(value).__name__}"
