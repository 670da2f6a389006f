"""Find the pass of the compiler that a fault is in.

    python tools/bisect_passes.py COMMAND …      such as .venv/bin/pytest -x tests/captured

The command, which must fail, is run with all passes of `gleed.compiler.pipeline` left out. If it
succeeds then, it is run with each left out alone, and those without which it succeeds are named.
"""

from __future__ import annotations

import os
import subprocess
import sys

from gleed.compiler.pipeline import PASSES


def succeeds(command: list[str], without: str) -> bool:
    """Whether the command ends well where these passes are left out."""
    environment = {**os.environ, "GLEED_WITHOUT": without}
    found = subprocess.run(command, env=environment, capture_output=True)
    print(f"without {without or 'nothing'}: {'fails' if found.returncode else 'succeeds'}")
    return found.returncode == 0


def main() -> int:
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    if succeeds(command, ""):
        sys.exit("The command does not fail.")
    if not succeeds(command, "all"):
        sys.exit("It fails without any pass, too: the fault is elsewhere.")
    found = [name for name in PASSES if succeeds(command, name)]
    for name in found:
        print(f"{name}: {PASSES[name]}")
    if not found:
        print("It takes several of them.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
