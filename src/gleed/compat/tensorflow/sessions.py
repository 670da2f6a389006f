"""`tf.Session` with TensorFlow's arguments."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

from gleed import graph as graphs


class _Session(graphs.Session):
    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """`gleed.graph.Session.run`; `options` and `run_metadata` change nothing."""
        return super().run(fetches, feed_dict)


class Session(_Session):
    """`gleed.graph.Session`; `target` and `config` change nothing."""

    def __init__(
        self, target: str = "", graph: graphs.Graph | None = None, config: Any = None
    ) -> None:
        super().__init__(graph)


class InteractiveSession(_Session, graphs.InteractiveSession):
    """`gleed.graph.InteractiveSession`; `target` and `config` change nothing."""

    def __init__(
        self, target: str = "", graph: graphs.Graph | None = None, config: Any = None
    ) -> None:
        super().__init__(graph)


class RunOptions:
    """What of a run is traced, which gleed does not: taken, and without effect."""

    NO_TRACE, SOFTWARE_TRACE, HARDWARE_TRACE, FULL_TRACE = range(4)

    def __init__(self, trace_level: int = NO_TRACE, **options: Any) -> None:
        self.trace_level = trace_level


class RunMetadata:
    """What a trace of a run tells, which is nothing."""


def ConfigProto(**options: Any) -> Any:
    """Settings of devices and threads, which are gleed's own: taken, and without effect."""
    return SimpleNamespace(gpu_options=GPUOptions(), **options)


def GPUOptions(**options: Any) -> Any:
    """Settings of GPUs: taken, and without effect."""
    return SimpleNamespace(**options)


def device(device_name_or_function: Any) -> AbstractContextManager[None]:
    """A block for a device: the CPU computes everything."""
    return nullcontext()


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Any:
    """Names made in this block begin with the name, or with `default_name` if it is None."""
    return graphs.name_scope(name or default_name)
