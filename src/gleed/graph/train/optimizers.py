"""Optimizers, with TensorFlow 1's formulas: they add operations that change variables.

Source of the formulas: the documentation of TensorFlow 1.15's `tf.train`, and the papers named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed._C import Tensor
from gleed.errors import ArgumentError, GradientError
from gleed.graph.gradients import gradients
from gleed.graph.node import Node, Operation
from gleed.graph.variables import Variable, get_variable_scope, trainable_variables

GradientsAndVariables = Sequence[tuple[Node | None, Variable]]


class Optimizer:
    """What all optimizers have. Learning rates and other numbers may be nodes."""

    slots: tuple[tuple[str, float], ...] = ()  # names and first values of what a variable needs
    type = ""

    def __init__(self, name: str) -> None:
        self._name = name
        self._slots: dict[tuple[Variable, str], Variable] = {}

    def minimize(
        self,
        loss: Node,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        name: str | None = None,
    ) -> Operation:
        """The operation that makes one step downhill, and adds 1 to `global_step`.

        Raises GradientError if `loss` depends on no variable of `var_list`, by default all that are
        trainable.
        """
        pairs = self.compute_gradients(loss, var_list)
        if all(gradient is None for gradient, _ in pairs):
            names = ", ".join(v.name for _, v in pairs) or "none"
            raise GradientError(
                f"minimize: the loss must depend on a variable; {loss.describe()}, made at "
                f"{loss.op.place}, depends on none of: {names}; compute it from them"
            )
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self, loss: Node, var_list: Sequence[Variable] | None = None
    ) -> list[tuple[Node | None, Variable]]:
        """Pairs of a gradient and its variable; None where the loss does not depend on it, and for
        whole numbers, such as a count of steps that was not made with trainable=False."""
        with loss.graph.as_default():
            variables = trainable_variables() if var_list is None else list(var_list)
        floating = [v for v in variables if v.dtype.is_floating_point]
        found = dict(zip(floating, gradients(loss, floating), strict=True))
        return [(found.get(v), v) for v in variables]

    def apply_gradients(
        self,
        grads_and_vars: GradientsAndVariables,
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """The operation that changes the variables by these gradients."""
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ArgumentError(
                "apply_gradients: at least one gradient is needed; none came; check that the loss "
                "depends on the variables"
            )
        graph = pairs[0][1].graph
        with graph.as_default():
            self._prepare(pairs)
            with graph.name_scope(name or self._name) as scope:
                steps = [self._step(g, v) for g, v in pairs]
                finish = self._finish(steps)
                with graph.control_dependencies(finish):
                    if global_step is not None:
                        finish = [global_step.assign_add(1).op]
                return graph.group(*finish, name=scope)

    def get_slot(self, variable: Variable, name: str) -> Variable | None:
        """What the optimizer keeps for a variable under a name, such as "momentum"."""
        return self._slots.get((variable, name))

    def get_slot_names(self) -> list[str]:
        """The names of what the optimizer keeps for each variable."""
        return [name for name, _ in self.slots]

    def variables(self) -> list[Variable]:
        """All that the optimizer keeps."""
        return list(self._slots.values())

    def _prepare(self, pairs: GradientsAndVariables) -> None:
        """Make the slots that are missing."""
        for _, variable in pairs:
            for name, value in self.slots:
                if (variable, name) not in self._slots:
                    self._slots[variable, name] = self._slot(variable, value)

    def _slot(self, variable: Variable, value: float) -> Variable:
        graph = variable.graph
        with graph.name_scope(get_variable_scope().prefix):
            return Variable(
                lambda: graph.constant(value, variable.dtype, variable.shape),
                trainable=False,
                name=f"{variable.op.name}/{self._name}",
            )

    def _step(self, gradient: Any, variable: Variable) -> Operation:
        kept = [self._slots[variable, name] for name, _ in self.slots]
        numbers = map(variable.graph.argument, self._numbers())
        with variable.graph.name_scope("update_" + variable.op.name):
            return variable.graph.add(
                self.type,
                self._update,
                (variable, *kept, gradient, *numbers),
                writes=(variable, *kept),
            )

    def _numbers(self) -> tuple[Any, ...]:
        """The last arguments of `_update`."""
        raise NotImplementedError

    def _finish(self, steps: list[Operation]) -> list[Operation]:
        """What must have run for the step to be done."""
        return steps

    _update: Any


class GradientDescentOptimizer(Optimizer):
    """variable −= learning_rate · gradient.

    >>> from gleed.graph import Graph, Session, Variable, global_variables_initializer, train
    >>> with Graph().as_default(), Session() as session:
    ...     x = Variable(4.0)
    ...     step = train.GradientDescentOptimizer(0.25).minimize((x - 1) ** 2)
    ...     session.run(global_variables_initializer())
    ...     for _ in range(3):
    ...         session.run(step)
    ...         print(session.run(x))
    2.5
    1.75
    1.375
    """

    type = "ApplyGradientDescent"

    def __init__(self, learning_rate: Any, name: str = "GradientDescent") -> None:
        super().__init__(name)
        self._learning_rate = learning_rate

    def _numbers(self) -> tuple[Any, ...]:
        return (self._learning_rate,)

    @staticmethod
    def _update(variable: Tensor, gradient: Tensor, rate: Any) -> None:
        variable.sub_(gradient * rate)


class MomentumOptimizer(Optimizer):
    """momentum-weighted sums of gradients: a = momentum · a + g, variable −= learning_rate · a;
    with `use_nesterov`, variable −= learning_rate · (g + momentum · a)."""

    type = "ApplyMomentum"
    slots = (("momentum", 0.0),)

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(name)
        self._settings = learning_rate, momentum, use_nesterov

    def _numbers(self) -> tuple[Any, ...]:
        return self._settings

    @staticmethod
    def _update(
        variable: Tensor, sums: Tensor, gradient: Tensor, rate: Any, momentum: Any, nesterov: bool
    ) -> None:
        sums.mul_(momentum).add_(gradient)
        variable.sub_((gradient + sums * momentum if nesterov else sums) * rate)


class AdagradOptimizer(Optimizer):
    """a += g², variable −= learning_rate · g / √a (Duchi et al., 2011); a begins at
    `initial_accumulator_value`."""

    type = "ApplyAdagrad"

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        super().__init__(name)
        self._learning_rate = learning_rate
        self.slots = (("accumulator", initial_accumulator_value),)

    def _numbers(self) -> tuple[Any, ...]:
        return (self._learning_rate,)

    @staticmethod
    def _update(variable: Tensor, squares: Tensor, gradient: Tensor, rate: Any) -> None:
        squares.add_(gradient * gradient)
        variable.sub_(gradient * rate * squares.rsqrt())


class AdadeltaOptimizer(Optimizer):
    """a = rho · a + (1 − rho) · g², u = √(d + epsilon) / √(a + epsilon) · g, d = rho · d +
    (1 − rho) · u², variable −= learning_rate · u (Zeiler, 2012)."""

    type = "ApplyAdadelta"
    slots = (("accum", 0.0), ("accum_update", 0.0))

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(name)
        self._settings = learning_rate, rho, epsilon

    def _numbers(self) -> tuple[Any, ...]:
        return self._settings

    @staticmethod
    def _update(
        variable: Tensor, squares: Tensor, steps: Tensor, gradient: Tensor,
        rate: Any, rho: Any, epsilon: Any,
    ) -> None:  # fmt: skip
        squares.add_((gradient * gradient - squares) * (1 - rho))
        step = (steps + epsilon).sqrt() * (squares + epsilon).rsqrt() * gradient
        steps.add_((step * step - steps) * (1 - rho))
        variable.sub_(step * rate)


class RMSPropOptimizer(Optimizer):
    """m = decay · m + (1 − decay) · g², a = momentum · a + learning_rate · g / √(m + epsilon),
    variable −= a (Tieleman and Hinton, 2012). With `centered` the square of the mean gradient is
    subtracted from m. m begins at 1."""

    type = "ApplyRMSProp"

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(name)
        self._settings = learning_rate, decay, momentum, epsilon
        self.slots = (("rms", 1.0), ("momentum", 0.0), *([("mg", 0.0)] if centered else []))
        self._update = self._centered if centered else self._plain

    def _numbers(self) -> tuple[Any, ...]:
        return self._settings

    @staticmethod
    def _plain(
        variable: Tensor, squares: Tensor, sums: Tensor, gradient: Tensor,
        rate: Any, decay: Any, momentum: Any, epsilon: Any,
    ) -> None:  # fmt: skip
        squares.add_((gradient * gradient - squares) * (1 - decay))
        sums.mul_(momentum).add_(gradient * rate * (squares + epsilon).rsqrt())
        variable.sub_(sums)

    @staticmethod
    def _centered(
        variable: Tensor, squares: Tensor, sums: Tensor, means: Tensor, gradient: Tensor,
        rate: Any, decay: Any, momentum: Any, epsilon: Any,
    ) -> None:  # fmt: skip
        squares.add_((gradient * gradient - squares) * (1 - decay))
        means.add_((gradient - means) * (1 - decay))
        spread = squares - means * means
        sums.mul_(momentum).add_(gradient * rate * (spread + epsilon).rsqrt())
        variable.sub_(sums)


class AdamOptimizer(Optimizer):
    """m and v are means of g and g² with weights β₁ and β₂; variable −= r · m / (√v + epsilon),
    r = learning_rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ): the form before section 2.1 of Kingma and Ba, 2015,
    whose epsilon is not theirs (nor PyTorch's)."""

    type = "ApplyAdam"
    slots = (("m", 0.0), ("v", 0.0))

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(name)
        self._settings = learning_rate, beta1, beta2, epsilon
        self._powers: tuple[Variable, ...] = ()

    def variables(self) -> list[Variable]:
        """All that the optimizer keeps."""
        return [*self._powers, *super().variables()]

    def _prepare(self, pairs: GradientsAndVariables) -> None:
        if not self._powers:
            variable = pairs[0][1]
            with variable.graph.name_scope(get_variable_scope().prefix):
                self._powers = tuple(
                    Variable(beta, trainable=False, name=f"beta{i}_power", dtype=variable.dtype)
                    for i, beta in enumerate(self._settings[1:3], 1)
                )
        super()._prepare(pairs)

    def _numbers(self) -> tuple[Any, ...]:
        return (*self._settings, *self._powers)

    def _finish(self, steps: list[Operation]) -> list[Operation]:
        graph = steps[0].graph
        with graph.control_dependencies(steps):
            pairs = zip(self._powers, self._settings[1:3], strict=True)
            return [power.assign(power * beta).op for power, beta in pairs]

    @staticmethod
    def _update(
        variable: Tensor, mean: Tensor, square: Tensor, gradient: Tensor,
        rate: Any, beta1: Any, beta2: Any, epsilon: Any, power1: Tensor, power2: Tensor,
    ) -> None:  # fmt: skip
        mean.add_((gradient - mean) * (1 - beta1))
        square.add_((gradient * gradient - square) * (1 - beta2))
        step = (1 - power2).sqrt() / (1 - power1) * rate
        variable.sub_(mean * step / (square.sqrt() + epsilon))
