"""A class to try grading on: thirty submissions whose points are known, in build/demo.

One student hands in the solutions, one nothing but the copies, and 28 make one mistake in each
assignment. `points.csv` beside them says what each has to get, and `make grade` compares it.
"""

import csv
import io
import json

from classroom import solved, student

POINTS = "points.csv"
WORDS = "Here is an answer in words, number {}, which a person has to read."
# {question: (in the solution, what the student wrote, points lost here and in what uses it)}
MISTAKES = {
    "1.1": ("cost(point - size * slope) < cost", "cost(point + size * slope) < cost", 0.5),
    "1.2": ("verdict_2 = False", "verdict_2 = True", 0.5),
    "1.3": ("return m, n", "return n, m", 0.5),
    "1.4": ("-(-rows // batch) * epochs", "rows // batch * epochs", 0.5),
    "1.5": ("owed[earlier] += ", "owed[earlier] = ", 0.5),
    "1.6": ("(n + 1) * m", "n * m", 0.5),
    "1.7": ("np.asarray(outer) @ np.asarray(inner)", "np.asarray(inner) @ np.asarray(outer)", 0.5),
    "1.8": ("return 2 /", "return 1 /", 0.5),
    "2.1": ("torch.nn.Tanh()", "torch.nn.ReLU()", 1.5),  # 2.3 compares both nets
    "2.2": ('activation="tanh"', 'activation="relu"', 1.5),
    "2.3": ("[array.T for array in arrays]", "arrays", 0.5),
    "2.4": ("len({tuple(shape) for shape in shapes})", "len(shapes)", 0.5),
    "3.1": ("2 * A * theta[0]", "A * theta[0]", 2),  # 3.3 walks down this slope
    "3.2": ("range(num_steps)", "range(num_steps - 1)", 2),
    "3.3": ("table = np.column_stack([walked, [", "table = np.column_stack([walked[:, 0], [", 1),
    "3.4": ("curvatures[0] > 0 and ", "", 1),
    "3.5": ("< 1e-9", "< 0.5", 0.5),
    "4.1": ("np.sum(counts[seen]", "np.mean(counts[seen]", 1.5),  # 4.3 uses it; a maximum stays
    "4.2": ("* np.log(p", "* np.log2(p", 2),  # 4.3 uses this, too
    "4.3": ("return -log_likelihood(p, q), kl(p, q)", "return kl(p, q), -log_likelihood(p, q)", 1),
    "4.4": ("kl(shares, binomial(theta, len(shares) - 1))", "abs(theta - 0.5)", 0.5),
    "4.6": ("infinite_pair = (sure, even)", "infinite_pair = (even, even)", 0.5),
    "4.7": ("spread - 0.5", "spread", 0.5),
    "5.1": ("axis=1) >= THRESHOLD", "axis=1, keepdims=True) >= THRESHOLD", 0.5),
    "5.2": ("(y == i) & (predicted == j)", "(y == j) & (predicted == i)", 0.5),
    "5.3": ("fit(X[others], y[others])(X[these])", "fit(X, y)(X[these])", 4),
    "5.4": ("fit_logistic(X, y)(X_new)", "fit_logistic(X_new, y[: len(X_new)])(X_new)", 2.5),
    "5.5": ("return fit_logistic(seen, y)(new)", "return fit_logistic(X, y)(X_new)", 1),
    "5.6": ("/ np.sqrt(len(gaps))", "", 1.5),
    "5.7": ("if any(sign in way for sign in signs)", "", 1),
}


def files(seed):
    """{path in the folder: text} of the submissions to a class and of points.csv."""
    nbs = solved.load()
    most = {n: sum(solved.worth(nb, "t").values()) for n, nb in nbs.items()}
    found, points = {}, [["student", "points"]]
    for number in range(30):
        name, total = f"student-{number + 1:02}", 0
        for problem, nb in nbs.items():
            mistakes = [question for question in MISTAKES if int(question[0]) == problem]
            if problem == 2 and number > 5:
                continue  # it takes most of the time, and late students are a part of a class
            copy = student.copy(nb, problem, seed)
            if number:
                chosen = mistakes[number % len(mistakes)] if number > 1 else ""
                _answer(copy, nb, chosen, number)
                total += most[problem] - (MISTAKES[chosen][2] if chosen else 0)
            found[f"{name}/0{problem}.ipynb"] = json.dumps(copy)
        points.append([name, f"{total:g}"])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(points)
    return found | {POINTS: text.getvalue()}


def _answer(copy, nb, question, number):
    """Put the solutions into a copy, with a mistake in the answer of a question."""
    answers = {cell.id: cell.source for cell in nb.cells}
    for cell in copy.cells:
        if cell.id.startswith("w"):
            cell.source = WORDS.format(number)
        elif cell.id.startswith("a"):
            cell.source = answers[cell.id]
        if cell.id == f"a{question.replace('.', '-')}":
            right, wrong, _ = MISTAKES[question]
            assert right in cell.source, f"the solution of {question} has changed"
            cell.source = cell.source.replace(right, wrong)
        lines = cell.source.splitlines()
        cell.source = "\n".join(line for line in lines if line.strip() not in student.MARKS)
