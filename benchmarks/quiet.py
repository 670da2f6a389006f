"""Whether a process had the processors that it wanted, as Linux counts it.

PyTorch's threads wait for one another by spinning: where another program holds a processor, a case
that takes 20 µs can take 20 ms. Times are worth something only if no thread stood in a queue.
"""

from __future__ import annotations

import time
from pathlib import Path

LIMIT = 0.05  # seconds of waiting, of all threads, per second


def waited(process: int | str = "self") -> float:
    """Seconds that the threads of a process were ready to run but did not; 0 if nobody counts."""
    total = 0
    for path in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[1])
        except OSError:
            continue  # the thread has ended
    return total / 1e9


class Watch:
    """How much a process waits from now on."""

    def __init__(self, process: int) -> None:
        self.process, self.start, self.before = process, time.monotonic(), waited(process)

    def share(self) -> float:
        """Seconds of waiting per second."""
        return (waited(self.process) - self.before) / (time.monotonic() - self.start)
