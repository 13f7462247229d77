"""Values that prose quotes: found, evaluated in the kernel, tested, rewritten."""

import nbformat
import pytest
from nbformat import v4
from support import KERNEL, main, replayed, states

from runner import notebook
from runner.compare import accepted
from runner.quote import sentences
from runner.quote.numbers import NUMBER, agrees, read, written


def text(*cells):
    """A notebook of (prose, code, prose, …)."""
    nb = v4.new_notebook(metadata={"kernelspec": KERNEL})
    for number, source in enumerate(cells):
        kind = v4.new_code_cell if number % 2 else v4.new_markdown_cell
        nb.cells.append(kind(source, id=f"c{number}"))
    return nbformat.from_dict(nb)


def said(source, *values):
    """The faults of a text whose expressions yield these values."""
    return sentences.rewritten(source, [{"value": value} for value in values])[1]


def own(source, *values, both=False):
    return sentences.rewritten(source, [{"value": v} for v in values], both)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shown", "number", "decimals"),
    [
        ("16", 16, 0),
        ("−95.15", -95.15, 2),
        ("+0.011", 0.011, 3),
        ("35,841", 35_841, 0),
        ("2{,}550{,}000", 2_550_000, 0),
    ],
)
def test_a_number_is_read_as_it_is_shown(shown, number, decimals):
    found, last = NUMBER.fullmatch(shown), 10.0**-decimals
    assert read(found) == (number, decimals)
    assert agrees(found, number)
    assert agrees(found, number + 0.4 * last) == (0.4 * last <= 0.1 * abs(number + 0.4 * last))
    assert not agrees(found, number + 0.6 * last)
    assert not agrees(found, -number)
    assert written(number, found, formula="\\" in shown or "^" in shown or "{" in shown) == shown


@pytest.mark.parametrize(
    ("like", "value", "shown"),
    [
        ("16", 8.03, "8"),
        ("16", -8.03, "−8"),
        ("−95.15", 12345.678, "12,345.68"),
        ("0.170", 0.1651, "0.165"),
        ("800", 1200, "1,200"),
        ("1,000", 800, "800"),
        ("1,000", 12_000, "12,000"),
        ("+0.011", -0.02, "−0.020"),
        ("0.1", 0.05, "0.05"),
        ("0.1", 0.123, "0.12"),
        ("0", 0.3, "0.3"),
    ],
)
def test_another_value_is_written_in_its_form(like, value, shown):
    assert written(value, NUMBER.fullmatch(like)) == shown


@pytest.mark.parametrize(
    ("shown", "value", "same"),
    [
        ("0.1", 0.05, False),
        ("0.1", 0.1000001, True),
        ("0.1", 0.104, True),
        ("16", 16.07, True),
        ("1", 1.4, False),
        ("0", 1e-15, True),
        ("0", 0.4, False),
    ],
)
def test_rounding_to_few_digits_may_not_take_much(shown, value, same):
    assert agrees(NUMBER.fullmatch(shown), value) == same


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("it grows by 16 %<!--= g --> a step", [16.07]),
        ("from 62 to −95.15<!--= [a, b] -->", [[62, -95.147]]),
        ("**stands**<!--= w -->", ["stands"]),
        ("it `fit`<!--= w -->s", ["fit"]),
        (r"$\alpha \approx 0.357$<!--= a -->", [0.3568]),
        (r"$$x_1 = 5$$<!--= a -->", [5]),
        ("| [[1, 2], [3, 4]]<!--= m --> | 5<!--= n --> |", [[[1, 2], [3, 4]], 5]),
        ("0.8 %<!--= w -->", ["0.8 %"]),
        ("“all of it”<!--= w -->", ["all of it"]),
    ],
)
def test_what_holds_is_left_alone(source, values):
    assert said(source, *values) == []
    assert own(source, *values) == source
    assert own(source, *values, both=True) == source


@pytest.mark.parametrize(
    ("source", "value", "new", "sentence"),
    [
        ("by 16 %<!--= g -->", 8.0, "by 8 %<!--= g -->", "says 16 and should say 8"),
        ("by 16<!--= g -->", 17, "by 17<!--= g -->", "says 16 and should say 17"),
        ("1 and 2<!--= g -->", [1, 3], "1 and 3<!--= g -->", "says 1, 2 and should say 1, 3"),
        ("**no**<!--= w -->", "yes", "**yes**<!--= w -->", "says no and should say yes"),
        ("it falls<!--= w -->", "rises", "it rises<!--= w -->", "says falls and should say"),
        ("5 %<!--= w -->", "5 ‰", "5 ‰<!--= w -->", "says 5 % and should say 5 ‰"),
    ],
)
def test_what_does_not_is_named_and_rewritten(source, value, new, sentence):
    (fault,) = said(source, value)
    assert sentence in fault
    assert source.partition("<")[0].replace("**", "").strip() in fault
    assert own(source, value) == new


@pytest.mark.parametrize(
    ("source", "found", "sentence"),
    [
        ("x 1<!--= True is g -->", {"value": True}, "yields True: write out the words"),
        ("x 1<!--= g -->", {"value": None}, "yields None: write out the words"),
        ("x 1<!--= g -->", {"value": float("nan")}, "yields nan, which is no number"),
        ("x<!--= g -->", {"value": 3}, "yields 3, and there is no such number in front of it"),
        ("x 1<!--= g -->", {"value": [1, 2]}, "there is no such number in front of it"),
        ("x 1<!--= g -->", {"value": []}, "there is no such number in front of it"),
        ("x 1<!--= g -->", {"error": "raises NameError: g"}, "<!--= g --> raises NameError: g"),
        ("x 1<!--= g -->", None, "was not evaluated: no code is executed before its section ends"),
        ("x 1<!--= 2 g -->", None, "cannot be read (invalid syntax"),
        ("x 1<!--= g\n\nmore prose", None, "cannot be read (invalid syntax"),
        ("x 1<!--= (g := 1) -->", None, "is more than a name, an index or one operation"),
        ("x 1<!--= 100 * (g - 1) -->", None, "is more than a name, an index or one operation"),
        ("x 1<!--= f'{g:.1f}' -->", None, "is more than a name, an index or one operation"),
        ("x 1<!--= 'a' if g else 'b' -->", None, "is more than a name, an index or one"),
        ("x 1<!--= [n for n in g] -->", None, "is more than a name, an index or one operation"),
        (f"x 1<!--= {'g' * 41} -->", None, "at most 40 characters: compute it in a code cell"),
        ("x 1<!--= 1 -->", None, "names nothing that was computed"),
        ("x 1<!--= max((1, 2)) -->", None, "names nothing that was computed"),
        ("x 1<!--= g['$'] -->", None, "has a $"),
        ("| 1<!--= g | h --> |", None, "or a | in a table"),
        ("x 1 <!--= g -->", None, "does not stand directly behind what it is about"),
        ("<!--= g -->", None, "does not stand directly behind what it is about"),
    ],
)
def test_an_expression_that_tests_nothing_is_refused_in_a_sentence(source, found, sentence):
    _, (fault,) = sentences.rewritten(source, [found])
    assert sentence in fault


def test_in_code_there_is_no_quotation():
    assert sentences.find("`16 %<!--= g -->` and\n\n```\n16 %<!--= g -->\n```\n") == []


def test_a_quotation_begins_with_its_paragraph_or_cell():
    source = "a 1<!--= g -->\n\nb 2<!--= g -->, c 3<!--= g -->\n| d 4 | e 5<!--= g --> |"
    assert [q.before for q in sentences.find(source)] == ["a 1", "b 2", ", c 3", " e 5"]


def test_each_is_evaluated_at_the_end_of_its_section():
    nb = text(
        "# T 0<!--= a -->", "a = 1", "## One 1<!--= a -->", "a = 2", "more 2<!--= a -->", "a = 3",
        "### Sub 4<!--= a -->", "a = 4", "## Two 5<!--= a -->", "a = 5", "## End 5<!--= a -->",
    )  # fmt: skip
    assert [located.after for located in sentences.plan(nb)] == [5, 4, 4, 4, 5, 5]


PROSE = {
    "c0": "# Growth\n\nIn all 2.5<!--= a -->.",
    "c2": "## One\n\nIt is 1.5<!--= a --> and **grows**<!--= word -->.",
    "c4": "## Two\n\n16 %<!--= growth --> more",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    nb = text(
        PROSE["c0"],
        "step = 0.5",
        PROSE["c2"],
        "a = 1 + step\nword = 'grows' if a > 1 else 'shrinks'",
        PROSE["c4"],
        "b = 1.16\na, growth = 2.5, 100 * (b - 1)",
    )
    nb.cells[1].metadata["tags"] = ["parameters"]
    path = tmp_path / "notebooks" / "a.ipynb"
    path.write_text(notebook.clean(nb), encoding="utf-8")
    assert main(tmp_path) == 0
    return path


def rewrite(path, old, new):
    source = path.read_text(encoding="utf-8")
    assert old in source
    path.write_text(source.replace(old, new), encoding="utf-8")


def sources(path):
    return {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}


def test_nbval_sees_each_sentence_as_a_test_of_its_own(project):
    root = project.parents[1]
    rewrite(project, "16 %<", "17 %<")
    rewrite(project, "**grows**", "**shrinks**")
    printed = replayed(root, "notebooks/a.ipynb")
    assert "2 failed, 6 passed" in printed
    assert "a.ipynb, cell c4: “16 % more”" not in printed
    assert "a.ipynb, cell c4: “17 % more” says 17 and should say 16" in printed
    assert "says shrinks and should say grows" in printed


def test_accepting_writes_the_values_and_nothing_else(project, capsys):
    before = project.read_bytes()
    rewrite(project, "16 %<", "17 %<")
    rewrite(project, "is 1.5<", "is −1.5<")
    assert main(project.parents[1]) == 0
    assert project.read_bytes() == before
    printed = capsys.readouterr().out
    assert "“17 % more” says 17 and should say 16 (<!--= growth -->). It does now." in printed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("more", "less", "accepted: c4. If all"),
        ("16 %<", "16 ‰<", "accepted: c4. If all"),
        ("16 %<!--= growth -->", "17 %", "accepted: c4. No longer quoted: growth. If all"),
        ('"parameters"', '"parameters", "rtol=0.5"', "accepted: c1. If all"),
        ("step = 0.5", "step = 1 / 2", "accepted: c1. If all"),
        ("step = 0.5", "# NBVAL_IGNORE_OUTPUT\\nstep = 0.5", "accepted: c1. If all"),
    ],
)
def test_a_change_that_no_run_can_tell_is_red_until_it_is_accepted(project, capsys, old, new, said):
    """And nothing is executed for a sentence; what is mended of itself is not in the way."""
    root = project.parents[1]
    assert main(root, "--differences") == 0
    rewrite(project, old, new)
    assert main(root, "--keep") == 0
    assert states(root)["a.ipynb"] == ("ok" if "c1" in said else "cached")
    assert said in replayed(root, "notebooks/a.ipynb")
    assert main(root) == 0  # regenerates outputs, and accepts no sentence
    assert said[:12] in capsys.readouterr().out
    assert said[:12] in replayed(root, "notebooks/a.ipynb")
    assert main(root, "--differences") == 0
    assert "failed" not in replayed(root, "notebooks/a.ipynb")


def test_what_is_accepted_knows_its_cells_and_their_order(project):
    main(project.parents[1], "--differences")
    nb = nbformat.read(project, as_version=4)
    assert accepted.changed(nb) == []
    gone, moved, more = (nbformat.from_dict(nb) for _ in range(3))
    del gone.cells[2]
    moved.cells[2:] = moved.cells[4:] + moved.cells[2:4]
    more.cells.insert(1, v4.new_markdown_cell("And more.", id="more"))
    assert [accepted.changed(each) for each in (gone, more)] == [["c2"], ["more"]]
    assert accepted.changed(moved)
    more.cells[1].metadata["tags"] = ["injected-parameters"]
    assert accepted.changed(more) == ["more"]
    hidden = nbformat.from_dict(nb)
    hidden.cells[2].metadata["jupyter"] = {"source_hidden": True}
    assert accepted.changed(hidden) == ["c2"]
    for odd in (5, [""], []):
        assert accepted.changed(nbformat.from_dict(nb | {"metadata": {"accepted": odd}}))


@pytest.mark.slow
def test_other_parameters_show_their_own_values_and_what_no_longer_holds(project):
    before = project.read_bytes()
    assert main(project.parents[1], "--params", "step=-0.25") == 0
    assert project.read_bytes() == before
    own = sources(project.parents[1] / "build" / "a.ipynb")
    assert "It is 0.8<!--= a --> and **shrinks (not grows)**<!--=" in own["c2"]
    assert own["c4"] == PROSE["c4"]
    assert "**Executed with step = -0.25.** The text quotes this run's values: 2 of" in own["c0"]


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("nowhere", "raises NameError: name 'nowhere' is not defined"),
        ("next(it)", "yields 0, and then 1: it changes what it reads"),
        ("object + step", "raises TypeError"),
    ],
)
def test_one_that_raises_or_changes_something_is_a_sentence(project, capsys, expression, sentence):
    rewrite(project, "* (b - 1)", "* (b - 1)\\nit = iter(range(9))")
    rewrite(project, "16 %<!--= growth -->", f"16 %<!--= {expression} -->")
    before = project.read_bytes()
    assert main(project.parents[1]) == 1
    assert f"cell 'c4', “16 % more”: <!--= {expression} --> {sentence}" in capsys.readouterr().err
    assert project.read_bytes() == before


def test_one_before_any_code_is_not_evaluated(tmp_path):
    nb = text("16<!--= a -->\n\n# Later", "a = 16")
    assert [located.after for located in sentences.plan(nb)] == [1]
    nb = text("# One 16<!--= a -->", "", "# Two", "a = 16")
    assert [located.after for located in sentences.plan(nb)] == [0]
    (_, fault), *_ = sentences.faults(nb, nb)
    assert "was not evaluated: no code is executed before its section ends" in fault
