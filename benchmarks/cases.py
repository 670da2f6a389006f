"""What is timed: small programs that run on PyTorch and on gleed alike.

In them `lib` is the library, `nn` and `F` are its `nn` and `nn.functional`, `optim` its optimizers,
`data` its `utils.data`. The random numbers are the same in both, so their results can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A program: `setup` runs once, the expression `run` is timed.

    `result` is what must agree after one run; the value of `run` unless something else is given.
    """

    group: str
    name: str
    setup: str
    run: str
    result: str = ""


def _cases(group: str, *programs: tuple[str, ...]) -> list[Case]:
    return [Case(group, *program) for program in programs]


def _steps(
    model: str,
    optimizer: str,
    batch: str,
    loss: str,
    result: str = "tuple(model.parameters())",
    classes: str = "",
    clip: bool = False,
) -> tuple[str, str, str]:
    """A training step: setup, run and result of a case."""
    setup = f"""{classes}
model = {model}
optimizer = optim.{optimizer}
{batch}
def step():
    optimizer.zero_grad()
    {loss}.backward()
    {"nn.utils.clip_grad_norm_(model.parameters(), 1.0)" if clip else ""}
    optimizer.step()
"""
    return setup, "step()", result


SQUARE = "a = lib.randn(8, 8)"
SQUARES = "a = lib.randn(8, 8); b = lib.randn(8, 8)"
WEIGHT = "w = lib.randn(8, 8, requires_grad=True)"
CHAIN = f"""
{WEIGHT}
def chain():
    x = w
    for _ in range(10):
        x = lib.tanh(x)
    return lib.autograd.grad(x.sum(), w)
"""
DEEP = "nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))"

OVERHEAD = _cases(
    "overhead",
    ("a + b", SQUARES, "a + b"),
    ("a + 1.5", SQUARE, "a + 1.5"),
    ("w * b, recorded for gradients", f"{WEIGHT}; b = lib.randn(8, 8)", "w * b"),
    ("exp", SQUARE, "a.exp()"),
    ("relu", SQUARE, "lib.relu(a)"),
    ("add_, in place", SQUARES, "a.add_(b)"),
    ("sum", SQUARE, "a.sum()"),
    ("mean of rows", SQUARE, "a.mean(1)"),
    ("a @ b", SQUARES, "a @ b"),
    ("a[0]", SQUARE, "a[0]"),
    ("a[1:5, ::2]", SQUARE, "a[1:5, ::2]"),
    ("view", SQUARE, "a.view(4, 16)"),
    ("transpose", SQUARE, "a.transpose(0, 1)"),
    ("cat", SQUARE, "lib.cat([a, a])"),
    ("stack", SQUARE, "lib.stack([a, a])"),
    ("where", f"{SQUARE}; m = a > 0", "lib.where(m, a, 0.0)"),
    ("argmax of rows", SQUARE, "a.argmax(1)"),
    ("item", "a = lib.randn(())", "a.item()"),
    ("tensor of a list", "", "lib.tensor([1.0, 2.0, 3.0])"),
    ("zeros", "", "lib.zeros(8, 8)"),
    ("softmax", SQUARE, "a.softmax(-1)"),
    (
        "layer_norm",
        f"{SQUARE}; w = lib.ones(8); b = lib.zeros(8)",
        "F.layer_norm(a, (8,), w, b)",
    ),
    ("gelu", SQUARE, "F.gelu(a)"),
    ("cross_entropy", f"{SQUARE}; y = lib.randint(0, 8, (8,))", "F.cross_entropy(a, y)"),
    ("mse_loss", SQUARES, "F.mse_loss(a, b)"),
    ("nn.Linear", f"m = nn.Linear(8, 8); {SQUARE}", "m(a)"),
    ("nn.Sequential of 3", f"m = {DEEP}; {SQUARE}", "m(a)"),
    ("nn.Embedding", "m = nn.Embedding(100, 8); i = lib.randint(0, 100, (8,))", "m(i)"),
    ("nn.LSTMCell", f"m = nn.LSTMCell(8, 8); {SQUARE}", "m(a)"),
    ("(w * w).sum().backward()", WEIGHT, "(w * w).sum().backward()", "w.grad"),
    ("gradient of a chain of 10", CHAIN, "chain()"),
    ("nn.Linear, forward and backward", f"m = nn.Linear(8, 8); {SQUARE}",
     "m(a).sum().backward()", "tuple(p.grad for p in m.parameters())"),
)  # fmt: skip

_POINTWISE = ("x + y", "x.exp()", "F.gelu(x)", "x.tanh()", "x.sum()")
WIDE = "x = lib.randn(4096, 1024)"
IMAGES = "x = lib.randn(32, 64, 56, 56, requires_grad=True); g = lib.randn(32, 64, 56, 56)"
CHANNELS = f"{IMAGES}; w = lib.ones(64, requires_grad=True); b = lib.zeros(64, requires_grad=True)"
TRACKED = f"{CHANNELS}; mean = lib.zeros(64); var = lib.ones(64)"
GRADIENTS = "lib.autograd.grad({}, (x, w, b), g)"
MILLION = "x = lib.randn(1 << 20)"
MEMORY = _cases(
    "memory",
    *(
        (f"{run}, 2^{k}", f"x = lib.randn(1 << {k}); y = lib.randn(1 << {k})", run)
        for k in (16, 20, 24)
        for run in _POINTWISE
    ),
    ("softmax 4096×1024", WIDE, "x.softmax(-1)"),
    ("log_softmax 64×50257", "x = lib.randn(64, 50257)", "F.log_softmax(x, -1)"),
    ("layer_norm 4096×1024", WIDE, "F.layer_norm(x, (1024,))"),
    ("rms_norm 4096×1024", WIDE, "F.rms_norm(x, (1024,))"),
    (
        "batch_norm 32×64×56×56, training",
        TRACKED,
        "F.batch_norm(x, mean, var, w, b, True)",
    ),
    (
        "batch_norm 32×64×56×56, forward and backward",
        TRACKED,
        GRADIENTS.format("F.batch_norm(x, mean, var, w, b, True)"),
    ),
    (
        "group_norm 32×64×56×56, forward and backward",
        CHANNELS,
        GRADIENTS.format("F.group_norm(x, 8, w, b)"),
    ),
    (
        "instance_norm 32×64×56×56, forward and backward",
        CHANNELS,
        GRADIENTS.format("F.instance_norm(x, None, None, w, b)"),
    ),
    (
        "cross_entropy 64×50257, forward and backward",
        "x = lib.randn(64, 50257, requires_grad=True); y = lib.randint(0, 50257, (64,))",
        "lib.autograd.grad(F.cross_entropy(x, y), x)",
    ),
    ("sum of columns 4096×1024", WIDE, "x.sum(0)"),
    ("max of rows 4096×1024", WIDE, "x.max(1)"),
    ("transposed copy 2048²", "x = lib.randn(2048, 2048)", "x.t().contiguous()"),
    ("broadcast add 4096×1024", f"{WIDE}; b = lib.randn(1024)", "x + b"),
    ("strided add 2048²", "x = lib.randn(2048, 2048)", "x[:, ::2] + x[:, 1::2]"),
    ("cat of 2 × 2^22", "x = lib.randn(1 << 22)", "lib.cat([x, x])"),
    (
        "20,000 rows of 50,000×128",
        "x = lib.randn(50000, 128); i = lib.randint(0, 50000, (20000,))",
        "x[i]",
    ),
    (
        "scatter_add of 10^6",
        "x = lib.zeros(50000); i = lib.randint(0, 50000, (1000000,)); v = lib.randn(1000000)",
        "x.scatter_add_(0, i, v)",
    ),
    ("cumsum 4096×1024", WIDE, "x.cumsum(1)"),
    ("sort 2^20", MILLION, "x.sort()", "x.sort().values"),
    ("topk 64×50257", "x = lib.randn(64, 50257)", "x.topk(10)"),
    ("int64 to float32, 2^22", "x = lib.randint(0, 255, (1 << 22,))", "x.float()"),
    (
        "uint8 to float32 / 255, 2^22",
        "x = lib.randint(0, 255, (1 << 22,), dtype=lib.uint8)",
        "x.float() / 255",
    ),
    ("randn 2^20", "", "lib.randn(1 << 20)"),
    ("dropout 2^20", MILLION, "F.dropout(x, 0.5, True)"),
)


def _attention(shape: str, gradients: bool = False, dtype: str = "float32") -> tuple[str, str]:
    """Setup and call of causal attention on heads of a shape, or of its gradients."""
    drawn = f"lib.randn({shape}, dtype=lib.{dtype}, requires_grad={gradients})"
    setup = f"q, k, v, g = ({drawn} for _ in range(4))"
    call = "F.scaled_dot_product_attention(q, k, v, is_causal=True)"
    return setup, f"lib.autograd.grad({call}, (q, k, v), g)" if gradients else call


HEADS = "q, k, v = (lib.randn(4, 8, 512, 64) for _ in range(3))"
SEQUENCE = "x = lib.randn(64, 32, 128)"


def _convolution(images: str, weight: str, options: str = "padding=1") -> tuple[str, str]:
    """Setup and run of a case."""
    setup = f"x = lib.randn({images}); w = lib.randn({weight})"
    return setup, f"F.conv2d(x, w, {options})"


CONVOLUTIONS = {
    "conv2d 3→64, 3×3, 32×32, batch 32": ("32, 3, 32, 32", "64, 3, 3, 3"),
    "conv2d 64→64, 3×3, 32×32, batch 32": ("32, 64, 32, 32", "64, 64, 3, 3"),
    "conv2d 128→128, 3×3, 28×28, batch 16": ("16, 128, 28, 28", "128, 128, 3, 3"),
    "conv2d 512→512, 3×3, 7×7, batch 8": ("8, 512, 7, 7", "512, 512, 3, 3"),
    "conv2d 64→256, 1×1, 56×56, batch 8": ("8, 64, 56, 56", "256, 64, 1, 1", "stride=1"),
    "conv2d of 128 channels apart, 3×3, 28×28, batch 8": (
        "8, 128, 28, 28",
        "128, 1, 3, 3",
        "padding=1, groups=128",
    ),
}
CONVOLUTION_GRADIENTS = """
x = lib.randn(16, 64, 32, 32).to(lib.{dtype}).requires_grad_()
w = lib.randn(64, 64, 3, 3).to(lib.{dtype}).requires_grad_()
def gradients():
    return lib.autograd.grad(F.conv2d(x, w, padding=1).sum(), (x, w))
"""

COMPUTE = _cases(
    "compute",
    *((name, *_convolution(*sizes)) for name, sizes in CONVOLUTIONS.items()),
    (
        "conv1d 64→128, 5, 1024, batch 16",
        "x = lib.randn(16, 64, 1024); w = lib.randn(128, 64, 5)",
        "F.conv1d(x, w)",
    ),
    *(
        (f"conv2d 64→64, 3×3{name}", CONVOLUTION_GRADIENTS.format(dtype=dtype), "gradients()")
        for name, dtype in (
            (", forward and backward", "float32"),
            (", bfloat16, forward and backward", "bfloat16"),
        )
    ),
    *(
        (f"matmul {n}", f"x = lib.randn({n}, {n}); y = lib.randn({n}, {n})", "x @ y")
        for n in (64, 256, 1024)
    ),
    ("matmul 1024, bfloat16", "x = lib.randn(1024, 1024).bfloat16()", "x @ x"),
    ("matmul 512, float64", "x = lib.randn(512, 512, dtype=lib.float64)", "x @ x"),
    (
        "bmm of 64 × 128×64×128",
        "x = lib.randn(64, 128, 64); y = lib.randn(64, 64, 128)",
        "lib.bmm(x, y)",
    ),
    ("linear 256×1024×4096", "m = nn.Linear(1024, 4096); x = lib.randn(256, 1024)", "m(x)"),
    ("matrix × vector 2048", "x = lib.randn(2048, 2048); y = lib.randn(2048)", "x @ y"),
    (
        "einsum bij,bjk->bik",
        "x = lib.randn(8, 64, 128); y = lib.randn(8, 128, 64)",
        "lib.einsum('bij,bjk->bik', x, y)",
    ),
    ("causal attention 4×8×512×64", *_attention("4, 8, 512, 64")),
    ("causal attention 4×8×512×64, gradients", *_attention("4, 8, 512, 64", True)),
    ("causal attention 4×8×512×64, bfloat16", *_attention("4, 8, 512, 64", False, "bfloat16")),
    ("attention 4×8×512×64", HEADS, "F.scaled_dot_product_attention(q, k, v)"),
    ("causal attention 32×8×64×32", *_attention("32, 8, 64, 32")),
    ("causal attention 32×8×16×32, gradients", *_attention("32, 8, 16, 32", True)),
    *(
        (
            f"nn.{name} of 2 layers, 64 steps, batch 32",
            f"m = nn.{name}(128, 256, 2); {SEQUENCE}",
            "m(x)[0]",
        )
        for name in ("LSTM", "GRU")
    ),
    (
        "nn.LSTM of 2 layers, forward and backward",
        f"m = nn.LSTM(128, 256, 2); {SEQUENCE}",
        "m(x)[0].sum().backward()",
        "tuple(p.grad for p in m.parameters())",
    ),
)

IMAGES = "x = lib.randn(32, 64, 56, 56); w = x.clone().requires_grad_()"
FEWER_IMAGES = "x = lib.randn(8, 64, 56, 56); w = x.clone().requires_grad_()"


def _both_ways(name: str, setup: str, run: str) -> list[tuple[str, ...]]:
    """A function of x; the same of w, with its gradient."""
    step = f"{setup}\ndef step():\n    w.grad = None\n    {run.format('w')}.sum().backward()\n"
    forward = (name, setup, run.format("x"))
    return [forward, (f"{name}, forward and backward", step, "step()", "w.grad")]


WINDOWS = _cases(
    "windows",
    *_both_ways("max_pool2d 3×3, stride 2", IMAGES, "F.max_pool2d({}, 3, 2, 1)"),
    *_both_ways("avg_pool2d 2×2", IMAGES, "F.avg_pool2d({}, 2)"),
    *_both_ways("avg_pool2d 3×3, stride 2", IMAGES, "F.avg_pool2d({}, 3, 2, 1)"),
    *_both_ways("adaptive_avg_pool2d to 1", IMAGES, "F.adaptive_avg_pool2d({}, 1)"),
    *_both_ways(
        "bilinear interpolate ×2",
        FEWER_IMAGES,
        "F.interpolate({}, scale_factor=2, mode='bilinear')",
    ),
)

SMALL_MLP = "nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))"
SMALL_BATCH = "x = lib.randn(32, 64); y = lib.randint(0, 10, (32,))"
LARGE_MLP = (
    "nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), "
    "nn.Linear(512, 10))"
)
LARGE_BATCH = "x = lib.randn(128, 784); y = lib.randint(0, 10, (128,))"
LINE = "x = lib.randn(100, 1); y = 3 * x + 1"
ENCODER = "nn.TransformerEncoderLayer(256, 8, 1024, 0.0, batch_first=True)"
SEQUENCES = "x = lib.randn(32, 64, 256)"
SQUARED = "F.mse_loss(model(x), y)"
CLASSIFY = "F.cross_entropy(model(x), y)"
LENET = """nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(128, 10))"""
GREY_IMAGES = "x = lib.randn(64, 1, 28, 28); y = lib.randint(0, 10, (64,))"
COLOUR_IMAGES = "x = lib.randn(32, 3, 32, 32); y = lib.randint(0, 10, (32,))"
RESIDUAL_CLASSES = """
class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(),
            nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))
    def forward(self, x):
        return F.relu(x + self.change(x))
"""
RESIDUAL = """nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), Block(32), Block(32), nn.MaxPool2d(2), nn.Conv2d(32, 64, 1),
    Block(64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))"""
LANGUAGE_CLASSES = """
class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 128)
        self.lstm = nn.LSTM(128, 256, batch_first=True)
        self.next = nn.Linear(256, 1000)
    def forward(self, x):
        return self.next(self.lstm(self.embedding(x))[0]).flatten(0, 1)
"""
LANGUAGE_BATCH = "x = lib.randint(0, 1000, (16, 32)); y = lib.randint(0, 1000, (16 * 32,))"
GPT_CLASSES = """
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.enter, self.leave = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads = heads
    def forward(self, x):
        parts = self.enter(x).split(x.shape[2], 2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.leave(found.transpose(1, 2).flatten(2))
class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.network = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
            nn.Linear(4 * width, width))
    def forward(self, x):
        x = x + self.attention(x)
        return x + self.network(x)
class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters, self.places = nn.Embedding(65, 128), nn.Embedding(64, 128)
        self.layers = nn.Sequential(*(Layer(128, 4) for _ in range(4)))
        self.next = nn.Sequential(nn.LayerNorm(128), nn.Linear(128, 65, bias=False))
    def forward(self, x):
        x = self.letters(x) + self.places(lib.arange(x.shape[1]))
        return self.next(self.layers(x)).flatten(0, 1)
"""
AUTOCAST = """
GPT.forward = lib.autocast("cpu", dtype=lib.bfloat16)(GPT.forward)
"""
GPT_BATCH = "x = lib.randint(0, 65, (8, 64)); y = lib.randint(0, 65, (8 * 64,))"
SMALL_OPTIMIZERS = {
    "SGD": "SGD(model.parameters(), lr=0.01)",
    "SGD with momentum": "SGD(model.parameters(), lr=0.01, momentum=0.9)",
    "Adam": "Adam(model.parameters())",
    "AdamW": "AdamW(model.parameters())",
}
MOMENTUM = "SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)"

TRAINING = _cases(
    "training",
    (
        "linear regression, 100 points",
        *_steps("nn.Linear(1, 1)", "SGD(model.parameters(), lr=0.1)", LINE, SQUARED),
    ),
    *(
        (f"MLP 64-128-10, batch 32, {name}", *_steps(SMALL_MLP, made, SMALL_BATCH, CLASSIFY))
        for name, made in SMALL_OPTIMIZERS.items()
    ),
    (
        "transformer layer 256, 8 heads, 32×64, SGD",
        *_steps(
            ENCODER, "SGD(model.parameters(), lr=0.01)", SEQUENCES, "(model(x) - x).square().mean()"
        ),
    ),
    (
        "MLP 784-512-512-10, batch 128, Adam",
        *_steps(LARGE_MLP, "Adam(model.parameters())", LARGE_BATCH, CLASSIFY),
    ),
    *(
        (name, *_steps(model, optimizer, batch, CLASSIFY, CLASSIFY, classes, clip))
        for name, model, optimizer, batch, classes, clip in (
            ("LeNet, batch 64, Adadelta", LENET, "Adadelta(model.parameters())",
             GREY_IMAGES, "", False),
            ("residual network 32×32, batch 32, SGD with momentum", RESIDUAL, MOMENTUM,
             COLOUR_IMAGES, RESIDUAL_CLASSES, False),
            ("LSTM language model, 16×32, Adam", "Language()", "Adam(model.parameters())",
             LANGUAGE_BATCH, LANGUAGE_CLASSES, True),
            ("GPT of 4 layers of 128, 8×64, AdamW", "GPT()", "AdamW(model.parameters())",
             GPT_BATCH, GPT_CLASSES, True),
            ("GPT of 4 layers of 128, 8×64, AdamW, bfloat16", "GPT()", "AdamW(model.parameters())",
             GPT_BATCH, GPT_CLASSES + AUTOCAST, True),
        )
    ),
)  # fmt: skip

# PyTorch compiles the model and the optimizer's step, as is its custom; gleed the whole step.
COMPILED = """
if lib.__name__ == "torch":
    model, optimizer.step = lib.compile(model), lib.compile(optimizer.step)
else:
    step = lib.compile(step)
"""
SIX_MODELS = (
    *("linear regression, 100 points", "MLP 64-128-10, batch 32, Adam"),
    *("MLP 784-512-512-10, batch 128, Adam", "LSTM language model, 16×32, Adam"),
    "residual network 32×32, batch 32, SGD with momentum",
    "GPT of 4 layers of 128, 8×64, AdamW",
)
CAPTURED = [
    *(
        Case("captured", case.name, case.setup + COMPILED, case.run, case.result)
        for case in TRAINING
        if case.name in SIX_MODELS
    ),
    *_cases(
        "captured",
        (
            "sum of 10 tensors of 8×8",
            "x = [lib.randn(8, 8) for _ in range(10)]\nf = lib.compile(lambda *x: sum(x))",
            "f(*x)",
        ),
        (
            "10 operations on 2^24",
            "x = lib.randn(1 << 24)\n@lib.compile\ndef f(x):\n"
            "    for i in range(5):\n        x = x * 0.5 + i\n    return x",
            "f(x)",
        ),
    ),
]

DATASET = """
dataset = data.TensorDataset(lib.randn(60000, 784), lib.randint(0, 10, (60000,)))
loader = data.DataLoader(dataset, batch_size=64, shuffle=True)
def epoch():
    for x, y in loader:
        pass
    return x, y
"""
LOADING = _cases("loading", ("an epoch of 60,000×784, batch 64, shuffled", DATASET, "epoch()"))

CASES = [*OVERHEAD, *MEMORY, *COMPUTE, *WINDOWS, *TRAINING, *CAPTURED, *LOADING]
