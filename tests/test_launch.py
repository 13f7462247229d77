"""What Binder, a dev container and GitHub's machines type is what a person can type."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
MAKE = re.compile(r"^make ([a-z-]+)", re.MULTILINE)


def typed():
    """(where, command) of all that is run somewhere else."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    yield "devcontainer.json", container["postCreateCommand"]
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
            yield from ((path.name, step["run"]) for step in job["steps"] if "run" in step)


def test_each_make_target_that_is_typed_exists():
    commands = [(where, name) for where, text in typed() for name in MAKE.findall(text)]
    assert {where for where, _ in commands} >= {"devcontainer.json", "pages.yml", "test.yml"}
    assert [each for each in commands if each[1] not in TARGETS] == []


def test_all_that_a_person_types_in_ci_is_typed_on_github():
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    for target in re.findall(
        r"^make (\w+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE
    ):
        assert f"make {target}" in text


@pytest.mark.skipif(os.name == "nt", reason="a shell script of Binder's")
def test_binders_last_step_puts_the_settings_where_jupyter_looks(tmp_path):
    (tmp_path / "etc" / "jupyter").mkdir(parents=True)
    script = ROOT / "postBuild"
    assert script.stat().st_mode & stat.S_IXUSR
    place = os.environ | {"NB_PYTHON_PREFIX": str(tmp_path)}
    subprocess.run([str(script)], cwd=ROOT, env=place, check=True)
    for name in ("page_config.json", "default_setting_overrides.json"):
        settings = tmp_path / "etc" / "jupyter" / "labconfig" / name
        assert settings.read_bytes() == (ROOT / ".jupyter/labconfig" / name).read_bytes()
