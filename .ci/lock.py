"""Write requirements.lock and environment.yml from pyproject.toml: `make lock`."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = """\
# Written by `make lock`, with the pins of requirements.lock: for conda and Binder.
name: behavioral-data-science
channels:
  - conda-forge
dependencies:
  - python{python}
  - pip
  - pip:
{pins}
      - -e .
"""


def resolve(root, upgrade):
    """Pin what satisfies pyproject.toml, for every platform and Python, in requirements.lock."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    command += ["--extra", "dev", "--universal", "--python-version", "3.11"]
    command += ["--no-header", "--no-annotate", "--output-file", "requirements.lock"]
    subprocess.run(command + ["--upgrade"] * upgrade, cwd=root, check=True)


def environment(root):
    """The text of environment.yml that agrees with requirements.lock and pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return ENVIRONMENT.format(
        python=project["requires-python"],
        pins="\n".join(f'      - "{pin}"' for pin in pins),
    )


if __name__ == "__main__":
    resolve(ROOT, upgrade="--upgrade" in sys.argv[1:])
    (ROOT / "environment.yml").write_text(environment(ROOT), encoding="utf-8", newline="\n")
