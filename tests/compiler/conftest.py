"""Fixtures of the compiler's tests."""

import pytest

from .machine import Machine


@pytest.fixture(scope="session")
def machine() -> Machine:
    """Runs compiled kernels without the native core."""
    return Machine()


collect_ignore = ["narrow.py"]  # a program that test_contraction runs
