"""Settings of computing on NVIDIA's GPUs; see `gleed.backends`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import SimpleNamespace

from gleed.backends.temporary import temporarily

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)
_attention = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """Whether gleed can compute on a GPU where there is one.

    >>> is_built()
    False
    """
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Set whether PyTorch's FlashAttention may be chosen on a GPU.

    >>> enable_flash_sdp(False); flash_sdp_enabled()
    False
    """
    _attention["flash"] = bool(enabled)


def flash_sdp_enabled() -> bool:
    """What `enable_flash_sdp` has set.

    >>> enable_flash_sdp(True); flash_sdp_enabled()
    True
    """
    return _attention["flash"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Set whether PyTorch's memory-efficient attention may be chosen on a GPU.

    >>> enable_mem_efficient_sdp(False); mem_efficient_sdp_enabled()
    False
    """
    _attention["mem_efficient"] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    """What `enable_mem_efficient_sdp` has set.

    >>> enable_mem_efficient_sdp(True); mem_efficient_sdp_enabled()
    True
    """
    return _attention["mem_efficient"]


def enable_math_sdp(enabled: bool) -> None:
    """Set whether attention made of other operations may be chosen on a GPU.

    >>> enable_math_sdp(False); math_sdp_enabled()
    False
    """
    _attention["math"] = bool(enabled)


def math_sdp_enabled() -> bool:
    """What `enable_math_sdp` has set.

    >>> enable_math_sdp(True); math_sdp_enabled()
    True
    """
    return _attention["math"]


def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> AbstractContextManager[None]:
    """Which kinds of attention may be chosen on a GPU within a `with`.

    >>> with sdp_kernel(enable_math=False):
    ...     math_sdp_enabled()
    False
    """
    return temporarily(
        _attention,
        flash=enable_flash,
        math=enable_math,
        mem_efficient=enable_mem_efficient,
        cudnn=enable_cudnn,
    )
