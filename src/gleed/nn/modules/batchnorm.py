"""Batch and instance normalisation, with running statistics."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import gleed
from gleed import Tensor
from gleed.errors import ShapeError
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_size
from gleed.nn.parameter import Parameter


class _NormBase(Module):
    """What batch and instance normalisation share: parameters and running statistics per channel.

    `weight` begins as ones and `bias` as zeros, of the shape `(num_features,)`, or both are None
    without `affine`, and `bias` with bias=False. `running_mean` begins as zeros, `running_var` as
    ones and `num_batches_tracked` as 0, or all are None without `track_running_stats`.
    """

    # With version 2 `num_batches_tracked` came; older states lack it.
    _version = 2
    # How many dims the input may have; those of a single sample without a batch dim come second.
    dims: ClassVar[tuple[int, ...]] = ()

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = check_size(type(self).__name__, "num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = Parameter(gleed.empty(num_features, **options)) if wanted else None
            self.register_parameter(name, values)
        for name in ("running_mean", "running_var"):
            statistics = gleed.empty(num_features, **options) if track_running_stats else None
            self.register_buffer(name, statistics)
        count = gleed.tensor(0, device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget all batches: mean 0, variance 1."""
        if self.running_mean is not None:
            assert self.running_var is not None and self.num_batches_tracked is not None
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0, forget all batches."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """The size and the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _check_input_dim(self, input: Tensor) -> None:
        if self.dims and input.ndim not in self.dims:
            raise ShapeError(
                f"{type(self).__name__}: the input must have "
                f"{' or '.join(map(str, self.dims))} dims; got shape {tuple(input.shape)}; "
                "reshape it, or use the variant for other dims"
            )

    def _share(self) -> Any:
        """How far running statistics go towards those of this batch, which is counted: a number, or
        a tensor of one."""
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                return self.num_batches_tracked.double().reciprocal()
        return 0.0 if self.momentum is None else self.momentum

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
    ) -> None:
        version = local_metadata.get("version", None)
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            state_dict[key] = gleed.tensor(0)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    """Batch normalisation of inputs with any number of dims."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise the channels of `input`."""
        self._check_input_dim(input)
        tracked = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if tracked else None,
            self.running_var if tracked else None,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            self._share() if self.training else 0.0,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Bring every channel of a batch to mean 0 and variance 1, then scale and shift it.

    In training the statistics are those of the batch; running statistics move towards them by the
    share `momentum`, or are the mean over all batches so far if it is None. In evaluation the
    running ones are used; without `track_running_stats` always those of the batch.

    Shapes: input and output `(N, C)` or `(N, C, L)`. Raises ShapeError for other numbers of dims,
    and in training for one value per channel.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    >>> import gleed
    >>> gleed.nn.BatchNorm1d(1)(gleed.tensor([[1.0], [3.0]])).detach()
    tensor([[-1.0000],
            [ 1.0000]])
    """

    dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """As BatchNorm1d, for input and output `(N, C, H, W)`.

    >>> import gleed
    >>> norm = gleed.nn.BatchNorm2d(3)
    >>> norm(gleed.randn(2, 3, 4, 4)).shape, int(norm.num_batches_tracked)
    (gleed.Size([2, 3, 4, 4]), 1)
    """

    dims = (4,)


class BatchNorm3d(_BatchNorm):
    """As BatchNorm1d, for input and output `(N, C, D, H, W)`."""

    dims = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all processes of a group.

    gleed trains in one process, where it is batch normalisation for 2 dims or more.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """`module` with every batch normalisation in it replaced by a SyncBatchNorm that has its
        parameters and statistics.

        >>> from gleed import nn
        >>> net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(2)))
        >>> type(net[0]).__name__
        'SyncBatchNorm'
        """
        result = module
        if isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm):
            result = cls._taking_over(module, process_group)
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result

    @classmethod
    def _taking_over(cls, norm: _BatchNorm, process_group: Any) -> Self:
        options = norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        result = cls(norm.num_features, *options, process_group, bias=norm.bias is not None)
        result.weight, result.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers(recurse=False):
            setattr(result, name, buffer)
        return result.train(norm.training)


class _InstanceNorm(_NormBase):
    """Instance normalisation of inputs with any number of dims."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every channel of every sample of `input`."""
        self._check_input_dim(input)
        single = bool(self.dims) and input.ndim == self.dims[1]
        result = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result.squeeze(0) if single else result


class InstanceNorm1d(_InstanceNorm):
    """Bring every channel of every sample to mean 0 and variance 1, then scale and shift it.

    Statistics are those of the sample, also in evaluation, unless `track_running_stats`: then
    running ones are kept in training, as by BatchNorm1d, and used in evaluation.

    Shapes: input and output `(N, C, L)` or `(C, L)`. Raises ShapeError for other numbers of dims,
    and for one value per channel.

    Source: Ulyanov, Vedaldi, Lempitsky, "Instance Normalization", 2016.

    >>> import gleed
    >>> gleed.nn.InstanceNorm1d(1)(gleed.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """

    dims = (3, 2)


class InstanceNorm2d(_InstanceNorm):
    """As InstanceNorm1d, for input and output `(N, C, H, W)` or `(C, H, W)`."""

    dims = (4, 3)


class InstanceNorm3d(_InstanceNorm):
    """As InstanceNorm1d, for input and output `(N, C, D, H, W)` or `(C, D, H, W)`."""

    dims = (5, 4)
