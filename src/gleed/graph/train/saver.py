"""Checkpoints: the values of variables in a safetensors file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gleed.errors import ArgumentError, ShapeError
from gleed.graph.node import Node
from gleed.graph.session import Session
from gleed.graph.variables import Variable, global_variables
from gleed.serialization import load, save

# The file of a folder that names its checkpoints, as TensorFlow writes it.
LIST = "checkpoint"
_ENTRY = re.compile(r'^(?:all_)?model_checkpoint_paths?: "(.*)"$', re.MULTILINE)


class Saver:
    """Saves and restores variables: those of `var_list`, a list or a dict by name, else all.

    A checkpoint is one safetensors file, exactly at the path given (with "-step" behind it); it
    holds tensors under the names of variables and executes nothing. The newest `max_to_keep` are
    kept, None for all.
    """

    def __init__(
        self,
        var_list: Sequence[Variable] | Mapping[str, Variable] | None = None,
        max_to_keep: int | None = 5,
    ) -> None:
        variables = global_variables() if var_list is None else var_list
        if not isinstance(variables, Mapping):
            variables = {variable.op.name: variable for variable in variables}
        if not variables:
            raise ArgumentError(
                "Saver: there must be variables to save; none came; make them before the Saver"
            )
        self._variables = dict(variables)
        self._max_to_keep = max_to_keep
        self.last_checkpoints: list[str] = []

    def save(self, sess: Session, save_path: str | os.PathLike, global_step: Any = None) -> str:
        """Write a checkpoint; returns its path, which has "-step" behind it if a step is given, a
        number or a node. Raises GraphError for variables that are not initialised."""
        path = os.fspath(save_path)
        if global_step is not None:
            step = sess.run(global_step) if isinstance(global_step, Node) else global_step
            path = f"{path}-{int(step)}"
        save({name: sess.value(variable) for name, variable in self._variables.items()}, path)
        self.last_checkpoints = [p for p in self.last_checkpoints if p != path] + [path]
        while self._max_to_keep and len(self.last_checkpoints) > self._max_to_keep:
            oldest = self.last_checkpoints.pop(0)
            if os.path.exists(oldest):
                os.remove(oldest)
        self._list(os.path.dirname(path))
        return path

    def _list(self, folder: str) -> None:
        names = [os.path.basename(p) for p in self.last_checkpoints]
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        with open(os.path.join(folder, LIST), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def restore(self, sess: Session, save_path: str | os.PathLike) -> None:
        """Give the variables the values of a checkpoint; they need not be initialised.

        Raises FileFormatError for a file of another kind, ArgumentError if a variable is not in it,
        and ShapeError or DTypeError if it does not fit.
        """
        saved = load(save_path)
        path = os.fspath(save_path)
        for name, variable in self._variables.items():
            if not isinstance(saved, Mapping) or name not in saved:
                raise ArgumentError(
                    f"restore: every variable must be in the checkpoint; {variable.describe()}, "
                    f"made at {variable.op.place}, is not in {path!r}; save it first, or give the "
                    "Saver a var_list"
                )
            if not variable.shape.accepts(saved[name].shape):
                raise ShapeError(
                    f"restore: values must have the shapes of the variables; {path!r} has shape "
                    f"{list(saved[name].shape)} for {variable.describe()}, made at "
                    f"{variable.op.place}; build the graph that was saved"
                )
        for name, variable in self._variables.items():
            sess.set_value(variable, saved[name])


class CheckpointState(NamedTuple):
    """The path of the newest checkpoint, and of all that are kept, the oldest first."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


def get_checkpoint_state(checkpoint_dir: str | os.PathLike) -> CheckpointState | None:
    """The checkpoints in a folder, or None if there is no list of them."""
    folder = os.fspath(checkpoint_dir)
    try:
        with open(os.path.join(folder, LIST), encoding="utf-8") as file:
            newest, *every = _ENTRY.findall(file.read())
    except (FileNotFoundError, ValueError):
        return None
    return CheckpointState(
        os.path.join(folder, newest), [os.path.join(folder, path) for path in every]
    )


def latest_checkpoint(checkpoint_dir: str | os.PathLike) -> str | None:
    """The path of the newest checkpoint in a folder, or None."""
    state = get_checkpoint_state(checkpoint_dir)
    return state.model_checkpoint_path if state else None


def checkpoint_exists(checkpoint_prefix: str | os.PathLike) -> bool:
    """Whether there is a checkpoint of this path."""
    return os.path.exists(checkpoint_prefix)
