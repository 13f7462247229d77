"""The pages of a grading: they load nothing, run nothing of a student's, and save a reader's ticks.

What a student can write is put where it shows: names, file names, answers, errors.
"""

import contextlib
import json
import socket

import pytest

from classroom import grade, solved, student, tables, walls

EVIL = "<script>alert(1)</script><img src=http://127.0.0.1:9/x onerror=alert(2)>"
FRAME = "<iframe src=http://127.0.0.1:9/y></iframe><a href='javascript:alert(3)'>x</a>"
BREAKS_OUT = "</pre></textarea><svg onload=alert(4)><style>@import 'http://127.0.0.1:9/z'</style>"
NAME = "=cmd|' &<img src=x onerror=alert(5)>"


@pytest.fixture(scope="module")
def grades(tmp_path_factory):
    """A folder of grades: a hostile student, and one whose two answers in words are to be read."""
    try:
        walls.try_walls()
    except walls.NoWalls as error:
        pytest.skip(str(error))
    folder, own = tmp_path_factory.mktemp("grading"), solved.load()[4]
    for name, words in ((NAME, [EVIL, FRAME, BREAKS_OUT]), ("jane", ["a = b", "KL(p‖q)", "½"])):
        copy = student.copy(own, 4, 2026)
        cells = {cell.id: cell for cell in copy.cells}
        for key, text in zip(("w4-5", "w4-7", "w4-8"), words, strict=True):
            cells[key].source = text
        cells["a4-2"].source = f"def kl(p, q):\n    raise ValueError({EVIL!r})"
        cells["a4-3"].source = f"def other(): return {EVIL!r}"
        (folder / "in" / name).mkdir(parents=True)
        (folder / "in" / name / "04.ipynb").write_text(json.dumps(copy), encoding="utf-8")
    (folder / "in" / NAME / f"{EVIL.replace('/', '')}.py").write_text("", encoding="utf-8")
    again(folder)
    return folder


def again(folder):
    where = ["--seed", "2026", "--grades", str(folder / "out")]
    assert grade.main([str(folder / "in"), *where]) == 0


@pytest.fixture
def page(browser):
    """A page that notes every request and every dialog."""
    opened = browser.new_page()
    opened.requests, opened.dialogs = [], []
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
    yield opened
    opened.close()


def test_pages_load_nothing_and_run_nothing_of_a_students(grades, page):
    pages = sorted((grades / "out").rglob("*.html"))
    assert {each.parent.name for each in pages} == {"feedback", "reading", "out"}
    for path in pages:
        page.requests.clear()
        page.goto(path.as_uri())
        page.wait_for_timeout(100)
        assert page.requests == [path.as_uri()]
        assert page.locator("img, iframe, svg, a, link").count() == 0, path
    assert page.dialogs == []
    page.goto((grades / "out" / "reading" / "4.5.html").as_uri())
    assert EVIL in page.inner_text("body")
    rows = (grades / "out" / "grades.csv").read_text(encoding="utf-8").splitlines()
    assert any(row.startswith("\"'=cmd|'") for row in rows)


def test_a_planted_script_would_not_run(grades, page, tmp_path):
    """The policy holds even where something was not escaped."""
    text = (grades / "out" / "reading" / "4.5.html").read_text(encoding="utf-8")
    listening = socket.create_server(("127.0.0.1", 0))
    planted = (EVIL + FRAME).replace(":9/", f":{listening.getsockname()[1]}/")
    (tmp_path / "x.html").write_text(text.replace("<pre>", f"<pre>{planted}"), encoding="utf-8")
    page.goto((tmp_path / "x.html").as_uri())
    page.wait_for_timeout(200)
    assert page.dialogs == []
    listening.settimeout(0.2)
    with contextlib.suppress(TimeoutError):  # Chromium may open a connection for a frame
        connection, _ = listening.accept()
        connection.settimeout(0.2)
        assert connection.recv(1_000) == b""


def saved(page, grades, name):
    """Put what the page saves where the next grading takes it over."""
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == name
    download.value.save_as(grades / "out" / name)
    again(grades)
    assert not (grades / "out" / name).exists()


def test_ticks_on_a_reading_page_are_marks_at_the_next_grade(grades, page):
    def points(question):
        return tables.read(grades / "out" / "grades.csv", "student", question)

    page.goto((grades / "out" / "reading" / "4.5.html").as_uri())
    assert "Show that minimising" in page.inner_text("body")
    answer = page.locator("pre", has_text="a = b").locator("xpath=following-sibling::fieldset[1]")
    tick = "[data-column={}][value='{}']"
    answer.locator(tick.format("splits", "1")).check()
    answer.locator(tick.format("sign", "0.5")).check()
    answer.locator("[data-column=note]").fill('Say "why", please.')
    saved(page, grades, "marks-4.5.csv")
    assert points("4.5 words") == {"jane": "0.75", NAME: ""}
    feedback = (grades / "out" / "feedback" / "jane.html").read_text(encoding="utf-8")
    assert "Which of the two parts can θ not change?" in feedback
    assert "Partly: How does &quot;smallest&quot; become &quot;largest&quot;?" in feedback
    assert "Say &quot;why&quot;, please." in feedback
    page.goto((grades / "out" / "reading" / "4.5.html").as_uri())
    assert answer.locator(tick.format("sign", "0.5")).is_checked()
    assert not answer.locator(tick.format("sample", "1")).is_checked()
    answer.locator(".clear").click()
    saved(page, grades, "marks-4.5.csv")
    assert points("4.5 words")["jane"] == ""
    page.goto((grades / "out" / "reading" / "needs-a-person.html").as_uri())
    page.locator("fieldset [data-column=points]").first.fill("0.5")
    saved(page, grades, "marks-needs-a-person.csv")
    assert "0.5" in points("4.3").values()
