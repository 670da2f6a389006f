"""The cases that have a natural program in JAX: by name, what sets up `f` and `x`, so that `f(*x)`
computes the same. Functions are compiled with `jit`; `normal(…)` makes random arrays.
"""

from __future__ import annotations

from cases import CONVOLUTIONS


def _jit(body: str, *shapes: str) -> str:
    """A function of a, b, c, g on random arrays."""
    names = "abcg"[: len(shapes)]
    arrays = "".join(f"normal({shape}), " for shape in shapes)
    return f"f = jax.jit(lambda {', '.join(names)}: {body})\nx = ({arrays})"


_CONVOLVE = """
def convolve(a, b, padding, groups=1):
    sizes = [(padding, padding)] * (a.ndim - 2)
    strides = [1] * (a.ndim - 2)
    return jax.lax.conv_general_dilated(a, b, strides, sizes, feature_group_count=groups)
"""
_CONVOLUTIONS = {
    name: _CONVOLVE
    + _jit(
        f"convolve(a, b, {int(weight.endswith('3'))}, {128 if 'groups' in str(options) else 1})",
        images,
        weight,
    )
    for name, (images, weight, *options) in CONVOLUTIONS.items()
}
_GRADIENTS = "f = jax.jit(jax.grad(lambda a, b: convolve(a, b, 1).sum(), (0, 1)))\n"
_ATTENTION = """
def attend(q, k, v):
    q, k, v = (jnp.swapaxes(a, 1, 2) for a in (q, k, v))
    return jnp.swapaxes(jax.nn.dot_product_attention(q, k, v, is_causal={causal}), 1, 2)
"""
_HEADS = ("4, 8, 512, 64",) * 3
_NORM = "(a - a.mean(1, keepdims=True)) * jax.lax.rsqrt(a.var(1, keepdims=True) + 1e-5)"
_POOL = """
def pool(a):
    return jax.lax.reduce_window(
        a, {start}, {reduce}, (1, 1, {size}, {size}), (1, 1, 2, 2),
        ((0, 0), (0, 0), ({pad}, {pad}), ({pad}, {pad})))
"""
_IMAGES = "32, 64, 56, 56"
_POINTWISE = {
    "x + y": "a + b",
    "x.exp()": "jnp.exp(a)",
    "F.gelu(x)": "jax.nn.gelu(a, approximate=False)",
    "x.tanh()": "jnp.tanh(a)",
    "x.sum()": "a.sum()",
}

# ---- training: parameters and the state of the optimizer go in and come out
_OPTIMIZERS = """
def sgd(p, g, s):
    return jax.tree.map(lambda p, g: p - 0.01 * g, p, g), s
def momentum(p, g, s):
    s = jax.tree.map(lambda s, g: 0.9 * s + g, s, g)
    return jax.tree.map(lambda p, s: p - 0.01 * s, p, s), s
def adam(p, g, s, decay=0.0):
    m, v, n = s
    n = n + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    def move(p, m, v):
        step = m / (1 - 0.9**n) / (jnp.sqrt(v / (1 - 0.999**n)) + 1e-8)
        return p * (1 - 1e-3 * decay) - 1e-3 * step
    return jax.tree.map(move, p, m, v), (m, v, n)
def adamw(p, g, s):
    return adam(p, g, s, 0.01)
def cross_entropy(logits, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()
def trained(optimizer, loss, p, data, clip=False):
    zeros = jax.tree.map(jnp.zeros_like, p)
    state = (zeros, zeros, 0.0) if optimizer in (adam, adamw) else zeros
    held = [p, state]
    @jax.jit
    def step(p, state, *data):
        g = jax.grad(loss)(p, *data)
        if clip:
            norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(g)))
            g = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), g)
        return optimizer(p, g, state)
    def run():
        held[:] = step(*held, *data)
        return held
    return run
"""
_MLP = """
widths, rows = {widths}, {rows}
p = [(normal(k, n) * k**-0.5, jnp.zeros(n)) for k, n in zip(widths, widths[1:])]
def loss(p, x, y):
    for w, b in p[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = p[-1]
    return cross_entropy(x @ w + b, y)
f = trained({optimizer}, loss, p, (normal(rows, widths[0]), integers((rows,), 10)))
x = ()
"""
_LINE = """
points = normal(100, 1)
def loss(p, x, y):
    return ((x @ p[0] + p[1] - y) ** 2).mean()
f = trained(sgd, loss, (normal(1, 1), jnp.zeros(1)), (points, 3 * points + 1))
x = ()
"""
_GPT = """
def matrix(k, n):
    return normal(k, n) * k**-0.5, jnp.zeros(n)
def scales():
    return jnp.ones(128), jnp.zeros(128)
p = {"letters": normal(65, 128), "places": normal(64, 128), "norm": scales(),
     "next": normal(128, 65) * 128**-0.5,
     "layers": [(scales(), matrix(128, 384), matrix(128, 128),
                 scales(), matrix(128, 512), matrix(512, 128)) for _ in range(4)]}
def linear(x, p):
    return x @ p[0] + p[1]
def norm(x, p):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[0] + p[1]
def layer(x, p):
    heads = [a.reshape(8, 64, 4, 32) for a in jnp.split(linear(norm(x, p[0]), p[1]), 3, 2)]
    found = jax.nn.dot_product_attention(*heads, is_causal=True)
    x = x + linear(found.reshape(8, 64, 128), p[2])
    inner = jax.nn.gelu(linear(norm(x, p[3]), p[4]), approximate=False)
    return x + linear(inner, p[5])
def loss(p, x, y):
    x = p["letters"][x] + p["places"]
    for each in p["layers"]:
        x = layer(x, each)
    return cross_entropy((norm(x, p["norm"]) @ p["next"]).reshape(-1, 65), y)
f = trained(adamw, loss, p, (integers((8, 64), 65), integers((512,), 65)), clip=True)
x = ()
"""
_RESIDUAL = """
def kernel(n, k, size):
    return normal(n, k, size, size) * (k * size * size) ** -0.5
def convolve(x, w):
    around = w.shape[2] // 2
    return jax.lax.conv_general_dilated(x, w, (1, 1), [(around, around)] * 2)
def block(c):
    return [(kernel(c, c, 3), jnp.ones(c), jnp.zeros(c)) for _ in range(2)]
p = {"first": kernel(32, 3, 3), "blocks": [block(32), block(32), block(64)],
     "wider": kernel(64, 32, 1), "last": (normal(64, 10) / 8, jnp.zeros(10))}
def norm(x, scale, shift):
    x = x - x.mean((0, 2, 3), keepdims=True)
    x = x * jax.lax.rsqrt((x * x).mean((0, 2, 3), keepdims=True) + 1e-5)
    return x * scale[:, None, None] + shift[:, None, None]
def residual(x, p):
    y = jax.nn.relu(norm(convolve(x, p[0][0]), *p[0][1:]))
    return jax.nn.relu(x + norm(convolve(y, p[1][0]), *p[1][1:]))
def loss(p, x, y):
    x = residual(residual(convolve(x, p["first"]), p["blocks"][0]), p["blocks"][1])
    ends = (1, 1, 2, 2)
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, ends, ends, "VALID")
    x = residual(convolve(x, p["wider"]), p["blocks"][2]).mean((2, 3))
    return cross_entropy(x @ p["last"][0] + p["last"][1], y)
f = trained(momentum, loss, p, (normal(32, 3, 32, 32), integers((32,), 10)))
x = ()
"""
_LANGUAGE = """
p = {"letters": normal(1000, 128), "enter": normal(128, 1024) / 16, "again": normal(256, 1024) / 16,
     "bias": jnp.zeros(1024), "last": (normal(256, 1000) / 16, jnp.zeros(1000))}
def loss(p, x, y):
    gates = jnp.swapaxes(p["letters"][x], 0, 1) @ p["enter"] + p["bias"]
    def turn(state, gate):
        h, c = state
        i, f, g, o = jnp.split(gate + h @ p["again"], 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h
    zeros = jnp.zeros((x.shape[0], 256))
    _, hidden = jax.lax.scan(turn, (zeros, zeros), gates)
    logits = jnp.swapaxes(hidden, 0, 1) @ p["last"][0] + p["last"][1]
    return cross_entropy(logits.reshape(-1, 1000), y)
f = trained(adam, loss, p, (integers((16, 32), 1000), integers((512,), 1000)), clip=True)
x = ()
"""
_OPTIMIZER_NAMES = {"SGD": "sgd", "SGD with momentum": "momentum", "Adam": "adam", "AdamW": "adamw"}

PROGRAMS: dict[str, str] = {
    # overhead
    "a + b": _jit("a + b", "8, 8", "8, 8"),
    "exp": _jit("jnp.exp(a)", "8, 8"),
    "sum": _jit("a.sum()", "8, 8"),
    "a @ b": _jit("a @ b", "8, 8", "8, 8"),
    "softmax": _jit("jax.nn.softmax(a)", "8, 8"),
    "layer_norm": _jit(f"{_NORM} * b + c", "8, 8", "8", "8"),
    "gelu": _jit("jax.nn.gelu(a, approximate=False)", "8, 8"),
    # memory
    **{
        f"{name}, 2^{k}": _jit(body, *[str(1 << k)] * (2 if "b" in body else 1))
        for k in (16, 20, 24)
        for name, body in _POINTWISE.items()
    },
    "softmax 4096×1024": _jit("jax.nn.softmax(a)", "4096, 1024"),
    "log_softmax 64×50257": _jit("jax.nn.log_softmax(a)", "64, 50257"),
    "layer_norm 4096×1024": _jit(_NORM, "4096, 1024"),
    "sum of columns 4096×1024": _jit("a.sum(0)", "4096, 1024"),
    "max of rows 4096×1024": _jit("(a.max(1), a.argmax(1))", "4096, 1024"),
    "transposed copy 2048²": _jit("jnp.array(a.T)", "2048, 2048"),
    "broadcast add 4096×1024": _jit("a + b", "4096, 1024", "1024"),
    "strided add 2048²": _jit("a[:, ::2] + a[:, 1::2]", "2048, 2048"),
    "cat of 2 × 2^22": _jit("jnp.concatenate([a, a])", "1 << 22"),
    "cumsum 4096×1024": _jit("a.cumsum(1)", "4096, 1024"),
    # compute
    **_CONVOLUTIONS,
    "conv1d 64→128, 5, 1024, batch 16": _CONVOLVE
    + _jit("convolve(a, b, 0)", "16, 64, 1024", "128, 64, 5"),
    "conv2d 64→64, 3×3, forward and backward": _CONVOLVE
    + _GRADIENTS
    + "x = (normal(16, 64, 32, 32), normal(64, 64, 3, 3))",
    **{f"matmul {n}": _jit("a @ b", f"{n}, {n}", f"{n}, {n}") for n in (64, 256, 1024)},
    "matmul 1024, bfloat16": "f = jax.jit(lambda a: a @ a)\n"
    "x = (normal(1024, 1024).astype(jnp.bfloat16),)",
    "bmm of 64 × 128×64×128": _jit("a @ b", "64, 128, 64", "64, 64, 128"),
    "linear 256×1024×4096": _jit("a @ b + c", "256, 1024", "1024, 4096", "4096"),
    "matrix × vector 2048": _jit("a @ b", "2048, 2048", "2048"),
    "einsum bij,bjk->bik": _jit("jnp.einsum('bij,bjk->bik', a, b)", "8, 64, 128", "8, 128, 64"),
    "causal attention 4×8×512×64": _ATTENTION.format(causal=True)
    + _jit("attend(a, b, c)", *_HEADS),
    "attention 4×8×512×64": _ATTENTION.format(causal=False) + _jit("attend(a, b, c)", *_HEADS),
    "causal attention 4×8×512×64, gradients": _ATTENTION.format(causal=True)
    + _jit("jax.vjp(attend, a, b, c)[1](g)", *_HEADS, _HEADS[0]),
    # windows
    "max_pool2d 3×3, stride 2": _POOL.format(start="-jnp.inf", reduce="jax.lax.max", size=3, pad=1)
    + _jit("pool(a)", _IMAGES),
    "avg_pool2d 2×2": _POOL.format(start="0.0", reduce="jax.lax.add", size=2, pad=0)
    + _jit("pool(a) / 4", _IMAGES),
    "adaptive_avg_pool2d to 1": _jit("a.mean((2, 3), keepdims=True)", _IMAGES),
    # training
    "linear regression, 100 points": _OPTIMIZERS + _LINE,
    **{
        f"MLP 64-128-10, batch 32, {name}": _OPTIMIZERS
        + _MLP.format(widths=(64, 128, 10), rows=32, optimizer=optimizer)
        for name, optimizer in _OPTIMIZER_NAMES.items()
    },
    "MLP 784-512-512-10, batch 128, Adam": _OPTIMIZERS
    + _MLP.format(widths=(784, 512, 512, 10), rows=128, optimizer="adam"),
    "residual network 32×32, batch 32, SGD with momentum": _OPTIMIZERS + _RESIDUAL,
    "LSTM language model, 16×32, Adam": _OPTIMIZERS + _LANGUAGE,
    "GPT of 4 layers of 128, 8×64, AdamW": _OPTIMIZERS + _GPT,
    # captured
    "sum of 10 tensors of 8×8": "f = jax.jit(lambda *x: sum(x))\n"
    "x = [normal(8, 8) for _ in range(10)]",
    "10 operations on 2^24": """
@jax.jit
def f(a):
    for i in range(5):
        a = a * 0.5 + i
    return a
x = (normal(1 << 24),)
""",
}
