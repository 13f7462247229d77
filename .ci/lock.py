"""Write both locks and environment.yml from pyproject.toml: `make lock`."""

import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = """\
# Written by `make lock`, with the pins of requirements.lock: for conda and Binder.
name: behavioral-data-science
channels:
  - conda-forge
dependencies:
  - python=3.12  # one version, or Binder makes an environment for its own
  - pip
  - pip:
      - "--extra-index-url {index}"  # PyTorch without CUDA, 4 GB less
{pins}
      - -e .
"""


def resolve(root, upgrade):
    """Pin what satisfies pyproject.toml, for every platform and Python, in requirements.lock.

    In requirements-site.lock is what the site needs besides.
    """
    lock, more = root / "requirements.lock", root / "requirements-site.lock"
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    command += ["--extra", "dev", "--universal", "--python-version", "3.11"]
    command += ["--no-header", "--no-annotate", *["--upgrade"] * upgrade, "--output-file"]
    subprocess.run([*command, lock.name], cwd=root, check=True)
    also = ["--extra", "site", "--constraint", lock.name]
    subprocess.run([*command, more.name, *also], cwd=root, check=True)
    known = set(lock.read_text(encoding="utf-8").splitlines())
    added = [pin for pin in more.read_text(encoding="utf-8").splitlines() if pin not in known]
    more.write_text("\n".join(added) + "\n", encoding="utf-8", newline="\n")


def environment(root):
    """The text of environment.yml that agrees with requirements.lock."""
    pins = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    index = runpy.run_path(str(root / ".ci" / "environment.py"))["CPU_INDEX"]
    return ENVIRONMENT.format(pins="\n".join(f'      - "{pin}"' for pin in pins), index=index)


if __name__ == "__main__":
    resolve(ROOT, upgrade="--upgrade" in sys.argv[1:])
    (ROOT / "environment.yml").write_text(environment(ROOT), encoding="utf-8", newline="\n")
