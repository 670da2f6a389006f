"""PyTorch's operator database, run against gleed.

Every entry of the database brings sample inputs. They go to PyTorch and, as copies of the same
layout, to gleed; values, dtypes, shapes and float64 gradients under random cotangents must agree.

    python tests/conformance/operators.py           # list what agrees, and why the rest does not
    python tests/conformance/operators.py --write   # the same, and keep the list
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import re
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import gleed

LIST = Path(__file__).with_name("operators.txt")
DTYPES = (torch.float32, torch.float64, torch.int64, torch.bool)
SAMPLES = 6
SEED = 42  # to which the database's own functions set PyTorch's generator
TOLERANCES = {
    "float32": (2e-5, 1e-5),
    "float64": (1e-7, 1e-9),
    "float16": (2e-3, 1e-3),
    "bfloat16": (2e-2, 1e-2),
}
# Their results are what lies in memory: only shapes and dtypes can agree.
UNINITIALISED = re.compile(r"(new_)?empty(_like|_strided|_permuted)?$")
ATTRIBUTES = ("T", "H", "mT", "mH", "real", "imag")


def full_name(entry: Any) -> str:
    return entry.name + (f".{entry.variant_test_name}" if entry.variant_test_name else "")


ENTRIES = {full_name(entry): entry for entry in op_db}


def listed() -> list[str]:
    """The names in operators.txt."""
    return LIST.read_text().split()


# ---- the function that an entry names
def counterpart(entry: Any) -> Callable[..., Any] | None:
    """gleed's function of that name; where the database has a function of its own around PyTorch's,
    that function around gleed's."""
    if entry.name in ATTRIBUTES:
        return lambda x: getattr(x, entry.name)
    own = inspect.unwrap(entry.op)
    if inspect.isfunction(own) and own.__module__.startswith("torch.testing"):
        names = {**own.__globals__, "torch": gleed}
        return types.FunctionType(
            own.__code__, names, own.__name__, own.__defaults__, own.__closure__
        )
    found: Any = gleed
    for part in entry.name.split("."):
        found = getattr(found, part, None)
    return found if callable(found) else getattr(gleed.Tensor, entry.name, None)


# ---- arguments
class Unsupported(Exception):
    """A sample with something that gleed does not have, such as a sparse tensor."""


class Copies:
    """Copies of a sample for gleed; remembers the tensors whose gradients are compared."""

    def __init__(self) -> None:
        self.leaves: list[tuple[torch.Tensor, Any]] = []
        self._made: dict[int, Any] = {}  # a tensor given twice is one tensor

    def __call__(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.dtype | torch.memory_format | torch.layout):
            return getattr(gleed, str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return gleed.device(str(value))
        if isinstance(value, torch.Size):
            return tuple(value)
        if isinstance(value, torch.Generator):
            raise Unsupported("a generator")
        if isinstance(value, torch.nn.Module):
            return getattr(gleed.nn, type(value).__name__)()
        if inspect.isroutine(value) and hasattr(torch.nn.functional, value.__name__):
            return getattr(gleed.nn.functional, value.__name__)
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = [self(item) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        return value

    def _tensor(self, x: torch.Tensor) -> Any:
        if x.layout != torch.strided or x.dtype.is_complex:
            raise Unsupported(f"a {x.layout} tensor of {x.dtype}")
        if id(x) not in self._made:
            y = self._made[id(x)] = copied(x.detach().resolve_neg())
            if x.requires_grad:
                y.requires_grad_()
                self.leaves.append((x, y))
        return self._made[id(x)]


def copied(x: torch.Tensor) -> Any:
    """gleed's copy of a tensor: the same view of a copy of the whole memory behind it."""
    whole = x.as_strided((x.untyped_storage().nbytes() // x.itemsize,), (1,), 0)
    memory = gleed.from_numpy(whole.numpy().copy())
    return memory.as_strided(tuple(x.shape), x.stride(), x.storage_offset()).detach()


def _array(x: Any) -> np.ndarray:
    x = x.detach()
    return (x.float() if x.dtype in (gleed.bfloat16, torch.bfloat16) else x).numpy()


# ---- agreement
def tensors_in(value: Any) -> Iterator[Any]:
    """The tensors and numbers of a result, in order."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    else:
        yield value


def _require_equal(what: str, ours: Any, theirs: Any) -> None:
    if ours != theirs:
        raise AssertionError(f"{what} {ours}, not {theirs}")


def compare(ours: Any, theirs: Any, values: bool = True, scale: float = 0) -> None:
    """Raise AssertionError unless two results agree, where a `scale` is given up to so many
    roundings of their greatest elements."""
    mine, reference = list(tensors_in(ours)), list(tensors_in(theirs))
    _require_equal("number of results", len(mine), len(reference))
    for a, b in zip(mine, reference, strict=True):
        if not isinstance(b, torch.Tensor):
            if not isinstance(b, int | float | str | None):
                continue  # a layout or device of PyTorch's own
            a, b = torch.tensor(a or 0), torch.tensor(b or 0)
        elif not isinstance(a, gleed.Tensor):
            raise AssertionError(f"a {type(a).__name__} where a tensor belongs")
        _require_equal("shape", tuple(a.shape), tuple(b.shape))
        dtype = str(b.dtype).removeprefix("torch.")
        _require_equal("dtype", str(a.dtype).rpartition(".")[2], dtype)
        if values:
            rtol, atol = TOLERANCES.get(dtype, (0, 0))
            wanted = _array(b)
            if scale and wanted.size:
                atol *= scale * max(1, np.nan_to_num(np.abs(wanted)).max())
            np.testing.assert_allclose(_array(a), wanted, rtol, atol)


def compare_gradients(
    ours: Any, theirs: Any, leaves: list[tuple[torch.Tensor, Any]], scale: float = 1
) -> None:
    """Raise AssertionError unless both sides have the same gradients under random cotangents."""
    reference = [t for t in tensors_in(theirs) if isinstance(t, torch.Tensor) and t.requires_grad]
    mine = [t for t in tensors_in(ours) if isinstance(t, gleed.Tensor) and t.requires_grad]
    _require_equal("differentiable results", len(mine), len(reference))
    if not reference:
        return
    random = np.random.default_rng(3)
    cotangents = [random.standard_normal(tuple(t.shape)) for t in reference]
    expected = torch.autograd.grad(
        reference,
        [x for x, _ in leaves],
        [torch.tensor(c, dtype=t.dtype) for c, t in zip(cotangents, reference, strict=True)],
        allow_unused=True,
    )
    found = gleed.autograd.grad(
        mine,
        [y for _, y in leaves],
        [gleed.tensor(c, dtype=t.dtype) for c, t in zip(cotangents, mine, strict=True)],
        allow_unused=True,
    )
    for (x, _), a, b in zip(leaves, found, expected, strict=True):
        # No gradient and a gradient of zeros say the same.
        a = gleed.zeros(x.shape, dtype=gleed.float64) if a is None else a
        b = torch.zeros_like(x) if b is None else b
        compare(a, b, scale=scale)


def samples(entry: Any, dtype: torch.dtype, grad: bool) -> list[Any]:
    """A few samples, from all over what the entry has."""
    torch.manual_seed(0)
    every = list(entry.sample_inputs("cpu", dtype, requires_grad=grad))
    step = max(1, -(-len(every) // SAMPLES))
    return list(itertools.islice(every, 0, None, step))


def check(entry: Any) -> int:
    """Run the samples of an entry; the number of samples run. Raises where they disagree."""
    function = counterpart(entry)
    if function is None:
        raise LookupError(f"{entry.name}: gleed has no such function")
    ran = 0
    for dtype in DTYPES:
        if dtype not in entry.dtypes:
            continue
        grad = dtype == torch.float64 and entry.supports_autograd
        for sample in samples(entry, dtype, grad):
            copies = Copies()
            try:
                args = copies((sample.input, *sample.args))
                kwargs = copies(sample.kwargs)
            except Unsupported:
                continue
            torch.manual_seed(SEED)
            gleed.manual_seed(SEED)
            theirs = entry.op(sample.input, *sample.args, **sample.kwargs)
            ours = function(*args, **kwargs)
            process = sample.output_process_fn_grad
            uninitialised = UNINITIALISED.match(entry.name) is not None
            compare(process(ours), process(theirs), values=not uninitialised)
            if grad and not uninitialised:
                compare_gradients(process(ours), process(theirs), copies.leaves)
            ran += 1
    return ran


def main() -> None:
    """Check every entry and list the names of those that agree."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", default="", help="a regular expression that names must match")
    parser.add_argument("--write", action="store_true", help=f"keep the list in {LIST.name}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    agreed = []
    for name, entry in sorted(ENTRIES.items()):
        if not re.search(options.only, name):
            continue
        try:
            if check(entry):
                agreed.append(name)
        except LookupError:
            continue
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            print(f"{name}: {type(error).__name__}: {' '.join(lines[:4])[:240]}", flush=True)
    print(f"{len(agreed)} of {len(ENTRIES)} entries agree")
    if options.write:
        LIST.write_text("\n".join(agreed) + "\n")


if __name__ == "__main__":
    main()
