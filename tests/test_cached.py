"""What changed is executed again, in whatever way a notebook may have read it: real kernels."""

# ruff: noqa: E501 (a table: a way of reading a line)

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from test_faults import states
from test_run import add, main, texts

from runner import made_of, run


def write(name, text="2\n"):
    """A change: the file in the project has this text."""

    def change(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        os.utime(folder / name, (1, 1))  # not even an older date hides it

    return change


def database(folder):
    with sqlite3.connect(folder / "t.db") as table:
        table.execute("create table if not exists t (x)")
        table.execute("insert into t values (1)")
    table.close()


def replaced(folder):
    """A new file in the place of the old, of the same size and date."""
    before = (folder / "x.csv").stat()
    write("new.csv", "3\n")(folder)
    os.replace(folder / "new.csv", folder / "x.csv")
    os.utime(folder / "x.csv", ns=(before.st_atime_ns, before.st_mtime_ns))


def package(folder):
    write("lib/site/pack.py", "VALUE = 2\n")(folder)


def turned(name, old="helper.py", new="lib/my.tool.py"):
    """A link, made at first, that points elsewhere now."""

    def change(folder):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(folder / (new if (folder / "begun").exists() else old))

    return change


PATH = "import sys\n\nsys.path.insert(0, '..')\n"
READ = "open('../x.csv').read()"
C = "import ctypes\n\nc = ctypes.CDLL(None)\nc.fopen.restype = ctypes.c_void_p\n"
C += "c.fopen(b'../x.csv', b'r')"
WORK = "with open('work.py', 'w') as f:\n    f.write('def read(_):\\n    "
WORK += 'return open("../x.csv").read()\')'
SPAWN = (
    f"{WORK}\n\nimport multiprocessing as m\nimport sys\n\nsys.path.insert(0, '.')\nimport work\n\n"
)
SPAWN += "with m.get_context('spawn').Pool(1) as pool:\n    print(pool.map(work.read, [1]))"
FORK = SPAWN.replace("'spawn'", "'fork'")
JOBLIB = f"{WORK}\n\nfrom joblib import Parallel, delayed\nimport sys\n\nsys.path.insert(0, '.')\n"
JOBLIB += "import work\n\nprint(Parallel(2)(delayed(work.read)(i) for i in range(2)))"
PYTHON = (
    f"import subprocess\nimport sys\n\nsubprocess.run([sys.executable, '-c', \"print({READ})\"])"
)
# name: (the notebook's cell, what changes afterwards)
WAYS = {
    "open": (READ, write("x.csv")),
    "sqlite3": ("import sqlite3\n\nsqlite3.connect('../t.db').execute('select * from t')", database),
    "sqlite3, read only": (
        "import sqlite3\n\nsqlite3.connect('file:../t.db?mode=ro', uri=True)",
        database,
    ),
    "sqlite3, outside": (
        "import sqlite3\n\nsqlite3.connect('../../outside/t.db').execute('select * from t')",
        lambda folder: database(folder.parent / "outside"),
    ),
    "scandir outside": ("import os\n\n[*os.scandir('../../outside')]", write("../outside/y")),
    "tf.io.read_file": ("import tensorflow as tf\n\ntf.io.read_file('../x.csv')", write("x.csv")),
    "torch.jit.load": (
        "import torch\n\ntry:\n    torch.jit.load('../x.csv')\nexcept Exception:\n    pass",
        write("x.csv"),
    ),
    "onnxruntime": (
        "import onnxruntime as o\n\ntry:\n    o.InferenceSession('../x.csv')\nexcept Exception:\n"
        "    pass",
        write("x.csv"),
    ),
    "ctypes": (C, write("x.csv")),
    "mmap": ("import mmap\nimport os\n\nmmap.mmap(os.open('../x.csv', 0), 0, prot=1)", write("x.csv")),
    "numpy.memmap": ("import numpy as np\n\nnp.memmap('../x.csv', mode='r')", write("x.csv")),
    "pandas": ("import pandas as pd\n\npd.read_csv('../x.csv')", write("x.csv")),
    "glob": ("import glob\n\nglob.glob('../data/*')", write("data/y.csv")),
    "listdir": ("import os\n\nos.listdir('../data')", write("data/y.csv")),
    "listdir of a hidden folder": ("import os\n\nos.listdir('../.hidden')", write(".hidden/y")),
    "listdir outside": ("import os\n\nos.listdir('../../outside')", write("../outside/y")),
    "exists": ("import os\n\nos.path.exists('../data/y.csv')", write("data/y.csv")),
    "exists, a module": ("import os\n\nos.path.exists('../later.py')", write("later.py")),
    "getsize": ("import os\n\nos.path.getsize('../x.csv')", write("x.csv", "22\n")),
    "an optional import": (f"{PATH}try:\n    import later\nexcept ImportError:\n    pass", write("later.py")),
    "a module that shadows": ("import colorsys", write("notebooks/colorsys.py")),
    "a module": (f"{PATH}import helper", write("helper.py")),
    "exec of a module": ("exec(open('../helper.py').read())", write("helper.py")),
    "runpy": ("import runpy\n\nrunpy.run_path('../helper.py')", write("helper.py")),
    "!cat": ("!cat ../x.csv", write("x.csv")),
    "!cat outside": ("!cat ../../outside/x", write("../outside/x")),
    "%%bash": ("%%bash\ncat ../../outside/x", write("../outside/x")),
    "os.system": ("import os\n\nos.system('true')", write("../outside/x")),
    "os.popen": ("import os\n\nos.popen('cat ../../outside/x').read()", write("../outside/x")),
    "a Python": (PYTHON, write("x.csv")),
    "a Python outside": (PYTHON.replace("../x.csv", "../../outside/x"), write("../outside/x")),
    "a Python that notes nothing": (
        PYTHON.replace("../x.csv", "../../outside/x").replace("'-c'", "'-I', '-c'"),
        write("../outside/x"),
    ),
    "joblib": (JOBLIB.replace("../x.csv", "../../outside/x"), write("../outside/x")),
    "spawn": (SPAWN.replace("../x.csv", "../../outside/x"), write("../outside/x")),
    "fork": (FORK.replace("../x.csv", "../../outside/x"), write("../outside/x")),
    "a hidden folder": ("open('../.hidden/x').read()", write(".hidden/x")),
    "behind a link": ("open('../link/x').read()", write("../linked/x")),
    "behind a link, by a library": (C.replace("../x.csv", "../link/x"), write("../linked/x")),
    "outside": ("open('../../outside/x').read()", write("../outside/x")),
    "pathlib": ("import pathlib\n\npathlib.Path('../../outside/x').read_bytes()", write("../outside/x")),
    "r+": ("f = open('../../outside/x', 'r+')\nf.read()", write("../outside/x")),
    "a+": ("f = open('../../outside/x', 'a+')\nf.seek(0)\nf.read()", write("../outside/x")),
    "os.open": ("import os\n\nos.read(os.open('../../outside/x', 0), 9)", write("../outside/x")),
    "a package": ("import sys\n\nsys.path.insert(0, '../lib/site')\nimport pack", package),
    "the same size and date": (C, replaced),
    "the network": ("import socket\n\ntry:\n    socket.create_connection(('no.invalid', 9), 1)\n"
                    "except OSError:\n    pass", lambda folder: None),
    "the lock": ("1", write("requirements.lock", "numpy==2\n")),
    "a notebook, by its text": ("open('02-other.ipynb').read()", write("notebooks/02-other.ipynb", "x")),
    "deleted": (f"import os\n\nos.path.exists('../x.csv') and {READ}", lambda folder: (folder / "x.csv").unlink()),
    "moved, then read": (
        "import os\n\nos.path.exists('../m') or os.rename('../x.csv', '../m')\nopen('../m').read()",
        write("m"),
    ),
    "a folder that was there": (
        "import os\n\nos.makedirs('../../outside', exist_ok=True)\nopen('../../outside/x').read()",
        write("../outside/x"),
    ),
    "a module in a folder that was there": (
        "import os\nimport sys\n\nos.makedirs('../lib/site', exist_ok=True)\n"
        "sys.path.insert(0, '../lib/site')\nimport pack",
        package,
    ),
    "after a temporary file": (
        "import tempfile\n\ntempfile.TemporaryFile(dir='../..').close()\nopen('../../outside/x').read()",
        write("../outside/x"),
    ),
    "x fails": (
        "try:\n    open('../../outside/x', 'x')\nexcept OSError:\n    pass\nopen('../../outside/x').read()",
        write("../outside/x"),
    ),
    "w fails": (
        "try:\n    open('../../outside', 'w')\nexcept OSError:\n    pass\nopen('../../outside/x').read()",
        write("../outside/x"),
    ),
    "a rename fails": (
        "import os\n\ntry:\n    os.rename('nix', '../../outside/x')\nexcept OSError:\n    pass\n"
        "open('../../outside/x').read()",
        write("../outside/x"),
    ),
    "made where it is missing": (
        "import os\n\nos.path.exists('../../outside/m') or open('../../outside/m', 'w').close()\n"
        "open('../../outside/m').read()",
        write("../outside/m"),
    ),
    "a link that is turned": ("open('../../outside/turn').read()", turned("../outside/turn")),
    "a module's link that is turned": (f"{PATH}import turn", turned("turn.py")),
    "a folder's link that is turned": (C.replace("../x.csv", "../turn/x"), turned("turn", "link", "data")),
    "a Python with another path": (
        "import os\nimport subprocess\nimport sys\n\nenv = {**os.environ, 'PYTHONPATH': '..'}\n"
        "subprocess.run([sys.executable, '../helper.py'], env=env)",
        write("helper.py"),
    ),
    "spawn with another path": (
        f"import os\n\nos.environ['PYTHONPATH'] = '..'\n{SPAWN.replace('../x.csv', '../../outside/x')}",
        write("../outside/x"),
    ),
    "a Python with later options": (
        "import subprocess\nimport sys\n\n"
        "subprocess.run([sys.executable, '-u', '-X', 'utf8', '-I', '../helper.py'])",
        write("helper.py"),
    ),
    "a name with dots": (
        "import importlib.util as u\n\nspec = u.spec_from_file_location('m', '../lib/my.tool.py')\n"
        "spec.loader.exec_module(u.module_from_spec(spec))",
        write("lib/my.tool.py", "y = 2"),
    ),
    "fwalk": ("import os\n\n[*os.fwalk('../../outside')]", write("../outside/y")),
    "a folder's descriptor": (
        "import os\n\nd = os.open('../../outside', 0)\nos.open('x', 0, dir_fd=d)",
        write("../outside/x"),
    ),
    "an optional import, hidden": (
        "import sys\n\nsys.path.insert(0, '../.hidden')\ntry:\n    import later\nexcept ImportError:\n    pass",
        write(".hidden/later.py"),
    ),
    "gcc": (
        "import subprocess\n\ntry:\n    subprocess.run(['gcc', '--version'])\nexcept OSError:\n    pass",
        write("../outside/x"),
    ),
    "an address": (
        "import socket\n\ns = socket.socket()\ns.settimeout(0.1)\ntry:\n"
        "    s.connect(('192.0.2.1', 9))\nexcept OSError:\n    pass",
        lambda folder: None,
    ),
    "the kernel's home": (
        "from pathlib import Path\n\np = Path.home() / 'x'\np.exists() and p.read_text()\np.touch()",
        write("build/.home/x"),
    ),
}  # fmt: skip
NEVER = {
    "!cat",
    "!cat outside",
    "%%bash",
    "os.system",
    "os.popen",
    "the network",
    "an address",
    "gcc",
}
NEVER |= {"a Python that notes nothing", "a Python with another path", "spawn with another path"}
NEVER |= {"a Python with later options", "a folder's descriptor"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    project = tmp_path / "project"
    for name in ("notebooks", ".hidden", "data", "lib/site"):
        (project / name).mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "outside" / "x").write_text("1\n", encoding="utf-8")
    (project / "link").symlink_to(tmp_path / "linked")
    for name in (
        "x.csv",
        ".hidden/x",
        "link/x",
        "helper.py",
        "data/x",
        "lib/my.tool.py",
        "lib/site/pack.py",
    ):
        (project / name).write_text(f"x = {name!r}\n", encoding="utf-8")
    (project / "requirements.lock").write_text("numpy==1\n", encoding="utf-8")
    database(project)
    database(tmp_path / "outside")
    monkeypatch.chdir(project)
    return project


def now(folder, *arguments):
    """The state of the first notebook, in a run that has to go well."""
    assert main(folder, "--keep", *arguments) == 0
    return states(folder)["01-reads.ipynb"]


@pytest.mark.skipif(os.name == "nt", reason="programs and links as Unix has them")
@pytest.mark.parametrize("way", WAYS)
def test_a_change_is_seen_in_whatever_way_a_notebook_reads(folder, way):
    source, change = WAYS[way]
    if "turned" in way:
        change(folder)
        (folder / "begun").touch()
    add(folder, "01-reads", source)
    if "02-other" in source:
        add(folder, "02-other", "1")
    only = ("--only", "01")
    assert now(folder, *only) == "ok"
    for _ in range(3):  # what it writes itself has to come to rest
        rest = now(folder, *only)
    assert rest == ("ok" if way in NEVER else "cached")
    change(folder)
    assert now(folder, *only) == "ok"


def test_what_a_notebook_makes_itself_is_no_reason(folder):
    source = "import os\nimport tempfile\n\nwith open('out.txt', 'w') as f:\n    f.write('1')\n"
    source += "print(open('out.txt').read())\nd = tempfile.mkdtemp()\n"
    source += "open(d + '/a', 'w').close()\nos.replace(d + '/a', d + '/b')\nopen(d + '/b').read()"
    add(folder, "01-reads", source)
    assert [now(folder) for _ in range(3)][-1] == "cached"


@pytest.mark.parametrize(
    ("name", "during"),
    [
        ("helper.py", "os.remove('../helper.py')"),
        ("helper.py", "open('../helper.py', 'w').write('3')"),
        ("x.csv", "os.utime('../x.csv', (1, 1))\nopen('../x.csv', 'w').write('3')"),
        ("x.csv", "open('../y', 'w').write('3')\nos.utime('../y', (1, 1))\nos.replace('../y', '../x.csv')"),
    ],
)  # fmt: skip
def test_what_changed_while_it_ran_is_executed_again(folder, name, during):
    """By another process, after it was read: what was read is not what lies there."""
    add(folder, "01-reads", f"text = open('../{name}').read()", "import time\n\ntime.sleep(2)")
    code = f"import os, time; time.sleep(1.6); os.chdir('notebooks')\n{during}"
    other = subprocess.Popen([sys.executable, "-c", code])
    missing = "remove" in during
    assert main(folder, "--keep") == 0
    other.wait()
    if missing:
        add(folder, "01-reads", f"text = open('../{name}').read()", "import time\n\ntime.sleep(2)")
        assert main(folder, "--keep") == 1  # executed, and so seen that it is gone
    else:
        assert now(folder) == "ok"


def test_what_a_library_read_and_somebody_changed_while_it_ran_is_executed_again(folder):
    add(folder, "01-reads", C, "import time\n\ntime.sleep(2)")
    code = "import time; time.sleep(1.6); open('x.csv', 'w').write('3')"
    other = subprocess.Popen([sys.executable, "-c", code])
    assert now(folder) == "ok"
    other.wait()
    assert [now(folder) for _ in range(2)] == ["ok", "cached"]


def test_a_folder_as_a_parameter(folder):
    add(folder, "01-reads", "print(where)", parameters="where = ''")
    outside = folder.parent / "outside"
    arguments = ["--params", f"where={outside}"]
    assert [now(folder, *arguments) for _ in range(2)] == ["ok", "cached"]
    (outside / "new").write_text("1", encoding="utf-8")
    assert now(folder, *arguments) == "ok"


def test_a_limit_on_memory_is_a_reason(folder):
    add(folder, "01-reads", "1")
    assert now(folder) == "ok"
    assert now(folder, "--memory-limit", "8000") == "ok"
    assert now(folder, "--memory-limit", "8000") == "cached"


def test_the_runner_and_the_kernel_are_reasons(folder, monkeypatch):
    add(folder, "01-reads", "1")
    assert [now(folder) for _ in range(2)] == ["ok", "cached"]
    copy = folder.parent / "runner"
    shutil.copytree(made_of.RUNNER, copy)
    (copy / "execute.py").write_text("# another", encoding="utf-8")
    monkeypatch.setattr(made_of, "RUNNER", copy)
    assert [now(folder) for _ in range(2)] == ["ok", "cached"]
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    spec |= {"language": "python", "display_name": "Mine", "env": {"FROM_SPEC": "1"}}
    place = folder.parent / "jupyter" / "kernels" / "python3"
    place.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(place.parents[1]))
    for text in ("1", "2"):
        spec["env"]["FROM_SPEC"] = text
        (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        assert [now(folder) for _ in range(2)] == ["ok", "cached"]


def test_an_installed_package_is_a_reason(folder, monkeypatch, tmp_path):
    add(folder, "01-reads", "1")
    place = tmp_path / "site"
    (place / "pack").mkdir(parents=True)
    monkeypatch.setattr("site.getsitepackages", lambda: [str(place)])
    for text in ("1", "22"):
        (place / "pack" / "__init__.py").write_text(text, encoding="utf-8")
        made_of.packages.cache_clear()
        assert [now(folder) for _ in range(2)] == ["ok", "cached"]
    made_of.packages.cache_clear()


def test_two_folders_of_notebooks_share_no_artefact(folder):
    """The same code in another folder reads other files."""
    for name in ("one", "two"):
        (folder / name / "notebooks").mkdir(parents=True)
        (folder / name / "x").write_text(name, encoding="utf-8")
        add(folder / name, "01-reads", "print(open('../x').read())")
    for name in ("one", "two"):
        path = folder / name / "notebooks" / "01-reads.ipynb"
        where = ["--notebooks", str(path.parent), "--build", str(folder / "build")]
        assert run.main(where) == 0
        assert texts(path) == [f"{name}\n"]


def test_another_working_directory_sees_as_much(folder, monkeypatch, tmp_path):
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    add(folder, "01-reads", C)
    assert [now(folder) for _ in range(2)] == ["ok", "cached"]
    write("x.csv")(folder)
    assert now(folder) == "ok"


def test_a_project_below_the_environment(folder, monkeypatch):
    from runner.kernel_start.sitecustomize import Notes

    monkeypatch.setattr(sys, "prefix", str(folder.parent))
    monkeypatch.setattr("site.getsitepackages", lambda: [str(folder.parent / "lib")])
    notes = Notes(folder / "log", "/nowhere")
    assert notes.place(folder / "x.csv") == str(folder / "x.csv")
    assert notes.place(folder.parent / "lib" / "x") == ""
    assert notes.place(f"{folder.parent}/lib/../x") == str(folder.parent / "x")


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept.update({"made of": {}}),
        lambda kept: kept.pop("seconds"),
        lambda kept: kept.update(cells="3"),
        lambda kept: kept.update(seen=[]),
        lambda kept: kept["seen"].pop("opened"),
        lambda kept: kept["seen"].update(listed=3),
        lambda kept: kept["made of"].pop("the code of its cells"),
    ],
)
def test_a_damaged_cache_is_none(folder, damage):
    add(folder, "01-reads", "1")
    assert now(folder) == "ok"
    file = Path(folder / "build" / "cache.json")
    known = json.loads(file.read_text(encoding="utf-8"))
    for kept in known.values():
        damage(kept)
    file.write_text(json.dumps(known), encoding="utf-8")
    assert now(folder) == "ok"


def test_what_the_project_sets_aside_is_no_reason_until_it_is_opened(folder):
    text = '[tool.runner]\naside = ["docs", "README.md"]\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    write("README.md", "1")(folder)
    write("docs/a.md", "1")(folder)
    path = add(folder, "01-reads", "1")
    assert [now(folder) for _ in range(2)] == ["ok", "cached"]
    write("README.md", "22")(folder)
    write("docs/b.md", "1")(folder)
    assert now(folder) == "cached"
    path.unlink()
    add(folder, "01-reads", "open('../README.md').read()")
    assert [now(folder) for _ in range(2)] == ["ok", "cached"]
    write("README.md", "333")(folder)
    assert now(folder) == "ok"
