"""A browser to print and to look with: the one that is installed here."""

import contextlib
import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

NAMES = "chromium chromium-browser google-chrome google-chrome-stable chrome microsoft-edge msedge"
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
NONE = (
    "There is no Chromium here: install one (Debian and Ubuntu: sudo apt-get install chromium; "
    "elsewhere Google Chrome or Microsoft Edge), or name yours: make … CHROMIUM=/its/path"
)


def executable() -> str:
    """The path of a Chromium; raises FileNotFoundError, which says how to get one."""
    named = os.environ.get("CHROMIUM", "")
    found = (
        [shutil.which(named) or named] if named else [*map(shutil.which, NAMES.split()), *ELSEWHERE]
    )
    for path in filter(None, found):
        if Path(path).is_file():
            return path
    raise FileNotFoundError(f"{named} is no browser to start: {NONE}" if named else NONE)


@contextlib.contextmanager
def browser() -> Iterator:
    """A Chromium without a window (playwright's Browser), of which nothing is left behind."""
    from playwright.sync_api import sync_playwright

    arguments = ["--disable-gpu", "--disable-background-networking", "--disable-sync"]
    arguments += ["--no-first-run", "--disable-component-update", "--disable-quic"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable(), args=arguments)
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which this machine, and nobody else, sees a folder's files."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


if __name__ == "__main__":
    try:
        print(executable())
    except FileNotFoundError as error:
        sys.exit(str(error))
