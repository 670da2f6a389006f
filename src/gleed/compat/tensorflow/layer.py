"""What all layers have: variables that are made by the first call, and shared by all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.compat.tensorflow.variables import get_variable
from gleed.errors import ShapeError
from gleed.graph.defaults import current_graph
from gleed.graph.initializers import zeros_initializer
from gleed.graph.node import Node, Operation
from gleed.graph.placeholders import placeholder
from gleed.graph.variables import Variable, VariableScope, variable_scope

UPDATE_OPS = "update_ops"
Activation = Callable[[Node], Node] | None


class Layer:
    """A function of nodes with variables of its own, made by the first call under the name of the
    layer, or an unused one of its kind. `updates` are operations that change them beside training.
    """

    kind = "layer"

    def __init__(
        self, name: str | None, trainable: bool = True, dtype: Any = None, reuse: bool | None = None
    ) -> None:
        self._given, self._reuse, self.trainable = name, reuse, trainable
        self._scope: VariableScope | None = None
        self.dtype = dtype
        self.built = False
        self.variables: list[Variable] = []
        self.updates: list[Operation] = []

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """What the layer computes of `inputs`."""
        x = convert_to_tensor(inputs)
        with x.graph.as_default(), self._entered():
            self._build(x)
            return self._computed(x, **options)

    apply = __call__

    def build(self, input_shape: Any) -> None:
        """Make the variables for inputs of a shape, in which sizes may be None."""
        with self._entered():
            self._build(placeholder(self.dtype or "float32", list(input_shape)))

    def _build(self, x: Node) -> None:
        if not self.built:
            self._make(x)
            self.built = True

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """The variable scope of the layer, the same in all calls."""
        if self._scope is None:
            with variable_scope(self._given, self.kind, reuse=self._reuse) as scope:
                self._scope = scope
                yield
        else:
            with current_graph().name_scope(self._scope.name):
                yield

    def _make(self, x: Node) -> None:
        """Make the variables."""

    def _computed(self, x: Node, **options: Any) -> Any:
        raise NotImplementedError

    def _add(
        self, x: Node, name: str, shape: Any, initializer: Any, regularizer: Any = None,
        trained: bool = True,
    ) -> Variable:  # fmt: skip
        """A variable of the layer."""
        trained = trained and self.trainable
        made = get_variable(name, shape, x.dtype, initializer, regularizer, trained)
        self.variables.append(made)
        return made

    @property
    def name(self) -> str | None:
        """The name under which the variables are, once there are some."""
        return self._given if self._scope is None else self._scope.name

    @property
    def weights(self) -> list[Variable]:
        """All variables."""
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that optimizers change."""
        return [v for v in self.variables if v.trainable]

    trainable_weights = trainable_variables

    def count_params(self) -> int:
        """The number of elements of all variables."""
        return sum(v.shape.num_elements() or 0 for v in self.variables)


class Affine(Layer):
    """A layer with a kernel and a bias, and an activation behind them."""

    def __init__(
        self,
        activation: Activation,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._activation, self._use_bias = activation, use_bias
        self._initializers = kernel_initializer, bias_initializer or zeros_initializer()
        self._regularizers = kernel_regularizer, bias_regularizer
        self.kernel: Variable | None = None
        self.bias: Variable | None = None

    def _make_affine(self, x: Node, kernel: Any, units: int) -> None:
        """The kernel of a shape, and the bias of `units`."""
        self.kernel = self._add(x, "kernel", kernel, self._initializers[0], self._regularizers[0])
        self._make_bias(x, units)

    def _make_bias(self, x: Node, units: int) -> None:
        if self._use_bias:
            initializer, regularizer = self._initializers[1], self._regularizers[1]
            self.bias = self._add(x, "bias", [units], initializer, regularizer)

    def _activated(self, y: Node) -> Node:
        return y if self._activation is None else self._activation(y)


def known_size(op: str, x: Node, axis: int) -> int:
    """A size that must be known, for variables are made of it."""
    size = x.shape[axis]
    if size is None:
        raise ShapeError(
            f"{op}: the size of dim {axis} must be known, for weights depend on it; "
            f"{x.describe()} came, made at {x.op.place}; give the placeholder its size"
        )
    return int(size)


def order(data_format: str) -> str:
    """The order of the dims of images in the words of `tf.nn`."""
    return "NHWC" if data_format == "channels_last" else "NCHW"


def pair(given: Any) -> tuple[int, int]:
    """A height and a width."""
    return (given, given) if isinstance(given, int) else (given[0], given[1])


def one(given: Any) -> int:
    """A number, alone or in a list."""
    return given if isinstance(given, int) else given[0]
