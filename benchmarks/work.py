"""How much arithmetic a case is, or how many bytes it has to move: what limits.py is measured for.

`FLOPS`: multiplications and additions of its products; what is beside them does not count.
`BYTES`: read and written if every operand is touched once, for cases that are bound by memory.
"""

from __future__ import annotations

from itertools import pairwise

from cases import CONVOLUTIONS

FLOAT = 4  # bytes
MATRIX = 4096 * 1024 * FLOAT


def product(m: int, n: int, k: int, count: int = 1) -> int:
    return 2 * count * m * n * k


def training(forward: int, first: int = 0) -> int:
    """A step: two products for each of those forward. `first`: a product whose input, the data,
    needs no gradient."""
    return 3 * forward - first


def convolution(images: str, weight: str, options: str = "") -> int:
    """One that keeps the size of its images."""
    n, _, height, width = map(int, images.split(","))
    outputs, channels, rows, columns = map(int, weight.split(","))
    return product(n * height * width, outputs, channels * rows * columns)


def attention(heads: int, length: int, width: int, share: float = 1.0) -> float:
    """Scores and their sums; `share` of them in the causal one."""
    return 2 * product(length, length, width, heads) * share


def layers(tokens: int, *widths: int) -> int:
    """The products of an MLP."""
    return sum(product(tokens, n, k) for k, n in pairwise(widths))


def recurrent(steps: int, batch: int, inputs: int, hidden: int, gates: int) -> int:
    return product(steps * batch, gates * hidden, inputs + hidden)


_LSTM = recurrent(64, 32, 128, 256, 4) + recurrent(64, 32, 256, 256, 4)
_GRU = recurrent(64, 32, 128, 256, 3) + recurrent(64, 32, 256, 256, 3)
_CAUSAL = attention(32, 512, 64, 0.5)
# A layer of a transformer, for each token: what enters attention, what leaves it, the network.
_ENCODER = 2 * (256 * 768 + 256 * 256 + 2 * 256 * 1024) * 32 * 64
_GPT = 2 * (4 * (128 * 384 + 128 * 128 + 2 * 128 * 512) + 128 * 65) * 8 * 64
_LENET = [product(64 * 26 * 26, 32, 9), product(64 * 24 * 24, 64, 288), layers(64, 9216, 128, 10)]
_RESIDUAL = [
    product(32 * 1024, 32, 27),
    4 * product(32 * 1024, 32, 288),
    product(32 * 256, 64, 32) + 2 * product(32 * 256, 64, 576) + layers(32, 64, 10),
]
FLOPS: dict[str, float] = {
    **{name: convolution(*sizes) for name, sizes in CONVOLUTIONS.items()},
    "conv1d 64→128, 5, 1024, batch 16": product(16 * 1020, 128, 320),
    "conv2d 64→64, 3×3, forward and backward": training(product(16 * 1024, 64, 576)),
    **{f"matmul {n}": product(n, n, n) for n in (64, 256, 1024)},
    "matmul 1024, bfloat16": product(1024, 1024, 1024),
    "matmul 512, float64": product(512, 512, 512),
    "bmm of 64 × 128×64×128": product(128, 128, 64, 64),
    "linear 256×1024×4096": product(256, 4096, 1024),
    "einsum bij,bjk->bik": product(64, 64, 128, 8),
    "causal attention 4×8×512×64": _CAUSAL,
    # The scores once more, and four products for gradients.
    "causal attention 4×8×512×64, gradients": 3.5 * _CAUSAL,
    "attention 4×8×512×64": 2 * _CAUSAL,
    "nn.LSTM of 2 layers, 64 steps, batch 32": _LSTM,
    "nn.GRU of 2 layers, 64 steps, batch 32": _GRU,
    "nn.LSTM of 2 layers, forward and backward": training(
        _LSTM, product(64 * 32, 4 * 256, 128)
    ),
    "transformer layer 256, 8 heads, 32×64, SGD": training(
        _ENCODER, product(32 * 64, 768, 256)
    ) + 3.5 * attention(256, 64, 32),
    "MLP 784-512-512-10, batch 128, Adam": training(
        layers(128, 784, 512, 512, 10), product(128, 512, 784)
    ),
    "LeNet, batch 64, Adadelta": training(sum(_LENET), _LENET[0]),
    "residual network 32×32, batch 32, SGD with momentum": training(sum(_RESIDUAL), _RESIDUAL[0]),
    "LSTM language model, 16×32, Adam": training(
        recurrent(32, 16, 128, 256, 4) + product(512, 1000, 256)
    ),
    "GPT of 4 layers of 128, 8×64, AdamW": training(_GPT)
    + 3.5 * 4 * attention(32, 64, 32, 0.5),
}  # fmt: skip
_ARRAYS = {"x + y": 3, "x.exp()": 2, "F.gelu(x)": 2, "x.tanh()": 2, "x.sum()": 1}
BYTES: dict[str, int] = {
    **{f"{name}, 2^{k}": n * FLOAT << k for k in (16, 20, 24) for name, n in _ARRAYS.items()},
    **{
        name: 2 * MATRIX
        for name in (
            *("softmax 4096×1024", "layer_norm 4096×1024", "rms_norm 4096×1024"),
            *("broadcast add 4096×1024", "cumsum 4096×1024", "transposed copy 2048²"),
        )
    },
    "10 operations on 2^24": 2 * FLOAT << 24,
    "log_softmax 64×50257": 2 * 64 * 50257 * FLOAT,
    "sum of columns 4096×1024": MATRIX,
    "max of rows 4096×1024": MATRIX,
    "strided add 2048²": 3 * 2048 * 1024 * FLOAT,
    "cat of 2 × 2^22": 3 * FLOAT << 22,
    "20,000 rows of 50,000×128": 2 * 20000 * 128 * FLOAT,
    "int64 to float32, 2^22": 12 << 22,
    "uint8 to float32 / 255, 2^22": 5 << 22,
    "dropout 2^20": 2 * FLOAT << 20,
    "matrix × vector 2048": 2048 * 2048 * FLOAT,
    "adaptive_avg_pool2d to 1": 32 * 64 * 56 * 56 * FLOAT,
    "max_pool2d 3×3, stride 2": 32 * 64 * (56 * 56 + 28 * 28) * FLOAT,
    "avg_pool2d 2×2": 32 * 64 * (56 * 56 + 28 * 28) * FLOAT,
    "avg_pool2d 3×3, stride 2": 32 * 64 * (56 * 56 + 28 * 28) * FLOAT,
    "bilinear interpolate ×2": 8 * 64 * (56 * 56 + 112 * 112) * FLOAT,
}
# Of FLOPS, those that are not of float32.
DTYPES = {"matmul 512, float64": "float64", "matmul 1024, bfloat16": "bfloat16"}
for _name in (
    "conv2d 64→64, 3×3{}, forward and backward",
    "causal attention 4×8×512×64{}",
    "GPT of 4 layers of 128, 8×64, AdamW{}",
):
    FLOPS[_name.format(", bfloat16")] = FLOPS[_name.format("")]
    DTYPES[_name.format(", bfloat16")] = "bfloat16"
