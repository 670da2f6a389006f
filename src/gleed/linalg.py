"""Linear algebra: the ops whose namespace is "linalg", and those whose names mean something else in
`gleed` itself."""

from __future__ import annotations

from gleed import ops

globals().update(ops.functions("linalg"))
norm, vector_norm, matrix_norm, vecdot, cross, diagonal = (
    ops.OPS[f"linalg_{name}"].public
    for name in ("norm", "vector_norm", "matrix_norm", "vecdot", "cross", "diagonal")
)
matmul = ops.OPS["matmul"].public
