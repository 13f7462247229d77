"""`check` passes what holds, and nothing else."""

import re

import nbformat
import numpy as np
import pytest
import sympy
from nbclient import NotebookClient
from support import ROOT

from helpers import claims
from helpers.claims import (
    ClaimError,
    above,
    below,
    check,
    check_each,
    held,
    refuted,
    right,
    say,
    show_table,
    side,
    stands,
    truth,
)

X = sympy.Symbol("x")


@pytest.mark.parametrize(
    ("got", "expected", "line"),
    [
        (2, 2, "✓ c: 2"),
        (35_841, 35_841, "✓ c: 35841"),
        (0.1 + 0.2, 0.3, "✓ c: 0.3"),
        (
            [[-1.5, 8.4], [-3.42, 8.85]],
            [[-1.5, 8.4], [-3.42, 8.85]],
            "✓ c: [[-1.5, 8.4], [-3.42, 8.85]]",
        ),
        (np.inf, np.inf, "✓ c: inf"),
        (3e-17, 0, "✓ c: below 1e-09"),
        (0.0, 0, "✓ c: below 1e-09"),
        (0, 0, "✓ c: 0"),
        ([3e-17, 2.0], [0, 2], "✓ c: [0, 2]"),
        (np.arange(20.0), np.arange(20.0), "✓ c: (20,) values from 0 to 19"),
        (1 + 2j, 1 + 2j, "✓ c: 1+2j"),
        (True, True, "✓ c"),
        (np.bool_(True), True, "✓ c"),
        (False, False, "✓ c: False"),
        ("SGD", "SGD", "✓ c: SGD"),
        ((2, 3), (2, 3), "✓ c: [2, 3]"),
        ({1, 2}, {2, 1}, "✓ c: {1, 2}"),
        (sympy.Matrix([[X, 1]]), sympy.Matrix([[X, 1]]), "✓ c: Matrix([[x, 1]])"),
        (["a", "b"], ["a", "b"], "✓ c: ['a', 'b']"),
    ],
)
def test_a_claim_that_holds_prints_one_line(capsys, got, expected, line):
    check("c", got, expected)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (2.001, 2),
        (np.nan, np.nan),
        (np.nan, 1.0),
        ([1.0, np.nan], [1.0, np.nan]),
        (np.inf, -np.inf),
        (np.inf, 1.0),
        (1.0, np.inf),
        ([1.0, 1.0], 1.0),
        ([[1.0, 2.0]], [1.0, 2.0]),
        ([], []),
        (np.array([]), np.array([])),
        (1, True),
        (True, 1),
        (np.array([True]), np.array([1])),
        (False, True),
        (None, True),
        ("2", 2),
        (2, "2"),
        (None, 0),
        ([1, [2, 3]], [1, 2]),
        (1j, 0),
        (sympy.Matrix([[X]]), sympy.Matrix([[X + 1]])),
        (["a"], ["a", "b"]),
        (np.array(["a"]), np.array(["b"])),
    ],
)
def test_one_that_does_not_hold_raises(capsys, got, expected):
    with pytest.raises(ClaimError):
        check("c", got, expected)
    assert capsys.readouterr().out == ""


def test_the_message_names_everything():
    with pytest.raises(ClaimError, match=r"✗ the sum: got 2\.5, expected 2, tolerance 0\.1"):
        check("the sum", 2.5, 2, tol=0.1)


@pytest.mark.parametrize("tol", [-1, np.nan, np.inf, "0.1", None])
def test_a_tolerance_that_would_pass_anything_is_refused(tol):
    with pytest.raises(ValueError, match="finite number"):
        check("c", 1, 2, tol=tol)


def test_what_has_been_checked_has_held():
    check("a sum", 1 + 1, 2)
    with pytest.raises(ClaimError):
        check("another sum", 1 + 1, 3)
    assert held("a sum") is True
    for other in ("another sum", "a product"):
        with pytest.raises(ClaimError, match=f"the claim '{other}' has not been checked"):
            held("a sum", other)


@pytest.fixture
def own_values():
    claims.start(seed=(2, 1, 0, 9), data=("x.csv", None))
    yield
    claims.start()


def test_with_own_values_a_miss_is_said_and_stops_nothing(capsys, own_values):
    check("a sum", 2.5, 2)
    below("the angle", 3, 2, "°")
    check_each("each of", {"a": 1, "b": 2}, 1)
    check_each("none of", {}, {"a": 1})
    check("a word", "Adam", "Adam")
    assert capsys.readouterr().out.splitlines() == [
        "✗ with your values, no: a sum: got 2.5, expected 2, tolerance 1e-09",
        "✗ with your values, no: the angle: got 3°, not below 2°",
        "✗ with your values, no: each of: b: got 2, expected 1, tolerance 1e-09",
        "✗ with your values, no: none of: there is nothing to check",
        "✓ a word: Adam",
    ]
    for missed in ("a sum", "the angle", "each of", "each of: b"):
        assert held(missed, "a word") is None
    assert held("each of: a", "a word") is True
    assert stands(held("a sum"), True) == "open"
    assert (refuted("a word"), refuted("a word", "a sum")) == (False, None)


@pytest.mark.parametrize(
    ("value", "own", "said"),
    [
        (3.5, 3, "n = 3.5 is not a whole number from 0 to 1,000. Write one in the first code cell"),
        (True, 3, "n = True is not a whole number from 0 to 1,000."),
        (-1, 3, "n = -1 is not a whole number from 0 to 1,000."),
        (100_000, 3, "n = 100000 is not a whole number from 0 to 1,000."),
        ("fast", 0.1, "n = 'fast' is not a number from 0 to 1,000."),
        (float("nan"), 0.1, "n = nan is not a number from 0 to 1,000."),
        (None, 0.1, "n = None is not a number from 0 to 1,000."),
    ],
)
def test_a_parameter_that_no_notebook_takes_is_a_sentence(value, own, said):
    with pytest.raises(claims.ParameterError, match=re.escape(said)) as raised:
        claims.start(seed=(3, 3, 0, 9), n=(value, own, 0, 1_000))
    assert raised.value._render_traceback_() == [f"ParameterError: {raised.value}"]


def test_the_courses_own_values_are_its_own():
    claims.start(n=(3, 3, 0, 9), x=(1, 1.0, 0, 9), data=(None, None))
    with pytest.raises(ClaimError):
        check("a sum", 3, 2)


def test_what_held_in_an_earlier_run_of_the_same_kernel_is_forgotten():
    check("a sum", 2, 2)
    claims.start()
    with pytest.raises(ClaimError, match="has not been checked"):
        held("a sum")
    with pytest.raises(ClaimError):
        check("a sum", 3, 2)  # and a miss stops again


def test_what_a_cell_of_bookkeeping_checks_is_folded_and_what_misses_is_not(tmp_path):
    """In a kernel, where JupyterLab would show a folded output again."""
    code = (
        "from helpers import claims\n"
        "claims.start(seed=(2, 1, 0, 9))\n"
        "claims.aside()\n"
        "claims.check('a < b', 2, 2)\n"
        "claims.check('a sum', 3, 2)"
    )
    nb = nbformat.v4.new_notebook()
    nb.cells = [nbformat.v4.new_code_cell(text) for text in (code, "claims.check('c', 1, 1)")]
    first, second = NotebookClient(nb, resources={"metadata": {"path": ROOT}}).execute().cells
    missed, folded = first.outputs
    assert missed.text == "✗ with your values, no: a sum: got 3, expected 2, tolerance 1e-09\n"
    assert folded.data["text/plain"] == "✓ a < b: 2"
    assert "<details><summary>✓ 1 check</summary><pre>✓ a &lt; b: 2" in folded.data["text/html"]
    assert second.outputs[0].text == "✓ c: 1\n"


def test_many_claims_of_one_kind_are_one_line(capsys):
    check_each("the sum by", {"hand": 0.1 + 0.2, "abacus": 0.3}, 0.3)
    check_each("the name of", {"a": "x", "b": "y"}, {"a": "x", "b": "y"})
    check_each("the number of", {"a": 2}, 2, tol=0)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "✓ the sum by (each to 1e-09): hand, abacus"
    assert shown[1:] == ["✓ the name of: a, b", "✓ the number of: a"]
    assert held("the sum by", "the sum by: hand", "the sum by: abacus")


@pytest.mark.parametrize(
    ("found", "expected", "error"),
    [
        ({"a": 1.0, "b": 2.1}, 1.0, r"✗ every one: b: got 2\.1, expected 1"),
        ({"a": 1.0, "b": 2.1}, {"a": 1.0, "b": 2.0}, "✗ every one: b"),
        ({"a": np.nan}, np.nan, "✗ every one: a"),
        ({"a": True}, 1, "✗ every one: a"),
        ({}, 1.0, "✗ every one: there is nothing to check"),
    ],
)
def test_one_of_many_that_does_not_hold_is_named(capsys, found, expected, error):
    with pytest.raises(ClaimError, match=error):
        check_each("every one", found, expected)
    assert capsys.readouterr().out == ""
    with pytest.raises(ClaimError, match="has not been checked"):
        held("every one")


def test_a_bound_is_shown_beside_what_was_measured(capsys):
    below("the angle", 0.02778, 0.05, "°")
    above("rows", 3, 2)
    assert capsys.readouterr().out == "✓ the angle: 0.02778° (below 0.05°)\n✓ rows: 3 (above 2)\n"
    assert held("the angle", "rows")


@pytest.mark.parametrize("got", [0.05, 0.051, np.nan, np.inf, True, "0.01", None, [0.01], 1j])
def test_what_is_not_below_a_bound_raises(capsys, got):
    with pytest.raises(ClaimError, match="✗ the angle at last: got"):
        below("the angle at last", got, 0.05)
    assert capsys.readouterr().out == ""
    with pytest.raises(ClaimError):
        held("the angle at last")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((True,), ("yes", "true", "right")),
        ((True, np.True_), ("yes", "true", "right")),
        ((False,), ("no", "false", "wrong")),
        ((False, np.False_), ("no", "false", "wrong")),
        ((True, False), ("half", "half true", "half right")),
        ((True, None), ("open", "open", "open")),
    ],
)
def test_a_verdict_is_computed_from_its_parts(parts, words):
    assert (stands(*parts), truth(*parts), right(*parts)) == words


@pytest.mark.parametrize("parts", [(), ("yes",), (1,), (np.array([True]),)])
def test_a_verdict_of_something_else_is_refused(parts):
    with pytest.raises((TypeError, ValueError)):
        stands(*parts)


def test_a_table_of_verdicts_is_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "display", shown.append)
    show_table(["answer", "stands?"], [["a", "yes"], ["b", "no"]])
    assert shown[0].data == "| answer | stands? |\n| --- | --- |\n| a | yes |\n| b | no |"
    with pytest.raises(ValueError, match="each row has to have 2 cells"):
        show_table(["answer", "stands?"], [["a"]])


def test_one_of_the_sentences_is_shown_and_the_others_are_kept(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "display", lambda *what, **how: shown.append((what, how)))
    for ends, which in [((1, 0.5, 2), "above"), ((-1, -2, -0.5), "below"), ((1, -1, 3), "open")]:
        assert side(ends) == which
        say(side(ends), above="It is.", below="It is not.", open="Nobody knows.")
    texts = [what[0].data for what, _ in shown]
    assert texts == ["It is.", "It is not.", "Nobody knows."]
    assert {*shown[0][1]["metadata"]["branches"]} == {"above", "below", "open"}
    with pytest.raises(KeyError, match="nothing is written for 'open', only for above, below"):
        say("open", above="It is.", below="It is not.")
