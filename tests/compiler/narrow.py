"""A program: products by the kernels of a processor with shorter vectors and no masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import products

from gleed.compiler import target as targets
from gleed.compiler.contraction_emit import emit_contraction
from gleed.compiler.emit import assemble

SIZES = [(13, 33, 45), (6, 20, 8), (1, 40, 70), (70, 40, 1), (2, 200, 30), (70, 700, 90)]


def main(vector_bytes: int) -> None:
    features = "+avx2,+fma,+f16c,+bmi2"
    avx2 = targets.target("x86_64-unknown-linux-gnu", "x86-64-v3", features)
    narrow = replace(avx2, vector_bytes=vector_bytes)

    def compile(kind: str, dtype: str, *shape: int) -> tuple[bytes, str]:
        llvm_ir = emit_contraction(kind, dtype, shape, narrow, "kernel")
        return assemble(llvm_ir, narrow), "kernel"

    products.use_compiler(compile)
    rng = np.random.default_rng(5)
    for dtype in products.FLOATS:
        for m, depth, n in SIZES:
            for a in products.layouts(rng, dtype, (m, depth)):
                for b in products.layouts(rng, dtype, (depth, n)):
                    products.assert_product(products.matmul(a, b, dtype=dtype), a, b, dtype)
