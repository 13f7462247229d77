"""Tests, and kernels that nbval starts, run with the settings of the committed outputs."""

import os
import signal
from importlib.util import find_spec

from runner.execute import environment

os.environ.update(environment.settings())
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background: not for tests
    signal.signal(signal.SIGINT, signal.default_int_handler)
pytest_plugins = ["runner.compare.nbval_plugin"]
collect_ignore = ["tests/broken"]
if find_spec("playwright") is None:  # make browser installs it
    collect_ignore.append("tests/browser")
