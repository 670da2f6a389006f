# Made by tools/generate_stubs.py; `make format` makes it anew.
from gleed import Tensor
from gleed._typing import Tensors

def multi_dot(tensors: Tensors) -> Tensor:
    """The product of matrices one after another, in the cheapest order; the first and the last
    may be vectors.
    """
