"""The five problems on paper: nothing is cut, and the contents say where everything is."""

import unicodedata

import chromium
import make_pdf
import pytest
from checks import ROOT
from pypdf import PdfReader

MM = 96 / 25.4  # CSS pixels in a millimetre
WIDTH, HEIGHT = (210 - 2 * 18) * MM, (297 - 18 - 20) * MM
CUT = """([width, height]) => {
  const found = [];
  for (const each of document.querySelectorAll(
      ".cell, .cell_output, figure, mjx-container[display], div.math, blockquote, pre")) {
    const box = each.getBoundingClientRect();
    const what = `${each.tagName} ${each.className} ${each.textContent.trim().slice(0, 60)}`;
    const whole = each.closest(".cell, figure, blockquote, div.math, mjx-container") ?? each;
    if (box.height > height) found.push(`higher than a page: ${what}`);
    if (box.right > width + 1 || each.scrollWidth > each.clientWidth + 1 && each.clientWidth)
      found.push(`wider than the page: ${what}`);
    if (getComputedStyle(whole).breakInside !== "avoid") found.push(`may be cut: ${what}`);
  }
  for (const each of document.querySelectorAll("table, p, li"))
    if (each.getBoundingClientRect().right > width + 1)
      found.push(`wider than the page: ${each.tagName} ${each.textContent.trim().slice(0, 60)}`);
  return found;
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": round(WIDTH), "height": round(HEIGHT)})
    with chromium.served(ROOT / "build" / "paper") as address:
        make_pdf.laid_out(page, f"{address}index.html")
        yield page
    page.close()


@pytest.fixture(scope="module")
def printed():
    return PdfReader(ROOT / "build" / "homework.pdf").pages


def plain(text):
    """Without line breaks and ligatures."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def test_no_cell_figure_or_formula_is_cut(page):
    assert page.locator("figure img").count() >= 32
    assert page.evaluate(CUT, [WIDTH, HEIGHT]) == []


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ("height: 1200px", "higher than a page"),
        ("min-width: 900px", "wider than the page"),
        ("break-inside: auto", "may be cut"),
    ],
)
def test_a_planted_cell_that_is_cut_is_found(page, style, said):
    page.evaluate("(style) => { document.querySelector('div.cell').style = style; }", style)
    found = page.evaluate(CUT, [WIDTH, HEIGHT])
    page.evaluate("document.querySelector('div.cell').style = ''")
    assert found
    assert all(line.startswith(said) for line in found[:1])


def test_a_planted_table_that_is_too_wide_is_found(page):
    plant = "(width) => { document.querySelector('.document table').style.minWidth = width; }"
    page.evaluate(plant, "900px")
    found = page.evaluate(CUT, [WIDTH, HEIGHT])
    page.evaluate(plant, "")
    assert any(line.startswith("wider than the page: TABLE") for line in found)


def test_the_contents_say_on_which_page_each_part_begins(page, printed):
    links = page.locator(".contents a span:first-child").all_inner_texts()
    assert len([text for text in links if text.startswith("Problem")]) == 5
    assert plain(printed[0].extract_text()).startswith("Behavioral Data Science homework")
    contents, numbers = plain(" ".join(part.extract_text() for part in printed[1:3])), []
    for text in links:
        text = plain(text)
        after = contents.partition(text)[2].split()
        contents = contents.partition(text)[2]
        numbers.append(int(after[0]))
        assert text in plain(printed[numbers[-1] - 1].extract_text()), (text, numbers[-1])
    assert numbers == sorted(numbers)
    assert numbers[-1] < len(printed)


def test_its_links_lead_somewhere_and_its_outline_has_its_spaces(page):
    """No link leads to the server that it was printed from."""
    document = PdfReader(ROOT / "build" / "homework.pdf")
    links = [each.get_object() for part in document.pages for each in part.get("/Annots") or []]
    web = [link["/A"]["/URI"] for link in links if "/URI" in link.get("/A", {})]
    assert len(web) >= 10
    assert not [address for address in web if not address.startswith("https://")]
    assert sum("/Dest" in link for link in links) >= 50
    assert document.metadata.author
    assert document.metadata.subject
    headings = [plain(text) for text in page.evaluate(make_pdf.HEADINGS)]

    def titles(entries):
        for each in entries:
            yield from titles(each) if isinstance(each, list) else [plain(each.title)]

    assert {*titles(document.outline)} - {*headings} == set()
