"""Executes, caches, compares and accepts notebooks as files; knows nothing of what is in them."""

import sys
from importlib.util import find_spec

if find_spec("nbformat") is None:
    sys.exit(
        f"{sys.executable} has not the packages that this needs: type `make environment`, or "
        "`python .ci/environment.py` where there is no make, and use the Python in .venv."
    )
