"""Every kernel that these tests compile is verified first."""

from collections.abc import Iterator
from typing import Any

import pytest

from gleed.compiler import planning
from gleed.compiler.verify import verify


@pytest.fixture(scope="session", autouse=True)
def verified_kernels() -> Iterator[None]:
    compile_kernel = planning._kernel

    def verified(ir: Any, *parts: Any) -> Any:
        verify(ir)
        return compile_kernel(ir, *parts)

    planning._kernel = verified
    yield
    planning._kernel = compile_kernel
