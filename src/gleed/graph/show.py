"""Captured programs as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.captured import CompiledFunction
from gleed.captured.listing import Listing
from gleed.errors import ArgumentError


def show(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Print the program that `function` is captured as, and return the text.

    Every step stands under the line that has made it, with the dtype and the shape of what it
    computes; steps of `backward()` and of optimizers are marked as such. The bodies of branches and
    loops stand under them: there a loop's result is the name of its present state, and x[t] that of
    the present row of x. With arguments the
    function is called with them, twice if the first call makes state, as a training step does: a
    plain one is captured by that, and of a compiled one the program for this call is shown. Without
    arguments all programs that a compiled function has are shown.

    Raises TraceError where a plain function cannot be captured, ArgumentError where there is no
    program.

    >>> import gleed
    >>> def f(x):
    ...     return (x + 1).relu()
    >>> text = gleed.graph.show(f, gleed.ones(2, 3))
    f
      x  float32[2, 3]
    ...:2  return (x + 1).relu()
      %0 = add(x, 1)       float32[2, 3]  # add
      %1 = maximum(%0, 0)  float32[2, 3]  # relu
    return %1
    """
    name, listings = programs("show", function, args, kwargs)
    texts = []
    for i, listing in enumerate(listings, 1):
        title = f"{name}: program {i} of {len(listings)}" if len(listings) > 1 else name
        texts.append("\n".join([title, *listing.lines()]))
    text = "\n\n".join(texts)
    print(text)
    return text


def programs(
    caller: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, list[Listing]]:
    """A function's name, and the program for a call; without arguments, all that it has."""
    if not callable(function):
        raise ArgumentError(
            f"{caller}: it takes a function; got {type(function).__name__}; give it what computes"
        )
    compiled = getattr(function, "_compiled", function)  # a module's forward
    given = bool(args or kwargs)
    if not isinstance(compiled, CompiledFunction):
        compiled = function = CompiledFunction(function, fullgraph=True)
        given = True
    if given:
        function(*args, **kwargs)
        if not compiled.listings():  # the first call has made state that it found missing
            function(*args, **kwargs)
    listings = compiled.listings()
    if not listings:
        raise ArgumentError(
            f"{caller}: the function must have been captured; {compiled.name} has no program; "
            "call it first, or give arguments here"
        )
    return compiled.name, listings[:1] if given else listings
