"""The processor that code is made for: its name, its features and its vectors.

`host()` asks LLVM; `host_identity()` is cheap and asks the operating system only, so that a warm
start, which finds all its objects in the cache, loads no LLVM.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache

_MISSING = (
    "compile: gleed needs a processor with AVX2, FMA and F16C (x86-64-v3) or a 64-bit ARM; "
    "this is a {machine} without {lacking}"
)


@dataclass(frozen=True)
class Target:
    """`masks`: whether any vector operation can be masked per lane at no cost (AVX-512)."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    masks: bool


def target(triple: str, cpu: str, features: str) -> Target:
    """Describe a processor by LLVM's names. Raises RuntimeError if its vectors are too old."""
    have = {f[1:] for f in features.split(",") if f.startswith("+")}
    if triple.startswith("aarch64"):
        return Target(triple, cpu, features, 16, 32, masks=False)
    lacking = [name for name in ("avx2", "fma", "f16c") if name not in have]
    if not triple.startswith("x86_64") or lacking:
        machine = triple.partition("-")[0]
        raise RuntimeError(_MISSING.format(machine=machine, lacking=", ".join(lacking) or "both"))
    if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= have:
        return Target(triple, cpu, features, 64, 32, masks=True)
    return Target(triple, cpu, features, 32, 16, masks=False)


@cache
def host() -> Target:
    """This machine. Objects are ELF on every system, for the core's own loader."""
    from llvmlite import binding as llvm

    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.get_process_triple().partition("-")[0]
    if machine in ("aarch64", "arm64"):
        # Outside Linux, x18 belongs to the system.
        features += "" if sys.platform == "linux" else ",+reserve-x18"
        return target("aarch64-unknown-linux-gnu", llvm.get_host_cpu_name(), features)
    return target("x86_64-unknown-linux-gnu", llvm.get_host_cpu_name(), features)


@cache
def host_identity() -> str:
    """Text that differs whenever `host()` might."""
    kernel = os.uname()
    system = f"{sys.platform} {kernel.machine} {sys.maxsize.bit_length()}"
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", "rb") as file:
                first = file.read(8192).partition(b"\n\n")[0].decode("utf-8", "replace")
        except OSError:
            return f"{system} {kernel.version}"
        wanted = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU ")
        return system + "".join(
            line for line in first.splitlines() if line.startswith(wanted) and "MHz" not in line
        )
    return f"{system} {kernel.version}"
