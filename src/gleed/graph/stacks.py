"""Which graph and which session are the default ones, in each thread."""

from __future__ import annotations

import threading
from typing import Any

from gleed.errors import GraphError


class _Stacks(threading.local):
    def __init__(self) -> None:
        self.graphs: list[Any] = []
        self.sessions: list[Any] = []

    def leave(self, graph: Any) -> None:
        """Take away a graph, which may be there several times, where it was added last."""
        del self.graphs[~self.graphs[::-1].index(graph)]


STACKS = _Stacks()


def current_session(name: str, session: Any) -> Any:
    """`session`, or else the default one."""
    if session is not None:
        return session
    if not STACKS.sessions:
        raise GraphError(
            f"{name}: a session is needed; none was given and there is no default one; write "
            "'with Session() as session:' around it, or give session="
        )
    return STACKS.sessions[-1]
