"""A project in an empty folder, for tests with kernels."""

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The project's folder, which is the working directory, too."""
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"
