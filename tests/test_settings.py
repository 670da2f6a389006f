"""Settings that programs for PyTorch make: remembered, and without effect."""

from __future__ import annotations

import importlib

import pytest

import gleed


def test_settings_of_gpus_are_remembered() -> None:
    cudnn = importlib.import_module("gleed.backends.cudnn")
    assert cudnn is gleed.backends.cudnn
    assert not cudnn.benchmark and not cudnn.is_available() and cudnn.version() is None
    cudnn.benchmark = True
    with cudnn.flags(enabled=True, deterministic=True):
        assert cudnn.enabled and cudnn.deterministic and not cudnn.benchmark
    assert cudnn.benchmark and not cudnn.deterministic
    cudnn.benchmark = False
    gleed.backends.cuda.matmul.allow_tf32 = True
    assert gleed.backends.cuda.matmul.allow_tf32
    gleed.backends.cuda.matmul.allow_tf32 = False


def test_settings_are_set_back_where_an_error_is_raised() -> None:
    with pytest.raises(KeyError), gleed.backends.cuda.sdp_kernel(enable_flash=False):
        assert not gleed.backends.cuda.flash_sdp_enabled()
        raise KeyError
    assert gleed.backends.cuda.flash_sdp_enabled()


def test_determinism_and_precision() -> None:
    gleed.use_deterministic_algorithms(True)
    assert gleed.are_deterministic_algorithms_enabled()
    assert not gleed.is_deterministic_algorithms_warn_only_enabled()
    assert gleed.get_deterministic_debug_mode() == 2
    gleed.set_deterministic_debug_mode("warn")
    assert gleed.is_deterministic_algorithms_warn_only_enabled()
    gleed.use_deterministic_algorithms(False, warn_only=True)
    assert gleed.get_deterministic_debug_mode() == 0
    assert gleed.get_float32_matmul_precision() == "highest"


def test_errors() -> None:
    with pytest.raises(gleed.errors.ArgumentError) as error:
        gleed.set_float32_matmul_precision("low")
    assert str(error.value) == (
        'set_float32_matmul_precision: the precision is "highest", "high" or "medium"; '
        "got 'low'; choose one of these"
    )
    for mode in (3, "on", None):
        with pytest.raises(gleed.errors.ArgumentError) as error:
            gleed.set_deterministic_debug_mode(mode)
        assert str(error.value) == (
            'set_deterministic_debug_mode: the mode is 0, 1, 2, "default", "warn" or "error"; '
            f"got {mode!r}; choose one of these"
        )
