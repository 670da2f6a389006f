"""What is done to captured programs beyond what their operations need, and can be switched off.

GLEED_WITHOUT, read when gleed is imported, names what to leave out: `GLEED_WITHOUT=fusion,reuse`.
Results have the same bits with and without.

>>> from gleed.compiler.pipeline import PASSES
>>> sorted(PASSES)
['fusion', 'reuse']
"""

from __future__ import annotations

import os

from gleed import _C

PASSES = {
    "fusion": "results that one operation alone computes with get no memory (`stored`)",
    "reuse": "temporaries have the memory of others that are not needed any more (the core)",
}
_without: set[str] = set()


def switch_off(names: str) -> None:
    """Leave these out from now on, and no others; names are divided by commas.

    Raises ValueError for a name that there is not.
    """
    chosen = {name.strip() for name in names.split(",")} - {""}
    if not chosen <= PASSES.keys():
        raise ValueError(
            f"GLEED_WITHOUT: it takes {', '.join(PASSES)}, divided by commas; got {names!r}; "
            "check the spelling"
        )
    _without.clear()
    _without.update(chosen)
    _C.set_memory_reuse("reuse" not in chosen)


def enabled(name: str) -> bool:
    """Whether something is done."""
    return name not in _without


switch_off(os.environ.get("GLEED_WITHOUT", ""))
