"""Settings that all tests share."""

import os

from hypothesis import settings

# The first call of an op compiles it, so single examples have no deadline. Continuous integration
# draws the same examples on every run: a red run can then be repeated exactly.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
