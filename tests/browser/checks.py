"""What must hold of every page of the site, and what is said where it does not."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import axe_playwright_python

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
PICTURES = SITE.parent / "screenshots"  # for people to look at
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
IMAGES = """() => [...document.images].map((image) => ({
  src: image.getAttribute("src"), alt: image.getAttribute("alt"),
  whole: image.complete && image.naturalWidth > 0}))"""
SETTLED = """async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
}"""

# Words of code of one kind have one colour, and so have formulas: thousands of them take long.
ONE_OF_A_KIND = """() => {
  const known = new Set();
  for (const word of document.querySelectorAll("pre span[class]")) {
    if (known.has(word.className)) word.replaceWith(word.textContent);
    known.add(word.className);
  }
  [...document.querySelectorAll("mjx-container:not([tabindex='0'])")].slice(5)
    .forEach((formula) => formula.replaceWith("x"));
}"""


def faults(browser, site: str, path: str, scheme: str, pictures: Path | None = None) -> list[str]:
    """What is wrong with a page in "light" or "dark", a line for each fault.

    `site` is the address of its folder. Every other origin is refused, as it is to a reader who is
    offline. How the page begins, on a screen and on a phone, is left in the folder `pictures`.
    """
    found = []

    def only_here(route):
        address = route.request.url
        if address.startswith((site, "data:", "blob:")):
            route.continue_()
        else:
            found.append(f"it loads {address} from elsewhere")
            route.abort()

    def said(message):
        if message.type == "error":
            found.append(f"the console says: {message.text} ({message.location['url']})")

    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    try:
        context.route("**/*", only_here)
        page = context.new_page()
        page.on("console", said)
        page.on("pageerror", lambda error: found.append(f"its script fails: {error}"))
        page.goto(site + path)
        page.evaluate(SETTLED)
        if page.locator("html").get_attribute("data-theme") != scheme:
            found.append(f"it is not {scheme}")
        found += _unseen(page)
        name = path.replace("/", "-").removesuffix(".html")
        if pictures:
            page.screenshot(path=pictures / f"{name}-{scheme}.png")
        page.set_viewport_size({"width": 390, "height": 800})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            found.append(f"on a phone it is {width} pixels wide")
        if pictures:
            page.wait_for_timeout(400)  # until the menus have slid away
            page.screenshot(path=pictures / f"{name}-{scheme}-phone.png")
        page.set_viewport_size({"width": 1280, "height": 900})
        found += _not_accessible(page)
    finally:
        context.close()
    return found


def _unseen(page) -> list[str]:
    found = []
    for image in page.evaluate(IMAGES):
        if not image["whole"]:
            found.append(f"the image {image['src']} cannot be seen")
        alt = (image["alt"] or "").strip()
        if not alt or alt.endswith((".png", ".webp")):  # the latter is a file's name
            found.append(f"the image {image['src']} has no alt text")
    wrong = ".math:not(:has(mjx-container)), mjx-merror, mjx-container [style*='red']"
    return found + ["a formula cannot be read"] * bool(page.locator(wrong).count())


def _not_accessible(page) -> list[str]:
    """What axe finds that is serious or critical."""
    page.evaluate(ONE_OF_A_KIND)
    page.evaluate(AXE + "; 0")
    options = {"resultTypes": ["violations"], "preload": False}
    found = []
    for each in page.evaluate("(options) => axe.run(options)", options)["violations"]:
        if each["impact"] in ("serious", "critical"):
            where = "; ".join(str(node["target"][0]) for node in each["nodes"][:3])
            found.append(f"{each['id']} ({each['impact']}) at {where}")
    return found


class _Page(HTMLParser):
    """The addresses that a page names, and the anchors that it has."""

    def __init__(self, text: str):
        super().__init__()
        self.names, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.update(filter(None, (given.get("id"), tag == "a" and given.get("name"))))
        self.names += [given[each] for each in ("href", "src") if given.get(each)]


def broken_links(folder: Path) -> list[str]:
    """The links of a folder's pages that lead to no file, or to no anchor in one."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for name in page.names:
            if re.match(r"(?!file)[a-z]+:", name):
                continue
            name = f"{folder.as_uri()}{name}" if name.startswith("/") else name  # of 404.html
            to = urlsplit(urljoin(path.as_uri(), name))
            target = Path(unquote(to.path))
            if target.is_dir():
                target /= "index.html"
            anchors = pages[target].anchors if target in pages else ()
            if not target.is_file():
                broken.append(f"{path.name} links to {name}, and there is no such file")
            elif to.fragment and target in pages and unquote(to.fragment) not in anchors:
                broken.append(f"{path.name} links to {name}, and there is no such anchor")
    return broken


def moved(page, press, number: int = 0) -> list[str]:
    """What is wrong with a slider of an opened page, when `press(slider)` moves it."""
    frames = page.locator(".frames").first
    slider, picture = frames.locator("input").nth(number), frames.locator("img")
    value = frames.locator("output").nth(number)
    before = picture.get_attribute("src"), value.inner_text()
    press(slider)
    for _ in range(20):  # a machine with much to do takes its time
        if picture.get_attribute("src") != before[0]:
            break
        page.wait_for_timeout(100)
    page.evaluate(SETTLED)
    after = picture.get_attribute("src"), value.inner_text()
    found = [] if before[0] != after[0] else ["the slider moves, and the picture stays"]
    found += [] if before[1] != after[1] else ["the slider moves, and its value stays"]
    if not picture.evaluate("(image) => image.naturalWidth"):
        found.append("the picture that it shows is not there")
    if f"= {after[1]}. " not in picture.get_attribute("alt"):
        found.append("the alt text does not say the new value")
    if slider.get_attribute("aria-valuetext") != after[1]:
        found.append("what is read aloud is not the new value")
    return found
