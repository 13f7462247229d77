"""Runs inside a kernel, before its first cell: notes the project's files that it opens to read.

It is read as a file by kernels that need not have this package, so it imports only the library.
"""

import gc
import os
import re
import sys


def start(log: str, root: str, memory: int = 0) -> None:
    """Append each file under `root` that is opened from now on to `log`, one path a line.

    Left out are environments, hidden folders and what the kernel itself has written. `memory` (MB)
    limits the kernel's address space, where the system can; 0 does not.
    """
    root, own = os.path.realpath(root) + os.sep, (sys.prefix, os.path.realpath(sys.prefix))
    environment = tuple(prefix + os.sep for prefix in own)
    out = open(log, "a", buffering=1, encoding="utf-8")  # noqa: SIM115 (for the kernel's life)
    seen = set()

    def note(event, arguments):
        if event != "open" or not isinstance(arguments[0], (str, bytes)):
            return
        name = os.fsdecode(arguments[0])
        if name.startswith(environment):
            return  # thousands: not worth resolving each
        path = os.path.realpath(name)
        if path in seen or not path.startswith(root) or path.startswith(environment):
            return
        seen.add(path)
        if any(c in (arguments[1] or "r") for c in "wax+") or f"{os.sep}." in path[len(root) - 1 :]:
            return
        source = re.sub(r"__pycache__.(\w+)\.[^/\\]*$", r"\1.py", path)
        out.write(source + "\n")

    if memory:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory * 2**20, memory * 2**20))
    gc.set_threshold(50_000, 20, 20)  # large imports make mostly what stays: a sixth faster
    sys.addaudithook(note)
