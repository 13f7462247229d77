"""nbval's kernels get the environment in which the committed outputs were made."""

from course import set_kernel_env

set_kernel_env()
pytest_plugins = ["course.replay"]
collect_ignore = ["tests/broken"]
