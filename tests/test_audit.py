"""A sample of the audit, with a floor for each kind of change: `make audit` has them all."""

import audit
import pytest
from test_plots import CALLS

from helpers import house_style

FLOORS = {
    "digits in outputs": 0.97,
    "signs in outputs": 0.97,
    "digits in figure data": 0.95,
    "signs in figure data": 0.95,
    audit.TABLE: 1.0,
    audit.LINES: 1.0,
}
IN_PROSE = {"digits in prose": 0.95, "signs in prose": 0.9}


@pytest.fixture(scope="module")
def tally():
    found = audit.Tally(share=0.05, seed=1)
    audit.all_texts(found)
    return found


@pytest.mark.parametrize("kind", FLOORS)
def test_changes_of_what_is_committed_are_caught(tally, kind):
    caught, made = tally.caught(kind)
    assert made >= 2
    assert caught / made >= FLOORS[kind], [m for m in tally.misses if m.kind == kind]


@pytest.mark.parametrize("kind", IN_PROSE)
def test_changes_of_finished_prose_are_caught(kind):
    found = audit.Tally(share=0.5, seed=2)
    audit.all_texts(found, only=audit.finished())
    caught, made = found.caught(kind)
    assert made >= 10
    assert caught / made >= IN_PROSE[kind], [m for m in found.misses if m.kind == kind]


@pytest.mark.parametrize("name", CALLS)
def test_one_letter_of_a_figure_shows(monkeypatch, tmp_path, name):
    drawn = []
    monkeypatch.setattr(house_style, "display", lambda *given, **more: None)
    monkeypatch.setattr(house_style, "described", drawn.append)
    CALLS[name](alt="what it shows")
    file = tmp_path / "figure.pickle"
    file.write_bytes(audit.pickle.dumps(drawn[0]))
    found = audit.Tally(share=0.5, seed=3)
    audit.glyphs(name, [("cell", "", file)], found)
    caught, made = found.caught("glyphs in figures")
    assert made >= 5
    assert caught / made >= 1, found.misses


def test_a_change_that_nothing_sees_is_a_miss():
    found = audit.Tally()
    found.count("a", "digits", True, "1", "cell")
    found.count("a", "digits", False, "2", "cell")
    assert found.caught("digits") == (1, 2)
    printed = list(audit.report(found, 5))
    assert "missed: digits, a, cell: 2" in printed
    assert any("1 of 2" in line and "50.0%" in line for line in printed)
