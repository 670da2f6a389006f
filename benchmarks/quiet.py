"""Whether other programs keep the processors busy, as Linux counts it.

PyTorch's threads wait for one another by spinning: where another program holds a processor, a case
that takes 20 µs can take 20 ms. Times are worth something only when little else runs.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

LIMIT = 0.3  # processors that others may use during a turn
WINDOW = 0.1  # seconds of calm before a turn


def busy() -> float:
    """Seconds that processors have worked since the system started; 0 where nobody counts."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, interrupt, soft, steal = map(int, fields[:8])
    return (user + nice + system + interrupt + soft + steal) / os.sysconf("SC_CLK_TCK")


def used_by(process: int) -> float:
    """Seconds that a process and its threads have worked."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(deadline: float) -> None:
    """Return when others are calm, or at `deadline` (of `time.monotonic`)."""
    while time.monotonic() < deadline:
        begin = busy()
        time.sleep(WINDOW)
        if busy() - begin <= LIMIT * WINDOW:
            return


class Watch:
    """How many processors others have used since this was made, besides one process."""

    def __init__(self, process: int) -> None:
        self.process, self.start = process, time.monotonic()
        self.busy, self.used = busy(), used_by(process)

    def others(self) -> float:
        others = busy() - self.busy - (used_by(self.process) - self.used)
        return max(0.0, others) / max(time.monotonic() - self.start, WINDOW)
