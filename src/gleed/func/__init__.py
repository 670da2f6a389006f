"""Functions made of functions: batches (`vmap`) and derivatives (`grad`, `vjp`, `jacrev`, …).

>>> import gleed
>>> from gleed.func import grad, vmap
>>> x = gleed.tensor([1.0, 2.0, 3.0])
>>> vmap(grad(lambda x: x**3))(x)
tensor([ 3., 12., 27.])
"""

from gleed.func.gradients import grad, grad_and_value, vjp
from gleed.func.jacobians import hessian, jacfwd, jacrev
from gleed.func.mapping import vmap
from gleed.func.stateless import functional_call, stack_module_state

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "stack_module_state",
    "vjp",
    "vmap",
]
