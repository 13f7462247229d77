"""All that this package leans on of others' insides, in one place, and whether it is still there.

pyproject.toml bounds their versions. `gone()` names what a newer one has taken away.
"""

import importlib
import inspect
import re
from collections.abc import Iterable

# nbval compares; `runner.nbval_plugin` puts a replay and a stricter comparison in its places.
NAMES = {
    "nbval.plugin": (
        "IPyNbFile.setup",
        "IPyNbFile.setup_sanitize_files",
        "IPyNbFile.collect",
        "IPyNbCell.runtest",
        "IPyNbCell.compare_outputs",
        "IPyNbCell.sanitize_outputs",
        "IPyNbCell.raise_cell_error",
        "comment_markers",
    ),
    "nbclient.exceptions": ("CellExecutionError", "DeadKernelError"),
    "nbclient.client": ("NotebookClient.iopub_timeout",),
    "papermill.clientwrap": ("PapermillNotebookClient",),
    "jupyter_client.channels": ("AsyncZMQSocketChannel.send",),
    "jupyter_client.asynchronous.client": ("AsyncKernelClient.shell_channel_class",),
    "jupyter_client.manager": ("AsyncKernelManager.start_kernel",),
}
# Kernels pick free ports in a race with all others of the machine; who loses it says one of these.
TEXTS = {"jupyter_client.client": ("Kernel didn't respond in", "Kernel died before replying")}
LOST_RACE = re.compile("|".join(map(re.escape, TEXTS["jupyter_client.client"])))
# What a reply of a kernel carries whose cell called exit() or quit().
ASK_EXIT = "ask_exit"


def gone(modules: Iterable[str] = NAMES) -> list[str]:
    """A sentence for each name or text of these that the installed versions no longer have."""
    missing = []
    for module in modules:
        for name in NAMES[module]:
            found = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is None:
                missing.append(f"{module} has no {name}")
    for module, texts in TEXTS.items() if modules is NAMES else ():
        source = inspect.getsource(importlib.import_module(module))
        missing += [f"{module} no longer says {text!r}" for text in texts if text not in source]
    return [f"{each}: runner/internals.py says what leans on it." for each in missing]
