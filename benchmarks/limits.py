"""What the hardware could do at best, measured: products of registers, and copies of memory.

    python limits.py THREADS BYTES …

prints {"flops": {dtype: operations a second}, "copies": {bytes: seconds}}: how fast `THREADS`
threads multiply and add what lies in registers, and how long a copy takes that reads and writes so
many bytes together. Runs with gleed's interpreter, for it needs NumPy and LLVM.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding as llvm

from gleed.compiler.target import host

CHAINS = 12  # sums at once: more than an instruction takes cycles, fewer than there are registers
SECONDS = 0.05  # of a measurement
REPETITIONS = 5


class Product(NamedTuple):
    """An instruction that multiplies and adds: LLVM's function, types, operations."""

    function: str
    sums: str
    factors: str
    arguments: str  # x: a factor, s: the sum
    operations: int


def products() -> dict[str, Product]:
    """What this processor has, by dtype."""
    lanes = host().vector_bytes // 4
    single, double = f"<{lanes} x float>", f"<{lanes // 2} x double>"
    found = {
        "float32": Product(f"llvm.fma.v{lanes}f32", single, single, "xxs", 2 * lanes),
        "float64": Product(f"llvm.fma.v{lanes // 2}f64", double, double, "xxs", lanes),
    }
    if lanes == 16 and "+avx512bf16" in host().features.split(","):
        function, half = "llvm.x86.avx512bf16.dpbf16ps.512", "<32 x bfloat>"
        found["bfloat16"] = Product(function, single, half, "sxx", 4 * lanes)
    return found


def program(product: Product) -> str:
    """LLVM IR of `run(turns, place)`: chains of products in a loop."""
    types = {"x": product.factors, "s": product.sums}
    declared = ", ".join(types[name] for name in product.arguments)
    arguments = ", ".join(f"{types[name]} %{name}" for name in product.arguments)
    chains = [(f"%s{i}", f"%n{i}") for i in range(CHAINS)]
    lines = [
        f"declare {product.sums} @{product.function}({declared})",
        "define void @run(i64 %turns, ptr %place) {",
        "entry:",
        f"  %x = load {product.factors}, ptr %place, align 4",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%next, %loop]",
        *(f"  {s} = phi {product.sums} [zeroinitializer, %entry], [{n}, %loop]" for s, n in chains),
        *(
            f"  {n} = call {product.sums} @{product.function}({arguments.replace('%s', s)})"
            for s, n in chains
        ),
        "  %next = add i64 %i, 1",
        "  %more = icmp slt i64 %next, %turns",
        "  br i1 %more, label %loop, label %end",
        "end:",
        *(f"  store volatile {product.sums} {n}, ptr %place, align 4" for _, n in chains),
        "  ret void",
        "}",
    ]
    return "\n".join(lines)


def compiled(text: str) -> tuple[Any, Any]:
    """The function `run` of LLVM IR, and what keeps it alive."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), target)
    engine.finalize_object()
    address = engine.get_function_address("run")
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address), engine


def fastest(work: Callable[[int], Any], threads: int) -> float:
    """Seconds a turn of `work(turns)`, run by so many threads at once."""
    turns, best = 1, float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(REPETITIONS):
            while True:
                start = time.perf_counter()
                list(pool.map(work, [turns] * threads))
                seconds = time.perf_counter() - start
                if seconds > SECONDS:
                    break
                turns *= 2
            best = min(best, seconds / turns)
    return best


def flops(threads: int) -> dict[str, float]:
    """Operations a second by dtype."""
    found = {}
    for dtype, product in products().items():
        run, engine = compiled(program(product))
        places = [ctypes.create_string_buffer(128) for _ in range(threads)]
        work = partial(run_at, run, places)
        found[dtype] = threads * CHAINS * product.operations / fastest(work, threads)
        del engine  # until here it held the machine code
    return found


def run_at(run: Any, places: list[Any], turns: int) -> None:
    """`run`, at a place that no other thread has."""
    place = places.pop()
    run(turns, place)
    places.append(place)


def copy_seconds(moved: int, threads: int) -> float:
    """A copy that reads and writes `moved` bytes together, by one thread or by all."""
    best = float("inf")
    for count in {1, threads}:
        size = moved // 2 // count
        pairs = [(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(count)]

        best = min(best, fastest(partial(copy, pairs), count))
    return best


def copy(pairs: list[Any], turns: int) -> None:
    """Copies between arrays that no other thread has."""
    pair = pairs.pop()
    for _ in range(turns):
        np.copyto(*pair)
    pairs.append(pair)


def main() -> None:
    threads, *sizes = (int(word) for word in sys.argv[1:])
    copies = {size: copy_seconds(size, threads) for size in sizes}
    print(json.dumps({"flops": flops(threads), "copies": copies}))


if __name__ == "__main__":
    main()
