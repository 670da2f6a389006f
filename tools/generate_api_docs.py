"""Write docs/api.md, the page of all operations, from their records.

python tools/generate_api_docs.py [FILE]
"""

import inspect
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from generate_stubs import op_forms, signature_text

from gleed.ops import ALIASES
from gleed.ops.record import OPS, Op

PAGE = Path(__file__).resolve().parent.parent / "docs/api.md"
HEAD = """# Operations
Made by `tools/generate_api_docs.py` from the records in `src/gleed/ops/`, anew by `make format`.

`Operand` is a tensor or a number, `Tensors` a sequence of tensors, `Ints` one or several whole
numbers, `Dims` one or several axis numbers or none for all. Where an operation is also a method of
Tensor, the tensor is its first argument.
"""


def module_of(op: Op) -> str:
    """The module of an op's definition."""
    return op.overloads[0].body.__module__ if op.overloads else op.fallback.__module__


def has_entry(op: Op) -> bool:
    """Whether an op is public and not the in-place form of another."""
    twin = OPS.get(op.name.removesuffix("_")) if op.name.endswith("_") else None
    return not op.name.startswith("_") and twin is None and bool(op.method or op.namespaces)


def homes(op: Op) -> list[str]:
    """Where users find an op, the place of its function first."""
    spaces = [space if space == "gleed" else f"gleed.{space}" for space in op.namespaces]
    return [f"{place}.{op.name}" for place in (*spaces, *(["Tensor"] if op.method else []))]


def forms_line(op: Op) -> str:
    """The other names and forms of an op."""
    parts = [f"`{place}`" for place in homes(op)[1:]]
    if op.name + "_" in OPS:
        parts.append(f"`Tensor.{op.name}_` in place")
    aliases = [alias for alias, name in ALIASES.items() if name == op.name]
    parts += [f"`{alias}`, another name" for alias in aliases]
    return "Also: " + "; ".join(parts) + "." if parts else ""


def described(doc: str) -> Iterator[str]:
    """A docstring as Markdown: prose as it is, examples and displays as blocks."""
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        text, prompt, example = paragraph.partition(">>>")
        if text.strip():
            indented = all(line.startswith("    ") for line in text.splitlines())
            yield f"```text\n{inspect.cleandoc(text)}\n```" if indented else text.strip()
        if prompt:
            yield f"```python\n{prompt}{example.rstrip()}\n```"


def entry(op: Op) -> str:
    """One op: its signatures, what it does, an example, its other forms."""
    place = homes(op)[0]
    prefix = place.removesuffix(op.name)
    heads = [signature_text(op.name, *form) for form in op_forms(op)]
    signatures = "\n".join(prefix + head.removeprefix("def ").removesuffix(":") for head in heads)
    parts = [f"### {place.removeprefix('gleed.')}", f"```text\n{signatures}\n```"]
    parts += [*described(op.__doc__ or ""), forms_line(op)]
    return "\n\n".join(part for part in parts if part)


def page() -> str:
    """The whole page, a section for each module of gleed.ops."""
    families: dict[str, list[Op]] = defaultdict(list)
    for op in OPS.values():
        if has_entry(op):
            families[module_of(op)].append(op)
    sections = [HEAD.rstrip(), "```python\n>>> import gleed\n```"]
    for module, members in sorted(families.items()):
        summary = inspect.cleandoc(sys.modules[module].__doc__ or "").split("\n\n")[0]
        sections.append(f"## {module.rpartition('.')[2].replace('_', ' ').capitalize()}")
        sections.append(" ".join(summary.split()))
        sections += map(entry, sorted(members, key=lambda op: op.name.lower()))
    return "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")
