"""Random programs over all dtypes and ranks: most of what a function can do to tensors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gleed
from gleed.func import vmap

F = gleed.nn.functional
Step = Callable[[list[Any]], Any]

DTYPES = {
    "float32": 6, "float64": 2, "bfloat16": 2, "float16": 2, "int64": 2, "int32": 1, "int16": 1,
    "int8": 1, "uint8": 1, "bool": 2,
}  # fmt: skip
SIZES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 33)
LONG = (70, 600, 2100)  # now and then, for loops that are divided
MOST = 20_000  # elements of one tensor

# Of one floating-point tensor; what they give stays of a size to compute with.
FLOATING: dict[str, Callable[[Any], Any]] = {
    "sin": lambda x: x.sin(), "tanh": lambda x: x.tanh(), "exp": lambda x: x.clamp(-3, 3).exp(),
    "sigmoid": lambda x: x.sigmoid(), "relu": lambda x: x.relu(), "gelu": F.gelu, "silu": F.silu,
    "erf": lambda x: x.erf(), "log": lambda x: (x.abs() + 0.1).log(), "softplus": F.softplus,
    "sqrt": lambda x: (x.abs() + 0.1).sqrt(), "rsqrt": lambda x: (x * x + 1).rsqrt(),
    "leaky_relu": F.leaky_relu, "round": lambda x: x.round(), "frac": lambda x: x.frac(),
    "reciprocal": lambda x: (x.abs() + 0.5).reciprocal(), "hardtanh": F.hardtanh,
    "atan": lambda x: x.atan(), "expm1": lambda x: x.clamp(-2, 2).expm1(), "log1p": lambda x:
    x.abs().log1p(), "pow": lambda x: x.abs().add(0.2).pow(1.5), "lgamma": lambda x: (x.abs() +
    0.5).lgamma(), "nan_to_num": lambda x: (x / x).nan_to_num(), "logit": lambda x:
    x.sigmoid().logit(1e-3),
}  # fmt: skip
ANY: dict[str, Callable[[Any], Any]] = {
    "neg": lambda x: ~x if x.dtype == gleed.bool else -x, "square": lambda x: x * x,
    "abs": lambda x: x if x.dtype == gleed.bool else x.abs(), "sign": lambda x: x.sign(),
    "half": lambda x: x * 0.5, "twice": lambda x: x + x, "div": lambda x: x / 3, "isnan":
    lambda x: x.isnan(), "clamp": lambda x: x.clamp(0, 1) if x.dtype != gleed.bool else x.int(),
    "not": lambda x: x.logical_not(), "floor": lambda x: x // 2 if x.dtype != gleed.bool else x * 2,
    "remainder": lambda x: x % 3 if x.dtype != gleed.bool else x ^ True,
    "masked": lambda x: x.masked_fill(x > 1, 1), "positive": lambda x: x > 0,
}  # fmt: skip
PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "mul": lambda x, y: x * y, "sub": lambda x, y: x.float() - y,
    "maximum": gleed.maximum, "minimum": gleed.minimum, "div": lambda x, y: x / (y * y + 1),
    "lt": lambda x, y: x < y, "eq": lambda x, y: x == y, "or": lambda x, y: x.logical_or(y),
    "where": lambda x, y: gleed.where(x > 0, x, y), "lerp": lambda x, y: gleed.lerp(x.float(),
    y.float(), 0.3), "atan2": lambda x, y: gleed.atan2(x.float(), y.float() + 0.1),
    "addcmul": lambda x, y: gleed.addcmul(x.double(), y.double(), x.double(), value=0.5),
    "fmod": lambda x, y: gleed.fmod(x.float(), y.float().abs() + 0.3),
    "xor": lambda x, y: x.bool() ^ y.bool(), "alpha": lambda x, y: gleed.add(x.float(), y, alpha=2),
}  # fmt: skip
# Along one axis; with the axis kept or not.
REDUCTIONS: dict[str, Callable[[Any, int, bool], Any]] = {
    "sum": lambda x, d, k: x.sum(d, k), "amax": lambda x, d, k: x.amax(d, k),
    "amin": lambda x, d, k: x.amin(d, k), "prod": lambda x, d, k: x.clamp(0, 2).prod(d, k),
    "mean": lambda x, d, k: floating(x).mean(d, k), "any": lambda x, d, k: x.any(d, k),
    "all": lambda x, d, k: x.all(d, k), "var": lambda x, d, k: floating(x).var(d, keepdim=k),
    "std": lambda x, d, k: floating(x).std(d, correction=0, keepdim=k), "argmax":
    lambda x, d, k: x.argmax(d, k), "logsumexp": lambda x, d, k: floating(x).logsumexp(d, k),
    "norm": lambda x, d, k: floating(x).norm(dim=d, keepdim=k), "count": lambda x, d, k:
    x.count_nonzero(d), "max": lambda x, d, k: x.max(d, k), "nansum": lambda x, d, k:
    floating(x).nansum(d, k), "median": lambda x, d, k: floating(x).median(d, k)[0],
}  # fmt: skip
ALONG: dict[str, Callable[[Any, int], Any]] = {
    "softmax": lambda x, d: floating(x).softmax(d), "log_softmax": lambda x, d:
    floating(x).log_softmax(d), "cumsum": lambda x, d: x.cumsum(d), "flip": lambda x, d: x.flip(d),
    "cumprod": lambda x, d: x.clamp(0, 1).cumprod(d), "sort": lambda x, d: x.sort(d)[0],
    "argsort": lambda x, d: x.argsort(d, stable=True), "roll": lambda x, d: x.roll(1, d),
    "normalize": lambda x, d: F.normalize(floating(x), dim=d), "diff": lambda x, d: x.float().diff(
    dim=d), "cummax": lambda x, d: x.cummax(d)[0], "centred": lambda x, d: floating(x) -
    floating(x).mean(d, True) * 0.9, "scaled": lambda x, d: floating(x) /
    (floating(x).abs().amax(d, True) + 1), "topk": lambda x, d: x.topk(min(2, x.shape[d]), d)[0],
}  # fmt: skip
# Parts of a tensor that share its memory; writes go through them, too.
VIEWS: dict[str, Callable[[Any], Any]] = {
    "t": lambda x: x.transpose(0, -1), "rest": lambda x: x[1:], "first": lambda x: x[:1],
    "every other": lambda x: x[..., ::2], "last": lambda x: x.select(-1, -1), "whole":
    lambda x: x[:],
    "diagonal": lambda x: x.diagonal() if x.ndim > 1 else x[None], "chunk":
    lambda x: x.chunk(2, -1)[-1], "axis": lambda x: x.unsqueeze(-1), "permuted":
    lambda x: x.permute(*range(1, x.ndim), 0), "squeeze": lambda x: x.squeeze(), "narrow":
    lambda x: x.narrow(-1, 0, (x.shape[-1] + 1) // 2),
}  # fmt: skip
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "add_": lambda x, y: x.add_(y.to(x.dtype)), "copy_": lambda x, y: x.copy_(y),
    "zero_": lambda x, y: x.zero_(), "fill_": lambda x, y: x.fill_(1), "mul_": lambda x, y:
    x.mul_(y.to(x.dtype)), "masked_fill_": lambda x, y: x.masked_fill_(y > 0, 0), "clamp_":
    lambda x, y: x.clamp_(0, 1) if x.dtype != gleed.bool else x.logical_not_(), "set": lambda x, y:
    x.__setitem__(..., y), "relu_": lambda x, y: x.relu_() if x.is_floating_point() else x.zero_(),
}  # fmt: skip


class Cubed(gleed.autograd.Function):
    """A gradient that is no derivative."""

    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * x * x * factor

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * x * ctx.factor, None


def floating(x: Any) -> Any:
    return x if x.is_floating_point() else x.float()


class MixedProgram:
    """A function over tensors of any dtypes and shapes, drawn from a seed.

    `grad`: all its inputs that are floating-point numbers may require gradients, so nothing is
    written to them.
    """

    def __init__(self, seed: int, grad: bool = False) -> None:
        self.draw = random.Random(f"mixed {seed} {grad}")
        self.grad = grad
        first = self._shape()
        shapes = [first, *(self.draw.choice((first, first, self._shape())) for _ in range(2))]
        self.inputs = [(shape, self._dtype()) for shape in shapes[: self.draw.randint(1, 3)]]
        self.steps = [self._step() for _ in range(self.draw.randint(2, 10))]
        self.returned = self.draw.randint(1, 4)

    def arguments(self, call: int = 0) -> list[Any]:
        """Inputs; some of them laid out in another way."""
        draw = random.Random(call)
        gleed.manual_seed(call)
        made = []
        for shape, dtype in self.inputs:
            layout, turned = draw.choice(("plain", "turned", "sliced")), (*shape[1:], *shape[:1])
            if layout == "turned" and len(shape) > 1:
                tensor = gleed.randn(turned).movedim(-1, 0)
            elif layout == "sliced" and shape:
                tensor = gleed.randn(*shape[:-1], 2 * shape[-1])[..., ::2]
            else:
                tensor = gleed.randn(shape)
            if layout == "sliced" and dtype != "float32":
                wide = gleed.zeros(*shape, 2, dtype=getattr(gleed, dtype))
                wide[..., 0] = tensor * 2
                tensor = wide[..., 0]
            else:
                tensor = (tensor * 2).to(getattr(gleed, dtype)) if dtype != "float32" else tensor
            needed = self.grad and tensor.is_floating_point()
            made.append(tensor.detach().requires_grad_(needed))
        return made

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        pool = list(inputs)
        for step in self.steps:
            made = step(pool)
            found = made if isinstance(made, tuple) else () if made is None else (made,)
            pool += [t for t in found if t.numel() <= MOST]
        results = pool[-self.returned :]
        # Gradients of an input that is a result add up inside and outside.
        return tuple(t * 1 if self.grad and any(t is x for x in inputs) else t for t in results)

    # ---- draws
    def _shape(self) -> tuple[int, ...]:
        shape = [self.draw.choice(SIZES) for _ in range(self.draw.choice((0, 1, 1, 2, 2, 2, 3, 4)))]
        if shape and self.draw.random() < 0.1:
            shape[self.draw.randrange(len(shape))] = self.draw.choice(LONG)
        while len(shape) > 1 and product(shape) > MOST // 8:
            shape.pop()
        return tuple(shape)

    def _dtype(self) -> str:
        return self.draw.choices([*DTYPES], [*DTYPES.values()])[0]

    def _one(self, table: dict[str, Any]) -> Any:
        return table[self.draw.choice([*table])]

    def _pick(self) -> Callable[[list[Any]], Any]:
        """Chooses among what is there when the step runs."""
        share = self.draw.random()
        return lambda pool: pool[int(share * len(pool))]

    def _fitting(self) -> Callable[[list[Any], Any], Any]:
        """A tensor of the pool that broadcasts to another's shape: perhaps that one."""
        share = self.draw.random()

        def choose(pool: list[Any], x: Any) -> Any:
            found = [t for t in pool if broadcasts(t.shape, x.shape)]
            return found[int(share * len(found))] if found else x

        return choose

    def _axis(self) -> Callable[[Any], int]:
        share = self.draw.random()
        return lambda x: int(share * x.ndim) - x.ndim

    # ---- kinds of steps
    def _step(self) -> Step:
        kinds: dict[Callable[[], Step], int] = {
            self._pointwise: 5, self._pair: 5, self._reduction: 4, self._along: 3, self._view: 4,
            self._cast: 2, self._product: 2, self._indexed: 2, self._joined: 2, self._flow: 3,
            self._write: 4, self._mode: 2, self._custom: 1, self._drawn: 1, self._mapped: 2,
            self._number: 2, self._gradient: 1, self._layer: 2, self._made: 1,
        }  # fmt: skip
        return self.draw.choices([*kinds], [*kinds.values()])[0]()

    def _chain(self, length: int = 2) -> Callable[[Any], Any]:
        """A function of one floating-point tensor that keeps its shape and dtype."""
        first, second = (self._one(FLOATING) for _ in range(2))
        centre, inner = self.draw.random() < 0.4, None
        if length and self.draw.random() < 0.3:
            inner = self._chain(length - 1)

        def chain(x: Any) -> Any:
            y = second(first(x) * 0.7)
            y = y if inner is None else inner(y)
            # Not all of the mean: rounding errors alone would be left where all is the same.
            return y - y.mean(-1, True) * 0.9 if centre and y.ndim and y.shape[-1] else y

        return chain

    def _pointwise(self) -> Step:
        pick = self._pick()
        if self.draw.random() < 0.6:
            f = self._one(FLOATING)
            return lambda pool: f(floating(pick(pool)))
        f = self._one(ANY)
        return lambda pool: f(pick(pool))

    def _pair(self) -> Step:
        pick, fitting, f = self._pick(), self._fitting(), self._one(PAIRS)

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            return f(x, fitting(pool, x))

        return step

    def _reduction(self) -> Step:
        pick, f, axis, keep = self._pick(), self._one(REDUCTIONS), self._axis(), self.draw.random()
        whole, minus = self.draw.random() < 0.2, self.draw.random() < 0.3

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if whole or not x.ndim or 0 in x.shape:
                return x.sum()
            y = f(x, axis(x), keep < 0.6)
            alike = not isinstance(y, tuple) and y.ndim == x.ndim
            return x.float() - y if minus and keep < 0.6 and alike else y

        return step

    def _along(self) -> Step:
        pick, f, axis = self._pick(), self._one(ALONG), self._axis()

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            return f(x, axis(x)) if x.ndim and 0 not in x.shape else x + 1

        return step

    def _view(self) -> Step:
        pick, f = self._pick(), self._one(VIEWS)

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            return f(x) if x.ndim and 0 not in x.shape else x.reshape(-1)

        return step

    def _cast(self) -> Step:
        pick, dtype = self._pick(), getattr(gleed, self._dtype())
        return lambda pool: pick(pool).to(dtype)

    def _product(self) -> Step:
        pick, fitting, kind = self._pick(), self._fitting(), self.draw.randrange(4)

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            y = fitting(pool, x).to(x.dtype).expand(x.shape)
            if x.ndim < 2 or x.dtype == gleed.bool:
                return (floating(x) * y).sum()
            both = (x, y.transpose(-1, -2)) if kind < 2 else (x.transpose(-1, -2), y)
            return both[0] @ both[1] if kind % 2 else gleed.einsum("...ij,...kj->...ik", x, y)

        return step

    def _indexed(self) -> Step:
        pick, kind, axis = self._pick(), self.draw.randrange(6), self._axis()

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if not x.ndim or 0 in x.shape:
                return x * 2
            d = axis(x)
            count = x.shape[d]
            index = gleed.arange(count).flip(0) // 2
            if kind == 0:
                return x.index_select(d, index)
            if kind == 1:
                return x[index[index < count]] if d == 0 else x.transpose(0, d)[index]
            if kind == 2:
                return x.gather(d, x.argsort(d, stable=True))
            if kind == 3:
                return gleed.zeros_like(x).index_add(d, index, x)
            if kind == 4:
                return gleed.zeros_like(x).scatter(d, x.argsort(d, stable=True), x)
            return x.index_fill(d, index[:1], 1)

        return step

    def _joined(self) -> Step:
        pick, fitting, kind, axis = self._pick(), self._fitting(), self.draw.random(), self._axis()

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            y = fitting(pool, x).expand(x.shape)
            if kind < 0.3 or not x.ndim:
                return gleed.stack([x, y])
            if kind < 0.6:
                return gleed.cat([x, y * 2], axis(x))
            if kind < 0.8:
                return F.pad(x, (1, 2))
            return gleed.stack([x, y]).tril() if x.ndim > 1 else gleed.outer(x, y)[:5]

        return step

    def _write(self) -> Step:
        pick, fitting, f = self._pick(), self._fitting(), self._one(WRITES)
        views = [self._one(VIEWS) for _ in range(self.draw.randint(0, 2))]
        copy, grad = self.draw.random() < 0.5, self.grad

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if (grad and (x.is_leaf or x.requires_grad)) or copy or 0 in x.stride():
                x = x.clone()
            part = x
            for view in views:
                part = view(part) if part.ndim and 0 not in part.shape else part
            f(part, fitting(pool, part).detach())
            return x

        return step

    def _flow(self) -> Step:
        pick, kind, reverse = self._pick(), self.draw.randrange(5), self.draw.random() < 0.5
        one, other, bound = self._chain(), self._chain(), self.draw.uniform(-1, 1)
        nested = self.draw.random() < 0.4

        def branch(x: Any) -> Any:
            y = one(x)
            return gleed.cond(y.sum() > bound, other, gleed.neg, (y,)) if nested else y

        def turn(state: Any, row: Any) -> Any:
            return branch((state * 0.5 + row).to(state.dtype)), state.sum()

        def step(pool: list[Any]) -> Any:
            x = floating(pick(pool))
            if kind == 0 or not x.ndim or 0 in x.shape or len(x) > 40:
                return gleed.cond(x.float().sum() > bound, branch, other, (x,))
            if kind == 1:
                return gleed.scan(turn, x[0] * 0.3, x, reverse=reverse)
            if kind == 2:
                return gleed.map(branch, x)
            if kind == 3:
                return gleed.map(lambda row: gleed.cond(row.sum() > 0, one, branch, (row,)), x)
            x = x.detach()

            def more(n: Any, y: Any) -> Any:
                return (n < 4) & (y.abs().float().sum() > abs(bound))

            return gleed.while_loop(more, lambda n, y: (n + 1, branch(y)), (gleed.tensor(0), x))[1]

        return step

    def _mode(self) -> Step:
        pick, f, kind = self._pick(), self._chain(), self.draw.randrange(4)

        def step(pool: list[Any]) -> Any:
            x = floating(pick(pool))
            if kind == 0:
                with gleed.no_grad():
                    return f(x)
            if kind == 1:
                return f(x).detach()
            with gleed.autocast("cpu", dtype=gleed.bfloat16):
                y = x.reshape(-1, 1)[:20]
                return f((y @ y.t()).softmax(-1) if kind == 2 else F.linear(y, y.t()[:1].t()))

        return step

    def _custom(self) -> Step:
        pick, factor = self._pick(), self.draw.random()
        return lambda pool: Cubed.apply(floating(pick(pool)).clamp(-2, 2), factor)

    def _drawn(self) -> Step:
        pick, kind = self._pick(), self.draw.randrange(4)

        def step(pool: list[Any]) -> Any:
            x = floating(pick(pool))
            if kind == 0:
                return F.dropout(x, 0.4)
            if kind == 1:
                return x + gleed.rand_like(x)
            if kind == 2:
                return gleed.bernoulli(x.float().sigmoid()) * x
            return x * gleed.randn(x.shape, dtype=gleed.float64)

        return step

    def _mapped(self) -> Step:
        pick, fitting, f, out = (
            self._pick(),
            self._fitting(),
            self._chain(),
            self.draw.choice((0, -1)),
        )
        shared, matrix = self.draw.random() < 0.4, self.draw.random() < 0.4

        def step(pool: list[Any]) -> Any:
            x = floating(pick(pool))
            if x.ndim < 2 or 0 in x.shape:
                return f(x)
            y = x[0] * 0.5 if shared else floating(fitting(pool, x)).expand(x.shape)

            def one(a: Any, b: Any) -> Any:
                c = f(a) * b
                return c @ c.transpose(-1, -2).to(c.dtype) if matrix and c.ndim > 1 else c

            return vmap(one, (0, None if shared else 0), out)(x, y)

        return step

    def _number(self) -> Step:
        pick, number, sized = self._pick(), self.draw.uniform(-2, 2), self.draw.random() < 0.5

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            return x / (x.numel() + 1) + x.ndim if sized else (x + number) * 3

        return step

    def _gradient(self) -> Step:
        """Gradients taken inside of the program."""
        pick, f, again = self._pick(), self._chain(), self.draw.random() < 0.4

        def step(pool: list[Any]) -> Any:
            x = floating(pick(pool)).detach().requires_grad_()
            with gleed.enable_grad():
                y = (f(x) * x.sin()).sum()
                (gradient,) = gleed.autograd.grad(y, x, create_graph=again)
                if again and gradient.requires_grad:
                    (gradient,) = gleed.autograd.grad(gradient.square().sum(), x)
            return gradient.detach()

        return step

    def _layer(self) -> Step:
        pick, kind = self._pick(), self.draw.randrange(6)

        def step(pool: list[Any]) -> Any:
            x = floating(pick(pool))
            if x.ndim < 2 or 0 in x.shape or x.shape[-1] < 2:
                return x.sigmoid()
            n = x.shape[-1]
            if kind == 0:
                return F.layer_norm(x, (n,))
            if kind == 1:
                return F.rms_norm(x, (n,))
            if kind == 2:
                q = x.reshape(1, -1, n)[:, :9]
                return F.scaled_dot_product_attention(q, q * 0.5, q.sin(), is_causal=True)
            if kind == 3:
                return F.conv1d(x.reshape(1, -1, n)[:, :4], x.reshape(1, -1, n)[:, :4, :2])
            if kind == 4:
                target = x.reshape(-1, n).argmin(1)
                return F.cross_entropy(x.reshape(-1, n), target, reduction="none")
            return F.avg_pool1d(x.reshape(1, -1, n), 2)

        return step

    def _made(self) -> Step:
        pick, kind, dtype = self._pick(), self.draw.randrange(5), getattr(gleed, self._dtype())

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if kind == 0:
                return gleed.full_like(x, 2, dtype=dtype)
            if kind == 1:
                return gleed.arange(x.numel()).reshape(x.shape).to(dtype)
            if kind == 2:
                return gleed.eye(3, dtype=dtype)
            if kind == 3:
                return gleed.linspace(-1, 1, 5) * x.float().sum()
            return gleed.tensor([1.5, 0.0, -2.0]).to(dtype)

        return step


def product(sizes: Any) -> int:
    total = 1
    for n in sizes:
        total *= n
    return total


def broadcasts(shape: Any, target: Any) -> bool:
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(n in (1, m) for n, m in pairs)
