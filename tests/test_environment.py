"""requirements.lock, environment.yml and pyproject.toml agree; nothing here needs a network."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
PINS = [Requirement(line) for line in LINES]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]


def test_every_line_is_an_exact_pin_without_an_address():
    for line in LINES:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^@#]+)?", line), line
        assert not re.match(r"nvidia|cuda|triton", line), line


@pytest.mark.parametrize("text", WANTED)
def test_the_lock_has_what_the_project_wants(text):
    wanted = Requirement(text)
    name = canonicalize_name(wanted.name)
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == name]
    assert pins, f"{name} is not in requirements.lock: run make lock"
    for pin in pins:
        version = str(pin.specifier).removeprefix("==")
        assert wanted.specifier.contains(version), f"{pin}, wanted {wanted}: run make lock"


@pytest.mark.parametrize(
    ("system", "machine", "tensorflow"),
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
        ("win32", "AMD64", "tensorflow"),
    ],
)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_one_version_of_each_package_on_every_platform(system, machine, tensorflow, python):
    place = {
        "sys_platform": system,
        "platform_machine": machine,
        "os_name": "nt" if system == "win32" else "posix",
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
    }
    names = [pin.name for pin in PINS if pin.marker is None or pin.marker.evaluate(place)]
    assert len(set(names)) == len(names)
    assert {name for name in names if name.startswith("tensorflow")} == {tensorflow}
    assert "torch" in names


def test_environment_yml_is_the_one_that_the_lock_makes():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / ".ci" / "lock.py"))["environment"](ROOT)
    assert text == made, "environment.yml is out of date: run make lock"


def test_conda_can_read_environment_yml():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    specs = {spec.name.normalized: spec for spec in map(rattler.MatchSpec, conda)}
    assert set(specs) == {"python", "pip"}
    versions = rattler.VersionSpec(PROJECT["requires-python"])
    one = str(specs["python"].version).removesuffix(".*")  # Binder heeds no range
    assert versions.matches(rattler.Version(one))
    index, *pins = pip["pip"]
    assert index.startswith("--extra-index-url https://download.pytorch.org/")
    assert pins == [*LINES, "-e ."]
