"""Lazy modules: they read the size of their input off the first one they get."""

from __future__ import annotations

from typing import Any, ClassVar

import gleed
from gleed import Tensor
from gleed.errors import ShapeError
from gleed.nn.module import Module
from gleed.nn.modules.batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from gleed.nn.modules.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Many,
)
from gleed.nn.modules.linear import Linear
from gleed.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy


class LazyModuleMixin(Module):
    """What makes a module lazy; it comes first among the base classes.

    The module makes its parameters as `UninitializedParameter` and its buffers as
    `UninitializedBuffer`, and defines `initialize_parameters(*input)`, which gives them their
    shapes. That is called with the input of the first call; then the class changes to
    `cls_to_become`. A state with shapes may also be loaded before the first call.
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Their ids, not their handles: those of a copy would be of the original's hooks.
        self._lazy_hooks = (
            self.register_forward_pre_hook(_infer_parameters, with_kwargs=True).id,
            self.register_load_state_dict_pre_hook(_take_shapes).id,
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that go with this input."""
        raise NotImplementedError(
            f"{type(self).__name__}: a lazy module defines initialize_parameters; it has none; add "
            "it, and call materialize(shape) of every parameter there"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        tensors = [*self.parameters(recurse=False), *self.buffers(recurse=False)]
        return any(map(is_lazy, tensors))


def _infer_parameters(module: Any, args: Any, kwargs: Any) -> None:
    """The hook of the first call."""
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise ShapeError(
            f"{type(module).__name__}: initialize_parameters gives every parameter its shape; some "
            "have none afterwards; call materialize(shape) of each"
        )
    call, load = module.__dict__.pop("_lazy_hooks")
    del module._forward_pre_hooks[call], module._load_state_dict_pre_hooks[load]
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become


def _take_shapes(module: Any, state: Any, prefix: str, *rest: Any) -> None:
    """The hook of loading: shapes come from the state, if it has them."""
    for name, tensor in module._local_state().items():
        value = state.get(prefix + name)
        if is_lazy(tensor) and isinstance(value, Tensor) and not is_lazy(value):
            tensor.materialize(value.shape)


class LazyLinear(LazyModuleMixin, Linear):
    """A Linear that takes `in_features` from the last dimension of its first input.

    >>> import gleed
    >>> layer = gleed.nn.LazyLinear(4)
    >>> layer(gleed.zeros(10, 32)).shape, layer
    (gleed.Size([10, 4]), Linear(in_features=32, out_features=4, bias=True))
    """

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once there is a shape."""
        if self.in_features and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the size of the last dimension."""
        self.in_features = input.shape[-1]
        if self.has_uninitialized_params():
            _materialize(self.weight, (self.out_features, self.in_features))
            _materialize(self.bias, (self.out_features,))
            self.reset_parameters()


def _materialize(tensor: Any, shape: tuple[int, ...]) -> None:
    if is_lazy(tensor):
        tensor.materialize(shape)


class _LazyNorm(LazyModuleMixin):
    """Batch or instance normalisation that takes `num_features` from its first input."""

    num_features: int
    affine: bool
    track_running_stats: bool
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            if wanted:
                setattr(self, name, UninitializedParameter(**options))
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)
            self.num_batches_tracked = gleed.tensor(0, device=device)

    def reset_parameters(self) -> None:
        """Set the initial values, once there is a shape."""
        if self.num_features and not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the number of channels."""
        self.num_features = input.shape[1]
        if self.has_uninitialized_params():
            for name in ("weight", "bias", "running_mean", "running_var"):
                _materialize(getattr(self, name), (self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A BatchNorm1d that takes `num_features` from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A BatchNorm2d that takes `num_features` from its first input.

    >>> import gleed
    >>> norm = gleed.nn.LazyBatchNorm2d()
    >>> _ = norm(gleed.randn(2, 3, 4, 4))
    >>> norm.num_features, norm.weight.shape
    (3, gleed.Size([3]))
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A BatchNorm3d that takes `num_features` from its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """An InstanceNorm1d that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """An InstanceNorm2d that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """An InstanceNorm3d that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm3d


class _LazyConv(LazyModuleMixin):
    """A convolution that takes `in_channels` from its first input."""

    in_channels: int
    out_channels: int
    groups: int
    kernel_size: tuple[int, ...]
    transposed: bool
    weight: Any
    bias: Any

    def __init__(
        self,
        out_channels: int,
        kernel_size: Many,
        stride: Many = 1,
        padding: str | Many = 0,
        dilation: Many = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = kernel_size, stride, padding, dilation, groups
        super().__init__(0, 0, *shape, False, padding_mode)
        self._leave_open(out_channels, bias, device, dtype)

    def _leave_open(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once there is a shape."""
        if self.in_channels and not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any) -> None:
        """Take the number of channels, of a batch or of a single sample."""
        self.in_channels = input.shape[-1 - len(self.kernel_size)]
        if not self.has_uninitialized_params():
            return
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(
                f"{type(self).__name__}: groups divide the channels; got groups={self.groups} for "
                f"{self.in_channels} channels in and {self.out_channels} out; choose a divisor"
            )
        first, second = (self.out_channels, self.in_channels)[:: -1 if self.transposed else 1]
        _materialize(self.weight, (first, second // self.groups, *self.kernel_size))
        _materialize(self.bias, (self.out_channels,))
        self.reset_parameters()


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d that takes `in_channels` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d that takes `in_channels` from its first input.

    >>> import gleed
    >>> layer = gleed.nn.LazyConv2d(8, 3, padding=1)
    >>> layer(gleed.zeros(1, 3, 5, 5)).shape, layer.weight.shape
    (gleed.Size([1, 8, 5, 5]), gleed.Size([8, 3, 3, 3]))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A Conv3d that takes `in_channels` from its first input."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConv):
    """A transposed convolution that takes `in_channels` from its first input."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Many,
        stride: Many = 1,
        padding: Many = 0,
        output_padding: Many = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Many = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = kernel_size, stride, padding, output_padding, groups
        super(_LazyConv, self).__init__(0, 0, *shape, False, dilation, padding_mode)
        self._leave_open(out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ConvTranspose1d that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ConvTranspose2d that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ConvTranspose3d that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose3d
