"""Side by side, by turns: the notebooks by this runner, and by whatever else executes them.

`make bench` prints medians and ratios of five rounds. For one round of serial papermill and of what
you name: `python -m experiments.bench_runner 1 run-all`.
Every job has the same environment (one BLAS thread a kernel) and works in a copy of the project.
"""

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner.execute import environment

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / "build" / "bench-nbmake"
HELPER = "helpers/mle.py"
FORCED, PYTEST = ["-m", "runner.run", "--keep", "--force"], ["-m", "pytest", "-q", "-p"]
# Without the project's conftest, so that it is plain nbval and plain nbmake.
PLAIN = [
    *PYTEST,
    "no:runner.compare.nbval_plugin",
    "-c",
    os.devnull,
    "--rootdir",
    ".",
    "-n2",
    "notebooks",
]
CONVERT = ["-m", "nbconvert", "--execute", "--to", "notebook", "--output-dir", "out"]


def jobs(copy):
    """{name: [arguments of Python]} in the order in which they are timed."""
    stems = sorted(path.stem for path in (copy / "notebooks").glob("*.ipynb"))
    paths = [f"notebooks/{stem}.ipynb" for stem in stems]
    papermill = ["-m", "papermill", "--no-progress-bar", "--cwd", "notebooks"]
    return {
        "papermill, one by one": [[*papermill, p, f"out/{Path(p).name}"] for p in paths],
        "nbconvert": [[*CONVERT, *paths]],
        "nbmake -n2": [[*PLAIN, "--nbmake"]],
        "nbval -n2": [[*PLAIN, "--nbval", "--dist", "loadscope"]],
        "run-all": [FORCED],
        "check after it": [
            FORCED[:-1],
            [
                *PYTEST,
                "runner.compare.nbval_plugin",
                "--nbval",
                "--nbval-artefacts",
                "build",
                "notebooks",
            ],
        ],
        "run-all, unchanged": [FORCED[:-1]],
        f"run-all, {HELPER} edited": [FORCED[:-1]],
    }


def timed(copy, commands, env):
    """(seconds, processor seconds) of commands, one after the other."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for arguments in commands:
        if "runner.run" in arguments:  # its kernels take no PYTHONPATH from a shell
            arguments = [*arguments, "--env", f"PYTHONPATH={env['PYTHONPATH']}"]
        command, both = [sys.executable, *arguments], subprocess.STDOUT
        options = {"stdout": subprocess.PIPE, "stderr": both, "text": True, "cwd": copy, "env": env}
        with subprocess.Popen(command, start_new_session=True, **options) as process:
            try:
                printed, _ = process.communicate()
            except BaseException:  # kernels included, whatever the command is
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            sys.exit(f"{' '.join(arguments)} failed:\n{printed[-1800:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used


def main(rounds, *only):
    taken, processor, longest, again = {}, [], [], set()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("notebooks", "helpers", "experiments", "data", "runner"):
            shutil.copytree(ROOT / name, copy / name)
        (copy / "out").mkdir()
        for name in ("requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, copy)
        path = os.pathsep.join([str(copy), str(PEER)])
        env = {**os.environ, **environment.settings(), "PYTHONPATH": path}
        for number in range(rounds):
            for name, commands in jobs(copy).items():
                if only and not name.startswith(("papermill", *only)):
                    continue
                if name.endswith("edited"):
                    with open(copy / HELPER, "a", encoding="utf-8") as helper:
                        helper.write(f"# {number}\n")
                seconds, used = timed(copy, commands, env)
                taken.setdefault(name, []).append(seconds)
                print(f"  round {number + 1}: {name:<32} {seconds:7.1f} s", flush=True)
                report = copy / "build" / "report.json"
                records = json.loads(report.read_text("utf-8")) if report.exists() else []
                if name == "run-all":
                    processor.append(used)
                    longest.append(max(record["seconds"] for record in records))
                elif name.endswith("edited"):
                    again = {r["notebook"] for r in records if r["state"] == "ok"}
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    print(f"\nThe notebooks, {os.cpu_count()} processors; medians of {rounds}, ratio to papermill")
    for name, value in medians.items():
        spread = f"{min(taken[name]):.1f} to {max(taken[name]):.1f}"
        ratio = value / medians["papermill, one by one"]
        print(f"  {name:<32} {value:7.1f} s ({spread:>14})  {ratio:6.3f}")
    cores = statistics.median(processor) / (os.cpu_count() or 1)
    print(f"Floors of run-all: processor time over processors {cores:.1f} s,")
    print(f"the longest notebook, side by side with others, {statistics.median(longest):.1f} s.")
    print(f"After {HELPER} was edited, executed again: {', '.join(sorted(again))}.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, *sys.argv[2:])
