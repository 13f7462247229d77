"""The walls of a room: what bubblewrap puts around a student's code, and whether it can here."""

import contextlib
import itertools
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
NOBODY = 61_184  # the first of 4,000 numbers, each for a room's user
NUMBERS = itertools.count(secrets.randbelow(4_000))  # no two rooms at a time have the same
TRIAL = "import classroom.makers, helpers.example"
GROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))  # of processes: versions 1 and 2


class NoWalls(Exception):
    """This machine cannot make a closed room; the message says what to type."""


def walls(folder, variables):
    """The command that makes a closed room, whose own files are those of a student's folder.

    A user's room has a user of its own namespace. In such a room root's code would be the
    machine's root to /proc/sys and to the devices, so root's room runs as a user that is nobody.
    """
    tool, as_root = shutil.which("bwrap"), os.name == "posix" and os.geteuid() == 0
    if not tool:
        raise NoWalls(
            "There is no bubblewrap here, so students' code would have no walls around it. Install "
            "it (apt-get install bubblewrap), or type TRUST=1 if you trust all of them."
        )
    command = [tool, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv"]
    if as_root:
        command += ["--cap-drop", "ALL"]
        for power in ("SETUID", "SETGID", "SETPCAP"):  # for setpriv, which then drops them
            command += ["--cap-add", f"CAP_{power}"]
    else:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"]
    for name, value in variables.items():
        command += ["--setenv", name, value]
    small = ["--perms", "1777", "--size", str(64 * 2**20), "--tmpfs"]
    command += [*small, "/tmp", *small, "/home", "--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "0755", "--dir", "/etc"]
    for place in SYSTEM:
        if os.path.islink(place):
            command += ["--symlink", os.readlink(place), place]
        elif os.path.exists(place):
            command += ["--ro-bind", place, place]
    pythons = [place for place in (sys.base_prefix, sys.prefix) if not place.startswith("/usr")]
    bound = {place: place for place in pythons}
    bound |= {f"/room/{name}": str(ROOT / name) for name in NEEDED}
    bound |= {f"/room/{name}": str(Path(folder, name).resolve()) for name in ("helpers", "data")}
    above = [str(place) for inside in bound for place in reversed(Path(inside).parents)]
    for place in dict.fromkeys(above[1:]):
        if place not in ("/", "/tmp", "/home"):
            command += ["--perms", "0755", "--dir", place]  # made unasked, only root could enter
    for inside, outside in bound.items():
        command += ["--ro-bind", outside, inside]
    command += [*small, "/dev/shm", "--chdir", "/home"]
    command += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"]
    if as_root:
        nobody = str(NOBODY + next(NUMBERS) % 4_000)
        command += ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
        command += ["--bounding-set=-all", "--inh-caps=-all"]
    return command


def try_walls(folder=ROOT):
    """Raise NoWalls, one sentence, where this machine makes no closed room beside a folder."""
    command = [*walls(folder, {"PYTHONPATH": "/room"}), sys.executable, "-c", TRIAL]
    done = subprocess.run(command, capture_output=True, text=True)
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
