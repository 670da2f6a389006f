"""Sums of products over named axes: einsum, tensordot, and products built on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.dims import Size, hint, product
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.axes import axis_of
from gleed.ops.promotion import broadcast_shapes, dtype_text, expand_to, shape_text
from gleed.ops.record import Tensor, Tensors, op
from gleed.ops.views import diagonal

# A name of an axis: a letter of the equation, or a number for a dim that an ellipsis covers.
Label = str | int


@dataclass
class Term:
    """A tensor whose axes have names."""

    x: Any
    labels: tuple[Label, ...]

    def size(self, label: Label) -> Size:
        """The size of an axis."""
        return self.x.shape[self.labels.index(label)]

    def laid(self, order: Sequence[Label]) -> Any:
        """The tensor with its axes in this order."""
        axes = tuple(self.labels.index(label) for label in order)
        return self.x if axes == tuple(range(self.x.ndim)) else p.permute(self.x, axes=axes)

    def summed(self, labels: Sequence[Label]) -> Term:
        """Without these axes; of bool, whether there is a true element along them."""
        axes = tuple(i for i, label in enumerate(self.labels) if label in labels)
        if not axes:
            return self
        kept = tuple(label for label in self.labels if label not in labels)
        reduce = p.reduce_any if self.x.dtype == "bool" else p.reduce_sum
        return Term(reduce(self.x, axes=axes), kept)


def _wrong(equation: str, rule: str, fix: str) -> RangeError:
    return RangeError(f"einsum: {rule}; got {equation!r}; {fix}")


def _parsed(
    equation: str, operands: Sequence[Any]
) -> tuple[list[tuple[Label, ...]], tuple[Label, ...]]:
    """The labels of every operand and of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise _wrong(
            equation,
            f"the equation must have a term per operand ({len(terms)} for {len(operands)})",
            "separate terms by commas",
        )
    covered = [
        x.ndim - len(term.replace("...", "")) for term, x in zip(terms, operands, strict=True)
    ]
    for term, x, extra in zip(terms, operands, covered, strict=True):
        if extra < 0 or (extra > 0 and "..." not in term):
            raise _wrong(
                equation,
                f"term {term!r} must name the {x.ndim} dims of its operand",
                "add letters, or '...' for dims without names",
            )
    widest = max((n for n, t in zip(covered, terms, strict=True) if "..." in t), default=0)
    inputs = [
        _labels(equation, term, range(widest - extra, widest))
        for term, extra in zip(terms, covered, strict=True)
    ]
    if arrow:
        result = _labels(equation, right, range(widest))
    else:
        letters = [a for labels in inputs for a in labels if isinstance(a, str)]
        result = (*range(widest), *sorted(a for a in set(letters) if letters.count(a) == 1))
    known = {a for labels in inputs for a in labels}
    if len(set(result)) < len(result) or not set(result) <= known:
        raise _wrong(
            equation,
            "every letter of the result must occur in a term, and once in the result",
            "check what follows '->'",
        )
    return inputs, result


def _labels(equation: str, term: str, covered: Sequence[int]) -> tuple[Label, ...]:
    before, dots, after = term.partition("...")
    if not (before + after).isalpha() and before + after:
        raise _wrong(equation, f"terms are letters and '...', not {term!r}", "use a-z and A-Z")
    return (*before, *(covered if dots else ()), *after)


def _term(equation: str, x: Any, labels: tuple[Label, ...]) -> Term:
    """An operand; a repeated letter takes the diagonal."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if not x.shape[first] == x.shape[second]:
                raise _wrong(
                    equation,
                    f"a repeated letter takes a diagonal, of dims of one size; {label!r} has "
                    f"{hint(x.shape[first])} and {hint(x.shape[second])}",
                    "rename one",
                )
            x = diagonal(x, 0, first, second)
            labels = (*(a for i, a in enumerate(labels) if i not in (first, second)), label)
    return Term(x, labels)


def _unstretched(terms: list[Term]) -> list[Term]:
    """Axes of size 1 dropped where another operand has more: the product repeats them."""
    large = {a for t in terms for a in t.labels if t.size(a) != 1}
    return [t.summed([a for a in t.labels if a in large and t.size(a) == 1]) for t in terms]


def _check_sizes(equation: str, terms: list[Term]) -> None:
    sizes: dict[Label, Size] = {}
    for term in terms:
        for label in term.labels:
            n = term.size(label)
            if sizes.setdefault(label, n) != n:
                name = repr(label) if isinstance(label, str) else "..."
                raise ShapeError(
                    f"einsum: a letter stands for one size, or 1; got {hint(sizes[label])} and "
                    f"{hint(n)} for {name} in {equation!r}; transpose an operand, or rename"
                )


def contract(a: Term, b: Term, keep: set[Label]) -> Term:
    """The product of two operands, summed over the axes that nothing else needs."""
    a = a.summed([n for n in a.labels if n not in keep and n not in b.labels])
    b = b.summed([n for n in b.labels if n not in keep and n not in a.labels])
    batch = [n for n in a.labels if n in b.labels and n in keep]
    over = [n for n in a.labels if n in b.labels and n not in keep]
    rows = [n for n in a.labels if n not in b.labels]
    columns = [n for n in b.labels if n not in a.labels]
    labels = (*batch, *rows, *columns)
    if over and (rows or columns):
        return Term(_multiplied(a, b, batch, rows, over, columns), labels)
    order = (*labels, *over)
    return Term(_spread(a, order) * _spread(b, order), order).summed(over)


def _spread(term: Term, order: Sequence[Label]) -> Any:
    """The tensor with axes of size 1 where it has none of that name."""
    own = [label for label in order if label in term.labels]
    shape = tuple(term.size(label) if label in own else 1 for label in order)
    return p.reshape(term.laid(own), shape=shape)


def _multiplied(
    a: Term, b: Term, batch: list[Label], rows: list[Label], over: list[Label], columns: list[Label]
) -> Any:
    """[batch, rows, over] x [batch, over, columns] as a matrix product."""

    def sizes(term: Term, labels: list[Label]) -> tuple[Size, ...]:
        return tuple(term.size(label) for label in labels)

    lead = (product(sizes(a, batch)),) if batch else ()
    m, k, n = product(sizes(a, rows)), product(sizes(a, over)), product(sizes(b, columns))
    left = p.reshape(a.laid([*batch, *rows, *over]), shape=(*lead, m, k))
    right = p.reshape(b.laid([*batch, *over, *columns]), shape=(*lead, k, n))
    shape = (*sizes(a, batch), *sizes(a, rows), *sizes(b, columns))
    return p.reshape(p.matmul(left, right), shape=shape)


def _cheapest(terms: list[Term], result: set[Label]) -> tuple[int, int]:
    """The pair whose product is smallest, by the sizes of the call that is traced."""

    def cost(i: int, j: int) -> int:
        others = {n for k, t in enumerate(terms) if k not in (i, j) for n in t.labels} | result
        sizes = {n: hint(t.size(n)) for t in (terms[i], terms[j]) for n in t.labels if n in others}
        total = 1
        for size in sizes.values():
            total *= size
        return total

    pairs = [(i, j) for i in range(len(terms)) for j in range(i + 1, len(terms))]
    return min(pairs, key=lambda pair: cost(*pair))


@op(varargs="operands", reference="numpy.einsum")
def einsum(equation: str, operands: Tensors) -> Tensor:
    """The sum of products that an equation such as "bij,bjk->bik" names: a letter per dim; letters
    that are not in the result are summed over; '...' covers dims without names, which broadcast.
    Without '->' the result has the letters that occur once, in alphabetical order. Products are
    matrix products where they can be; of several operands, the pair with the smallest product goes
    first.

    >>> a, b = gleed.tensor([[1.0, 2.0]]), gleed.tensor([[3.0], [4.0]])
    >>> gleed.einsum("ij,jk->ik", a, b)
    tensor([[11.]])
    """
    if not operands:
        raise RangeError("einsum: at least one operand is needed; got none; pass tensors")
    for x in operands:
        if x.dtype != operands[0].dtype:
            raise DTypeError(
                f"einsum: all operands must have one dtype; got {dtype_text(operands[0].dtype)} "
                f"and {dtype_text(x.dtype)}; convert one with .to(dtype)"
            )
    inputs, result = _parsed(equation, operands)
    terms = [_term(equation, x, labels) for x, labels in zip(operands, inputs, strict=True)]
    terms = _unstretched(terms)
    _check_sizes(equation, terms)
    wanted = set(result)
    while len(terms) > 1:
        i, j = _cheapest(terms, wanted) if len(terms) > 2 else (0, 1)
        rest = [t for k, t in enumerate(terms) if k not in (i, j)]
        keep = wanted | {label for t in rest for label in t.labels}
        terms = [contract(terms[i], terms[j], keep), *rest]
    last = terms[0].summed([label for label in terms[0].labels if label not in wanted])
    return last.laid(result)


@einsum.otherwise
def _(*args: Any) -> Any:
    """The form with lists of axis numbers: einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    if len(args) < 2 or not isinstance(args[0], _C.Tensor):
        return NotImplemented
    operands, lists = list(args[0::2]), list(args[1::2])
    result = operands.pop() if len(args) % 2 else None
    if not all(isinstance(x, _C.Tensor) for x in operands):
        return NotImplemented
    terms = ",".join(map(_spelt, lists))
    equation = terms if result is None else f"{terms}->{_spelt(result)}"
    return einsum.public(equation, operands)


def _spelt(numbers: Sequence[Any]) -> str:
    """A list of axis numbers, and `...`, as letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for n in numbers:
        if n is not ... and not (isinstance(n, int) and 0 <= n < len(letters)):
            raise RangeError(
                f"einsum: axes are numbered 0 … {len(letters) - 1}; got {n!r}; use smaller numbers"
            )
    return "".join("..." if n is ... else letters[n] for n in numbers)


@op(reference="numpy.tensordot")
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Summed over `dims` axes: the last ones of `a` with the first ones of `b`, or those listed in
    dims = (axes of a, axes of b). An axis of size 1 is repeated to the size of the other.

    >>> gleed.tensordot(gleed.ones(2, 3, 4), gleed.ones(3, 4, 5)).shape
    gleed.Size([2, 5])
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise RangeError(
                f"tensordot: dims must lie in 0 … {min(a.ndim, b.ndim)}; got {dims}; sum over fewer"
            )
        ours, theirs = tuple(range(a.ndim - dims, a.ndim)), tuple(range(dims))
    else:
        ours = tuple(axis_of("tensordot", d, a.ndim) for d in dims[0])
        theirs = tuple(axis_of("tensordot", d, b.ndim) for d in dims[1])
    fits = len(ours) == len(theirs) and all(
        a.shape[i] == b.shape[j] or a.shape[i] == 1 or b.shape[j] == 1
        for i, j in zip(ours, theirs, strict=False)
    )
    if not fits:
        raise ShapeError(
            f"tensordot: the axes summed over must agree in number and size, or be of size 1; got "
            f"{shape_text(a.shape)} over {list(ours)} and {shape_text(b.shape)} over "
            f"{list(theirs)}; check dims"
        )
    left: list[Label] = list(range(a.ndim))
    right: list[Label] = list(range(a.ndim, a.ndim + b.ndim))
    for i, j in zip(ours, theirs, strict=True):
        right[j] = left[i]
    keep = set(left) ^ set(right)
    first, second = _unstretched([Term(a, tuple(left)), Term(b, tuple(right))])
    found = contract(first, second, keep)
    return found.laid([n for n in (*left, *right) if n in keep])


@op(method=True, reference="numpy.kron")
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`.

    >>> gleed.kron(gleed.tensor([1, 2]), gleed.tensor([1, 10]))
    tensor([ 1, 10,  2, 20])
    """
    ndim = max(input.ndim, other.ndim)
    a = (*(1,) * (ndim - input.ndim), *input.shape)
    b = (*(1,) * (ndim - other.ndim), *other.shape)
    left = p.reshape(input, shape=tuple(m for n in a for m in (n, 1)))
    right = p.reshape(other, shape=tuple(m for n in b for m in (1, n)))
    return p.reshape(left * right, shape=tuple(m * n for m, n in zip(a, b, strict=True)))


@op(varargs="matrices")
def chain_matmul(matrices: Tensors) -> Tensor:
    """The product of matrices one after another, in the cheapest order.

    >>> gleed.chain_matmul(gleed.ones(2, 3), gleed.ones(3, 4), gleed.ones(4, 1)).shape
    gleed.Size([2, 1])
    """
    return _chain("chain_matmul", matrices)


@op(namespace="linalg")
def multi_dot(tensors: Tensors) -> Tensor:
    """The product of matrices one after another, in the cheapest order; the first and the last may
    be vectors.

    >>> gleed.linalg.multi_dot([gleed.ones(3), gleed.ones(3, 4), gleed.ones(4, 2)]).shape
    gleed.Size([2])
    """
    return _chain("multi_dot", tensors)


def _chain(name: str, tensors: Sequence[Any]) -> Any:
    if not tensors:
        raise RangeError(f"{name}: at least one matrix is needed; got none; pass tensors")
    ends = {0: 2, len(tensors) - 1: 2}
    labels: list[tuple[Label, ...]] = []
    for i, x in enumerate(tensors):
        vector = x.ndim == 1 and i in ends and name == "multi_dot"
        if x.ndim != 2 and not vector:
            raise ShapeError(
                f"{name}: every operand must be a matrix; got shape {shape_text(x.shape)}; reshape "
                "it"
            )
        labels.append((i + 1,) if vector and i == 0 else (i,) if vector else (i, i + 1))
    terms = [Term(x, names) for x, names in zip(tensors, labels, strict=True)]
    for a, b in pairwise(terms):
        if not a.x.shape[-1] == b.x.shape[0]:
            raise ShapeError(
                f"{name}: the inner sizes must agree; got {shape_text(a.x.shape)} and "
                f"{shape_text(b.x.shape)}; check the order"
            )
    result = [n for n in (0, len(tensors)) if any(n in t.labels for t in terms)]
    while len(terms) > 1:
        i = min(range(len(terms) - 1), key=lambda i: _cost(terms[i], terms[i + 1]))
        keep = {n for t in (*terms[:i], *terms[i + 2 :]) for n in t.labels} | set(result)
        terms[i : i + 2] = [contract(terms[i], terms[i + 1], keep)]
    return terms[0].laid(result)


def _cost(a: Term, b: Term) -> int:
    """The multiplications of a product less what it saves later: big inner sizes go first."""
    outer = [hint(n) for n in (*a.x.shape[:-1], *b.x.shape[1:])]
    total = 1
    for n in outer:
        total *= n
    return total - hint(b.x.shape[0]) * (sum(outer) or 1)


@op(method=True)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product along `dim`, of size 3 (the first such dim if None).

    >>> gleed.cross(gleed.tensor([1, 0, 0]), gleed.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    shape = broadcast_shapes("cross", input.shape, other.shape)
    a, b = expand_to(input, shape), expand_to(other, shape)
    if dim is None:
        axis = next((i for i, n in enumerate(shape) if n == 3), -1)
    else:
        axis = axis_of("cross", dim, len(shape))
    if axis < 0 or not shape[axis] == 3:
        raise ShapeError(
            f"cross: the dim must have size 3; got {shape_text(shape)} and dim={dim}; name a dim "
            "of size 3"
        )

    def turned(x: Tensor, by: int) -> Tensor:
        parts = [p.slice(x, axis=axis, start=(i + by) % 3, step=1, length=1) for i in range(3)]
        return p.concat(*parts, axis=axis)

    return turned(a, 1) * turned(b, 2) - turned(a, 2) * turned(b, 1)


def _einsum_samples() -> None:
    calls = [
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("bij,bjk->bik", (2, 2, 3), (2, 3, 4)),
        ("ij->ji", (2, 3)),
        ("ii->i", (3, 3)),
        ("ii", (3, 3)),
        ("i,j->ij", (2,), (3,)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
        ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
        ("i,i->", (4,), (4,)),
    ]

    @einsum.samples
    def _(make: Any) -> Any:
        for equation, *shapes in calls:
            yield make.call(equation, *(make.tensor(shape) for shape in shapes))

    products: dict[Any, list[tuple[Any, ...]]] = {
        tensordot: [((2, 3, 4), (3, 4, 5)), ((2, 3, 4), (4, 3), ((1, 2), (1, 0)))],
        kron: [((2, 3), (3, 2)), ((2,), (3, 2))],
        cross: [((3,), (3,)), ((2, 3), (2, 3), 1)],
    }
    for record, made in products.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for a, b, *rest in made:
                yield make.call(make.tensor(a), make.tensor(b), *rest)

    @chain_matmul.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((2, 3)), make.tensor((3, 4)), make.tensor((4, 2)))

    @multi_dot.samples
    def _(make: Any) -> Any:
        yield make.call([make.tensor((3,)), make.tensor((3, 4)), make.tensor((4, 2))])


_einsum_samples()
