"""What the runner leans on inside other packages is there; pyproject.toml bounds their versions."""

import ast
import inspect
import pkgutil

import pytest
from jupyter_client import client

from runner import notebook
from runner.execute.kernel import LOST_RACE

# nbval compares; runner.compare.nbval_plugin puts a replay and a stricter comparison in its place.
NAMES = [
    *(f"nbval.plugin:IPyNbFile.{name}" for name in ("setup", "setup_sanitize_files", "collect")),
    *(f"nbval.plugin:IPyNbCell.{name}" for name in ("runtest", "compare_outputs")),
    *(f"nbval.plugin:IPyNbCell.{name}" for name in ("sanitize_outputs", "raise_cell_error")),
    "nbclient.exceptions:CellExecutionError",
    "nbclient.exceptions:DeadKernelError",
    "nbclient.client:NotebookClient.iopub_timeout",
    "papermill.clientwrap:PapermillNotebookClient",
    "jupyter_client.channels:AsyncZMQSocketChannel.send",
    "jupyter_client.asynchronous.client:AsyncKernelClient.shell_channel_class",
    "jupyter_client.manager:AsyncKernelManager.start_kernel",
]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_there(name):
    assert pkgutil.resolve_name(name) is not None


def test_a_kernel_that_lost_the_race_for_a_port_is_recognised():
    text = inspect.getsource(client)
    assert all(part in text for part in LOST_RACE.pattern.split("|"))


def test_a_spoiled_count_of_another_thread_is_no_failure(monkeypatch):
    """CPython 3.11: "AST constructor recursion depth mismatch", where a library parses, too."""
    parse, failures = ast.parse, [SystemError("recursion depth mismatch")] * 2

    def spoiled(*given, **more):
        if failures:
            raise failures.pop()
        return parse(*given, **more)

    monkeypatch.setattr(notebook.ast, "parse", spoiled)
    assert ast.unparse(notebook.parse("a  +  b")) == "a + b"
    failures += [SystemError("recursion depth mismatch")] * 3
    with pytest.raises(SystemError, match="mismatch"):
        notebook.parse("a")
