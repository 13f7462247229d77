"""A closed room for one student's notebook: its cells run inside, and only bounded JSON comes out.

The room is made by bubblewrap. It has its own processes, its own empty /tmp and /home, no network,
and read-only copies of what an assignment needs. What ends a room is named, and is never a wrong
answer: time, memory, a crash, or a reply that is none.
"""

import contextlib
import json
import os
import queue
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from classroom.walls import PROCESSES, ROOT, leave, walls
from classroom.walls import group as new_group

LONGEST = 200_000  # bytes of a line that comes out
LEAST = 2**29  # bytes that stay free on the machine
MEMORY = 4 * 2**30  # bytes, of all processes of a room together


class Ended(Exception):
    """A room that is over before it was asked everything; `why` is a state."""

    def __init__(self, why):
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Limits:
    """Seconds for a cell, for one that imports, for a value that is asked, and for a notebook."""

    cell: float = 10
    imports: float = 60
    question: float = 5
    whole: float = 120


class Room:
    """A process that runs cells beside the helpers and data of a student's `folder`.

    `trust` leaves the walls out. Use it as a context.
    """

    def __init__(self, folder, limits=Limits(), trust=False):
        self.folder, self.limits, self.trust = Path(folder), limits, trust
        self.process, self.over_memory, self.heard = None, False, b""
        self.pieces = queue.Queue(maxsize=4)
        self.began = time.monotonic()

    def __enter__(self):
        self.home, self.group = "", None
        try:
            self._start()
            self._say({"processes": PROCESSES, "memory": MEMORY})
            self.run("", given=True)  # what a room itself needs is no cell's time
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        if self.process:
            _kill(self.process.pid)
            until = time.monotonic() + 5
            while self.listener.is_alive() and time.monotonic() < until:
                with contextlib.suppress(queue.Empty):
                    self.pieces.get(timeout=0.05)
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)
        if self.group:
            leave(self.group)

    def run(self, code, given=False):
        """Run a cell; what it stopped with, or "". A given cell may import for longer."""
        limit = self.limits.imports if given else self.limits.cell
        error = self.ask({"run": code}, limit).get("value")
        if not isinstance(error, str):
            raise Ended("garbled")
        return error

    def ask(self, request, seconds=None):
        """The reply to a request; raises Ended."""
        nonce = secrets.token_hex(8)
        self._say(request | {"n": nonce})
        reply = self._hear(seconds or self.limits.question)
        if reply.get("n") != nonce or not ("value" in reply or isinstance(reply.get("error"), str)):
            raise Ended("garbled")
        return reply

    def _start(self):
        inside = "/room" if not self.trust else str(self.folder)
        python = [sys.executable, "-m", "classroom.inside"]
        variables = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/home",
            "MPLBACKEND": "agg",
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",  # there is no network, and pip would wait for it
        }
        variables |= {"IPYTHONDIR": "/home/.ipython", "TF_CPP_MIN_LOG_LEVEL": "3"}
        variables |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": inside}
        if self.trust:
            self.home = tempfile.mkdtemp(prefix="room-")
            variables |= {"HOME": self.home, "IPYTHONDIR": f"{self.home}/.ipython"}
            variables["PYTHONPATH"] = os.pathsep.join([str(self.folder), str(ROOT)])
            command, cwd = python, self.home
        else:
            command, cwd = [*walls(self.folder, variables), *python], "/"
            if os.geteuid() == 0:
                self.group = new_group()
                # For root no other limit on the number of processes has an effect.
                enter = 'echo $$ > "$0/cgroup.procs"; exec "$@"'
                command = ["/bin/sh", "-c", enter, str(self.group), *command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env=variables if self.trust else {},
            start_new_session=True,
        )
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _listen(self):
        """Take what comes out: in a thread, since Windows has no other way to wait for a pipe."""
        with contextlib.suppress(OSError, ValueError):
            while piece := os.read(self.process.stdout.fileno(), 65_536):
                self.pieces.put(piece)
        self.pieces.put(b"")

    def _watch(self):
        """End a room that takes too much memory in all, or that hears nothing any more."""
        while self.process.poll() is None:
            if time.monotonic() > self.began + self.limits.whole + 5:
                _kill(self.process.pid)
            total = 0
            with contextlib.suppress(psutil.Error):
                own = psutil.Process(self.process.pid)
                for each in [own, *own.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        total += each.memory_info().rss
            # What no process has mapped is in nobody's count, and in the machine's.
            if total > MEMORY or psutil.virtual_memory().available < LEAST:
                self.over_memory = True
                _kill(self.process.pid)
            time.sleep(0.2)

    def _say(self, line):
        try:
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise Ended(self._why()) from None

    def _hear(self, seconds):
        """The next line that comes out, as a dictionary; raises Ended."""
        until = min(time.monotonic() + seconds, self.began + self.limits.whole)
        while b"\n" not in self.heard:
            try:
                piece = self.pieces.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise Ended("timed out") from None
            if not piece:
                raise Ended(self._why())
            self.heard += piece
            if len(self.heard) > LONGEST:
                raise Ended("garbled")
        line, _, self.heard = self.heard.partition(b"\n")
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            raise Ended("garbled") from None
        if not isinstance(told, dict):
            raise Ended("garbled")
        return told

    def _why(self):
        return "out of memory" if self.over_memory else "crashed"


def _kill(pid):
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.Error):
                each.kill()
