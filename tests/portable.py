"""The noise audit: every notebook under other code paths, against the committed outputs.

`make portable` executes all notebooks once for each set of
variables below, and says how much of its tolerance each number and picture that moves takes. It
fails where one is outside ("RED"), and warns where one takes more than a third ("warn"), or where a
number moves at all ("digit": it is shown with more digits than hold).
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from runner import notebook, request, run
from runner.compare import outputs
from runner.execute import environment
from runner.job import Task
from runner.notebook import UsageError

WARN = 1 / 3
NO_AVX512 = environment.AVX2["NPY_DISABLE_CPU_FEATURES"]
NO_AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": f"X86_V3 {NO_AVX512}",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
}
LAPTOP = {"NPY_DISABLE_CPU_FEATURES": NO_AVX512, "ATEN_CPU_CAPABILITY": "avx2"}
SETS = {  # name: (what the processor needs for it, variables in the place of the pins)
    "unpinned": (set(), {}),
    "skylakex": (
        {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
        {"OPENBLAS_CORETYPE": "SkylakeX", "NPY_DISABLE_CPU_FEATURES": "AVX512_ICL AVX512_SPR"}
        | {"MKL_CBWR": "AVX512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    ),
    "haswell": (
        {"avx2", "fma"},
        LAPTOP
        | {"OPENBLAS_CORETYPE": "Haswell", "MKL_CBWR": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
        | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    ),
    "zen": (
        {"avx2", "fma"},
        LAPTOP
        | {"OPENBLAS_CORETYPE": "Zen", "MKL_CBWR": "AUTO", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
        | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    ),
    "sandybridge": (
        {"avx"},
        NO_AVX2 | {"OPENBLAS_CORETYPE": "Sandybridge", "ONEDNN_MAX_CPU_ISA": "AVX"},
    ),
    "prescott": (
        {"pni"},
        NO_AVX2 | {"OPENBLAS_CORETYPE": "Prescott", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    ),
    "neoversen1": ({"asimddp"}, {"OPENBLAS_CORETYPE": "NEOVERSEN1"}),
}
# Not the code paths but the rest of a shell: nothing of it may reach a result.
SHELL = {
    "PYTHONHASHSEED": "4242",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
}


@dataclass(frozen=True)
class Moved:
    """A difference in a cell of a notebook, and the set of variables under which it was seen."""

    cell: str
    where: str
    difference: outputs.Difference


def sets() -> dict[str, dict[str, str]]:
    """{name: variables} of the sets that this processor can execute."""
    unpinned = dict.fromkeys(environment.pins(), "")
    able = environment.features()
    paths = {name: unpinned | own for name, (needs, own) in SETS.items() if needs <= able}
    return paths | {"shell": SHELL}


def audit(options: argparse.Namespace, wanted: dict[str, dict[str, str]]) -> tuple[int, list[Task]]:
    """Execute every notebook under each set, one set after another: (exit status, tasks).

    Not side by side, and each in a build folder of its own: a notebook may write files.
    """
    build, status, done = options.build, 0, []
    for name, variables in wanted.items():
        print(f"{name}: {' '.join(f'{k}={v}' for k, v in variables.items() if v) or 'no pins'}")
        options.build = build / name
        options.env = [f"{key}={text}" for key, text in variables.items()]
        with notebook.locked(options.build):
            now, tasks = run.complete(request.jobs_of(options), options)
        status, done = max(status, now), done + tasks
        if status == run.INTERRUPTED:
            break
    return status, done


def moved(task: Task) -> Iterator[Moved]:
    """How a task's artefact differs from the committed notebook, within the tolerance or not."""
    job = task.job
    committed, executed = (nbformat.read(p, as_version=4) for p in (job.source, job.output))
    for cell, _, changed in outputs.side_by_side(committed, executed, job.output):
        for each in changed:
            yield Moved(f"{job.source.stem}, {cell.id}", job.output.parent.name, each)


def table(found: list[Moved]) -> Iterator[str]:
    """A line for each figure and each line of text that moves, by share: share, sets, the worst."""
    groups: dict[tuple[str, str], list[Moved]] = {}
    for each in sorted(found, key=lambda each: -each.difference.share):
        sentence = each.difference.sentence
        picture = sentence.startswith(("image/", "application/"))  # or its data
        groups.setdefault((each.cell, "" if picture else sentence.split(" was ")[0]), []).append(
            each
        )
    for (cell, line), moves in groups.items():
        worst, names = moves[0].difference, dict.fromkeys(each.where for each in moves)
        mark = "RED" if worst.share > 1 else "warn" if worst.share > WARN else "digit" * bool(line)
        yield f"{mark:<5} {worst.share:7.1%}  {cell}  [{' '.join(names)}]  {worst.sentence}"


def main(arguments: list[str] | None = None) -> int:
    """Audit from the command line; the exit status is 1 where something is outside."""
    parser = request.parser()
    parser.set_defaults(build=Path("build/portable"))
    parser.add_argument("--sets", nargs="*", help=f"of {', '.join(SETS)}, shell (all that can be)")
    options = parser.parse_args(arguments)
    able = sets()
    try:
        unknown = set(options.sets or []) - set(able)
        if unknown:
            said = f"this processor has: {', '.join(able)}"
            raise UsageError(f"There is no set {', '.join(sorted(unknown))} here; {said}.")
        wanted = {name: able[name] for name in options.sets or able}
        status, tasks = audit(options, wanted)
        found = [each for task in tasks if task.outcome.good for each in moved(task)]
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    print(*table(found), sep="\n")
    shares = [each.difference.share for each in found]
    left_out = [name for name in SETS if name not in able]
    print(
        f"{len(wanted)} sets of code paths ({', '.join(wanted)}), {len(tasks)} executions, "
        f"{sum(share > 1 for share in shares)} differences outside of their tolerance, the largest "
        f"share of an allowed one: {max([s for s in shares if s <= 1], default=0):.0%}."
    )
    if left_out:
        print(f"Not tried, for want of a processor that has them: {', '.join(left_out)}.")
    return status or int(any(share > 1 for share in shares))


if __name__ == "__main__":
    sys.exit(main())
