"""`Module.state_dict` and `Module.load_state_dict`: the state of a model by the paths of its
tensors.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from gleed import Tensor, no_grad
from gleed.errors import ArgumentError, GleedError
from gleed.hooks import RemovableHandle
from gleed.nn.hooks import TableOfHooks, hooks_of
from gleed.nn.members import BUFFER, MODULE, PARAMETER, named
from gleed.nn.parameter import Parameter

EXTRA_STATE = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class _IncompatibleKeys(_Keys):
    """What `load_state_dict` found: keys that the module misses, and keys it has no place for."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Short where all is well."""
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()


class StateDict:
    """The part of `Module` that saves and loads its state."""

    _members: dict[str, str]
    _non_persistent_buffers_set: set[str]
    _version: ClassVar[int]
    _state_dict_pre_hooks = TableOfHooks()
    _state_dict_hooks = TableOfHooks()
    _load_state_dict_pre_hooks = TableOfHooks()
    _load_state_dict_post_hooks = TableOfHooks()

    def get_extra_state(self) -> Any:
        """State beyond tensors, to be kept in `state_dict`; a subclass may define this."""
        raise GleedError(
            f"{type(self).__name__}: extra state needs both get_extra_state and set_extra_state; "
            "get_extra_state is not defined; define it"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise GleedError(
            f"{type(self).__name__}: extra state needs both get_extra_state and set_extra_state; "
            "set_extra_state is not defined; define it"
        )

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not StateDict.get_extra_state

    def _local_state(self) -> dict[str, Any]:
        """The tensors of this module itself that are saved."""
        tensors = named(self, PARAMETER) + [  # type: ignore[arg-type]
            (name, buffer)
            for name, buffer in named(self, BUFFER)  # type: ignore[arg-type]
            if name not in self._non_persistent_buffers_set
        ]
        return {name: tensor for name, tensor in tensors if tensor is not None}

    # Saving

    def state_dict(
        self,
        *args: Any,
        destination: Any = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> Any:
        """The parameters and persistent buffers by their paths, parents first.

        The tensors share the storage of the module's; they are detached from the graph unless
        `keep_vars`. With `destination` they are added to that dictionary, their keys after
        `prefix`.

        >>> from gleed import nn
        >>> list(nn.Sequential(nn.Linear(2, 3)).state_dict())
        ['0.weight', '0.bias']
        """
        if args:
            rest = (destination, prefix, keep_vars)[len(args) :]
            destination, prefix, keep_vars = args + rest
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in hooks_of(self, "_state_dict_pre_hooks"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in named(self, MODULE):  # type: ignore[arg-type]
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in hooks_of(self, "_state_dict_hooks"):
            replaced = hook(self, destination, prefix, local_metadata)
            destination = destination if replaced is None else replaced
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put the state of this module, without those below it, in `destination`."""
        for name, tensor in self._local_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    # Loading

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy the values of `state_dict` into the parameters and buffers.

        Args:
            state_dict: tensors by path, as `state_dict()` returns them. Values are converted to the
                dtype and device of what they are copied into.
            strict: raise if a key is missing or has no place. A wrong shape is always an error.
            assign: put the tensors themselves in place instead of copying their values.

        Returns:
            the missing and the unexpected keys.

        Raises:
            TypeError: `state_dict` is not a mapping.
            RuntimeError: keys or shapes differ; every difference is listed.

        >>> from gleed import nn
        >>> nn.Linear(2, 3).load_state_dict(nn.Linear(2, 3).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentError(
                "load_state_dict: takes a mapping from paths to tensors; "
                f"got {type(state_dict).__name__}; read the file first, with gleed.load(path)"
            )
        metadata = getattr(state_dict, "_metadata", {})
        keys = _IncompatibleKeys([], [])
        errors: list[str] = []
        with no_grad():
            self._load(OrderedDict(state_dict), "", metadata, strict, assign, keys, errors)
        if strict:
            errors[:0] = _key_errors(keys)
        if errors:
            who = type(self).__name__
            raise GleedError(
                f"load_state_dict: keys and shapes must be those of {who}. "
                f"Error(s) in loading state_dict for {who}:\n\t" + "\n\t".join(errors) + "\n"
                "Build the module with the sizes of the checkpoint; "
                "strict=False ignores missing and unexpected keys"
            )
        return keys

    def _load(
        self,
        state: Mapping[str, Any],
        prefix: str,
        metadata: Mapping[str, Any],
        strict: bool,
        assign: bool,
        keys: _IncompatibleKeys,
        errors: list[str],
    ) -> None:
        local_metadata = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local_metadata["assign_to_params_buffers"] = True
        self._load_from_state_dict(state, prefix, local_metadata, strict, *keys, errors)
        for name, module in named(self, MODULE):  # type: ignore[arg-type]
            if module is not None:
                below = f"{prefix}{name}."
                part = OrderedDict((k, v) for k, v in state.items() if k.startswith(below))
                module._load(part, below, metadata, strict, assign, keys, errors)
        for hook in hooks_of(self, "_load_state_dict_post_hooks"):
            hook(self, keys)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the state of this module, without those below it; differences go to the three lists.

        A subclass whose state changed between versions overrides it and reads
        `local_metadata["version"]`.
        """
        for hook in hooks_of(self, "_load_state_dict_pre_hooks"):
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        local = self._local_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, target in local.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            value = state_dict[key]
            problem = _mismatch(key, target, value)
            if problem:
                error_msgs.append(problem)
            elif assign:
                self._assign(name, target, value)
            else:
                target.copy_(value.reshape(target.shape))
        self._load_extra_state(state_dict, prefix, missing_keys, unexpected_keys)
        unexpected_keys += self._unplaced(state_dict, prefix, local)

    def _assign(self, name: str, target: Tensor, value: Tensor) -> None:
        if isinstance(target, Parameter) and not isinstance(value, Parameter):
            value = Parameter(value, requires_grad=target.requires_grad)
        setattr(self, name, value)

    def _load_extra_state(
        self, state: Any, prefix: str, missing_keys: list[str], unexpected_keys: list[str]
    ) -> None:
        key = prefix + EXTRA_STATE
        if type(self).set_extra_state is not StateDict.set_extra_state:
            if key in state:
                self.set_extra_state(state[key])
            else:
                missing_keys.append(key)
        elif key in state:
            unexpected_keys.append(key)

    def _unplaced(self, state: Any, prefix: str, local: dict[str, Any]) -> list[str]:
        """The keys after `prefix` that name no tensor of this module and nothing below it."""
        unplaced = []
        for key in state:
            if not key.startswith(prefix) or key == prefix + EXTRA_STATE:
                continue
            name, dot, _ = key[len(prefix) :].partition(".")
            known = self._members.get(name) == MODULE if dot else name in local
            if not known:
                unplaced.append(key)
        return unplaced

    # Hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's state is saved."""
        return self._state_dict_pre_hooks.add(hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after the state is saved.

        It may change `state_dict`.
        """
        return self._state_dict_hooks.add(hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook` before the module's state is loaded.

        It is given `module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs`, and may change `state_dict` and the lists.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        bound = WithModule(hook, self) if with_module else hook
        return self._load_state_dict_pre_hooks.add(bound)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after the module's state is loaded.

        Removing keys from the two lists of `incompatible_keys` forgives them.
        """
        return self._load_state_dict_post_hooks.add(hook)


class WithModule:
    """A hook that is given its module first. Copying the module copies this, bound to the copy."""

    def __init__(self, hook: Callable[..., Any], module: Any) -> None:
        self._hook = hook
        self._module = module

    def __call__(self, *args: Any) -> Any:
        """Call the hook."""
        return self._hook(self._module, *args)


def _mismatch(key: str, target: Tensor, value: Any) -> str | None:
    if not isinstance(value, Tensor):
        return f'"{key}" must be a tensor, but the state dict has a {type(value).__name__}.'
    # A single value may have been saved as one of shape (1,).
    if value.shape == target.shape or (target.ndim == 0 and tuple(value.shape) == (1,)):
        return None
    return (
        f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
        f"the shape in current model is {target.shape}."
    )


def _key_errors(keys: _IncompatibleKeys) -> list[str]:
    labels = ("Unexpected", keys.unexpected_keys), ("Missing", keys.missing_keys)
    return [
        f"{label} key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names) + "."
        for label, names in reversed(labels)
        if names
    ]
