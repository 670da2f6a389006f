"""The `gleed` command."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import gleed
from gleed.compiler.objects import cache_directory
from gleed.compiler.target import host

# What `pip install "gleed[demo]"` adds.
_DEMO_PACKAGES = ("matplotlib", "sklearn")

# Features of processors that decide which code is generated.
_NOTABLE_FEATURES = (
    *("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni"),
    *("avx512bf16", "avx512fp16", "amx-bf16", "neon", "bf16", "sve"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, those of the process by default; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("\ngleed: stopped", file=sys.stderr)
        return 130
    except (OSError, RuntimeError) as error:
        print(f"gleed: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "gleed", description="A deep-learning framework: PyTorch's API on a small, fast engine."
    )
    parser.add_argument("--version", action="version", version=f"gleed {gleed.__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="")

    demo = commands.add_parser("demo", help="train a small network on real handwritten digits")
    demo.add_argument("--epochs", type=_positive, default=30, help="passes through the data (30)")
    demo.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    demo.add_argument(
        "--out", type=Path, default=Path("gleed-demo"), help="folder for results (gleed-demo)"
    )
    demo.set_defaults(command=_demo)

    info = commands.add_parser("info", help="say what gleed runs on")
    info.add_argument("--json", action="store_true", help="for programs to read")
    info.set_defaults(command=_info)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a whole number of 1 or more is needed; got {text!r}")
    return int(text)


def _demo(options: argparse.Namespace) -> int:
    try:
        # Imported here because these packages are optional and take a second.
        demo = import_module("gleed.demo")
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _DEMO_PACKAGES:
            raise
        print(
            f"gleed: the demo needs {package}, which is not installed; "
            'run: pip install "gleed[demo]"',
            file=sys.stderr,
        )
        return 1
    demo.run(options.epochs, options.seed, options.out)
    return 0


def _info(options: argparse.Namespace) -> int:
    facts = _facts()
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):16} {_readable(value)}")
    return 0


def _readable(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else value


def _facts() -> dict[str, str | int | list[str]]:
    """Return what matters for speed and for reports of bugs."""
    processor = host()
    cached = [path for path in cache_directory().rglob("*") if path.is_file()]
    return {
        "gleed": gleed.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version(name) for name in ("numpy", "llvmlite", "scipy-openblas32")},
        "processor": processor.cpu,
        "features": [name for name in _NOTABLE_FEATURES if f"+{name}" in processor.features],
        "vector_bits": 8 * processor.vector_bytes,
        "threads": gleed.get_num_threads(),
        "devices": ["cpu"],
        "cache": str(cache_directory()),
        "cache_bytes": sum(path.stat().st_size for path in cached),
    }
