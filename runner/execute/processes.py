"""The processes of kernels: their limits, and their end."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from runner.job import Limits

TICK = 0.1
LONG = 20  # seconds after which somebody at the screen wants to know how far a cell is
MARK = "RUNNER_KERNEL"  # the variable that names a kernel's scratch folder
MARKS: set[str] = set()  # of all kernels that this process has started and not yet left


def kill(marks: Iterable[str] | None = None) -> None:
    """Kill every process that was started with one of these marks (None: with any of MARKS).

    A kernel's variable MARK is inherited by everything that it starts, even by a process that
    leaves its group or its parent.
    """
    wanted = {*(MARKS if marks is None else marks)}
    for process in psutil.process_iter() if wanted else []:
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) in wanted:
                for each in (*process.children(recursive=True), process):
                    each.kill()


class Watch:
    """Counts the seconds of a notebook and of its cell, and kills its processes at a limit.

    The clock stands still while this machine does (SIGSTOP, a closed lid): no more than a second
    counts between two looks at it. `verdict` is the state that a limit led to, or "". `long` is
    called every `LONG` seconds that a cell takes.
    """

    def __init__(
        self,
        limits: Limits,
        mark: Path,
        long: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self.limits, self.mark, self.long, self.monotonic = limits, str(mark), long, monotonic
        self.seconds = self.cell = 0.0
        self.in_cell, self.verdict = False, ""
        self._last, self._over = monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        MARKS.add(self.mark)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.count()
        kill([self.mark])
        MARKS.discard(self.mark)

    def begin_cell(self) -> None:
        self.in_cell, self.cell = True, 0.0

    def count(self) -> None:
        """Let the time since the last look count."""
        now = self.monotonic()
        passed, self._last = min(now - self._last, 1.0), now
        self.seconds += passed
        self.cell += passed
        if self.in_cell and self.cell // LONG > (self.cell - passed) // LONG:
            self.long()

    def _look(self) -> None:
        while not self._over.wait(TICK):
            self.count()
            if 0 < self.limits.whole <= self.seconds:
                self.verdict = self.verdict or "notebook timeout"
            elif self.in_cell and 0 < self.limits.cell <= self.cell:
                self.verdict = self.verdict or "cell timeout"
            if self.verdict:
                kill([self.mark])
