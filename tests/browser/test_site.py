"""Every page of the site, light and dark, as a reader without a network sees it."""

import shutil

import checks
import chromium
import nbformat
import pytest
from checks import PICTURES, SITE

PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_fault(browser, site, path, scheme):
    PICTURES.mkdir(exist_ok=True)
    assert checks.faults(browser, site, path, scheme, PICTURES) == []


def test_no_link_is_broken():
    assert checks.broken_links(SITE) == []


def test_it_is_small():
    assert sum(file.stat().st_size for file in SITE.rglob("*") if file.is_file()) < 15e6


@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith("notebooks/")])
def test_code_for_pictures_checks_and_solutions_are_shown_as_such(browser, site, path):
    page = browser.new_page()
    page.goto(site + path)
    solutions = page.locator("details.solution")
    assert solutions.count() >= 3
    assert not solutions.first.locator("p").first.is_visible()
    solutions.first.locator("summary").press("Enter")
    assert solutions.first.locator("p").first.is_visible()
    answers = page.locator("details.answer")
    assert answers.count() >= 8
    assert page.locator("details.answer[open]").count() == 0
    first = answers.first.locator(":scope > :not(summary)").last
    assert not first.is_visible()
    answers.first.locator("summary").first.click()
    assert first.is_visible()
    folded = page.locator("details.above-input").first
    assert not folded.locator("pre").first.is_visible()
    folded.locator("summary").first.click()
    assert folded.locator("pre").first.is_visible()
    assert page.locator(".check").count() >= 30
    assert "✓" not in " ".join(page.locator(".output.stream").all_inner_texts())
    figures = page.locator(".cell_output figure")
    assert figures.count() == figures.locator("figcaption").count() >= 2
    page.close()


def test_a_slider_answers_to_a_mouse(browser, site):
    page = browser.new_page()
    page.goto(site + "notebooks/04-maximum-likelihood.html")
    assert checks.moved(page, lambda slider: slider.click(position={"x": 40, "y": 10})) == []
    page.close()


@pytest.mark.parametrize("path", [path for path in PAGES if path[10:12] in ("03", "04", "05")])
def test_each_slider_shows_a_picture_of_its_own_at_each_place(browser, site, path):
    page = browser.new_page()
    page.goto(site + path)
    for number in range(page.locator(".frames input").count()):
        slider, shown = page.locator(".frames input").nth(number), set()
        places = int(slider.get_attribute("max"))
        slider.press("End")
        for _ in range(places):
            assert checks.moved(page, lambda slider: slider.press("ArrowLeft"), number) == []
            source = page.locator(".frames img").get_attribute("src")
            shown.add((SITE / "notebooks" / source).read_bytes())
        assert len(shown) == places
    page.close()


@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith("notebooks/")])
def test_a_page_shows_all_that_its_notebook_has(browser, site, path):
    cells = nbformat.read(SITE / "_sources" / path.replace("html", "ipynb"), as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    drawn = [output for output in outputs if "image/png" in output.get("data", {})]
    alts = [output.metadata["image/png"]["alt"] for output in drawn]
    page = browser.new_page(color_scheme="dark")
    page.goto(site + path)
    page.evaluate(checks.SETTLED)
    images = page.locator(".cell_output figure img")
    assert [image.get_attribute("alt") for image in images.all()] == alts
    captions = page.locator(".cell_output figcaption .caption-text").all_text_contents()
    assert len(captions) == len(alts)
    assert all(len(caption) > 20 for caption in captions)
    assert page.locator("mjx-container").count() > 5
    solutions = [cell for cell in cells if cell.source.startswith("### Solution to")]
    assert page.locator("details.solution").count() == len(solutions)
    assert page.locator("details.solution[open]").count() == 0
    appendices = [cell for cell in cells if cell.source.startswith("## Appendix ")]
    assert page.locator("details.appendix:not([open])").count() == len(appendices)
    assert page.locator(".prev-next-footer a").count() >= 1
    assert page.locator("nav.bd-links a").count() >= 12
    border = page.locator(".check").first.evaluate("(e) => getComputedStyle(e).borderLeftColor")
    assert border == "rgb(63, 185, 80)"
    page.close()


def test_moving_one_slider_puts_the_others_back(browser, site):
    page = browser.new_page()
    page.goto(site + "notebooks/03-gradient-descent.html")
    c, step_size = page.locator(".frames input").nth(0), page.locator(".frames input").nth(1)
    start = step_size.input_value()
    step_size.press("End")
    assert step_size.input_value() != start
    c.press("ArrowRight")
    assert step_size.input_value() == start
    page.close()


def test_the_keyboard_reaches_everything(browser, site):
    """Tab goes to every link, button and slider that is to be seen on a page, and comes around."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site + "notebooks/03-gradient-descent.html")
    page.evaluate(checks.SETTLED)
    wanted = page.evaluate("""() => {
      const all = document.querySelectorAll("a[href], button, input, select, summary");
      const seen = [...all].filter((each) => each.checkVisibility({visibilityProperty: true})
        && each.getClientRects().length && !each.disabled
        && !(each.type === "checkbox" && each.classList.contains("sidebar-toggle")));
      seen.forEach((each, number) => { each.dataset.number = number; });
      return seen.length;
    }""")
    reached = set()
    for _ in range(3 * wanted):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.number"))
        if len(reached - {None}) == wanted:
            break
    missed = page.evaluate(
        "(reached) => [...document.querySelectorAll('[data-number]')].filter((each) => "
        "!reached.includes(each.dataset.number)).map((each) => each.outerHTML.slice(0, 200))",
        sorted(reached - {None}),
    )
    assert missed == []
    page.close()


def test_the_search_finds_a_word(browser, site):
    page = browser.new_page()
    page.goto(site + "search.html?q=responsibility")
    page.wait_for_selector("#search-results li")
    assert "Problem 5" in page.locator("#search-results").inner_text()
    page.close()


PLANTED = {
    "a missing image": ("<p>", '<img src="gone.png" alt="gone"><p>', "cannot be seen"),
    "a script from a CDN": (
        "</body>",
        '<script src="https://cdn.test/x.js"></script>',
        "elsewhere",
    ),
    "no alt text": ("<p>", '<img src="_static/icon.svg"><p>', "has no alt text"),
    "a contrast too low": ("<p>", '<p style="color: #bbb; background: #fff">', "color-contrast"),
    "an error in a script": ("</body>", "<script>nothing.there()</script></body>", "script fails"),
    "a word for the console": ("</body>", "<script>console.error('oh')</script>", "console says"),
    "a button without a name": ("<p>", "<button></button><p>", "button-name"),
    "a wide box": ("<p>", '<div style="width: 600px">wide</div><p>', "on a phone"),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(SITE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.ipynb"))
    return folder


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(browser, copied, what):
    before, after, said = PLANTED[what]
    text = (SITE / "index.html").read_text(encoding="utf-8")
    body = text.index("<article")
    planted = text[:body] + text[body:].replace(before, after, 1)
    (copied / "planted.html").write_text(planted, encoding="utf-8")
    with chromium.served(copied) as address:
        found = checks.faults(browser, address, "planted.html", "light")
    (copied / "planted.html").unlink()
    assert [line for line in found if said in line], found


@pytest.mark.parametrize("formula", [r"\frac{", r"\nosuchthing "])
def test_a_planted_formula_is_found(browser, copied, formula):
    text = (SITE / "notebooks" / "03-gradient-descent.html").read_text(encoding="utf-8")
    text = text.replace(r'nohighlight">\(', r'nohighlight">\(' + formula, 1)
    (copied / "notebooks" / "planted.html").write_text(text, encoding="utf-8")
    with chromium.served(copied) as address:
        found = checks.faults(browser, address, "notebooks/planted.html", "light")
    (copied / "notebooks" / "planted.html").unlink()
    assert found == ["a formula cannot be read"]


def test_a_planted_link_is_found(copied):
    text = '<p id="here"></p><a href="gone.html">a</a><a href="#there">b</a><a href="#here">c</a>'
    (copied / "planted.html").write_text(text, encoding="utf-8")
    found = [line for line in checks.broken_links(copied) if line.startswith("planted.html")]
    (copied / "planted.html").unlink()
    assert [line.split(", ")[1] for line in found] == [
        "and there is no such file",
        "and there is no such anchor",
    ]


def test_a_broken_slider_is_found(browser, copied):
    script = copied / "_static" / "site.js"
    whole = script.read_text(encoding="utf-8")
    script.write_text(whole.replace("picture.src =", "picture.gone ="), encoding="utf-8")
    page = browser.new_page()
    with chromium.served(copied) as address:
        page.goto(address + "notebooks/03-gradient-descent.html")
        found = checks.moved(page, lambda slider: slider.press("ArrowRight"))
    page.close()
    script.write_text(whole, encoding="utf-8")
    assert found == ["the slider moves, and the picture stays"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [("overfitting", 5), ("data leak", 5), ("cross-entropy", 4), ("learning rate", 3)],
)
def test_a_search_finds_a_section_of_a_problem_first(browser, site, words, problem):
    page = browser.new_page()
    page.goto(f"{site}search.html?q={words.replace(' ', '+')}")
    first = page.locator("#search-results ul.search li > a").first
    first.wait_for()
    page.wait_for_function(
        "document.querySelector('#search-results p').innerText.includes('found')"
    )
    assert f"notebooks/0{problem}-" in first.get_attribute("href")
    assert "#" in first.get_attribute("href")
    page.close()


def test_a_link_to_a_solution_opens_it_and_every_button_has_a_name(browser, site):
    page = browser.new_page()
    page.goto(f"{site}notebooks/03-gradient-descent.html#solution-to-exercise-2")
    assert page.locator("#solution-to-exercise-2 details.solution").get_attribute("open") == ""
    names = page.locator("button:visible").evaluate_all(
        "(all) => all.map((button) => button.ariaLabel || button.innerText.trim() || button.title)"
    )
    assert len(names) > 10
    assert all(names)
    page.close()


def test_a_page_without_formulas_loads_one_megabyte_and_no_picture_before_it_is_near(browser, site):
    """GitHub Pages packs them, to a third; MathJax is the largest file of the others."""
    page, sizes = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("response", lambda answer: sizes.append(len(answer.body())))
    page.goto(f"{site}index.html", wait_until="networkidle")
    assert sum(sizes) < 1.5e6
    page.close()
    text = (SITE / "notebooks" / "05-mixture-of-experts.html").read_text(encoding="utf-8")
    assert text.count("<img ") == text.count('<img loading="lazy"') >= 10
