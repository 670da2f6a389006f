"""What is done to captured programs beyond what their operations need, and can be switched off.

GLEED_WITHOUT, read when gleed is imported, names what to leave out: `GLEED_WITHOUT=fusion,reuse`;
`GLEED_WITHOUT=all` leaves out everything. Captured results have the bits that the same operations
give eagerly, with and without. `tools/bisect_passes.py` finds the pass that a fault is in.

>>> from gleed.compiler.pipeline import PASSES
>>> len(PASSES), [*PASSES][:3]
(15, ['fusion', 'again', 'epilogues'])
"""

from __future__ import annotations

import os

from gleed import _C

PASSES = {
    "fusion": "results that one operation alone computes with get no memory (`stored`)",
    "again": "what is cheaper to compute than to store several operations compute (`stored`)",
    "epilogues": "what follows products point by point is computed in their steps (`epilogue`)",
    "prologues": "what products alone read is computed in their steps (`prologue`)",
    "equal": "what a call computes twice is computed once (`trace`)",
    "calls": "what equal calls compute is computed once (`captured.recorder`)",
    "companions": "results over one iteration space come from one kernel (`schedule`)",
    "reductions": "reductions of the same values come from one kernel (`reductions`)",
    "short": "reductions over a few places are written out (`fuse`)",
    "split": "long reductions are done in chunks, which threads can share (`split`)",
    "online": "long rows are summed in the pass that finds their maximum (`online`)",
    "rare": "what is rarely needed is computed under a branch (`rare`)",
    "keep": "values that a later pass over a row needs again are kept (`passes`)",
    "plans": "plans that an earlier process has made are read from disk (`known`)",
    "reuse": "temporaries have the memory of others that are not needed any more (the core)",
}
_without: set[str] = set()


def switch_off(names: str) -> None:
    """Leave these out from now on, and no others; names are divided by commas.

    Raises ValueError for a name that there is not.
    """
    chosen = set(PASSES) if names == "all" else {name.strip() for name in names.split(",")} - {""}
    if not chosen <= PASSES.keys():
        raise ValueError(
            f"GLEED_WITHOUT: it takes {', '.join(PASSES)}, divided by commas, or all; got "
            f"{names!r}; check the spelling"
        )
    _without.clear()
    _without.update(chosen)
    _C.set_memory_reuse("reuse" not in chosen)


def enabled(name: str) -> bool:
    """Whether something is done."""
    return name not in _without


def left_out(*names: str) -> str:
    """Those of the names that are left out; part of the name of what is made without them."""
    return ",".join(name for name in names if name in _without)


switch_off(os.environ.get("GLEED_WITHOUT", ""))
