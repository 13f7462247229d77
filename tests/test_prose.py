"""Numbers in prose that no expression says: refused by name, or of a kind that can fail."""

import nbformat
import pytest
from nbformat import v4
from test_quotations import text

from runner import prose, quotations


@pytest.fixture
def root(tmp_path):
    for folder in ("notebooks", "docs", "helpers"):
        (tmp_path / folder).mkdir()
    other = "# Problem 2\n\n## 4. Four\n\n## Going further\n\n1. One.\n2. Two."
    nb = v4.new_notebook(cells=[v4.new_markdown_cell(other)])
    nbformat.write(nb, tmp_path / "notebooks" / "02-b.ipynb")
    references = "- Cauchy, A.-L. (1847). Méthode.\n- Kingma, D. P. & Ba, J. (2015). Adam.\n"
    (tmp_path / "docs" / "references.md").write_text(references, encoding="utf-8")
    (tmp_path / "helpers" / "a.py").write_text("dtype = 'float64'\n", encoding="utf-8")
    row = "| [1 · A](notebooks/01-a.ipynb) | 6 | text | 45 |\n"
    (tmp_path / "README.md").write_text(row, encoding="utf-8")
    return tmp_path


def left(root, *cells, name="01-a.ipynb", values=()):
    nb = text(*cells)
    keys = [placed.key for placed in quotations.plan(nb)]
    answers = {key: {"value": value} for key, value in zip(keys, values, strict=True)}
    return prose.unquoted(nb, root / "notebooks" / name, root, answers)


FINE = {
    "an expression": ("16 %<!--= a --> and 17<!--= a -->.", (16, 17)),
    "a formula's": (r"$2\theta_1^2$<!--= a -->, and $\theta_1^2$ again", (r"2\theta_1^2",)),
    "the title's": ("# One\n\n**6 points · about 45 minutes.** Text", ()),
    "code": ("`x = 3`\n\n```\ny = 4\n```", ()),
    "headings": ("## 1. One\n\n## 2. Two\n\n## Item 3 · Three", ()),
    "headings with a number at the end": ("### Answer 1\n\ntext\n\n### Answer 2", ()),
    "a list": ("1. One\n2. Two\n\ntext\n\n1. Again", ()),
    "references": ("## 3. Three\n\nsection 3, problem 2; notebook 2, section 4", ()),
    "a section of two digits": (
        "".join(f"## {n}. One\n\n" for n in range(1, 12)) + "sections 9 to 11, section 10",
        (),
    ),
    "an exercise": ("exercise 1\n\n## Going further\n\n1. One.", ()),
    "citations": ("(Cauchy 1847), Kingma & Ba (2015)", ()),
    "a name": ("in float64", ()),
    "a link": ("[2 · B](notebooks/02-b.ipynb) and [x](a1.md), https://a.b/17", ()),
}


@pytest.mark.parametrize("kind", FINE)
def test_what_is_checked_is_left_alone(root, kind):
    source, values = FINE[kind]
    assert left(root, source, "a = 1", values=values) == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("it grows by 16 % a step", "“…it grows by 16 % a step…” has 16, and no expression says"),
        ("from −3 on", "has −3, and no expression says"),
        ("from 10⁻⁸", "has 10⁻⁸, and no expression says"),
        (r"$x = 5$", "has 5, and no expression says"),
        (r"$\theta_7$", r"\theta_7 is in no formula that an expression yields"),
        (r"$x^{12}$", "x^{12} is in no formula that an expression yields"),
        (
            "# One\n\n**7 points · about 45 minutes.**",
            "its title has 7, and README.md's row has not",
        ),
        ("## 1. One\n\n## 3. Two", "the heading “## 3” does not follow the one before"),
        ("### Answer 1\n\n### Answer 3", "the heading “### Answer 3” is number 2 of those that"),
        ("1. One\n3. Two", "the item 3 of a list comes after 1"),
        ("1. One\n1. Two", "the item 1 of a list comes after 1"),
        ("see section 3", "there is no section 3 (“section 3”)"),
        ("## 1. One\n\nsee section 10", "there is no section 10"),
        ("see problem 7", "there is no problem 7"),
        ("notebook 2, section 5", "there is no section 5"),
        ("exercise 3\n\n## Going further\n\n1. One.", "there is no exercise 3"),
        ("(Cauchy 1848)", "Cauchy 1848) is not in docs/references.md"),
        ("Kingma & Cauchy (2015)", "is not in docs/references.md"),
        ("in float65", "float65 is no name of the project's code"),
        ("[3 · B](notebooks/02-b.ipynb)", "has another number than its notebook"),
        ("16<!--= a --> and 17", "has 17, and no expression says"),
    ],
)
def test_each_kind_can_fail(root, source, sentence):
    values = (16,) if "<!--" in source else ()
    (said,) = left(root, source, "a = 1", values=values)
    assert sentence in said
    assert said.startswith("01-a.ipynb: ")


def test_a_quotation_without_a_value_covers_nothing(root):
    nb = text("16<!--= a -->", "a = 1")
    (said,) = prose.unquoted(nb, root / "notebooks" / "01-a.ipynb", root, {})
    assert "has 16" in said
