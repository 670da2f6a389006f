"""What to write in place of a line of Python that needs the value of a tensor."""

from __future__ import annotations

import dis
import re
from types import FrameType

_DECIDE = "decide by gleed.cond, gleed.while_loop or gleed.where"
_PRINT = "print or format it outside of the captured function"
_SUBSCRIPTS = ("BINARY_SUBSCR", "STORE_SUBSCR", "BINARY_SLICE")
# In a line that asks for "item", an element, which is what Python decides and computes by.
_LINES = (
    (r".*(\bprint\(|\bf['\"]|\.format\()", _PRINT),
    (r"(async )?while\b|.*\brange\(", "write the loop as gleed.while_loop"),
    (r"assert\b", "check it outside of the captured function"),
    (
        r".*(?<!\.)\b(max|min|sorted)\(",
        "use gleed.maximum, gleed.minimum or gleed.sort in place of Python's functions",
    ),
    (
        r".*(\.item\(|\b(int|float|complex)\()",
        f"leave it a tensor, which operations take in place of a number, and {_DECIDE}",
    ),
)


def advice(what: str, line: str, frame: FrameType | None = None) -> str:
    """The fix for a line of the user's program, which `frame` runs, that needs the value of a
    tensor for `what`.

    >>> advice("item", "while x.sum() > 1:")
    'write the loop as gleed.while_loop'
    >>> advice("item", "y = x if x.sum() > 1 else -x")
    'decide by gleed.cond, gleed.while_loop or gleed.where in place of Python'
    """
    if what == "numpy":
        return "compute with gleed's functions in place of NumPy's, or outside"
    if what == "tolist" and ".tolist(" not in line:
        return _PRINT
    if what == "tolist":
        return "leave it a tensor, or compute outside"
    if frame and dis.opname[frame.f_code.co_code[frame.f_lasti]] in _SUBSCRIPTS:
        return "index by a tensor with an axis, as x[i.reshape(1)], which stays in the program"
    found = (fix for pattern, fix in _LINES if re.match(pattern, line))
    return next(found, f"{_DECIDE} in place of Python")
