"""Make .venv from requirements.lock, and say what that takes and how far it is: `make environment`.

Only the standard library: this runs before anything is installed.
"""

import contextlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# For Linux, PyPI has PyTorch for NVIDIA's GPUs only, with 4 GB of CUDA beside it.
DEFAULT = CPU_INDEX if sys.platform == "linux" else ""
INDEX = os.environ.get("TORCH_INDEX", DEFAULT)


def refusal():
    """Why no environment can be made here, in a sentence, or ""."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        have = platform.python_version()
        return (
            f"Python 3.11, 3.12 or 3.13 is needed, and this is {have}: name another, for example "
            "make PYTHON=python3.12 run-all"
        )
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return "There is no PyTorch for macOS on Intel; use Linux, Windows or an Apple processor."
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < 5:
        return f"{free:.1f} GB of disk are free here, and 5 are needed; make room first."
    return ""


def answers(address, seconds=5):
    """Whether a web address answers at all within `seconds`, a slow name server included."""
    found = []

    def ask():
        try:
            request = urllib.request.Request(address + "/torch/", method="HEAD")
            found.append(urllib.request.urlopen(request, timeout=seconds).status < 400)
        except Exception:  # whatever it is, nobody waits for it any more
            found.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(found and found[0])


def installed(arguments, total):
    """Run pip, and say in a line now and then how far it is; its exit status."""
    command = [str(python()), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    began, said, count, tail = time.monotonic(), 0.0, 0, []
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([*command, "--progress-bar", "off"], **options) as pip:
        for line in pip.stdout:
            tail = [*tail, line][-15:]
            count += line.startswith("Collecting ")
            now = time.monotonic() - began
            large = re.search(r"Downloading (\S+?)-[\d.].*\((\d{3,}\.?\d* MB|.* GB)\)", line)
            if large:
                print(f"  {now:4.0f} s  downloading {large[1]}, {large[2]}", flush=True)
            elif line.startswith("Installing collected") and total > 1:
                print(f"  {now:4.0f} s  unpacking, about a minute", flush=True)
            elif now - said > 10 and line.startswith("Collecting "):
                print(f"  {now:4.0f} s  {count} of about {total} packages", flush=True)
                said = now
    if pip.returncode:
        print(*tail, sep="", file=sys.stderr)
    return pip.returncode


def python():
    return ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main():
    """Make it anew; the exit status."""
    said = refusal()
    if said:
        print(said, file=sys.stderr)
        return 1
    lock = ROOT / "requirements.lock"
    total = sum(";" not in line for line in lock.read_text(encoding="utf-8").splitlines())
    print(
        "Making .venv, once: 0.8 GB to download, 3.3 GB on the disk, most of it TensorFlow and "
        "PyTorch. One to ten minutes, by the network.",
        flush=True,
    )
    extra = ["--extra-index-url", INDEX] if INDEX else []
    if INDEX and INDEX == DEFAULT and not answers(INDEX):
        extra = []
        print(
            f"{INDEX} does not answer, so PyTorch comes from pip's own index: on Linux that may be "
            "the build for NVIDIA's GPUs, 4 GB more.",
            flush=True,
        )
    shutil.rmtree(ROOT / ".venv", ignore_errors=True)
    # Where it cannot be made (Debian has a package for that), venv says itself what to do.
    status = subprocess.run([sys.executable, "-m", "venv", str(ROOT / ".venv")]).returncode
    status = status or installed([*extra, "-r", str(lock)], total)
    status = status or installed(["--no-deps", "--no-build-isolation", "-e", str(ROOT)], 1)
    if status == 0:
        # Where that Python is gone, a notebook is shown as it is.
        own = shlex.quote(str(python()))
        readable = f'f() {{ {own} -m runner.compare.text "$1" 2>&- || cat "$1"; }}; f'
        git = ["git", "-C", str(ROOT), "config", "diff.notebook.textconv", readable]
        with contextlib.suppress(OSError):  # a zip has no git, and needs none
            subprocess.run(git, capture_output=True)
        shutil.copy(lock, ROOT / ".venv" / "requirements.lock")
        print("Ready.", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
