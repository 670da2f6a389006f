"""Module: the base class of everything that has parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn, Self

import gleed
from gleed import Tensor
from gleed._C import ModuleBase
from gleed.errors import ArgumentError, RangeError
from gleed.nn import members
from gleed.nn.convert import conversion
from gleed.nn.error_path import annotate
from gleed.nn.hooks import Hooks
from gleed.nn.members import BUFFER, MODULE, PARAMETER, MembersOfKind
from gleed.nn.parameter import Buffer, Parameter
from gleed.nn.state_dict import StateDict


class Module(StateDict, Hooks, ModuleBase):
    """The base class of layers and models.

    A subclass calls `super().__init__()`, assigns its parameters, buffers and submodules to
    attributes, and defines `forward`. Calling the module runs `forward`, and the hooks where there
    are any.

    >>> import gleed
    >>> from gleed import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.out = nn.Linear(8, 2)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).relu())
    >>> net = Net()
    >>> net
    Net(
      (hidden): Linear(in_features=4, out_features=8, bias=True)
      (out): Linear(in_features=8, out_features=2, bias=True)
    )
    >>> net(gleed.zeros(3, 4)).shape
    gleed.Size([3, 2])
    """

    dump_patches: ClassVar[bool] = False
    # The version of the layout of this class's state, for `_load_from_state_dict` of a subclass.
    _version: ClassVar[int] = 1

    _parameters = MembersOfKind(PARAMETER)
    _buffers = MembersOfKind(BUFFER)
    _modules = MembersOfKind(MODULE)

    training: bool
    _members: dict[str, str]
    _non_persistent_buffers_set: set[str]

    def __init__(self) -> None:
        attributes = self.__dict__
        attributes["training"] = True
        attributes["_members"] = {}
        attributes["_non_persistent_buffers_set"] = set()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__getattr__" in cls.__dict__:
            # Such a class calls `super().__getattr__`. The method is added only for its sake: a
            # type that has one reads all attributes, and is called, more slowly.
            Module.__getattr__ = object.__getattribute__  # type: ignore[attr-defined]

    def forward(self, *input: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__}: a module must define forward; "
            'it has none; add a method "def forward(self, input)"'
        )

    def _with_forward(self, run: Any) -> Self:
        """A module with all that this one has, whose forward is `run`, a captured call of this one.

        Both share one state: what is assigned, trained or loaded in one is so in the other.
        """
        kind = type(self)
        members = {
            "forward": lambda twin, *args, **kwargs: run(*args, **kwargs),
            "report": lambda twin, detail=False: run.report(detail),
            "_compiled": staticmethod(run),
            "_orig_mod": self,
            # Copies and pickles are of the module, captured anew.
            "__reduce_ex__": lambda twin, protocol: (Module._with_forward, (self, run)),
            "__module__": kind.__module__,
            "__doc__": kind.__doc__,
        }
        cls = type(kind.__name__, (kind,), members)
        twin: Self = cls.__new__(cls)  # type: ignore[call-overload]
        twin.__dict__ = self.__dict__
        return twin

    def compile(self, **options: Any) -> None:
        """Capture `forward` from now on, as `gleed.compile` does; `options` are those of it.

        >>> model = gleed.nn.Linear(2, 1)
        >>> model.compile()
        >>> model(gleed.ones(3, 2)).shape
        gleed.Size([3, 1])
        """
        object.__setattr__(self, "forward", gleed.compile(self.forward, **options))

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; parameters, buffers and modules are registered under its name."""
        kind = _kind_of(value)
        kinds = self.__dict__.get("_members")
        if kinds is None:
            if kind is not None:
                raise AttributeError(
                    f"{type(self).__name__}: a {kind} can be assigned only after Module.__init__; "
                    f'got "{name}"; call super().__init__() first'
                )
            object.__setattr__(self, name, value)
            return
        current = kinds.get(name)
        if current is None and kind is None:
            object.__setattr__(self, name, value)
        elif kind == PARAMETER or (kind is not None and current != PARAMETER):
            self._register(name, value, kind)
        elif value is None or (current == BUFFER and isinstance(value, Tensor)):
            self.__dict__[name] = value
        else:
            self._refuse(name, value, current)

    def _register(self, name: str, value: Any, kind: str) -> None:
        if isinstance(value, Buffer) and not value.persistent:
            self._non_persistent_buffers_set.add(name)
        members.store(self, name, value, kind)

    def _refuse(self, name: str, value: Any, kind: str | None) -> NoReturn:
        takes, fix = {
            PARAMETER: ("a Parameter", "wrap it: nn.Parameter(value)"),
            BUFFER: ("a tensor", "make it one: gleed.tensor(value)"),
            MODULE: ("a Module", "delete the attribute first to use its name for something else"),
        }[kind or MODULE]
        raise ArgumentError(
            f'{type(self).__name__}: the {kind} "{name}" takes {takes} or None; '
            f"got {_describe(value)}; {fix}"
        )

    def __delattr__(self, name: str) -> None:
        """Delete an attribute, of whatever kind it is."""
        if name in self._members:
            members.remove(self, name)
        else:
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        """The names that can be written after a dot."""
        return sorted(name for name in super().__dir__() if name.isidentifier())

    # Registration by name

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None keeps the name free for one.

        Raises KeyError if `name` is empty, has a dot or is taken; TypeError for any other type.
        """
        self._check_name(name, PARAMETER)
        if param is not None and not isinstance(param, Parameter):
            self._refuse(name, param, PARAMETER)
        members.store(self, name, param, PARAMETER)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer under `name`; `persistent=False` keeps it out of `state_dict`.

        Raises KeyError if `name` is empty, has a dot or is taken; TypeError for any other type.
        """
        self._check_name(name, BUFFER)
        if tensor is not None and not isinstance(tensor, Tensor):
            self._refuse(name, tensor, BUFFER)
        members.store(self, name, tensor, BUFFER)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under `name`.

        Raises KeyError if `name` is empty, has a dot or is taken; TypeError for any other type.
        """
        self._check_name(name, MODULE)
        if module is not None and not isinstance(module, Module):
            self._refuse(name, module, MODULE)
        members.store(self, name, module, MODULE)

    register_module = add_module

    def _check_name(self, name: str, kind: str) -> None:
        who = type(self).__name__
        kinds = self.__dict__.get("_members")
        if kinds is None:
            raise AttributeError(
                f"{who}: a {kind} can be registered only after Module.__init__; "
                f'got "{name}"; call super().__init__() first'
            )
        if not isinstance(name, str):
            raise ArgumentError(f"{who}: the name of a {kind} is a string; got {_describe(name)}")
        if not name or "." in name:
            raise KeyError(
                f"{who}: the name of a {kind} is not empty and has no dot, which separates the "
                f'names of a path; got "{name}"; write "{name.replace(".", "_") or kind}" instead'
            )
        if kinds.get(name) != kind and hasattr(self, name):
            raise KeyError(
                f'{who}: the name of a {kind} must be free; the attribute "{name}" already exists; '
                "choose another name"
            )

    # Iteration

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each with its path; parents first.

        >>> from gleed import nn
        >>> [path for path, _ in nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())).named_modules()]
        ['', '0', '1', '1.0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in members.named(self, MODULE):
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, parents first."""
        seen: set[Module] = set()
        pending: list[Module] = [self]
        while pending:
            module = pending.pop()
            if module in seen:
                continue
            if remove_duplicate:
                seen.add(module)
            yield module
            below = [child for _, child in members.named(module, MODULE) if child is not None]
            pending += reversed(below)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules one level below with their names, each module once."""
        seen = set()
        for name, module in members.named(self, MODULE):
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules one level below, each once."""
        for _, module in self.named_children():
            yield module

    def _named_tensors(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        below = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in below if recurse else [(prefix, self)]:
            for name, value in members.named(module, kind):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def _tensors(self, kind: str, recurse: bool) -> Iterator[Any]:
        """The tensors of one kind, in the order of `_named_tensors` but without the paths."""
        seen: set[int] = {id(None)}
        pending: list[Any] = [self]
        while pending:
            module = pending.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            attributes = module.__dict__
            below = []
            for name, found in attributes["_members"].items():
                if found == kind:
                    value = attributes[name]
                    if id(value) not in seen:
                        seen.add(id(value))
                        yield value
                elif found == MODULE and recurse:
                    below.append(attributes[name])
            below.reverse()
            pending += below

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their paths, of this module and (`recurse`) of all below it.

        >>> from gleed import nn
        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 3), nn.ReLU()).named_parameters()]
        ['0.weight', '0.bias']
        """
        return self._named_tensors(PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and (`recurse`) of all below it, each once."""
        return self._tensors(PARAMETER, recurse)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths, of this module and (`recurse`) of all below it."""
        return self._named_tensors(BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and (`recurse`) of all below it, each once."""
        return self._tensors(BUFFER, recurse)

    # Lookup by path

    def get_submodule(self, target: str) -> Module:
        """The module at the path `target`, such as `"encoder.0"`; itself for an empty path.

        Raises AttributeError if there is none.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            parent = module
            module = getattr(parent, name, None)
            if not isinstance(module, Module):
                names = ", ".join(name for name, _ in parent.named_children()) or "none"
                raise AttributeError(
                    f'get_submodule: every part of the path must be a submodule; "{name}" of '
                    f'"{target}" is none of {type(parent).__name__}; its submodules: {names}'
                )
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the path `target`. Raises AttributeError if there is none."""
        return self._get_member(target, PARAMETER)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the path `target`. Raises AttributeError if there is none."""
        return self._get_member(target, BUFFER)

    def _get_member(self, target: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if module._members.get(name) != kind:
            names = ", ".join(name for name, _ in members.named(module, kind)) or "none"
            raise AttributeError(
                f'get_{kind}: the path must end in a {kind}; "{name}" of "{target}" is none of '
                f"{type(module).__name__}; its {kind}s: {names}"
            )
        return getattr(module, name)

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at the path `target`; with `strict` there must be one to replace."""
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict:
            parent.get_submodule(name)
        if not name or not isinstance(module, Module):
            raise RangeError(
                "set_submodule: takes a path that is not empty and a Module; "
                f'got "{target}" and {_describe(module)}'
            )
        setattr(parent, name, module)

    # Modes

    def train(self, mode: bool = True) -> Self:
        """Set the training mode of this module and all below it; dropout acts only in training."""
        if not isinstance(mode, bool):
            raise RangeError(
                f"train: mode is True or False; got {_describe(mode)}; "
                "to train, call your own training loop, not this method"
            )
        self.__dict__["training"] = mode
        for _, child in members.named(self, MODULE):
            if child is not None:
                child.train(mode)
        return self

    def eval(self) -> Self:
        """Leave the training mode; the same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether the parameters get gradients: `False` freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.detach_().zero_()

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module, children first; the usual way to initialise a model."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # Conversion

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the values of every parameter, gradient and buffer by `fn` of them."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        for _, parameter in members.named(self, PARAMETER):
            if parameter is not None:
                gradient = parameter.grad
                # The object stays the same, so an optimizer that holds it goes on training it.
                parameter.data = fn(parameter.data)
                if gradient is not None:
                    parameter.grad = fn(gradient.data).requires_grad_(gradient.requires_grad)
        for name, buffer in members.named(self, BUFFER):
            if buffer is not None:
                self.__dict__[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move the module to a device and convert its floating-point tensors to a dtype, in place.

        Called as `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)` or
        `to(memory_format=gleed.channels_last)`, which lays out the tensors of 4 dims.
        Raises TypeError for a dtype that is not floating-point or complex.

        >>> import gleed
        >>> gleed.nn.Linear(2, 1).to(gleed.float64).weight.dtype
        gleed.float64
        """
        return self._apply(conversion(*args, **kwargs))

    def cpu(self) -> Self:
        """Move the module to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Move the module to a GPU."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers, whatever their dtype, to `dst_type`."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self) -> Self:
        """Convert the floating-point parameters and buffers to float32."""
        return self.to(gleed.float32)

    def double(self) -> Self:
        """Convert the floating-point parameters and buffers to float64."""
        return self.to(gleed.float64)

    def half(self) -> Self:
        """Convert the floating-point parameters and buffers to float16."""
        return self.to(gleed.float16)

    def bfloat16(self) -> Self:
        """Convert the floating-point parameters and buffers to bfloat16."""
        return self.to(gleed.bfloat16)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move the module to a device without its values, which are then undefined."""
        return self._apply(lambda tensor: gleed.empty_like(tensor, device=device), recurse)

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        # Python's own refuses a type with a part in C; `__setstate__` restores that part.
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # A shallow copy must not share what says which members it has.
        self.__dict__["_members"] = self._members.copy()
        self.__dict__["_non_persistent_buffers_set"] = self._non_persistent_buffers_set.copy()
        self._hooked = self._has_hooks()

    # Text

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of the module's repr; a subclass defines it."""
        return ""

    def __repr__(self) -> str:
        """The module and all below it, one a line."""
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = members.named(self, MODULE)
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        lines += [f"({name}): {indent(repr(module))}" for name, module in children]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"

    def _summary(self) -> str:
        """The module in a few words, for messages."""
        return f"{self._get_name()}({self.extra_repr()})"

    def _annotate_error(self, error: BaseException) -> None:
        # The core calls this when an error leaves a call of this module.
        annotate(error, self)


def indent(text: str) -> str:
    """Indent all lines but the first by two spaces."""
    return text.replace("\n", "\n  ")


def _kind_of(value: Any) -> str | None:
    if isinstance(value, Parameter):
        return PARAMETER
    if isinstance(value, Module):
        return MODULE
    return BUFFER if isinstance(value, Buffer) else None


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"{value!r} of type {type(value).__name__}" if value is not None else "None"
