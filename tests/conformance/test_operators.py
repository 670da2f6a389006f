"""Operators against PyTorch's, on the samples of PyTorch's own operator database."""

import warnings

import pytest

from .operators import ENTRIES, check, listed

NAMES = listed()


def test_the_list_only_grows():
    assert sorted(set(NAMES)) == NAMES
    assert len(NAMES) >= 415


@pytest.mark.parametrize("name", NAMES)
def test_operator(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's deprecations
        assert check(ENTRIES[name]) > 0
