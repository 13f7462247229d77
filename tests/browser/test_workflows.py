"""The workflows are what GitHub can read (check-jsonschema comes with the site's packages)."""

import subprocess
import sys

import pytest
from checks import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def checked(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    return subprocess.run([*command, "vendor.github-workflows", str(path)], capture_output=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_follows_githubs_schema(path):
    assert checked(path).returncode == 0, checked(path).stdout


def test_a_planted_fault_in_a_workflow_is_found(tmp_path):
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    (tmp_path / "planted.yml").write_text(text.replace("runs-on", "runs-in"), encoding="utf-8")
    assert checked(tmp_path / "planted.yml").returncode == 1
