"""Settings that all test files share."""

import os

from hypothesis import settings

# No deadline: how long an example takes tells of the machine, not of the cache.
settings.register_profile("default-for-tamis", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default-for-tamis")
