"""Runs at the start of every Python process of a kernel: notes what it opens, lists and starts.

Python imports a module of this name by itself where its folder is on PYTHONPATH. It must not need
anything but the standard library. `runner.made_of.read_log` reads what is noted, a line each:
kind, mark and path or reason, with which `runner.cache` says whether an artefact still holds.
"""

import _frozen_importlib_external as importing
import _thread
import gc
import hashlib
import os
import site
import stat
import sys

PLACE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.dirname(os.__file__)
IMPORTLIB = ("<frozen importlib", os.path.join(LIBRARY, "importlib", "metadata"))
# Programs that libraries ask about the machine, which has a mark of its own.
PROBES = {"uname", "lscpu", "ldconfig", "fc-list", "sysctl"}
NETWORK = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "urllib.Request": 0}
NETWORK |= {"http.client.connect": 1, "socket.connect": 1}
LOCAL = {"localhost", "127.0.0.1", "::1", "", None}


def mark(path):
    """A hash of a file's bytes; what it is where it is no regular file, "" where it is none."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "no file"
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return "" if isinstance(error, FileNotFoundError) else "cannot be read"


def names(path):
    """A hash of the names in a folder, or of the modules in it where the path ends in *.py."""
    folder, modules = (path[:-4], True) if path.endswith("*.py") else (path, False)
    try:
        listed = sorted(name for name in os.listdir(folder) if name != "__pycache__")
    except OSError:
        return ""
    if modules:
        listed = [name for name in listed if name.endswith(SUFFIXES) or "." not in name]
    return hashlib.sha256("\0".join(listed).encode("utf-8", "surrogateescape")).hexdigest()


SUFFIXES = (".py", ".pyc", ".so", ".pyd", ".egg-info", ".dist-info")


class Notes:
    """The audit hook: appends a line to the file `log` for each thing that is new."""

    def __init__(self, log, home):
        self.log, self.out = log, None
        folders = {*site.getsitepackages(), LIBRARY}
        folders |= {os.path.realpath(path) for path in folders}
        self.packages = tuple(path + os.sep for path in folders)
        # What libraries keep in a kernel's own home, and what is no file of anybody's.
        self.skipped = ("/proc/", "/sys/", PLACE + os.sep, os.path.realpath(home) + os.sep + ".")
        if os.environ.get("JPY_PARENT_PID") == str(os.getppid()):  # the kernel: its connection
            own = [os.path.realpath(word) for word in sys.orig_argv if word.endswith(".json")]
            self.skipped += tuple(path + os.sep for path in own)
        self.known, self.at_work = set(), _thread._local()
        self.line("start", "", sys.prefix)

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

    def line(self, kind, mark, what):
        if (kind, what) in self.known:
            return
        self.known.add((kind, what))
        text = f"{kind} {mark.replace(' ', '_')} {ascii(what)}\n".encode()
        for _ in range(2):
            try:
                os.write(self.out, text)
                return
            except (OSError, TypeError):  # a child that becomes another program closes all files
                self.out = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def never(self, why):
        self.line("never", "", why)

    def place(self, path):
        """The path from the root, its links as they are; "" where it is of no interest."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        if not isinstance(path, (str, bytes, os.PathLike)):
            return ""
        name = os.fsdecode(path)
        if name.startswith(self.packages) and ".." not in name:
            return ""  # thousands: not worth resolving each
        real = os.path.realpath(name) + os.sep
        return "" if real.startswith(self.packages + self.skipped) else os.path.abspath(name)

    def open(self, event, path, mode, flags):
        if isinstance(path, int):
            return
        name = self.place(path)
        if not name or os.path.isdir(name):
            return
        there, writes = os.path.lexists(name), flags & (os.O_WRONLY | os.O_RDWR)
        if mode is None and not there and not writes and not os.path.isabs(os.fsdecode(path)):
            self.never("it opens a file by a folder's descriptor")
        if not writes:
            self.read(name)
        elif not there or (flags & os.O_TRUNC and os.access(name, os.W_OK)):
            self.line("own", "", os.path.realpath(name))
        else:  # what stands there is appended to or changed
            self.read(name)

    def read(self, name):
        if name.endswith(".pyc"):  # made from the module that stands beside its folder
            try:
                source = importing.source_from_cache(name)
            except ValueError:  # a name with dots of its own
                folder, file = os.path.split(name)
                source = os.path.join(os.path.dirname(folder), file.rsplit(".", 2)[0] + ".py")
            name = source if os.path.exists(source) else name
        if ("file", name) not in self.known:
            self.line("file", mark(name), name)

    def listing(self, event, path):
        name = self.place("." if path is None else path)
        if name and sys._getframe(2).f_code.co_filename.startswith(IMPORTLIB):
            name = os.path.join(name, "*.py")
        if name and ("list", name) not in self.known:
            self.line("list", names(name), name)

    def makes(self, event, path, *rest):
        if self.place(path) and not os.path.lexists(path):
            self.line("own", "", os.path.realpath(path))

    def renames(self, event, old, new, *rest):
        if not (self.place(old) or self.place(new)) or not os.path.lexists(old):
            return
        whole = os.path.realpath(old)
        own = any(("own", whole[:i]) in self.known for i in range(len(whole) + 1))
        if os.path.isdir(old) and not own:
            self.never("it renames a folder")
        elif not own:
            self.read(os.path.abspath(old))
        self.line("own", "", os.path.realpath(new))

    def database(self, event, path):
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if "%" in name:
            self.never("it opens a database by a quoted name")
        name = self.place(name.removeprefix("file:").partition("?")[0])
        if name and os.path.basename(name) != ":memory:":
            self.read(name)

    def starts(self, event, program, words, *rest):
        # Another Python notes for itself, where it can: it needs the variables that say how.
        words = [os.fsdecode(w) for w in ([words] if isinstance(words, (str, bytes)) else words)]
        first = os.fsdecode(program or words[0])
        environment = rest[-1] if rest and rest[-1] is not None else os.environ
        environment = {os.fsdecode(k): os.fsdecode(v) for k, v in environment.items()}
        able = PLACE in environment.get("PYTHONPATH", "").split(os.pathsep)
        able = able and environment.get("RUNNER_LOG") == self.log
        python = os.path.realpath(first) == os.path.realpath(sys.executable)
        probe = first in PROBES or first.removeprefix("/sbin/") in PROBES
        if not (python and able and not _apart(words[1:])) and not probe:
            self.never(f"it starts the program {os.path.basename(first)}")

    def shell(self, event, *arguments):
        self.never("it starts a shell")

    def variable(self, event, name, *value):
        if os.fsdecode(name) in ("PYTHONPATH", "RUNNER_LOG", "RUNNER_HOME"):
            self.never(f"it changes {os.fsdecode(name)}")

    def network(self, event, *arguments):
        host = arguments[NETWORK[event]]
        host = host[0] if isinstance(host, tuple) else host
        if event == "socket.connect" and not isinstance(arguments[1], tuple):
            return  # a socket of this machine
        if host not in LOCAL:
            self.never(f"it asks the network ({os.fsdecode(host)[:80]})")


def _apart(words):
    """Whether options of Python let it start without a sitecustomize, or without variables."""
    words = iter(words)
    for word in words:
        if word[:1] != "-" or word[:2] in ("-c", "-m", "--", "-"):
            return False
        if set(word) & set("IES"):
            return True
        if word in ("-X", "-W"):
            next(words, None)
    return False


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
    "os.putenv": Notes.variable,
    "os.unsetenv": Notes.variable,
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
    sys.addaudithook(Notes(variables["RUNNER_LOG"], variables["RUNNER_HOME"]))


if "RUNNER_LOG" in os.environ:
    start(os.environ)
