"""The process that runs one library's side: reads cases as lines of JSON, answers with times.

    python worker.py LIBRARY THREADS

A request {"name", "setup", "run", "result"} is answered with {"seconds"}, the best of a few
repetitions, or {"error"}. The first answer for a case also has "values", for comparison; not that
of JAX, whose random numbers are others.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

REPETITION = 0.03  # seconds that one repetition takes at least
REPETITIONS = 3
SPREAD = 1009  # a prime: sampled elements come from all rows and columns


class Worker:
    """Times cases on one library; keeps the last case ready for the next round."""

    def __init__(self, library: str, threads: int) -> None:
        self.names = self.names_of(library, threads)
        self.name = ""
        self.count = 1
        self.run: Callable[[], Any] = lambda: None

    def names_of(self, library: str, threads: int) -> dict[str, Any]:
        """What programs find in place when they begin."""
        self.lib = importlib.import_module(library)
        self.lib.set_num_threads(threads)
        return {
            "lib": self.lib,
            "nn": importlib.import_module(f"{library}.nn"),
            "F": importlib.import_module(f"{library}.nn.functional"),
            "optim": importlib.import_module(f"{library}.optim"),
            "data": importlib.import_module(f"{library}.utils.data"),
        }

    def answer(self, case: dict[str, str]) -> dict[str, Any]:
        answer = {} if case["name"] == self.name else {"values": self.prepare(case)}
        self.calibrate()
        best = min(self.repetition() for _ in range(REPETITIONS))
        return {"seconds": best / self.count, **answer}

    def prepare(self, case: dict[str, str]) -> list[Any]:
        """Set a case up and run it once; what it computed."""
        self.name, self.run = "", lambda: None  # gives the memory of the last case back
        self.seed()
        names = dict(self.names)
        exec(case["setup"], names)
        exec(f"def run():\n    return {case['run']}", names)
        value = names["run"]()
        found = self.compared(eval(case["result"], names) if case["result"] else value)
        del value
        self.name, self.run, self.count = case["name"], names["run"], 1
        self.run()
        return found

    def compared(self, result: Any) -> list[Any]:
        return list(values(result))

    def seed(self) -> None:
        self.lib.manual_seed(0)

    def calibrate(self) -> None:
        """Raise `count` until a repetition is long enough; in every round, for the first may have
        been slow by accident."""
        while (seconds := self.repetition()) < REPETITION:
            self.count *= max(2, min(8, math.ceil(REPETITION / max(seconds, 1e-7))))

    def repetition(self) -> float:
        """Seconds that `count` runs take."""
        run = self.run
        start = time.perf_counter()
        for _ in range(self.count):
            run()
        return time.perf_counter() - start


class JaxWorker(Worker):
    """The same for programs of JAX, which have other names."""

    def names_of(self, library: str, threads: int) -> dict[str, Any]:
        # It has as many threads as there are processors for the process.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        self.lib = jax = importlib.import_module(library)

        def normal(*shape: int) -> Any:
            self.key, key = jax.random.split(self.key)
            return jax.random.normal(key, shape)

        def integers(shape: tuple[int, ...], below: int) -> Any:
            self.key, key = jax.random.split(self.key)
            return jax.random.randint(key, shape, 0, below)

        jnp = importlib.import_module("jax.numpy")
        return {"jax": jax, "jnp": jnp, "normal": normal, "integers": integers}

    def seed(self) -> None:
        self.key = self.lib.random.key(0)

    def compared(self, result: Any) -> list[Any]:
        return []


def values(value: Any) -> Iterator[dict[str, Any]]:
    """The tensors of a result: dtype, shape, and elements spread over each."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from values(item)
    elif hasattr(value, "dtype"):
        flat = value.detach().reshape(-1)
        sample = flat[:: 1 if flat.numel() < SPREAD else SPREAD][:20000]
        dtype = str(value.dtype).rpartition(".")[2]
        yield {"dtype": dtype, "shape": list(value.shape), "elements": sample.double().tolist()}
    else:
        yield {"dtype": type(value).__name__, "shape": [], "elements": [value]}


def main() -> None:
    library, threads = sys.argv[1:]
    worker = (JaxWorker if library == "jax" else Worker)(library, int(threads))
    print(json.dumps({"version": worker.lib.__version__}), flush=True)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            worker.name = ""
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
