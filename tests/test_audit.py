"""A sample of the audit, with a floor for each kind of change: `make audit` has them all."""

import audit
import pytest
from test_plots import CALLS

FLOORS = {"digits in outputs": 0.97, "signs in outputs": 0.97, audit.RESULTS: 0.97}
FLOORS |= {"digits in figure data": 0.95, "signs in figure data": 0.95}
FLOORS |= {audit.TABLE: 1.0, audit.LINES: 1.0}
pytestmark = pytest.mark.slow


def test_changes_of_what_is_committed_are_caught():
    found = audit.Tally(share=0.08, seed=1)
    audit.all_texts(found)
    for kind, floor in FLOORS.items():
        caught, made = found.caught(kind)
        assert made >= 2
        assert caught / made >= floor, [m for m in found.misses if m.kind == kind]


def test_one_letter_of_a_figure_shows():
    found = audit.Tally(share=0.1, seed=3)
    for name, call in CALLS.items():
        audit.glyphs(name, audit.drawn(call), found)
    caught, made = found.caught("glyphs in figures")
    assert made >= 50
    assert caught / made >= 0.97, found.misses


def test_a_change_that_nothing_sees_is_a_miss():
    found = audit.Tally()
    found.count("a", "digits", True, "1", "cell")
    found.count("a", "digits", False, "2", "cell")
    assert found.caught("digits") == (1, 2)
    assert "missed: digits, a, cell: 2" in list(audit.report(found, 5))
