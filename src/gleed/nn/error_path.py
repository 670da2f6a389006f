"""Where in a model an error arose: `in 2.out: Linear(32 → 4)` as a note of the exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gleed.errors import GleedError

if TYPE_CHECKING:
    from gleed.nn.module import Module


def annotate(error: BaseException, module: Module) -> None:
    """Note on `error` that it left the call of `module`.

    The innermost module comes first and writes the note. Each module around it then puts the path
    to the one before in front, so there is one note and it holds the whole path. Nothing is
    recorded while there is no error.
    """
    if not isinstance(error, GleedError):
        return
    place = getattr(error, "_gleed_place", None)
    if place is None:
        path, summary = "", module._summary()
    else:
        inner, path, summary, note = place
        above = next((path for path, child in module.named_modules() if child is inner), "")
        path = ".".join(part for part in (above, path) if part)
        error.__notes__.remove(note)
    note = f"in {path}: {summary}" if path else f"in {summary}"
    error.add_note(note)
    error._gleed_place = (module, path, summary, note)  # type: ignore[attr-defined]
