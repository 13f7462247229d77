"""What is said of a table first: each kind with its columns and rows; nothing of a good one."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from helpers.screening import asd
from helpers.screening.remarks import remarks, separation


@pytest.fixture
def table():
    table = asd.load()
    return table.assign(age=table["age"].where(table["age"] >= 18, table["age"] + 18))


def test_of_the_courses_tables_only_that_ages_are_odd_as_in_the_real_one(table):
    """The fixture has none of these, so that other tests see what they are about."""
    (sentence,) = remarks(asd.load())
    assert sentence.startswith(
        "202 of 800 rows are “18 and more” and have an age below 18, down to 3.7"
    )
    assert remarks(table) == []
    (sentence,) = remarks(table.assign(age=table["age"].where(table["ID"] != "7", 383)))
    assert sentence.startswith("The ages go from 18 to 383: ")
    table.loc[[1, 5], "age"] = np.nan
    assert remarks(table) == []


def test_separation_is_what_a_likelihood_without_maximum_shows():
    rng = np.random.default_rng(0)
    for _ in range(30):
        X, y = rng.integers(0, 2, (12, 3)), rng.integers(0, 2, 12)
        y[:2] = 0, 1
        Z = np.column_stack([np.ones(12), X])

        def loss(w, Z=Z, y=y):
            return np.sum(np.logaddexp(0, Z @ w) - y * (Z @ w)) + 1e-9 * w @ w

        far = np.abs(Z @ minimize(loss, np.zeros(4), tol=1e-12).x).max()
        kind = separation(X, y)
        assert (kind != "") == (far > 8), (kind, far)
        if kind == "completely":
            assert minimize(loss, np.zeros(4), tol=1e-12).fun < 1e-3


def test_complete_and_all_but_ties():
    X = np.array([[0], [1], [2], [3]])
    assert separation(X, np.array([0, 0, 1, 1])) == "completely"
    assert separation(np.array([[0], [1], [1], [2]]), np.array([0, 0, 1, 1])) == "but for ties"
    assert separation(X, np.array([0, 1, 0, 1])) == ""
    assert separation(np.ones((4, 2)), np.array([0, 1, 0, 1])) == ""
    for units in (1e-9 * X, 1e9 * X, X + 1e9):
        assert separation(units, np.array([0, 0, 1, 1])) == "completely"


def test_a_label_that_is_the_score(table):
    score = table[asd.ITEMS].sum(axis=1)
    found = remarks(table.assign(**{asd.TARGET: (score >= 7).astype(int)}))
    assert found[0].startswith("The label is 1 where the score is 7 or more, in all 800 rows: ")
    assert any("separate the classes completely: " in sentence for sentence in found)
    middle = remarks(table.assign(**{asd.TARGET: score.between(3, 5).astype(int)}))
    assert middle[0].startswith(
        "The label is 1 where the score is one of 3, 4, 5, in all 800 rows: "
    )
    label = (score >= 4).astype(int)
    label[:3] = 1 - label[:3]
    assert (
        "score is 4 or more, in all but 3 of 800 rows"
        in remarks(table.assign(**{asd.TARGET: label}))[0]
    )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("result", lambda y: 3 - 2.0 * y),
        ("age", lambda y: 20.0 + y),
        ("austim", lambda y: np.where(y == 1, "yes", "no")),
        ("A4_Score", lambda y: 1 - y),
    ],
)
def test_a_column_that_gives_the_label_away(table, column, values):
    (sentence,) = [
        sentence
        for sentence in remarks(table.assign(**{column: values(table[asd.TARGET].to_numpy())}))
        if sentence.startswith("Column")
    ]
    assert sentence.startswith(f"Column {column!r} alone tells the label, in all 800 rows: ")


def test_a_rare_level_of_a_column_gives_nothing_away(table):
    """A place of one's own tells everything of one row, and nothing of another."""
    assert remarks(table.assign(contry_of_res=[f"place {n}" for n in table["ID"]])) == []


def test_items_that_never_change(table):
    assert remarks(table.assign(A3_Score=1)) == [
        "A3_Score never changes: no model can learn anything from it."
    ]
    both = remarks(table.assign(A3_Score=1, A8_Score=0))
    assert both[0].startswith("Each of A3_Score, A8_Score never changes")


def test_an_answer_that_only_one_class_gives(table):
    some = table[(table["A5_Score"] == 1) | (table[asd.TARGET] == 0)]
    (sentence,) = remarks(some)
    rows = int((some["A5_Score"] == 0).sum())
    assert f"but for ties (A5_Score = 0: always 0, {rows} rows): a logistic regr" in sentence
    assert "the MAP estimate" in sentence


def test_few_rows_and_a_rare_class(table):
    few = remarks(table.head(100))
    assert any("There are 100 rows: " in s and "about ± 10 points" in s for s in few)
    assert not any("There are" in s for s in remarks(table.head(200)))
    positive = table[asd.TARGET] == 1
    rare = remarks(table[~positive | (positive.cumsum() <= 20)])
    assert any(s.startswith("Only 20 of 659 rows are in the smaller class: ") for s in rare)
    assert any("is right in 97 %" in s for s in rare)


def test_copies_of_people_are_named_and_counted_once(table):
    hundred = table.head(100)
    eight = pd.concat([hundred] * 8, ignore_index=True).assign(ID=np.arange(1, 801))
    assert remarks(eight)[0].startswith("700 of 800 rows are copies: they agree with another row")
    pd.testing.assert_frame_equal(
        asd.once(eight).drop(columns="ID"), hundred.drop(columns="ID"), check_dtype=False
    )
    one_more = pd.concat([table, table.tail(1).assign(ID=999)], ignore_index=True)
    assert remarks(one_more)[0].startswith("1 of 801 rows are copies")
    assert not remarks(pd.concat([table, table.tail(1).assign(ID=999, age=99.0)]))
