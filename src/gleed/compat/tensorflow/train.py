"""`tf.train`: optimizers, schedules of learning rates, checkpoints."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.graph.train import *  # noqa: F403

from gleed.graph.train import saver  # isort: skip


class Saver(saver.Saver):  # type: ignore[no-redef]
    """`gleed.graph.train.Saver` with TensorFlow's arguments, of which the others change nothing."""

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(var_list, max_to_keep)

    def save(
        self,
        sess: Any,
        save_path: Any,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        **options: Any,
    ) -> str:
        """`gleed.graph.train.Saver.save`; the graph is not saved, the program makes it again."""
        return super().save(sess, save_path, global_step)


def __getattr__(name: str) -> Any:
    raise missing("tf.train", name, globals())
