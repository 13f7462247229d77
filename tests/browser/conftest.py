"""The browser, and what is looked at with it: `make browser` makes it first."""

import chromium
import pytest
from checks import SITE


def pytest_configure():
    """Say in one sentence what is missing; these tests are never skipped."""
    try:
        chromium.executable()
    except FileNotFoundError as error:
        pytest.exit(str(error), returncode=2)
    if not (SITE / "index.html").is_file():
        pytest.exit(f"{SITE} is not there: make site", returncode=2)


@pytest.fixture(scope="session")
def browser():
    with chromium.browser() as started:
        yield started


@pytest.fixture(scope="session")
def site():
    with chromium.served(SITE) as address:
        yield address
