"""The assignments: full points for the solutions, none for answers that only look like some."""

import re
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest

from classroom import leaks, solved, student
from homework import checks, class_numbers

ROOT = Path(__file__).resolve().parents[1]
CLASS = 2026
SOLVED = solved.load()
RUBRIC = tomllib.loads((ROOT / "homework" / "rubric.toml").read_text(encoding="utf-8"))
POINTS = {1: 4, 2: 4, 3: 6, 4: 8, 5: 10}


def graded(problem):
    """{grade id: points} of an assignment."""
    cells = [cell.metadata.get("nbgrader", {}) for cell in SOLVED[problem].cells]
    return {own["grade_id"]: own["points"] for own in cells if own.get("grade")}


MOST = {
    key[1:].replace("-", "."): points
    for problem in SOLVED
    for key, points in graded(problem).items()
    if key.startswith("t")
}
_made = {}


def names(problem, seed=CLASS):
    """{name: value} after the solved assignment has run, with a class's numbers; a fresh copy."""
    if (problem, seed) not in _made:
        _made[problem, seed] = solved.run(SOLVED[problem], problem, seed)
    return dict(_made[problem, seed])


def points(question, found, seed=CLASS, draw=1):
    return solved.points(question, found, seed, draw)


def asked(question):
    """The names that a question asks for, less the verdict of problem 1."""
    found = solved.asked(SOLVED[int(question[0])])[question]
    return [name for name in found if not name.startswith("verdict")]


def changed(value, change):
    """A value of the same kind and shape with `change` made to every number in it."""
    if isinstance(value, (bool, np.bool_)):
        return bool(change(1.0) == -1.0) and not value
    if isinstance(value, str):
        return "" if change(1.0) == 0 else value
    if isinstance(value, set):
        return set("ABCDEF") - value if change(1.0) else set()
    if isinstance(value, (list, tuple)):
        return type(value)(changed(each, change) for each in value)
    if isinstance(value, (int, float, np.number)):
        return change(value)
    if isinstance(value, np.ndarray):
        return change(value)
    return value if value is None else net(value, change)


def net(inner, change):
    """A net of the same framework and size whose outputs are changed."""
    from helpers.frameworks import keras, torch

    if isinstance(inner, torch.nn.Module):

        class Changed(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return change(self.inner(x))

        return Changed()
    ends = keras.Input(inner.input_shape[1:])
    return keras.Model(ends, keras.layers.Lambda(change)(inner(ends)))


def zero(each):
    return each * 0


def minus(each):
    return -each


def always_the_first(function):
    kept = []

    def constant(*arguments):
        kept.append(function(*arguments))
        return kept[0]

    return constant


def the_first_only(function):
    calls = []

    def first(*arguments):
        calls.append(1)
        value = function(*arguments)
        return value if len(calls) == 1 else changed(value, zero)

    return first


def through(change):
    """A mutation that leaves kind and shape of an answer, and changes what is in it."""

    def mutate(answer):
        if not callable(answer) or hasattr(answer, "parameters"):
            return changed(answer, change)
        return lambda *arguments: changed(answer(*arguments), change)

    return mutate


def not_implemented(*arguments):
    raise NotImplementedError


MUTATIONS = {
    "untouched": lambda answer: not_implemented if callable(answer) else None,
    "zero": through(zero),
    "constant": lambda answer: always_the_first(answer) if callable(answer) else answer,
    "first call only": lambda answer: the_first_only(answer) if callable(answer) else answer,
    "a sign wrong": through(minus),
}


def copied(mutation):
    """2.3's answer changes a net and returns nothing, so its mutations do so, too."""
    kept = []

    def copy_weights(source, target):
        names(2)["copy_weights"](source, target)
        kept.append(target.get_weights())
        weights = {
            "untouched": not_implemented,
            "zero": lambda: [zero(each) for each in kept[-1]],
            "constant": lambda: kept[0],
            "first call only": lambda: [
                each if len(kept) == 1 else zero(each) for each in kept[-1]
            ],
            "a sign wrong": lambda: [minus(each) for each in kept[-1]],
        }
        target.set_weights(weights[mutation]())

    return {"copy_weights": copy_weights}


# Where not everything is lost: two of the three parts are wrong, the word is right.
LEFT = {("5.6", "a sign wrong"): 0.5}
# What the lesson shows, where an answer is a function that does not know the class's numbers.
LESSON = {
    "1.1": {"falling_step": 0.1, "rising_step": 30.0},
    "1.3": {"jacobian_shape": (2, 2)},
    "1.4": {"updates": 6500},
    "1.5": {"tape_gradient": np.array([1.0, 2.0])},
    "1.6": {"entries": (35_841, 35_841**2)},
    "1.7": {"jacobian_of_composition": np.array([[1.0, 2.0], [3.0, 4.0]])},
    "1.8": {"largest_stable_step": 2 / 3},
    "2.1": {"torch_net": None},
    "2.2": {"keras_net": None},
    "2.3": {"copy_weights": None},
    "2.4": {"number_of_traces": 3},
    "3.2": {"descend": np.array([[2, 9], [-1.5, 8.4], [-3.42, 8.85], [-4.707, 9.876]])},
    "3.4": {"converges": False},
    "4.1": {"log_likelihood": -6.109},
    "4.2": {"kl": 0.5108},
    "4.3": {"parts": (0.9, 0.2, 0.7)},
    "4.4": {"fit_by_likelihood": 0.7, "fit_by_kl": 0.7},
    "4.7": {"gaussian_kl": 0.5},
    "5.2": {"confusion": np.array([[582, 57], [51, 110]]), "log_loss": 0.2851},
    "5.3": {"out_of_fold": np.array([1.0, 1.0, 0.0, 0.0])},
    "5.5": {"stack": 0.915},
    "5.6": {"difference": (0.09, 0.02, 0.16, "shown")},
}


@pytest.mark.parametrize("seed", [0, CLASS])
@pytest.mark.parametrize("question", MOST)
def test_a_solution_gets_all_points(question, seed):
    for draw in (1, 2):
        got = points(question, names(int(question[0]), seed), seed, draw)
        assert (got.points, got.said) == (MOST[question], ())


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("question", MOST)
def test_an_answer_that_only_looks_like_one_gets_none(question, mutation):
    found = names(int(question[0]))
    answers = {name: found[name] for name in asked(question)}
    if not any(map(callable, answers.values())) and mutation in ("constant", "first call only"):
        pytest.skip("a value is a constant")
    mutated = {name: MUTATIONS[mutation](answer) for name, answer in answers.items()}
    got = points(question, found | (copied(mutation) if question == "2.3" else mutated))
    assert got.points == LEFT.get((question, mutation), 0)
    assert got.said
    assert all(len(sentence) < 260 and sentence[-1] in ".?" for sentence in got.said)


@pytest.mark.parametrize("question", MOST)
def test_the_lessons_numbers_get_none(question):
    """What an answer is with the numbers of class 0, or a value that the lesson shows."""
    problem, lesson = int(question[0]), LESSON.get(question, {})
    old, now = names(problem, 0), names(problem)
    answers = {name: lesson.get(name, old[name]) for name in asked(question)}
    for name, value in lesson.items():
        if value is None:  # the net of the homework, whatever widths are asked for
            made = old[name]((20, 128, 128, 128, 1)) if name != "copy_weights" else None
            answers[name] = lambda *_, made=made: made
        else:
            answers[name] = lambda *_, value=value: value
    assert points(question, now | answers).points == 0


@pytest.mark.parametrize("item", range(1, 9))
def test_a_verdict_and_its_witness_count_together_only(item):
    found, verdict = names(1), f"verdict_{item}"
    alone = {name: None for name in asked(f"1.{item}")}
    assert points(f"1.{item}", found | alone).points == 0
    for other in (not found[verdict], None, "True", 1):
        assert points(f"1.{item}", found | {verdict: other}).points == 0


def test_two_thirds_of_what_converges_is_worth_half_a_point():
    def bowls_only(H, step_size):
        values = np.linalg.eigvalsh(H)
        return bool(step_size * values[-1] < 2 and (values[0] > 0 or values[-1] < 0))

    def half_of_the_others(H, step_size):
        values = np.linalg.eigvalsh(H)
        inside = bool(step_size * values[-1] < 2)
        return inside and (values[0] > 0 or len(H) == 3)

    for answer, wanted in ((bowls_only, 1), (half_of_the_others, 0.5)):
        got = [points("3.4", names(3) | {"converges": answer}, draw=draw).points for draw in (1, 2)]
        assert set(got) <= {wanted, 0.5}
    for always in (True, False):
        assert points("3.4", names(3) | {"converges": lambda *_, a=always: a}).points == 0


def test_each_half_of_a_table_has_its_half_point():
    table = names(3)["table"].copy()
    table[:, 2] += 1
    assert points("3.3", names(3) | {"table": table}).points == 0.5
    table = names(3)["table"].copy()
    table[1, 0] += 0.1
    assert points("3.3", names(3) | {"table": table.tolist()}).points == 0.5


def test_a_stack_that_learns_from_the_new_rows_loses_a_part():
    good = names(5)["stack"]

    def scaled(X, y, X_new, folds):
        p = good(X, y, X_new, folds)
        return np.clip(p - np.mean(p) + 0.4, 0, 1)

    got = points("5.5", names(5) | {"stack": scaled})
    assert got.points < 1.5
    assert "other new rows" in " ".join(got.said)


def test_in_sample_predictions_are_seen():
    def in_sample(fit, X, y, folds):
        return fit(X, y)(X)

    def shuffled(fit, X, y, folds):
        parts = [fit(X[others], y[others])(X[these]) for others, these in folds]
        return np.concatenate(parts)  # in the folds' order, and not in the rows'

    assert points("5.3", names(5) | {"out_of_fold": in_sample}).points == 0
    assert points("5.3", names(5) | {"out_of_fold": shuffled}).points <= 1
    found = names(5)

    def meta_features(X, y, X_new, folds):
        seen, new = found["meta_features"](X, y, X_new, folds)
        return np.column_stack([found["fit_logistic"](X, y)(X), seen[:, 1]]), new

    got = points("5.4", found | {"meta_features": meta_features})
    assert got.said == ("meta_features: where was the model of the training rows fitted?",)


@pytest.mark.parametrize("kind", ["list", "float32", "torch", "sympy", "tuple", "int"])
def test_any_kind_of_number_will_do(kind):
    """What a person would accept: the value counts, and not the class that holds it."""
    import sympy
    import torch

    make = {
        "list": lambda g: [float(each) for each in g],
        "tuple": lambda g: tuple(map(float, g)),
        "float32": lambda g: np.asarray(g, dtype=np.float32),
        "torch": lambda g: torch.tensor(np.asarray(g), requires_grad=True),
        "sympy": lambda g: [sympy.Float(float(each), 30) for each in g],
        "int": lambda g: np.asarray(g, dtype=object),
    }[kind]
    found = names(3)
    good = found["grad_cost"]
    got = points("3.1", found | {"grad_cost": lambda theta: make(good(theta))})
    assert got.points == (1 if kind != "float32" else got.points), got.said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda theta: "up", "grad_cost is wrong at a point of ours: derive each slope once more."),
        (lambda theta: {}, "grad_cost gives a dict of 0."),
        (lambda theta: 1 / 0, "grad_cost stops with ZeroDivisionError: division by zero."),
        (lambda: 0, "grad_cost stops with TypeError: <lambda>() takes 0 positional arguments but"),
        (7, "grad_cost stops with TypeError: 'int' object is not callable."),
        (None, "grad_cost is not answered yet."),
        (not_implemented, "grad_cost is not answered yet."),
        (lambda theta: np.array([True, False]), "grad_cost is wrong at a point of ours"),
        (lambda theta: [np.nan, 0], "grad_cost is wrong at a point of ours"),
    ],
)
def test_a_bad_answer_gets_one_sentence(answer, said):
    got = points("3.1", names(3) | {"grad_cost": answer})
    assert got.points == 0
    assert got.said[0].startswith(said)


# The notebooks themselves.


@pytest.mark.parametrize("problem", SOLVED)
def test_its_anatomy(problem):
    nb = SOLVED[problem]
    given = [cell for cell in nb.cells if cell.id != "solved"]
    assert 15 <= len(given) <= 30
    assert sum(graded(problem).values()) == POINTS[problem]
    assert [cell.source for cell in nb.cells if cell.id == "numbers"] == [
        class_numbers.cell(problem, 0)
    ]
    keys = [cell.metadata.nbgrader.grade_id for cell in given]
    assert keys == [cell.id for cell in given]
    assert len(set(keys)) == len(keys)
    assert nb.metadata["accepted"]
    counts = [cell.execution_count for cell in nb.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]
    for cell in given:
        own = cell.metadata.nbgrader
        assert own.schema_version == 3
        assert own.locked != own.solution
        if own.grade and own.locked:
            assert "raises-exception" in cell.metadata.tags
            assert "✓" in cell.outputs[0].text


def test_titles_points_and_rubric_agree():
    for problem, nb in SOLVED.items():
        for cell in nb.cells:
            if found := re.match(r"## (\d\.\d) · .* \((\d?½?) points?[,:)]?", cell.source):
                stated = found[2].replace("½", ".5")
                keys = [f"{kind}{found[1].replace('.', '-')}" for kind in "tw"]
                assert float(stated) == sum(graded(problem).get(key, 0) for key in keys), found[0]
    words = {
        key[1:].replace("-", "."): points
        for problem in SOLVED
        for key, points in graded(problem).items()
        if key.startswith("w")
    }
    assert {q: sum(item["points"] for item in items) for q, items in RUBRIC.items()} == words
    assert sum(MOST.values()) == 25.5
    assert sum(words.values()) == 6.5


def test_a_lesson_and_its_assignment_lead_to_each_other():
    for problem, nb in SOLVED.items():
        (lesson,) = (ROOT / "notebooks").glob(f"0{problem}-*.ipynb")
        assert f"(../notebooks/{lesson.name})" in nb.cells[1].source
        text = lesson.read_text(encoding="utf-8")
        assert f"](../homework/0{problem}.ipynb)" in text


def test_what_the_questions_tell_to_read_is_there():
    from test_prose import prose

    for problem, nb in SOLVED.items():
        (lesson,) = (ROOT / "notebooks").glob(f"0{problem}-*.ipynb")
        headings = re.findall(r"^#+ (?:Item )?(\d+(?:\.\d+)?)\b", prose(lesson), re.MULTILINE)
        text = "\n".join(cell.source for cell in nb.cells)
        for line in re.findall(r"^\*Read: problem \d, (.*)\.\*$", text, re.MULTILINE):
            assert set(re.findall(r"\d(?:\.\d)?", line)) <= set(headings), line
        assert text.count("*Read: ") == len({key[1:] for key in graded(problem)})


# What students get.


def test_the_same_class_gets_the_same_bytes_and_another_one_other_numbers():
    first, again, other = student.files(CLASS), student.files(CLASS), student.files(7)
    assert student.packed(first) == student.packed(again)
    for name in (f"0{n}.ipynb" for n in range(1, 6)):
        one, two = (nbformat.reads(found[name].decode(), as_version=4) for found in (first, other))
        differ = [a.id for a, b in zip(one.cells, two.cells, strict=True) if a.source != b.source]
        assert differ == ["numbers"]
        assert not any(cell.get("outputs") for cell in one.cells)
    assert first["data/asd_train.csv"] != other["data/asd_train.csv"]


def test_the_copy_has_no_answer_and_says_what_is_open():
    nb = nbformat.reads(student.files(CLASS)["03.ipynb"].decode(), as_version=4)
    cells = {cell.id: cell.source for cell in nb.cells}
    assert cells["a3-1"] == (
        "def grad_cost(theta):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    )
    assert cells["a3-3"] == "table = None"
    assert cells["w3-6"] == "YOUR ANSWER HERE"
    assert "](" not in cells["title"]
    own = nb.metadata.homework
    assert (own.problem, own.seed) == (3, CLASS)
    assert own.graded == ["t3-1", "t3-2", "t3-3", "t3-4", "t3-5", "w3-6"]
    assert {"find", "numbers", "q3-1", "t3-1"} <= own.given.keys()
    linked = student.files(CLASS, lessons="https://course.example/lessons")["03.ipynb"].decode()
    assert "](https://course.example/lessons/03-gradient-descent.ipynb)" in linked


PLANTED = {
    "helpers/gradient.py": "helpers.gradient.descend answers 3.2.",
    "helpers/mle.py": "helpers.mle.kl_divergence answers 4.2.",
    "helpers/moe/stacking.py": "stacking.out_of_fold has the name of an answer of 5.3.",
    "homework/checks/p3.py": "homework/checks/p3.py belongs to the checks.",
    "homework/rubric.toml": "homework/rubric.toml belongs to the checks.",
    "homework/04.ipynb": "homework/04.ipynb has a line of 4.1: ",
    "a-line.md": "a-line.md has a line of 3.3: walked = descend(grad_cost, START, STEP_SIZE, 3)",
    "a-sentence.md": "a-sentence.md has a line of 4.5: The entropy has no θ in it.",
}
LINES = {
    "a-line.md": b"try   walked = descend(grad_cost, START, STEP_SIZE, 3)",
    "a-sentence.md": "See: The entropy\nhas no θ in it.".encode(),
}


def test_each_answer_that_is_left_is_found():
    planted = {name: LINES.get(name) or (ROOT / name).read_bytes() for name in PLANTED}
    left = "\n".join(leaks.found(planted, CLASS))
    assert [said for said in PLANTED.values() if said not in left] == []


def test_nothing_is_written_where_an_answer_is_left(monkeypatch, tmp_path, capsys):
    files = student.files
    monkeypatch.setattr(student, "files", lambda *given: files(*given) | LINES)
    assert student.main(["--seed", "5", "--folder", str(tmp_path / "student")]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("Nothing is written, since an answer would be: a-line.md has ")
    assert not (tmp_path / "student").exists()


def test_a_number_of_the_solution_is_found():
    own = checks.numbers_of(3, CLASS, None)
    costs = class_numbers.three_steps(own.a, own.b, own.start, own.step_size)[:, 2]
    files = student.files(CLASS)
    assert leaks.found(files, CLASS) == []
    files["README.md"] += f"The last cost is {costs[-1]:.5f}.".encode()
    assert leaks.found(files, CLASS)[0].startswith("README.md has a number of 3.3: ")


def test_a_folder_in_which_somebody_has_worked_stays(tmp_path, capsys):
    where = ["--folder", str(tmp_path / "student")]
    assert student.main(["--seed", "5", *where]) == 0
    before = (tmp_path / "student" / student.ZIP).read_bytes()
    assert student.main(["--seed", "5", *where]) == 0
    assert (tmp_path / "student" / student.ZIP).read_bytes() == before
    path = tmp_path / "student" / "03.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("= None", "= 1"), encoding="utf-8")
    worked = path.read_bytes()
    capsys.readouterr()
    assert student.main(["--seed", "6", *where]) == 2
    assert capsys.readouterr().err.startswith(f"Somebody has worked in {path}: move ")
    assert path.read_bytes() == worked


@pytest.mark.parametrize("seed", ["-1", "abc", "1.5", "1000000"])
def test_a_seed_that_is_none_is_refused(seed, tmp_path, capsys):
    assert student.main([f"--seed={seed}", "--folder", str(tmp_path / "s")]) == 2
    assert capsys.readouterr().err.startswith("SEED is a whole number from 0 to 999999, not ")


def test_an_address_that_is_none_is_refused(tmp_path, capsys):
    where = ["--folder", str(tmp_path / "s")]
    assert student.main(["--lessons", "example.org/lessons", *where]) == 2
    assert capsys.readouterr().err.startswith("LESSONS is an address such as https://…, not ")
    (tmp_path / "file").touch()
    assert student.main(["--folder", str(tmp_path / "file" / "s")]) == 2
    assert "cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("got", "wanted", "said"),
    [
        ([[1.0, 2.001]], [[1.0, 2.0]], " It is right to a few digits: did you round, or stop"),
        ([0.0, 0.0014], [0.0, 0.001], ""),  # 40 % away, and not nearly right
        ([float("nan"), 1.0], [1.0, 1.0], " It gives nan for numbers of ours: where does a 0"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 9.0]], ""),
        ("text", [1.0], ""),
    ],
)
def test_what_else_helps_is_true(got, wanted, said):
    found = checks.near(got, wanted)
    assert found.startswith(said) if said else found == ""
