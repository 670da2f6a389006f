"""Settings that all tests share, and the verifiers, which look at all that tests compile."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from gleed import known
from gleed.compiler import emit, planning
from gleed.compiler.kernel_text import nodes_of
from gleed.compiler.verify import verify
from gleed.compiler.verify_graph import verify_program
from gleed.compiler.verify_plan import verify_plan

# The first call of an op compiles it, so single examples have no deadline. Continuous integration
# draws the same examples on every run: a red run can then be repeated exactly.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session", autouse=True)
def verified() -> Iterator[None]:
    """Programs, plans and kernels are verified after every pass that makes them. So all are made,
    and none is read from disk."""
    plan_of, kernel, lower = planning.plan_of, planning._kernel, emit.lower

    def verified_plan(program: Any, schedule: Any, *rest: Any) -> Any:
        verify_program(program)
        verify_plan(program, schedule)
        return plan_of(program, schedule, *rest)

    def verified_kernel(ir: Any, *parts: Any) -> Any:
        verify(nodes_of(ir))
        return kernel(ir, *parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "plan_of", verified_plan)
        patch.setattr(planning, "_kernel", verified_kernel)
        patch.setattr(emit, "lower", lambda ir: verify(lower(ir)))
        patch.setattr(known, "kept", lambda key: None)
        patch.setattr(known, "keep", lambda key, data: None)
        yield
