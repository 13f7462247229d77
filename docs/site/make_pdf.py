"""The five problems as one document, from the executed notebooks: `make pdf`."""

import logging
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import chromium  # noqa: E402
import make_site  # noqa: E402
import pages  # noqa: E402

FRONT = """() => {
  const images = document.querySelectorAll("a.image-reference");
  for (const link of images) link.replaceWith(...link.childNodes);
  const title = document.querySelector("h1");
  const text = (heading) => [...heading.childNodes]
    .filter((node) => node.className !== "headerlink").map((node) => node.textContent).join("");
  const front = document.createElement("div");
  front.innerHTML = `<div class="title-page"><div class="title"></div><p>Five problems, ` +
    `executed and verified: a line with ✓ was checked by a machine. Bookkeeping and code that ` +
    `only draws are left out; the notebooks have them, and sliders.</p>` +
    `<div class="fields"><p>Name</p><p>Date</p></div></div>` +
    `<nav class="contents"><div class="title">Contents</div></nav>`;
  front.querySelector(".title").textContent = text(title);
  document.querySelectorAll(".toctree-wrapper :is(h2, h3, h4)").forEach((heading, number) => {
    heading.id = `part-${number}`; // a section's own may occur in every problem
    const above = heading.closest("section").parentElement.querySelector("h3");
    if (heading.tagName === "H4" && !/^Act /.test(above ? text(above) : "")) return;
    const link = document.createElement("a");
    link.href = `#${heading.id}`;
    link.className = heading.tagName.toLowerCase();
    link.append(Object.assign(document.createElement("span"), {textContent: text(heading)}));
    link.append(Object.assign(document.createElement("span"), {className: "page"}));
    front.lastChild.append(link);
  });
  title.replaceWith(front);
}"""
HEADINGS = """() => [...document.querySelectorAll("h2, h3, h4, h5, h6")].map((heading) =>
  [...heading.childNodes].filter((node) => node.className !== "headerlink")
    .map((node) => node.textContent).join("").replace(/\\s+/g, " ").trim())"""
ABOUT = {
    "/Author": "the authors of the repository; the homework belongs to its own",
    "/Subject": "Five problems of a university homework, executed and verified",
}
NUMBERS = """(numbers) => {
  for (const link of document.querySelectorAll(".contents a")) {
    link.querySelector(".page").textContent = numbers[link.hash.slice(1)];
  }
}"""
EDGE = "width: 100%; font-size: 8px; padding: 0 18mm; display: flex; justify-content: space-between"
FOOTER = (
    f'<div style="{EDGE}"><span>Behavioral Data Science homework</span>'
    '<span class="pageNumber"></span></div>'
)
PAPER = {
    "format": "A4",
    "margin": {"top": "18mm", "bottom": "20mm", "left": "18mm", "right": "18mm"},
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": FOOTER,
    "print_background": True,
    "outline": True,
    "tagged": True,
}


def laid_out(page, address: str) -> None:
    """Open the document and put its title page and contents before it, formulas typeset."""
    page.goto(address)
    page.evaluate("MathJax.startup.promise")
    page.evaluate(FRONT)
    page.emulate_media(media="print")


def printed(folder: Path, target: Path) -> int:
    """Print the document in `folder` to a PDF, whole or not at all; the number of its pages."""
    from pypdf import PdfReader, PdfWriter

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it wonders about what Chromium counts

    with chromium.browser() as browser, chromium.served(folder) as address:
        page, part = browser.new_page(), target.with_suffix(".part")
        laid_out(page, f"{address}index.html")
        for _ in range(2):  # the first time tells on which pages the parts begin
            page.pdf(path=part, **PAPER)
            reader = PdfReader(part)
            places = reader.named_destinations.items()
            numbers = {
                name.lstrip("/"): reader.get_destination_page_number(place) + 1
                for name, place in places
            }
            page.evaluate(NUMBERS, numbers)
        titles = {"".join(title.split()): title for title in page.evaluate(HEADINGS)}
    writer = PdfWriter(clone_from=reader)
    writer.add_metadata(reader.metadata | ABOUT)
    respell(writer.root_object["/Outlines"], titles)
    writer.write(part)
    part.replace(target)
    return len(reader.pages)


def respell(entry, titles: dict[str, str]) -> None:
    """Give the outline its headings as they are: Chromium drops the space where a line breaks."""
    from pypdf.generic import NameObject, TextStringObject

    child = entry.get("/First")
    while child is not None:
        child = child.get_object()
        title = titles.get("".join(child["/Title"].split()), child["/Title"])
        child[NameObject("/Title")] = TextStringObject(title)
        respell(child, titles)
        child = child.get("/Next")


def main(build: Path) -> int:
    """Make build/homework.pdf; the exit status."""
    from playwright.sync_api import Error

    source, folder, target = build / ".paper", build / "paper", build / "homework.pdf"
    try:
        chromium.executable()
        pages.write(build, source, paper=True)
    except (pages.Missing, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    status = make_site.sphinx(source, folder, "singlehtml", "-t", "paper")
    if status == 0:
        try:
            count = printed(folder, target)
        except Error as error:
            said = error.message.partition("\n")[0]
            print(f"{chromium.executable()} does not print: {said}", file=sys.stderr)
            return 2
        print(f"{target}: {count} pages, {target.stat().st_size / 1e6:.1f} MB")
    return status


if __name__ == "__main__":
    sys.exit(main(pages.ROOT / "build"))
