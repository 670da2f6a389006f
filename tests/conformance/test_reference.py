"""The library that these tests compare with."""

import torch


def test_the_reference_is_the_release_that_gleed_follows():
    assert torch.__version__.split("+")[0] == "2.13.0"
