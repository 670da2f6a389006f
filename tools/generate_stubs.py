"""Write the stubs of gleed, from which editors and type checkers know its operations.

    python tools/generate_stubs.py

An operation's record has all that its stub says: parameters, defaults, overloads, the docstring.
What the native core defines itself is written by hand, in tools/stubs/_C.pyi; the methods of Tensor
that come from records and from `gleed.tensor_methods` are added to that.
"""

import ast
import importlib
import inspect
import math
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import gleed
import gleed.nn.functional  # gives some ops another form
from gleed import return_types
from gleed.ops.record import OPS, Op, Overload

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src/gleed"
NOTE = "# Made by tools/generate_stubs.py; `make format` makes it anew.\n"
IMPORTS = "from typing import Any, overload\nfrom gleed import Generator, Tensor, return_types\n"
WORDS = """
from collections.abc import Callable, Sequence
from gleed._typing import Bool, Device, Dims, DType, Float, Int, Ints, Layout, MemoryFormat
from gleed._typing import Number, Operand, Tensors
"""
# What annotations of bodies say, and what users may pass.
MEANING = {
    "bool": "Bool",
    "float": "Float",
    "int": "Int",
    "Sizes": "Ints",
    "Source": "Generator | None",
}
# What a parameter of this name takes where its annotation says Any.
BY_NAME = {
    "device": "Device | None",
    "dtype": "DType | None",
    "generator": "Generator | None",
    "layout": "Layout | None",
    "memory_format": "MemoryFormat | None",
}
SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
NAMESPACES = ("linalg", "nn.functional", "special")


def annotation(parameter: inspect.Parameter) -> str:
    """The type of a parameter as the stub spells it."""
    text = type_text(parameter.annotation)
    if text == "Any":
        text = BY_NAME.get(parameter.name, text)
        if parameter.default is parameter.empty:
            text = text.removesuffix(" | None")
    return text


def type_text(written: Any) -> str:
    """A type as the stub spells it."""
    if written is inspect.Parameter.empty:
        return "Any"
    text = written if isinstance(written, str) else written.__name__
    return re.sub(r"\w+", lambda word: MEANING.get(word[0], word[0]), text)


def default(value: Any) -> str:
    """A default value as the stub spells it."""
    plain = value is None or isinstance(value, bool | int | str)
    return repr(value) if plain or (isinstance(value, float) and math.isfinite(value)) else "..."


def parameter_text(parameter: inspect.Parameter) -> str:
    """One parameter of a signature."""
    if parameter is SELF:
        return "self"
    mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{mark}{parameter.name}: {annotation(parameter)}"
    given = parameter.default is not parameter.empty
    return f"{text} = {default(parameter.default)}" if given else text


def signature_text(name: str, parameters: list[inspect.Parameter], result: str) -> str:
    """The head of a function."""
    parts = []
    starred = False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        parts.append(parameter_text(parameter))
    return f"def {name}({', '.join(parts)}) -> {result}:"


def spelt_out(parameters: list[inspect.Parameter], place: int) -> list[inspect.Parameter]:
    """The parameters where that at `place` takes its elements one by one: `view(4, 16)`."""
    many = parameters[place]
    element = "Tensor" if many.annotation == "Tensors" else "int"
    star = inspect.Parameter(many.name, many.VAR_POSITIONAL, annotation=element)
    rest = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters[place + 1 :]]
    return [*parameters[:place], star, *rest]


def forms(overload: Overload) -> Iterator[tuple[list[inspect.Parameter], str]]:
    """The signatures of one overload: one, or two where a parameter may be spelt out."""
    signature = inspect.signature(overload.body)
    parameters = list(signature.parameters.values())
    if len(overload.parameters) > len(parameters):
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter("out", kind, default=None, annotation="Tensor | None"))
    if overload.result not in (None, tuple):
        result = f"return_types.{overload.result.__name__}"
    else:
        result = type_text(signature.return_annotation)
    for place, parameter in enumerate(overload.parameters):
        if "*" in parameter.flags:
            yield spelt_out(parameters, place), result
    yield parameters, result


def op_forms(op: Op) -> list[tuple[list[inspect.Parameter], str]]:
    """The signatures of an op, in the order in which they are tried."""
    found = [form for overload in op.overloads for form in forms(overload)]
    if op.fallback is not None:
        signature = inspect.signature(op.fallback)
        results = {result for _, result in found} or {type_text(signature.return_annotation)}
        result = results.pop() if len(results) == 1 else "Any"
        found.append((list(signature.parameters.values()), result))
    return found


def docstring(doc: str | None, indent: int) -> str:
    """The first sentence of a docstring, or the paragraph that it takes."""
    paragraph, _, _ = inspect.cleandoc(doc or "").partition("\n\n")
    first, _, _ = paragraph.partition("\n")
    text = first if first.endswith((".", ":")) else " ".join(paragraph.split())
    text = text.replace("\\", "\\\\")
    if indent + len(text) + 6 > 100:
        text = textwrap.fill(text, 100 - indent - 6) + "\n"
    return textwrap.indent(f'"""{text}"""', " " * 4)


def function_text(
    name: str, found: list[tuple[list[inspect.Parameter], str]], doc: str | None, *, method: bool
) -> str:
    """A function, or a method, with all its overloads."""
    lines = []
    for i, (parameters, result) in enumerate(found):
        if method:
            named = parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL
            parameters = [SELF, *parameters[named:]]
        head = signature_text(name, parameters, result)
        lines += ["@overload"] if len(found) > 1 else []
        lines.append(head if i == 0 and doc else head + " ...")
        if i == 0 and doc:
            lines.append(docstring(doc, 8 if method else 4))
    return "\n".join(lines)


def python_text(name: str, function: Callable[..., Any], *, method: bool) -> str:
    """The stub of a function that is written in Python."""
    signature = inspect.signature(function)
    form = (list(signature.parameters.values()), type_text(signature.return_annotation))
    return function_text(name, [form], function.__doc__, method=method)


def members_text(members: Mapping[str, Any], home: str | None, *, method: bool = False) -> str:
    """The ops, functions and properties among the members of a class, or of the module `home`.

    An op's second names follow as such.
    """
    ops = {id(op.public): op for op in OPS.values()}
    texts, aliases = [], []
    for name, value in sorted(members.items()):
        op = ops.get(id(value))
        if op is not None and op.name != name and op.name in members:
            aliases.append(f"{name} = {op.name}")
        elif op is not None:
            texts.append(function_text(name, op_forms(op), op.__doc__, method=method))
        elif isinstance(value, property):
            texts.append("@property\n" + python_text(name, value.fget, method=method))
        elif isinstance(value, FunctionType) and home in (None, _home(value)):
            texts.append(python_text(name, value, method=method))
    return "\n".join([*texts, *aliases])


def _home(function: FunctionType) -> str:
    """The module that hands a function out."""
    parts = ("gleed.nn.ctc", "gleed.nn.resampling", "gleed.nn.windows")
    return "gleed.nn.functional" if function.__module__ in parts else function.__module__


def core_stub() -> str:
    """_C.pyi: what is written by hand, with the methods of Tensor added."""
    text = (ROOT / "tools/stubs/_C.pyi").read_text(encoding="utf-8")
    tensor = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == "Tensor"
    )
    written = {
        node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node.target)
        for node in tensor.body
        if isinstance(node, ast.FunctionDef | ast.AnnAssign)
    }
    members = {name: x for name, x in vars(gleed.Tensor).items() if name not in written}
    return NOTE + text + textwrap.indent(members_text(members, None, method=True), " " * 4)


def package_stub() -> str:
    """__init__.pyi: the imports of __init__.py as exports, then the ops."""
    lines = [
        f'"""{gleed.__doc__}"""',
        "from typing import Any, overload",
        "from gleed import return_types as return_types",
        WORDS,
    ]
    for node in ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gleed"):
            names = [a.name for a in node.names]
            exported = [name if name == "*" else f"{name} as {name}" for name in names]
            lines.append(f"from {node.module} import {', '.join(exported)}")
    for name, module in gleed.LAZY.items():
        package = "gleed" if module == f"gleed.{name}" else module
        lines.append(f"from {package} import {name} as {name}")
    members = {name: vars(gleed)[name] for name in gleed.__all__ if name in vars(gleed)}
    return NOTE + "\n".join(lines) + "\n" + members_text(members, "gleed")


def namespace_stub(module: ModuleType) -> str:
    """The stub of a module that holds ops, and functions of its own."""
    members = {name: x for name, x in vars(module).items() if not name.startswith("_")}
    return NOTE + IMPORTS + WORDS + members_text(members, module.__name__)


def results_stub() -> str:
    """return_types.pyi: the named tuples."""
    lines = ["from typing import Any, NamedTuple", "from gleed import Tensor"]
    for name, kind in sorted(vars(return_types).items()):
        if isinstance(kind, type) and issubclass(kind, tuple):
            lines += [f"class {name}(NamedTuple):", f'    """What `{name}` returns."""']
            lines += [f"    {field}: Tensor" for field in kind._fields]
    lines.append(python_text("named", return_types.named, method=False))
    return NOTE + "\n".join(lines)


def laid_out(path: Path, text: str) -> str:
    """A stub as ruff formats it, without the imports that it does not need."""
    for command in (["check", "--fix-only", "--quiet", "--select=F401,I"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        result = subprocess.run(ruff, input=text, capture_output=True, check=True, text=True)
        text = result.stdout
    return text


def stubs() -> dict[Path, str]:
    """All stubs, by path."""
    made = {
        PACKAGE / "__init__.pyi": package_stub(),
        PACKAGE / "_C.pyi": core_stub(),
        PACKAGE / "return_types.pyi": results_stub(),
    }
    for name in NAMESPACES:
        path = PACKAGE / (name.replace(".", "/") + ".pyi")
        made[path] = namespace_stub(importlib.import_module(f"gleed.{name}"))
    return {path: laid_out(path, text) for path, text in made.items()}


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
