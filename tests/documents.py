"""Runs the Python in a Markdown file, as a reader would who goes through it from the top.

    python tests/documents.py FILE

Blocks marked `python` share their names. Where a block has prompts it is a doctest; any other runs
as a program, and if a block marked `text` comes next, that is what it must print. Blocks of other
languages are left alone.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str) -> Iterator[tuple[str, str, int, str | None]]:
    """Language, code and first line of every block, and the output that directly follows it."""
    found = list(BLOCK.finditer(text))
    for place, block in enumerate(found):
        output = None
        for following in found[place + 1 : place + 2]:
            if following[2] == "text" and not text[block.end() : following.start()].strip():
                output = dedent(following[3])
        yield block[2], dedent(block[3]), text.count("\n", 0, block.start()) + 2, output


def run_document(path: Path) -> list[str]:
    """What went wrong; a block behind a broken one runs nevertheless."""
    problems: list[str] = []
    names: dict[str, Any] = {"__name__": "__main__"}
    for language, code, line, output in blocks(path.read_text(encoding="utf-8")):
        if language == "python":
            prompts = code.lstrip().startswith(">>>")
            run = _doctest if prompts else _program
            problems += [f"{path.name}:{line}: {p}" for p in run(code, names, output)]
    return problems


def _doctest(code: str, names: dict[str, Any], output: str | None) -> Iterator[str]:
    test = doctest.DocTestParser().get_doctest(code, names, "block", None, 0)
    report = io.StringIO()
    test.globs = names
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.write, clear_globs=False)
    if report.getvalue():
        yield report.getvalue()


def _program(code: str, names: dict[str, Any], output: str | None) -> Iterator[str]:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<block>", "exec"), names)
    except Exception as error:
        yield f"{type(error).__name__}: {error}"
    if output is not None and not doctest.OutputChecker().check_output(
        output, printed.getvalue(), FLAGS
    ):
        yield f"printed\n{printed.getvalue()}instead of\n{output}"


if __name__ == "__main__":
    found = run_document(Path(sys.argv[1]))
    print("\n".join(found))
    sys.exit(bool(found))
