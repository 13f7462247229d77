"""Tests, and kernels that nbval starts, run with the settings of the committed outputs."""

import os
import signal

from runner import kernel_environment

os.environ.update(kernel_environment.settings())
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background: not for tests
    signal.signal(signal.SIGINT, signal.default_int_handler)
pytest_plugins = ["runner.nbval_plugin"]
collect_ignore = ["tests/broken"]
