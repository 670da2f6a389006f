"""The words of annotations in the stubs: those of the op records, for users."""

import builtins
from collections.abc import Sequence
from typing import TypeAlias

from gleed._C import Tensor, dtype
from gleed.devices import device, layout
from gleed.memory_formats import memory_format

# The names of builtins are taken by functions, dtypes and methods of Tensor.
Bool: TypeAlias = builtins.bool
Int: TypeAlias = builtins.int
Float: TypeAlias = builtins.float
Ints: TypeAlias = builtins.int | Sequence[builtins.int]
Number: TypeAlias = builtins.int | builtins.float | builtins.bool
Operand: TypeAlias = Tensor | Number
Tensors: TypeAlias = Sequence[Tensor]
Dims: TypeAlias = builtins.int | Sequence[builtins.int] | None
DType: TypeAlias = dtype
Device: TypeAlias = device | builtins.str | builtins.int
Layout: TypeAlias = layout
MemoryFormat: TypeAlias = memory_format
