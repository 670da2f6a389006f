"""`tf.flags`: arguments of the command line.

>>> DEFINE_integer("batch_size", 32, "Examples in a batch.")
>>> FLAGS(["train.py", "--batch_size=64", "rest"]), FLAGS.batch_size
(['train.py', 'rest'], 64)
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.graph.data import advice

_TRUE, _FALSE = ("1", "t", "true", "yes"), ("0", "f", "false", "no")


class _Flags:
    """The values of all flags, which are read when the first is asked for."""

    def __init__(self) -> None:
        self._parser = ArgumentParser(allow_abbrev=False)
        self._values: dict[str, Any] = {}
        self._switches: set[str] = set()
        self._parsed = False

    def __call__(self, argv: Sequence[str]) -> list[str]:
        """Read the flags among the arguments; returns the others."""
        # A truth value alone would take the argument behind it for its own.
        given = [f"{word}=true" if word in self._switches else word for word in argv[1:]]
        found, rest = self._parser.parse_known_args(given)
        self._values |= vars(found)
        self._parsed = True
        return [argv[0], *rest]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if not self._parsed:
            self(sys.argv)
        if name not in self._values:
            raise AttributeError(f"flags: {name!r} was not defined; {advice(name, self._values)}")
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self._values[name] = value

    def define(self, name: str, default: Any, help: str, **how: Any) -> None:
        """Add a flag."""
        how.setdefault("dest", name)
        self._parser.add_argument(f"--{name}", default=default, help=help, **how)
        if how.get("type") is _truth:
            self._switches.add(f"--{name}")
        self._parsed = False


FLAGS = _Flags()


def _defining(read: Callable[[str], Any]) -> Callable[..., None]:
    def define(flag_name: str, default_value: Any, docstring: str = "") -> None:
        FLAGS.define(flag_name, default_value, docstring, type=read)

    return define


def _truth(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(f"flags: true or false is expected; {text!r} came; correct it")
    return text.lower() in _TRUE


def DEFINE_boolean(flag_name: str, default_value: Any, docstring: str = "") -> None:
    """A flag that is set by --name or --name=true, and unset by --noname."""
    FLAGS.define(flag_name, default_value, docstring, type=_truth)
    FLAGS.define(f"no{flag_name}", default_value, docstring, dest=flag_name, action="store_false")


DEFINE_string, DEFINE_integer, DEFINE_float = _defining(str), _defining(int), _defining(float)
DEFINE_bool = DEFINE_boolean


def DEFINE_list(flag_name: str, default_value: Any, docstring: str = "") -> None:
    """A flag with values separated by commas."""
    FLAGS.define(flag_name, default_value, docstring, type=lambda text: text.split(","))


def DEFINE_enum(
    flag_name: str, default_value: Any, enum_values: Sequence[str], docstring: str = ""
) -> None:
    """A flag with one of some values."""
    FLAGS.define(flag_name, default_value, docstring, choices=list(enum_values))


def __getattr__(name: str) -> Any:
    raise missing("tf.flags", name, globals())
