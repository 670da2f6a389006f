"""The stubs say what the library is: they are made from the op records, and are up to date."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import gleed

ROOT = Path(__file__).parent.parent

USES = """
import gleed
from gleed.nn import functional as F

x = gleed.ones(2, 3)
reveal_type(x.sum(dim=0, keepdim=True))
reveal_type(x.max(0).indices)
reveal_type(x.view(3, 2) @ x.view((2, 3)))
reveal_type(2 - x)
reveal_type(x.shape.numel())
reveal_type(F.relu(x).add_(1, alpha=2))
reveal_type(gleed.cat([x, x], dim=1))
reveal_type(x.float().dtype)
"""
TYPES = [*["Tensor"] * 4, "int", *["Tensor"] * 2, "dtype"]
MISUSES = """
import gleed

x = gleed.ones(2, 3)
x.sum(keepdims=3)
x.reshape("2")
gleed.cat(x, dim="0")
x.no_such_method()
gleed.no_such_function()
"""


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools/generate_stubs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(source: str, tmp_path: Path) -> list[str]:
    """What mypy prints about a program, a line for each thing."""
    (tmp_path / "program.py").write_text(source)
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "program.py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    return result.stdout.splitlines()[:-1]


def members(path: Path, kind: str | None = None) -> set[str]:
    """The names that a stub, or a class in it, defines."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    if kind is not None:
        body = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == kind).body
    found = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found.add(node.targets[0].id)
    return found


def test_stubs_are_up_to_date():
    for path, text in generator().stubs().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run `make format`"


def test_every_member_of_tensor_has_a_stub():
    plumbing = {"__array_priority__", "__delitem__", "__new__", "__setattr__", "__delattr__"}
    real = {n for n in vars(gleed.Tensor) if n not in {"__doc__", "__module__", "__dict__"}}
    assert real - plumbing == members(ROOT / "src/gleed/_C.pyi", "Tensor") & real
    assert not members(ROOT / "src/gleed/_C.pyi", "Tensor") - set(dir(gleed.Tensor))


@pytest.mark.parametrize("name", ["dtype", "Size", "Generator", "Node"])
def test_stubs_of_the_core_s_classes_name_what_is_there(name):
    stub = members(ROOT / "src/gleed/_C.pyi", name)
    assert stub <= set(dir(getattr(gleed._C, name)))


def test_stubs_of_the_core_name_what_is_there():
    stub = {name for name in members(ROOT / "src/gleed/_C.pyi") if not name.startswith("_")}
    real = {name for name in dir(gleed._C) if not name.startswith("_")}
    assert stub == real


@pytest.mark.slow
def test_programs_are_checked(tmp_path):
    revealed = [line.split('"')[1] for line in checked(USES, tmp_path)]
    assert [kind.rpartition(".")[2] for kind in revealed] == TYPES


@pytest.mark.slow
def test_mistakes_are_found(tmp_path):
    lines = {int(line.split(":")[1]) for line in checked(MISUSES, tmp_path) if "error" in line}
    assert lines == {5, 6, 7, 8, 9}
