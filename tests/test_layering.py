"""Rules of the sources' structure. The direction of imports is `make lint`'s, by import-linter."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "src/gleed").rglob("*.py"))
NATIVE = sorted((ROOT / "native").glob("*.[ch]*"))
OTHERS = [path for name in ("tests", "tools", "benchmarks") for path in (ROOT / name).rglob("*.py")]

LONGEST_FILE = 600
# Lines of code. The core runs plans, keeps tensors and the tape, and has the routines that are no
# loop nests: sorting, searching, random numbers, matrix products, convolutions, whose windows must
# be laid out in cache just before they are multiplied, and attention, whose weights must never
# leave it. All other mathematics is Python.
LARGEST_CORE = 17_950


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def code_lines(path: Path) -> int:
    """The lines of a C++ file that are neither blank nor comment."""
    lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
    return sum(bool(line) and not line.startswith("//") for line in lines)


def hidden_imports(source: str) -> Iterator[int]:
    """The lines of imports of gleed's own modules inside functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    outer = [node for node in ast.walk(ast.parse(source)) if isinstance(node, functions)]
    for node in (inner for function in outer for inner in ast.walk(function)):
        if isinstance(node, ast.ImportFrom):
            names = ["gleed" if node.level else node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        if any(name.split(".")[0] == "gleed" for name in names):
            yield node.lineno


@pytest.mark.parametrize("path", [*PACKAGE, *NATIVE, *OTHERS], ids=name_of)
def test_files_are_short_enough_to_read(path):
    assert line_count(path) <= LONGEST_FILE


def test_the_core_stays_small():
    assert sum(map(code_lines, NATIVE)) <= LARGEST_CORE


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_no_import_hides_in_a_function(path):
    assert list(hidden_imports(path.read_text(encoding="utf-8"))) == []


def test_hidden_imports_are_found():
    source = (
        "import gleed\ndef f():\n    from gleed import ops\n    import numpy\n    from . import x\n"
    )
    assert sorted(hidden_imports(source)) == [3, 5]
