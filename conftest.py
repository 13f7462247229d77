"""nbval's kernels get the environment in which the committed outputs were made."""

import os

from course import KERNEL_ENV

os.environ.update(KERNEL_ENV)
pytest_plugins = ["course.replay"]
collect_ignore = ["tests/broken"]
