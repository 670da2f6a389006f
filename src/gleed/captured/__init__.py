"""Functions captured into programs: `gleed.compile`.

recorder   what the core runs becomes one graph
memory     views and writes, as values of that graph
subscript  indices with sizes that are followed; lengths does so for len(x)
reach      the Python state that a function can read, which must stay the same
holders    what objects of Python's own hold of that
structure  nested arguments and results
program    results, writes and gradients become a plan
body       functions become bodies of branches and loops
control_flow  `cond`, `while_loop`, `scan` and `map`
zeros      gradients of zeros for what was not used
calls      the operations in it, and where they came from
listing    programs for people
report     what runs, and why
function   when to capture, and when a captured program may run
"""

from gleed.captured.function import CompiledFunction, compile

__all__ = ["CompiledFunction", "compile"]
