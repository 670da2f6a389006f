"""Special functions, as `gleed.special` has them; all are op records (`gleed.ops`)."""

from __future__ import annotations

from gleed import ops

globals().update(ops.functions("special"))
# Other names that the functions have here.
expit, gammaln, psi = (ops.OPS[name].public for name in ("sigmoid", "lgamma", "digamma"))
