"""Functions that need the value of a tensor in Python, with the fix that they are told.

Each stands for one way in which programs look at values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import gleed

DECIDE = "decide by gleed.cond, gleed.while_loop or gleed.where in place of Python"
LEAVE = (
    "leave it a tensor, which operations take in place of a number, and decide by gleed.cond, "
    "gleed.while_loop or gleed.where"
)
LOOP = "write the loop as gleed.while_loop"
PYTHON = "use gleed.maximum, gleed.minimum or gleed.sort in place of Python's functions"
PRINT = "print or format it outside of the captured function"
NUMPY = "compute with gleed's functions in place of NumPy's, or outside"
CHECK = "check it outside of the captured function"
INDEX = "index by a tensor with an axis, as x[i.reshape(1)], which stays in the program"
MASK = "use gleed.where() in place of masks, or compute it outside"


def early(x: Any) -> Any:
    for _ in range(5):
        x = x * 0.5
        if x.max() < 1:
            return x
    return x


def asserts(x: Any) -> Any:
    assert x.sum() > 0
    return x * 2


def halves(x: Any) -> Any:
    while x.max() > 1:
        x = x / 2
    return x


def recurs(x: Any) -> Any:
    return x if x.abs().max() < 1 else recurs(x / 2)


def matches(x: Any) -> Any:
    match int(x[0]):
        case 1:
            return x * 3
        case _:
            return -x


def catches(x: Any) -> Any:
    try:
        factor = x.sum().item()
    except Exception:
        factor = 100.0
    return x * factor


def catches_all(x: Any) -> Any:
    try:
        return x * float(x.sum())
    except:  # noqa: E722
        return -x


def guarded(x: Any) -> Any:
    with gleed.no_grad():
        if x.sum() > 0:
            return x * 2
    return x


def steps(x: Any) -> Any:
    for _ in range(x[2].long()):
        x = x + 1
    return x


def index(x: Any) -> Any:
    return x * x[x.argmax()]


def prints(x: Any) -> Any:
    print(x.sum())
    return x + 1


def rows(x: Any) -> Any:
    for place in x.nonzero():
        x = x + place
    return x


FUNCTIONS: list[tuple[Callable[..., Any], str]] = [
    (early, DECIDE),
    (asserts, CHECK),
    (halves, LOOP),
    (recurs, DECIDE),
    (matches, LEAVE),
    (catches, LEAVE),
    (catches_all, LEAVE),
    (guarded, DECIDE),
    (steps, LOOP),
    (index, INDEX),
    (prints, PRINT),
    (rows, MASK),
    (lambda x: x * (x if x.sum() > 0 else -x), DECIDE),
    (lambda x: (x.sum() > 0 and x.max() > 5) or x, DECIDE),
    (lambda x: x if not x.any() else -x, DECIDE),
    (lambda x: x * 2 if 0 < x[0] < 2 else -x, DECIDE),
    (lambda x: s * x if (s := x.sum()) > 0 else x, DECIDE),
    (lambda x: sum(v for v in x if v > 0), DECIDE),
    (lambda x: gleed.stack([v * 2 for v in x if v > 0]), DECIDE),
    (lambda x: x * 2 if x[0] in [1.0, 5.0] else x, DECIDE),
    (lambda x: x * any(v > 2 for v in x), DECIDE),
    (lambda x: gleed.stack(list(filter(lambda v: v > 0, x))), DECIDE),
    (lambda x: x * 2 if gleed.equal(x, x + 1) else x, DECIDE),
    (lambda x: x * [10, 20, 30, 40][x[2].long()], INDEX),
    (lambda x: x * max(x.sum(), 0), PYTHON),
    (lambda x: x * min([x.sum(), x.max()]), PYTHON),
    (lambda x: gleed.stack(sorted(x)), PYTHON),
    (lambda x: x * x.sum().item(), LEAVE),
    (lambda x: x[: int(x[0])], LEAVE),
    (lambda x: x * {1: 5}[int(x[0])], LEAVE),
    (lambda x: x * math.sqrt(x[0]), DECIDE),
    (lambda x: gleed.tensor([v * 2 for v in x.tolist()]), "leave it a tensor, or compute outside"),
    (lambda x: x * len(f"{x.sum()}"), PRINT),
    (lambda x: x * len(f"{x.sum():.3f}"), PRINT),
    (lambda x: x * len(str(x)), PRINT),
    (lambda x: gleed.from_numpy(np.exp(x.numpy())), NUMPY),
    (lambda x: gleed.tensor(np.array(x) * 2), NUMPY),
    (lambda x: x[x > 0], MASK),
    (lambda x: x * len(gleed.unique(x)), MASK),
]

BODIES = (asserts, halves, matches, catches, catches_all, guarded, index, prints)
