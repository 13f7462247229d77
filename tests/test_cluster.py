"""Notebooks on a Dask cluster, and sweeps there and on threads: the same; what goes wrong, said."""

import csv
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from support import add, kernels, main, start, states, texts

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="kills with POSIX signals"),
    pytest.mark.slow,
]


class Cluster:
    """A scheduler and workers as processes of their own, as a cluster has them."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        self.address = f"tcp://127.0.0.1:{9000 + os.getpid() % 20000}"
        self.scheduler = self.start("scheduler", "--port", self.address.rpartition(":")[2])

    def start(self, kind, *arguments, env=()):
        command = [sys.executable, "-m", "distributed.cli.dask_" + kind, *arguments]
        if kind == "scheduler":
            command += ["--no-dashboard"]
        log = open(self.folder / f"{kind}.log", "a")  # noqa: SIM115
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **dict(env)}, cwd=self.folder
        )
        self.started.append(process)
        return process

    def worker(self, **env):
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory"]
        return self.start("worker", self.address, *options, str(self.folder), env=env.items())

    def wait_for(self, workers):
        from distributed import Client

        with Client(self.address, timeout=30) as client:
            client.wait_for_workers(workers, timeout=30)


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    for process in reversed(made.started):
        process.kill()
        process.wait()


def test_a_cluster_leaves_what_threads_leave(folder, cluster):
    cluster.worker(), cluster.worker()
    add(folder, "01-fine", "print(1)")
    add(folder, "02-raises", "import os\n\nopen('parent', 'w').write(str(os.getppid()))\n1 / 0")
    cluster.wait_for(2)
    assert main(folder, "--keep") == 1
    assert (folder / "notebooks" / "parent").read_text() == str(os.getpid())
    left = {p: p.read_bytes() for p in (folder / "build").rglob("*.ipynb")}
    assert main(folder, "--keep", "--force", "--scheduler", cluster.address) == 1
    assert states(folder) == {"01-fine.ipynb": "ok", "02-raises.ipynb": "cell error"}
    assert {p: p.read_bytes() for p in left if "failed" not in p.parts} == {
        p: text for p, text in left.items() if "failed" not in p.parts
    }
    workers = {str(process.pid) for process in cluster.started}
    assert (folder / "notebooks" / "parent").read_text() in workers
    assert not kernels(folder)


def sweep_of(folder, *arguments):
    return main(folder, "--only", "01", "--sweep", *arguments)


def test_a_sweep_is_the_same_table_on_a_cluster_and_on_threads(folder, cluster, capsys):
    cluster.worker(), cluster.worker()
    add(
        folder,
        "01-odd",
        "print(f'✓ half of it: {seed / 2}\\n✓ a word: no\\n✓ one: 1\\n✓ pair: [1, {seed}]')\n"
        "print('✓ version: 2.21.0\\n✓ rows, columns: 50, 12')\n"
        "assert seed != 2",
        parameters="seed = 1\nrate = 0.5",
    )
    cluster.wait_for(2)
    table = folder / "build" / "sweep" / "01-odd" / "table.csv"
    assert sweep_of(folder, "seed=0:4") == 1
    printed = capsys.readouterr()
    assert "table.csv has 4 rows; figure.png shows the 2 numbers that vary." in printed.out
    assert "seed=2.ipynb failed (cell error) in cell 3:" in printed.err
    threads = table.read_text(encoding="utf-8")
    rows = list(csv.reader(threads.splitlines()))
    claims = ["half of it", "one", "pair [0]", "pair [1]"]
    claims += ["rows, columns [0]", "rows, columns [1]"]
    assert rows[0] == ["seed", "state", *(f"cell-1: {claim}" for claim in claims)]
    assert rows[1:] == [
        ["0", "ok", "0.0", "1.0", "1.0", "0.0", "50.0", "12.0"],
        ["1", "ok", "0.5", "1.0", "1.0", "1.0", "50.0", "12.0"],
        ["2", "cell error", *6 * [""]],
        ["3", "ok", "1.5", "1.0", "1.0", "3.0", "50.0", "12.0"],
    ]
    assert table.with_name("figure.png").read_bytes().startswith(b"\x89PNG")
    assert sweep_of(folder, "seed=0:4", "--force", "--scheduler", cluster.address) == 1
    assert table.read_text(encoding="utf-8") == threads
    assert sweep_of(folder, "seed=0,1", "rate=0.5,0.7") == 0
    assert len(table.read_text(encoding="utf-8").splitlines()) == 5
    assert sweep_of(folder, "rate=0.5,0.7") == 0
    assert "2 rows; no checked number varies." in capsys.readouterr().out
    assert not table.with_name("figure.png").exists()


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ([], "A sweep takes one notebook and a grid: make sweep GRID=seed=0:20."),
        (["seed=3:3"], "A grid is written 0:20, 0:20:5 or 0.1,0.2, not '3:3'."),
        (["seed=1,,2"], "A grid is written 0:20, 0:20:5 or 0.1,0.2, not '1,,2'."),
        (["seed=0:100000000"], "A grid has at most 10,000 points, and this one has more."),
        (["sead=1"], "There is no parameter 'sead' here; the known ones are: seed."),
        (["seed=1.5"], "The parameter 'seed' takes a value of type int, not '1.5'."),
    ],
)
def test_a_wrong_grid_is_refused_in_one_sentence(folder, capsys, grid, sentence):
    add(folder, "01-odd", "print(seed)", parameters="seed = 1")
    assert sweep_of(folder, *grid) == 2
    assert capsys.readouterr().err == sentence + "\n"


def test_a_killed_workers_notebook_is_executed_again_elsewhere(folder, cluster, record_property):
    first = cluster.worker()
    add(folder, "01-slow", "import time\n\nopen('begun', 'a').write('x')\ntime.sleep(4)\nprint(1)")
    cluster.wait_for(1)
    result = []
    arguments = ["--scheduler", cluster.address]
    thread = threading.Thread(
        target=lambda: result.append(start(folder, *arguments).wait(90)), daemon=True
    )
    thread.start()
    begun = folder / "notebooks" / "begun"
    deadline = time.monotonic() + 40
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    first.kill()
    started = time.monotonic()
    cluster.worker()
    while begun.read_text() != "xx" and time.monotonic() < started + 40:
        time.sleep(0.1)
    record_property("seconds to know", f"{time.monotonic() - started:.2f}")
    thread.join(90)
    assert result == [0]
    assert begun.read_text() == "xx"
    assert states(folder) == {"01-slow.ipynb": "ok"}
    assert texts(folder / "build" / "01-slow.ipynb") == ["1\n"]
    gone(lambda: kernels(folder))


def gone(processes, seconds=10):
    deadline = time.monotonic() + seconds
    while processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not processes()


@pytest.mark.parametrize("fault", ["scheduler gone", "interrupt", "interrupt, no workers"])
def test_no_kernel_is_left_when_a_cluster_is(folder, cluster, fault, record_property):
    worker = cluster.worker()
    path = add(folder, "01-slow", "import time\n\nopen('begun', 'w').close()\ntime.sleep(60)")
    before = path.read_bytes()
    cluster.wait_for(1)
    process = start(folder, "--scheduler", cluster.address)
    deadline = time.monotonic() + 40
    while not (folder / "notebooks" / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert kernels(folder)
    started = time.monotonic()
    if "workers" in fault:
        worker.kill()
        gone(lambda: kernels(folder))
    if "interrupt" in fault:
        process.send_signal(signal.SIGINT)
    else:
        cluster.scheduler.kill()
    printed, errors = process.communicate(timeout=30)
    record_property("seconds to know", f"{time.monotonic() - started:.2f}")
    assert time.monotonic() - started < (25 if "workers" in fault else 10)
    if "interrupt" in fault:
        assert process.returncode == 130, errors
        assert states(folder) == {"01-slow.ipynb": "interrupted"}
    else:
        assert process.returncode == 1, errors
        assert states(folder) == {"01-slow.ipynb": "never run"}
        assert f"the scheduler {cluster.address} is gone" in errors
        worker.kill()
    assert path.read_bytes() == before
    gone(lambda: kernels(folder))


def test_what_a_worker_must_hold(folder, cluster, monkeypatch):
    from runner.execute import cluster as engine

    cluster.worker()
    add(folder, "01-fine", "print(data)", parameters="data = None")
    table = folder.parent / "table.csv"
    held, others = ["helpers/a.py", "data/b.csv"], ["build/c.csv", ".venv/d.py", "x/__pycache__/e"]
    for name in [*held, *others, "venv/lib/site-packages/f.py", str(table)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1", encoding="utf-8")
    (folder / "requirements.lock").write_text("numpy==1\ntorch==2 ; marker\n", encoding="utf-8")
    asked = []
    monkeypatch.setattr(engine, "holdings", lambda *needed: asked.append(needed) or {})
    monkeypatch.setattr("distributed.Client.run", lambda *_: {})
    cluster.wait_for(1)
    arguments = ["--data", str(table), "--scheduler", cluster.address]
    assert main(folder, *arguments) == 0
    packages, files = asked[0]
    assert packages == ["numpy", "torch"]
    inside = [*held, "notebooks/01-fine.ipynb", "requirements.lock", "pyproject.toml"]
    assert set(files) == {str(table), *(str(folder / name) for name in inside)}


def test_no_scheduler_is_a_sentence(folder, capsys):
    add(folder, "01-fine", "print(1)")
    assert main(folder, "--scheduler", "tcp://127.0.0.1:9") == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert states(folder) == {"01-fine.ipynb": "never run"}
