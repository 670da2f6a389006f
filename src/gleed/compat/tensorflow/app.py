"""`tf.app`: the beginning of a program, and `tf.app.flags`, its arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from gleed.compat.tensorflow import flags as flags
from gleed.compat.tensorflow.absent import missing


def run(main: Callable[[Any], Any] | None = None, argv: Sequence[str] | None = None) -> None:
    """Call `main`, by default the function of that name in the program, with the arguments that
    are no flags, and exit with what it returns."""
    rest = flags.FLAGS(sys.argv if argv is None else argv)
    function = sys.modules["__main__"].main if main is None else main
    sys.exit(function(rest))


def __getattr__(name: str) -> Any:
    raise missing("tf.app", name, globals())
