"""A program: products and convolutions by the kernels of a processor with shorter vectors and no
masks, nor products of pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import products

import gleed
from gleed.compiler import target as targets
from gleed.compiler.contraction_emit import emit_contraction
from gleed.compiler.emit import assemble

SIZES = [(13, 33, 45), (6, 20, 8), (1, 40, 70), (70, 40, 1), (2, 200, 30), (70, 700, 90)]

# Input, weight, groups.
CONVOLUTIONS = [((2, 5, 9, 11), (17, 5, 3, 2), 1), ((3, 9, 8, 12), (9, 1, 3, 3), 9)]


def gradients(x: np.ndarray, w: np.ndarray, groups: int, dtype: gleed.dtype, last: bool) -> list:
    """Of small whole numbers, for which all sums are exact; and the convolution itself."""
    order = gleed.channels_last if last else gleed.contiguous_format
    x, w = (gleed.tensor(a).to(dtype).contiguous(memory_format=order) for a in (x, w))
    leaves = [x.requires_grad_(), w.requires_grad_()]
    y = gleed.conv2d(*leaves, stride=(1, 2), padding=1, groups=groups)
    g = (gleed.arange(y.numel()) % 3 - 1).reshape(y.shape).to(dtype)
    return [y.detach(), *gleed.autograd.grad(y, leaves, g)]


def main(vector_bytes: int) -> None:
    features = "+avx2,+fma,+f16c,+bmi2"
    avx2 = targets.target("x86_64-unknown-linux-gnu", "x86-64-v3", features)
    narrow = replace(avx2, vector_bytes=vector_bytes)

    def compile(kind: str, dtype: str, *shape: int) -> tuple[bytes, str]:
        llvm_ir = emit_contraction(kind, dtype, shape, narrow, "kernel")
        return assemble(llvm_ir, narrow), "kernel"

    products.use_compiler(compile)
    rng = np.random.default_rng(5)
    for size, kernel, groups in CONVOLUTIONS:
        x, w = (rng.integers(-2, 3, shape).astype("d") for shape in (size, kernel))
        wanted = gradients(x, w, groups, gleed.float64, False)
        for dtype in (gleed.float32, gleed.float16, gleed.bfloat16):
            for last in (False, True):
                found = gradients(x, w, groups, dtype, last)
                for got, exact in zip(found, wanted, strict=True):
                    assert gleed.equal(got, exact.to(dtype)), (size, dtype, last)
    for dtype in products.FLOATS:
        for m, depth, n in SIZES:
            for a in products.layouts(rng, dtype, (m, depth)):
                for b in products.layouts(rng, dtype, (depth, n)):
                    products.assert_product(products.matmul(a, b, dtype=dtype), a, b, dtype)
