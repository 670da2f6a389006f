"""Fixtures of the compiler's tests."""

import pytest

from .machine import Machine


@pytest.fixture(scope="session")
def machine() -> Machine:
    """Runs compiled kernels without the native core."""
    return Machine()
