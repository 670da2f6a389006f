"""The hooks of a module: what runs before and after `forward`, and around its backward."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from gleed.errors import GleedError
from gleed.hooks import HookTable, RemovableHandle
from gleed.nn.backward_hooks import BackwardHooks


class TableOfHooks:
    """A hook table as an attribute of a module, made when it is first asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, module: Any, owner: type) -> Any:
        # From then on the table in the instance's dictionary is found first.
        return self if module is None else module.__dict__.setdefault(self._name, HookTable())


def hooks_of(module: object, name: str) -> tuple[Any, ...]:
    """The hooks that are in the table `name` of a module now."""
    return tuple(module.__dict__.get(name, {}).values())


# The tables whose hooks run around a call.
CALL_TABLES = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class CallHook(NamedTuple):
    """A hook of `forward` with the options it was registered with."""

    function: Callable[..., Any]
    with_kwargs: bool
    always_call: bool = False


class Hooks:
    """The part of `Module` that registers hooks and runs a call that has some."""

    _hooked: bool
    _forward_pre_hooks = TableOfHooks()
    _forward_hooks = TableOfHooks()
    _backward_pre_hooks = TableOfHooks()
    _backward_hooks = TableOfHooks()

    def _has_hooks(self) -> bool:
        return any(self.__dict__.get(name) for name in CALL_TABLES)

    def _add_call_hook(self, table: HookTable, hook: Any, prepend: bool) -> RemovableHandle:
        # From now on a call of the module goes through `_call_hooked`.
        self._hooked = True
        return table.add(hook, prepend=prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before every `forward`.

        What it returns, unless None, replaces the arguments. With `with_kwargs` it is called as
        `hook(module, args, kwargs)` and returns None or `(args, kwargs)`.
        """
        return self._add_call_hook(self._forward_pre_hooks, CallHook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after every `forward`.

        What it returns, unless None, replaces the output. With `with_kwargs` it is called as
        `hook(module, args, kwargs, output)`; with `always_call` after an error too, output None.

        >>> import gleed
        >>> linear = gleed.nn.Linear(2, 3)
        >>> handle = linear.register_forward_hook(lambda module, args, output: print(output.shape))
        >>> _ = linear(gleed.zeros(4, 2))
        gleed.Size([4, 3])
        >>> handle.remove()
        """
        entry = CallHook(hook, with_kwargs, always_call)
        return self._add_call_hook(self._forward_hooks, entry, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the gradients of the inputs are computed.

        What it returns, unless None, replaces `grad_output`, a tuple with one for each output.
        """
        return self._add_call_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` after the module's part of the backward.

        What it returns, unless None, replaces `grad_input`, a tuple with the gradient of each
        positional argument (None for those without one).
        """
        return self._add_call_hook(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def _call_hooked(self, *args: Any, **kwargs: Any) -> Any:
        """A call with all that hooks add to it. The core calls it while `_hooked` is set."""
        if not self._has_hooks():
            self._hooked = False
            return self.forward(*args, **kwargs)  # type: ignore[attr-defined]
        args, kwargs = self._run_pre_hooks(args, kwargs)
        backward = BackwardHooks.of(self)
        if backward is not None:
            args = backward.watch_inputs(args)
        pending = list(hooks_of(self, "_forward_hooks"))
        try:
            result = self.forward(*args, **kwargs)  # type: ignore[attr-defined]
            while pending:
                replaced = _run_forward_hook(pending.pop(0), self, args, kwargs, result)
                result = result if replaced is None else replaced
        except Exception:
            self._run_always_hooks(pending, args, kwargs)
            raise
        return result if backward is None else backward.watch_outputs(result)

    def _run_pre_hooks(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for hook in hooks_of(self, "_forward_pre_hooks"):
            if hook.with_kwargs:
                replaced = hook.function(self, args, kwargs)
                if replaced is None:
                    continue
                if not (isinstance(replaced, tuple) and len(replaced) == 2):
                    raise GleedError(
                        "register_forward_pre_hook: a hook with keyword arguments returns None or "
                        f"the pair (args, kwargs); {hook.function!r} returned {replaced!r}; "
                        "return both, changed or not"
                    )
                args, kwargs = replaced
            else:
                replaced = hook.function(self, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        return args, kwargs

    def _run_always_hooks(self, pending: list[CallHook], args: Any, kwargs: Any) -> None:
        for hook in pending:
            if not hook.always_call:
                continue
            try:
                _run_forward_hook(hook, self, args, kwargs, None)
            except Exception as error:
                # The error that the caller must see is the one that is already on its way.
                warnings.warn(
                    f"register_forward_hook: a hook with always_call failed: {error!r}",
                    stacklevel=2,
                )


def _run_forward_hook(hook: CallHook, module: Any, args: Any, kwargs: Any, result: Any) -> Any:
    if hook.with_kwargs:
        return hook.function(module, args, kwargs, result)
    return hook.function(module, args, result)
