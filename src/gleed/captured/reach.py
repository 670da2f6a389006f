"""What Python state a function can reach: variables, attributes, containers.

A captured program is right only as long as what the function read from Python is what it was. So
everything that its code can name is looked up, from its variables on: global names and closures,
then attributes with names that the code mentions, items of containers, and in the same way the
functions and methods it leads to. Each such place is a `Cell`; before the program runs again every
cell must hold what it did. Code of the standard library and of gleed's own operations is taken to
be constant.
"""

from __future__ import annotations

import dis
import os
import re
import sys
import types
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache, partial, partialmethod
from typing import Any, NamedTuple

from gleed import _C
from gleed._C import Tensor
from gleed.autograd import Function
from gleed.captured.clocks import is_clock
from gleed.captured.errors import Unfollowed
from gleed.captured.holders import (
    SEQUENCES,
    Snapshot,
    is_source,
    named_in,
    parts,
    shows_all,
    state_of,
    variables_of,
)
from gleed.captured.memory import place_of
from gleed.captured.structure import Fixed, contents

MISSING = object()
_LIMIT = 100_000  # cells
_HEAP_TYPE = 1 << 9  # the flag of classes made by Python code
# Code of gleed that reads the attributes of its objects as a user's would.
_LIBRARY = ("gleed.nn", "gleed.optim", "gleed.amp", "gleed.utils", "gleed.func")
_WIDENING = ("getattr", "vars", "__dict__", "__getattr__", "__getattribute__", "globals", "locals")
_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL")
# Methods of users' classes that run without being named.
_IMPLICIT = re.compile(r"__\w+__")
_UNUSED = {
    *("__repr__", "__str__", "__format__", "__del__", "__copy__", "__deepcopy__", "__reduce__"),
    *("__reduce_ex__", "__getstate__", "__setstate__", "__init_subclass__"),
}
_MAKING = {"__init__", "__new__", "__post_init__"}  # only where the class itself is reached
_OF_FUNCTIONS = ("forward", "backward", "setup_context", "jvp", "vmap")
_MODULE_NAMES = ("forward", "training", "_call_hooked", "_members", "_hooked")


class Cell(NamedTuple):
    """One place of Python's state. kind: how `holder` is asked for `key`."""

    # "item" and "keys" of a dict, "index" and "length" of a list, "attribute", "content" of a
    # closure, "type" of an object, "code" of a function
    kind: str
    holder: Any
    key: Any
    path: str  # as a user would write it

    def get(self) -> Any:
        """What the place holds now."""
        if self.kind == "item":
            return self.holder.get(self.key, MISSING)
        if self.kind == "attribute":
            return getattr(self.holder, self.key, MISSING)
        if self.kind == "index":
            return self.holder[self.key] if self.key < len(self.holder) else MISSING
        if self.kind == "length":
            return len(self.holder)
        if self.kind == "keys":
            return tuple(self.holder)
        if self.kind == "type":
            return type(self.holder)
        if self.kind == "code":
            return self.holder.__code__
        try:
            return self.holder.cell_contents
        except ValueError:
            return MISSING


class Reached:
    """The cells that a function reaches, what they held, and the tensors among that."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.held: list[Any] = []
        self.tensors: dict[int, tuple[Any, int]] = {}  # by id: it, its cell
        # The variables of modules whose code calls len().
        self.measuring: list[dict[str, Any]] = []
        # Numbers by identity, with their cell, that nobody uses but to hand them to operations.
        self.numbers: dict[int, int] = {}
        # The cells whose tensor is in others too: one input cannot be two tensors.
        self.shared: set[int] = set()
        # What the call itself must not change, beside the cells: how to ask for it, what it was.
        self.watched: list[tuple[str, Callable[[], Any], Any]] = []
        self.clocks: list[tuple[dict[str, Any], str]] = []  # variables of these

    def changed(self) -> Cell | None:
        """The first cell that holds something else now. Another tensor is another input; whether
        the program is for it the plan tells."""
        followed = set(self.numbers.values())
        for i, (cell, before) in enumerate(zip(self.cells, self.held, strict=True)):
            now = cell.get()
            if i in self.shared and now is not before:
                return cell
            if not (same(before, now) or (i in followed and type(now) is float)):
                return cell
        return None

    def assigned(self) -> str | None:
        """The first place that was assigned, if only another tensor."""
        for cell, before in zip(self.cells, self.held, strict=True):
            now = cell.get()
            if not same(before, now) or (isinstance(before, Tensor) and now is not before):
                return cell.path
        for path, ask, before in self.watched:
            now = ask()
            if isinstance(now, dict) and (other := _other_item(before, now)) is not None:
                return f"{path}.{other}"
            if not isinstance(now, dict) and now != before:
                return path
        return None

    def find_shared(self) -> None:
        """Find the tensors that are in several cells."""
        cells: dict[Any, list[int]] = {}
        for i, held in enumerate(self.held):
            if isinstance(held, Tensor):
                cells.setdefault(place_of(held), []).append(i)
        self.shared = {i for found in cells.values() if len(found) > 1 for i in found}


def _other_item(before: dict[Any, Any], now: dict[Any, Any]) -> Any:
    """The first key under which two dictionaries hold different objects, or None."""
    keys = dict.fromkeys((*now, *before))
    for key in keys:
        a, b = before.get(key, MISSING), now.get(key, MISSING)
        if a is not b and (isinstance(a, Tensor) or not same(a, b)):
            return key
    return None


def same(before: Any, now: Any) -> bool:
    """Whether a cell holds what it did: the object itself, or an equal number."""
    if before is now:
        return True
    if type(before) is not type(now):
        return False
    if isinstance(before, Tensor):
        return True
    if isinstance(before, tuple):
        return len(before) == len(now) and all(map(same, before, now))
    return Fixed(before) == Fixed(now)


def reach(function: Callable[..., Any], arguments: tuple[Any, ...] = ()) -> Reached:
    """Everything that a call of `function` can read from Python's state."""
    for everything in (False, True):
        walk = _Walk(everything)
        walk.visit(function, getattr(function, "__qualname__", type(function).__name__))
        for i, argument in enumerate(arguments):
            walk.argument(argument, f"argument {i}")
        walk.ask_again()
        if walk.names.isdisjoint(_WIDENING):
            break
    walk.find_numbers()
    walk.reached.find_shared()
    return walk.reached


class _Walk:
    """One walk, with the attributes that code names, or with everything. Code that is found late
    names attributes of what was seen early, so that is asked for them again."""

    def __init__(self, everything: bool) -> None:
        self.reached = Reached()
        self.names: set[str] = {*_MODULE_NAMES}
        self._everything = everything
        self._asked: set[str] = {*_MODULE_NAMES}  # the names that all that was seen is asked for
        self._askable: list[tuple[Callable[..., None], Any, str]] = []
        self._of_classes: dict[type, tuple[list[str], list[str]]] = {}
        self._seen: dict[int, Any] = {}
        self._classes: set[tuple[type, bool]] = set()
        self._codes: set[types.CodeType] = set()
        self._named_by_users: set[str] = set()
        self._floats: Counter[int] = Counter()  # how often each number was found, by its identity

    def ask_again(self) -> None:
        """Ask all that was seen for the attributes that code has named since."""
        while new := self.names - self._asked:
            self._asked |= new
            for look, value, path in self._askable[:]:
                look(value, path, new, False)

    def _ask(self, look: Callable[..., None], value: Any, path: str) -> None:
        """Look up what a value has under the names known so far, and later under others."""
        self._askable.append((look, value, path))
        look(value, path, self._asked, True)

    def find_numbers(self) -> None:
        """The learning rates of optimizers. These hand them to operations as they are, so another
        is but another number, unless code other than gleed's speaks of "lr", or the same object is
        used elsewhere: Python makes one object of equal literals."""
        if "lr" in self._named_by_users:
            return
        found: dict[int, list[int]] = {}
        pairs = zip(self.reached.cells, self.reached.held, strict=True)
        for i, (cell, held) in enumerate(pairs):
            is_group = cell.kind == "item" and cell.key == "lr" and "params" in cell.holder
            if is_group and type(held) is float:
                found.setdefault(id(held), []).append(i)
        self.reached.numbers = {k: cells[0] for k, cells in found.items() if self._floats[k] == 1}

    def visit(self, value: Any, path: str) -> None:
        """Look into what a cell holds."""
        if isinstance(value, Tensor):
            if value.__class__ is not Tensor:
                self._ask(self._attributes, value, path)
            for table in value._hook_tables():
                self._dict(table, f"the hooks of {path}")
            return
        if isinstance(value, float):
            self._floats[id(value)] += 1
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        state = state_of(value)
        if state is not None:
            self._watch(f"the state of {path}", state)
        elif isinstance(value, types.FunctionType):
            self._function(value, path)
        elif isinstance(value, types.MethodType):
            self.visit(value.__func__, path)
            self.visit(value.__self__, path.rpartition(".")[0] or path)
        elif isinstance(value, types.ModuleType):
            self._ask(self._module, value, path)
        elif isinstance(value, type):
            self._class(value, made=True)
        elif isinstance(value, (dict, list, tuple, *SEQUENCES)):
            if isinstance(value, dict):
                self._dict(value, path)
            else:
                self._sequence(value, path)
            if not _is_foreign(type(value)):
                self._object(value, path)
        elif _is_foreign(type(value)):
            self._foreign(value, path)
        else:
            self._object(value, path)

    def argument(self, value: Any, path: str) -> None:
        """Look into an argument. What containers hold is compared with that of every call."""
        held = contents(value)
        if held is not None:
            for item in held[1]:
                self.argument(item, path)
            if not _is_foreign(type(value)):
                self._class(type(value), made=False)
        elif value.__class__ is not Tensor or value._hook_tables():
            self.visit(value, path)

    def _watch(self, path: str, ask: Callable[[], Any]) -> None:
        self.reached.watched.append((path, ask, ask()))

    def _cell(self, kind: str, holder: Any, key: Any, path: str, look: bool = True) -> None:
        """Note a cell; `look` into what it holds."""
        if len(self.reached.cells) >= _LIMIT:
            raise Unfollowed(
                f"a captured function must not reach more than {_LIMIT:,} Python variables",
                "pass long lists as tensors",
            )
        cell = Cell(kind, holder, key, path)
        value = cell.get()
        if isinstance(value, Tensor):
            self.reached.tensors.setdefault(id(value), (value, len(self.reached.cells)))
        if kind == "item" and is_clock(value):
            self.reached.clocks.append((holder, key))
        self.reached.cells.append(cell)
        self.reached.held.append(value)
        if look and kind not in ("keys", "length", "type", "code"):
            self.visit(value, path)

    # ---- code
    def _function(self, function: types.FunctionType, path: str) -> None:
        if function is os.getenv:
            self.visit(os.environ, "os.environ")
        if _is_constant(function.__module__):
            return
        library = (function.__module__ or "").startswith("gleed")
        self._code(function.__code__, None if library else function.__globals__)
        if not library:
            self._cell("code", function, function.__defaults__, path)
            self._ask(self._attributes, function, path)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            self._cell("content", cell, None, name)
        for i in range(len(function.__defaults__ or ())):
            self._cell("index", function.__defaults__, i, f"{path}.__defaults__[{i}]")
        if function.__kwdefaults__:
            self._cell("attribute", function, "__kwdefaults__", f"{path}.__kwdefaults__")
        if hasattr(function, "__wrapped__"):
            self.visit(function.__wrapped__, path)

    def _code(self, code: types.CodeType, variables: dict[str, Any] | None) -> None:
        if code in self._codes:
            return
        self._codes.add(code)
        # gleed's modules and optimizers name the attributes that they ask for.
        self.names.update(n for n in code.co_names if variables is not None or n not in _WIDENING)
        if variables is not None:
            self._named_by_users.update(code.co_names)
            self._named_by_users.update(c for c in code.co_consts if isinstance(c, str))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant, variables)
            elif isinstance(constant, str):
                self.names.add(constant)  # getattr(x, "name"), and keys
            elif isinstance(constant, float | tuple):
                self._literal(constant)
        if variables is not None:
            if "len" in _variables(code) and all(
                v is not variables for v in self.reached.measuring
            ):
                self.reached.measuring.append(variables)
            for name in _variables(code):
                # A name that is missing, or one of Python's own, may be given to a variable later.
                self._cell("item", variables, name, name)

    def _literal(self, value: Any) -> None:
        """Count the numbers in a constant of code."""
        if isinstance(value, float):
            self._floats[id(value)] += 1
        elif isinstance(value, tuple):
            for item in value:
                self._literal(item)

    # ---- objects
    # What is asked looks up some names; `first`: it has not been asked for any other.
    def _module(self, module: types.ModuleType, path: str, names: set[str], first: bool) -> None:
        constant = _is_constant(module.__name__) or module.__name__.startswith("gleed")
        wanted = names & self._named_by_users if constant else names
        for name in sorted(wanted & module.__dict__.keys()):
            value = module.__dict__[name]
            look = not constant or isinstance(value, types.ModuleType) or is_source(value)
            self._cell("item", module.__dict__, name, f"{path}.{name}", look)

    def _class(self, cls: type, made: bool) -> None:
        """A class; `made`: objects of it may be made."""
        for base in cls.__mro__:
            if (base, made) in self._classes or _is_foreign(base):
                continue
            self._classes.add((base, made))
            self._ask(partial(self._named_in_class, made), base, base.__name__)

    def _named_in_class(
        self, made: bool, cls: type, path: str, names: set[str], first: bool
    ) -> None:
        variables = variables_of(cls)
        library = cls.__module__.startswith("gleed")
        wanted = {name for name in self._wanted(variables, names, first) if not _implicit(name)}
        if first and not library:
            self._watch(path, lambda: dict(variables))
            self._cell("attribute", cls, "__bases__", f"the bases of {path}", look=False)
            wanted |= {n for n in variables if n == "__call__" or n in _called_by_engine(cls)}
            wanted |= {n for n, v in variables.items() if _implicit(n) and self._runs(n, v, made)}
        for name in [name for name in variables if name in wanted]:
            function = value = variables[name]
            if isinstance(value, staticmethod | classmethod):
                function = value.__func__
            elif isinstance(value, property):
                function = value.fget
            if isinstance(function, types.FunctionType):
                self._function(function, f"{path}.{name}")
            if isinstance(value, partialmethod):
                self._foreign(value, f"{path}.{name}")
            if not library or name == "forward":
                self._cell("item", variables, name, f"{path}.{name}", look=not library)
        if not library:
            # What a class inherits it may get of its own later.
            inherited = {n for base in cls.__mro__[1:-1] for n in base.__dict__}
            for name in sorted(inherited & names & {"forward", *self._named_by_users}):
                if name not in variables:
                    self._cell("item", variables, name, f"{path}.{name}")

    @staticmethod
    def _runs(name: str, value: Any, made: bool) -> bool:
        """Whether a method with a name of Python's may run although nobody names it."""
        is_code = isinstance(value, types.FunctionType | staticmethod | classmethod)
        return is_code and name not in _UNUSED and (made or name not in _MAKING)

    def _object(self, value: Any, path: str) -> None:
        self._cell("type", value, None, f"the class of {path}")
        self._class(type(value), made=False)
        self._ask(self._attributes, value, path)

    def _foreign(self, value: Any, path: str) -> None:
        """An object whose class is not written by users."""
        self.names.update(named_in(value))
        for suffix, part in parts(value):
            self.visit(part, path + suffix)
        snapshot = Snapshot.of(value)
        if snapshot is not None:
            self._cell("attribute", snapshot, "content", path)
        attributes = getattr(value, "__dict__", None)
        if type(attributes) is dict and shows_all(type(value)):
            self._dict(attributes, path)
        elif attributes and not _is_gleed(type(value)):
            self._ask(self._attributes, value, path)

    def _attributes(self, value: Any, path: str, names: set[str], first: bool) -> None:
        attributes = getattr(value, "__dict__", None)
        overridable, slots = self._of_class(type(value))
        if first and type(attributes) is dict:
            self._watch(path, lambda: dict(attributes))
        if type(attributes) is dict:
            members = attributes.get("_members", ()) if isinstance(value, _C.ModuleBase) else ()
            wanted = [
                name for name in self._wanted(attributes, names, first) if name not in members
            ]
            wanted += [name for name in members if first and name in attributes]
            # What the class has may be overridden in the object later.
            wanted += [name for name in overridable if name in names and name not in attributes]
            if self._has_getattr(type(value)):
                wanted += (names & self._named_by_users) - attributes.keys() - {*wanted}
            for name in wanted:
                self._cell("item", attributes, name, f"{path}.{name}")
        for name in self._wanted(slots, names, first):
            self._cell("attribute", value, name, f"{path}.{name}")

    @staticmethod
    def _has_getattr(cls: type) -> bool:
        """Whether code of a user's gives attributes that objects have not."""
        return not _is_gleed(cls) and any("__getattr__" in b.__dict__ for b in cls.__mro__)

    def _of_class(self, cls: type) -> tuple[list[str], list[str]]:
        """The names in a class that its objects may override, and those of their slots."""
        found = self._of_classes.get(cls)
        if found is None:
            overridable: dict[str, None] = {}
            slots: dict[str, None] = {}
            for base in cls.__mro__:
                for name, value in base.__dict__.items():
                    if not callable(value) or name == "forward":
                        overridable[name] = None
                own = base.__dict__.get("__slots__", ())
                slots |= dict.fromkeys((own,) if isinstance(own, str) else own)
            found = self._of_classes[cls] = [*overridable], [*slots]
        return found

    def _wanted(self, present: Collection[str], names: set[str], first: bool) -> list[str]:
        """Those of the names present that are asked for now."""
        if self._everything:
            return list(present) if first else []
        return [name for name in present if name in names]

    # ---- containers
    def _dict(self, value: dict[Any, Any], path: str) -> None:
        self._cell("keys", value, None, f"the keys of {path}")
        for key in list(value):
            shown = os.fsdecode(key) if isinstance(key, bytes) else key
            shown = shown if isinstance(shown, str | int) else "…"
            self._cell("item", value, key, f"{path}[{shown!r}]")

    def _sequence(self, value: Any, path: str) -> None:
        if isinstance(value, SEQUENCES):
            self._cell("keys", value, None, path)
            for item in value:
                self.visit(item, path)
            return
        self._cell("length", value, None, f"the length of {path}")
        for i in range(len(value)):
            self._cell("index", value, i, f"{path}[{i}]")


def _called_by_engine(cls: type) -> tuple[str, ...]:
    """The methods of a class that are run without anybody naming them."""
    return _OF_FUNCTIONS if issubclass(cls, Function) else ()


def _implicit(name: str) -> bool:
    """Whether a method's name is one that Python calls by itself; of calls code tells."""
    return name != "__call__" and _IMPLICIT.fullmatch(name) is not None


@lru_cache(4096)
def _variables(code: types.CodeType) -> tuple[str, ...]:
    """The names of a code that are variables of its module, and not attributes."""
    loads = (i.argval for i in dis.get_instructions(code) if i.opname in _LOADS)
    return tuple(dict.fromkeys(loads))


def _is_constant(module: str | None) -> bool:
    """Whether a module's code and variables are taken not to change."""
    name = module or ""
    if name.startswith("gleed"):
        return not name.startswith(_LIBRARY)
    root = name.partition(".")[0]
    # Code run by exec() in a namespace of its own says that it is of "builtins".
    own = root in ("__main__", "builtins")
    return (root in sys.stdlib_module_names and not own) or root == "numpy"


def _is_gleed(cls: type) -> bool:
    return (cls.__module__ or "").startswith("gleed")


def _is_foreign(cls: type) -> bool:
    """Whether a class is one whose code is taken not to change."""
    return not cls.__flags__ & _HEAP_TYPE or _is_constant(cls.__module__)
