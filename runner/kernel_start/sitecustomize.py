"""Runs at the start of every Python process of a kernel: notes what it opens, lists and starts.

Python imports a module of this name by itself where its folder is on PYTHONPATH. It must not need
anything but the standard library. `runner.made_of.read_log` reads what is noted, a line each:
kind, mark and path or reason, with which `runner.cache` says whether an artefact still holds.
"""

import _thread
import gc
import hashlib
import os
import site
import sys

PLACE = os.path.dirname(os.path.abspath(__file__))
# Programs that libraries ask about the machine, which has a mark of its own.
PROBES = {"uname", "lscpu", "file", "ldconfig", "gcc", "cc", "ld", "objdump", "fc-list", "sysctl"}
NETWORK = {"socket.getaddrinfo": 0, "urllib.Request": 0, "http.client.connect": 1}
LOCAL = {"localhost", "127.0.0.1", "::1", "", None}


def mark(path):
    """A hash of a file's bytes, or "" where there is no such file."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def names(path):
    """A hash of the names in a folder, or "" where there is no such folder."""
    try:
        listed = sorted(name for name in os.listdir(path) if name != "__pycache__")
    except OSError:
        return ""
    return hashlib.sha256("\0".join(listed).encode("utf-8", "surrogateescape")).hexdigest()


class Notes:
    """The audit hook: appends a line to the file `log` for each thing that is new."""

    def __init__(self, log, root, home):
        self.log = log
        self.out = self.opened()
        self.root = os.path.realpath(root) + os.sep
        packages = {*site.getsitepackages(), os.path.dirname(os.__file__)}
        made = any(
            os.path.exists(os.path.join(sys.prefix, n)) for n in ("pyvenv.cfg", "conda-meta")
        )
        below = self.root.startswith(os.path.realpath(sys.prefix) + os.sep)
        if made and not below:
            packages.add(sys.prefix)
        packages |= {os.path.realpath(path) for path in packages}
        self.packages = tuple(path + os.sep for path in packages)
        # A kernel's own home and connection, and what is no file: nothing of a project is there.
        own = [home, *(word for word in sys.orig_argv if word.endswith(".json"))]
        self.skipped = ("/proc/", "/sys/", "/dev/", PLACE, *map(os.path.realpath, own))
        self.known, self.at_work = set(), _thread._local()
        self.line("start", "", "")

    def __call__(self, event, arguments):
        note = EVENTS.get(event)
        if note is None or getattr(self.at_work, "now", False):
            return
        self.at_work.now = True
        try:
            note(self, event, *arguments)
        except Exception as error:
            self.never(f"its trace failed ({error!r})")
        finally:
            self.at_work.now = False

    def opened(self):
        return os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def line(self, kind, mark, what):
        if (kind, what) not in self.known:
            self.known.add((kind, what))
            text = f"{kind} {mark} {ascii(what)}\n".encode()
            try:
                os.write(self.out, text)
            except OSError:  # a child that is about to be another program has closed all files
                self.out = self.opened()
                os.write(self.out, text)

    def never(self, why):
        self.line("never", "", why)

    def place(self, path):
        """The path, resolved; "" where it is of no interest."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return ""
        name = os.fsdecode(path)
        if name.startswith(self.packages):
            return ""  # thousands: not worth resolving each
        name = os.path.realpath(name)
        return "" if (name + os.sep).startswith(self.packages + self.skipped) else name

    def open(self, event, path, mode, flags):
        name = self.place(path)
        if not name:
            return
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        anew = flags & os.O_TRUNC or (flags & os.O_CREAT and flags & os.O_EXCL)
        if not (writes and anew):
            self.read(name)
        if writes:
            self.line("own", "", name)

    def read(self, name):
        folder, file = os.path.split(name)
        if os.path.basename(folder) == "__pycache__":  # made from the module beside its folder
            source = os.path.join(os.path.dirname(folder), file.split(".")[0] + ".py")
            name = source if os.path.exists(source) else name
        if ("file", name) not in self.known and not os.path.isdir(name):
            self.line("file", mark(name), name)

    def listing(self, event, path):
        name = self.place("." if path is None else path)
        importing = "importlib" in sys._getframe(2).f_code.co_filename
        # Which modules there are in the project is known without this.
        if name and not (importing and (name + os.sep).startswith(self.root)):
            self.line("list", names(name), name)

    def makes(self, event, path, *rest):
        self.line("own", "", self.place(path) or os.devnull)

    def renames(self, event, old, new, *rest):
        if self.place(old) and os.path.isfile(old):
            self.read(self.place(old))
        self.line("own", "", self.place(new) or os.devnull)

    def database(self, event, path):
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        name = self.place(name.removeprefix("file:").partition("?")[0])
        if name and os.path.isfile(name):
            self.read(name)

    def starts(self, event, program, words, *rest):
        # Another Python notes for itself, where it can: it needs the variables that say how.
        words = [words] if isinstance(words, (str, bytes)) else [*words]
        first = os.fsdecode(program or words[0])
        environment = rest[-1] if rest and rest[-1] is not None else os.environ
        able = {os.fsdecode(name) for name in environment} >= {"RUNNER_LOG", "PYTHONPATH"}
        options = [os.fsdecode(w) for w in words[1:]]
        bare = any(w[:1] == "-" and w[:2] != "--" and set(w) & set("IES") for w in options[:1])
        python = os.path.realpath(first) == os.path.realpath(sys.executable)
        if not (python and able and not bare) and os.path.basename(first) not in PROBES:
            self.never(f"it starts the program {os.path.basename(first)}")

    def shell(self, event, *arguments):
        self.never("it starts a shell")

    def network(self, event, *arguments):
        host = arguments[NETWORK[event]]
        if host not in LOCAL:
            self.never(f"it asks the network ({os.fsdecode(host)[:80]})")


EVENTS = {
    "open": Notes.open,
    "os.listdir": Notes.listing,
    "os.scandir": Notes.listing,
    "os.mkdir": Notes.makes,
    "os.rename": Notes.renames,
    "sqlite3.connect": Notes.database,
    "subprocess.Popen": Notes.starts,
    "os.exec": Notes.starts,
    "os.posix_spawn": Notes.starts,
    "os.spawn": lambda self, event, mode, *rest: self.starts(event, *rest),
    "os.system": Notes.shell,
    "os.startfile": Notes.shell,
    **dict.fromkeys(NETWORK, Notes.network),
}


def start(variables):
    """Begin to note, in the way that the kernel's environment says."""
    while PLACE in sys.path:
        sys.path.remove(PLACE)
    if memory := int(variables.get("RUNNER_MEMORY") or 0):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory * 2**20, memory * 2**20))
    gc.set_threshold(50_000, 20, 20)  # large imports make mostly what stays: a sixth faster
    home = variables.get("HOME") or variables.get("USERPROFILE", "")
    sys.addaudithook(Notes(variables["RUNNER_LOG"], variables["RUNNER_ROOT"], home))


if "RUNNER_LOG" in os.environ:
    start(os.environ)
