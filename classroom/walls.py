"""The walls of a room: what bubblewrap puts around a student's code, and whether it can here."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
PROCESSES = 64  # of a room
NEEDED = (
    "classroom/__init__.py",
    "classroom/inside.py",
    "classroom/makers.py",
    "classroom/self_check.py",
)
SYSTEM = (
    "/usr",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/etc/alternatives",
    "/etc/ld.so.cache",
)
GROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))  # of processes: versions 1 and 2


class NoWalls(Exception):
    """This machine cannot make a closed room; the message says what to type."""


def walls(folder, variables):
    """The command that makes a closed room, whose own files are those of a student's folder."""
    tool = shutil.which("bwrap")
    if not tool:
        raise NoWalls(
            "There is no bubblewrap here, so students' code would have no walls around it. Install "
            "it (apt-get install bubblewrap), or type TRUST=1 if you trust all of them."
        )
    command = [tool, "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000"]
    command += ["--disable-userns", "--die-with-parent", "--new-session", "--clearenv"]
    for name, value in variables.items():
        command += ["--setenv", name, value]
    small = ["--size", str(64 * 2**20), "--tmpfs"]
    command += [*small, "/tmp", *small, "/home", "--proc", "/proc", "--dev", "/dev"]
    for place in SYSTEM:
        if os.path.islink(place):
            command += ["--symlink", os.readlink(place), place]
        elif os.path.exists(place):
            command += ["--ro-bind", place, place]
    for place in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if not place.startswith("/usr"):
            command += ["--ro-bind", place, place]
    for name in NEEDED:
        command += ["--ro-bind", str(ROOT / name), f"/room/{name}"]
    for name in ("helpers", "data"):
        command += ["--ro-bind", str(Path(folder, name).resolve()), f"/room/{name}"]
    command += [*small, "/dev/shm", "--chdir", "/home"]
    # A room of root's has the machine's root as its user, who may write to /proc/sys.
    return [*command, *(each for p in ("/proc", "/dev", "/") for each in ("--remount-ro", p))]


def try_walls():
    """Raise NoWalls, one sentence, where this machine makes no closed room."""
    tool = walls(ROOT, {})[0]
    least = [tool, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "/bin/true"]
    done = subprocess.run(least, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise NoWalls(
            f"bubblewrap can make no room on this machine ({said}). Type TRUST=1 if you trust all "
            "of your students' code."
        )
    if os.geteuid() == 0:
        for old in [each for place in GROUPS for each in place.glob("room-*-*")]:
            if not psutil.pid_exists(int(old.name.split("-")[1])):  # of a grading that was killed
                leave(old)
        group().rmdir()


def leave(group):
    """End every process of a control group, and the group; the last may be a moment in leaving."""
    for _ in range(500):
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        with contextlib.suppress(OSError):
            for pid in (group / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)


def group():
    """A new control group that bounds the number of its processes."""
    for place in GROUPS:
        if (place / "cgroup.procs").exists() and os.access(place, os.W_OK):
            made = place / f"room-{os.getpid()}-{secrets.token_hex(6)}"
            with contextlib.suppress(OSError):
                made.mkdir()
                (made / "pids.max").write_text(str(PROCESSES))
                return made
    raise NoWalls(
        "You are root, and this machine lets nobody bound the number of a room's processes: run "
        "this as another user."
    )
