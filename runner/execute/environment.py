"""The environment of a kernel: made here and not inherited, so that outputs repeat anywhere.

`python -m runner.execute.environment COMMAND …` runs a command with the same settings.
"""

import functools
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# All that a kernel gets from whoever starts it: where programs, libraries and scratch files are.
PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TMP", "TEMP")
WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "PROCESSOR_ARCHITECTURE")

FIXED = {
    # One thread: sums are in one order, and kernels side by side do not wait for each other.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}

# Libraries choose their code by the processor, and each choice has its own last digits. These take
# what every x86-64 processor with AVX2 has (numpy, scipy, torch and its MKL and oneDNN).
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
ARM64 = {"OPENBLAS_CORETYPE": "ARMV8", "ATEN_CPU_CAPABILITY": "default"}


def made(home: Path, own: Mapping[str, str]) -> dict[str, str]:
    """All variables of a kernel whose home folder is `home`; `own` overrides, and "" removes.

    A home of its own keeps a person's settings (of IPython, matplotlib, Keras) out of the outputs.
    """
    windows = os.name == "nt"
    passed = {name: os.environ.get(name, "") for name in PASSED + WINDOWS * windows}
    homes = ("HOME", *("USERPROFILE", "APPDATA", "LOCALAPPDATA") * windows)
    variables = passed | dict.fromkeys(homes, str(home)) | settings() | dict(own)
    return {name: value for name, value in variables.items() if value}


def settings() -> dict[str, str]:
    """What is set alike for all kernels on this machine."""
    return FIXED | pins()


def pins() -> dict[str, str]:
    """The code paths that are chosen on this machine; none where it has not what they need."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return ARM64
    return AVX2 if {"avx2", "fma"} <= features() else {}


@functools.cache
def features() -> frozenset[str]:
    """What the processor can do, by Linux's names; elsewhere no more than AVX2 and FMA."""
    if os.name == "nt":
        import ctypes

        has = ctypes.windll.kernel32.IsProcessorFeaturePresent  # 40: PF_AVX2_INSTRUCTIONS_AVAILABLE
        return frozenset({"avx2", "fma"} if has(40) else {})
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", _cpuinfo(), re.MULTILINE)
    return frozenset(found[1].split() if found else ())


@functools.cache
def processor() -> str:
    """The processor and the system, as far as they could change a last digit."""
    found = re.search(r"^(?:model name|CPU part)\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    model = found[1] if found else platform.processor()
    return f"{platform.platform()}, {model}, {' '.join(sorted(features()))}"


@functools.cache
def _cpuinfo() -> str:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def become(command: list[str], variables: Mapping[str, str]) -> int:
    """Run a command in the place of this process, so that a signal reaches it."""
    if os.name == "nt":
        return subprocess.run(command, env=variables).returncode
    os.execvpe(command[0], command, variables)
    return 0


if __name__ == "__main__":
    sys.exit(become(sys.argv[1:], os.environ | settings()))
