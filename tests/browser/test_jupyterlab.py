"""JupyterLab as `make lab` starts it: each notebook is opened, run, moved, saved and closed."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from checks import PICTURES, ROOT

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")  # each has a JupyterLab of its own
PLACE = f"build/browser-{WORKER}"  # for copies that are nobody's


def asked(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def lab(home):
    """The address of a JupyterLab that has just been started, for the first time."""
    subprocess.run(["rm", "-rf", str(ROOT / PLACE)], check=True)
    command = [sys.executable, "-m", "runner.lab", "--copies", f"{PLACE}/notebooks"]
    port = 18888 + int(WORKER[2:])
    command += ["--no-browser", "--IdentityProvider.token=", f"--port={port}"]
    log, place = home.parent / "log", os.environ | {"HOME": str(home)}
    with log.open("w") as said, subprocess.Popen(command, cwd=ROOT, env=place, stderr=said) as run:
        try:
            for _ in range(480):
                found = re.search(r"http://localhost:(\d+)/lab\S*", log.read_text())
                if found or run.poll() is not None:
                    break
                time.sleep(0.25)
            assert found, log.read_text()
            yield f"http://localhost:{found[1]}/"
        finally:
            run.terminate()


def status():
    return subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_it_opens_on_the_notebook_to_begin_with_beside_its_contents(browser, lab):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(lab)
    page.wait_for_selector(".jp-NotebookPanel h1:has-text('Problem 3')")
    page.wait_for_selector(".jp-TableOfContents:visible >> text=What a gradient is")
    page.wait_for_timeout(3000)  # the pop-ups that must not come
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    assert page.locator(".jp-mod-dirty").count() == 0  # a copy that nobody touched
    page.locator("li[data-id=filebrowser]").click()
    page.locator(".jp-BreadCrumbs-home").click()
    for name in ("helpers", "data", "README.md"):
        page.wait_for_selector(f".jp-DirListing-item:has-text('{name}')")
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / "lab.png")
    page.close()


def idle(lab, name):
    kernels = [s["kernel"] for s in asked(f"{lab}api/sessions") if s["path"].endswith(name)]
    return bool(kernels) and kernels[0]["execution_state"] == "idle"


def saved(path):
    """The code cells of a notebook as JupyterLab has saved it; none while it writes the file."""
    try:
        cells = nbformat.read(path, as_version=4).cells
    except ValueError:  # no JSON, or half a letter: it empties the file first, and then fills it
        return []
    return [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]


def errors(cells):
    """What code cells show of errors, each with the cell's id."""
    found = []
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"{cell.id}: {output.get('evalue') or output.get('text')}")
    return found


def cleared(path):
    """The notebook without any output: what is there afterwards was made there."""
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(nb, path)
    return path


def run_all(page, lab, path, seconds=300):
    """Run All in JupyterLab: the errors in the notebook that it saves.

    A kernel is idle before it is asked as well as after it has answered, so what counts is the
    saved file: every cell there was run, or one has failed and the rest was given up.
    """
    page.goto(f"{lab}lab/tree/{PLACE}/notebooks/{path.name}?reset")
    page.wait_for_selector(".jp-NotebookPanel:visible h1")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]:visible")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("[data-command='runmenu:run-all']").click()
    end, cells = time.monotonic() + seconds, []
    while time.monotonic() < end:
        page.wait_for_timeout(1000)
        if not idle(lab, path.name):
            continue
        page.keyboard.press("ControlOrMeta+s")
        page.wait_for_timeout(500)
        cells = saved(path)
        done = cells and all(cell.execution_count for cell in cells)
        meant = [c for c in cells if "raises-exception" in c.metadata.get("tags", ())]
        if done or errors(cell for cell in cells if cell not in meant):
            return errors(cells)
    waiting = [cell.id for cell in cells if not cell.execution_count]
    pytest.fail(f"{path.name}: after {seconds} s these cells have not run: {waiting}")


# All five take minutes more, so `make browser` tries two, and ALL=1 the others.
WEEKLY = [pytest.param(name, marks=pytest.mark.weekly) for name in NOTEBOOKS[:2] + NOTEBOOKS[4:]]


@pytest.mark.parametrize("name", NOTEBOOKS[2:4] + WEEKLY)
def test_a_notebook_runs_and_leaves_no_trace(browser, lab, home, name):
    before, committed = status(), (ROOT / "notebooks" / name).read_bytes()
    copy = cleared(ROOT / PLACE / "notebooks" / name)
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    found = run_all(page, lab, copy)
    page.screenshot(path=PICTURES / f"lab-{name[:2]}.png")
    assert found == []
    cells = nbformat.read(copy, as_version=4).cells
    headings = [cell for cell in cells if cell.source.startswith(("## Solutions", "### Solution"))]
    assert all(cell.metadata.get("jp-MarkdownHeadingCollapsed") for cell in headings)
    if name[:2] in ("03", "04", "05"):
        assert slid(page) == []
        page.screenshot(path=PICTURES / f"lab-{name[:2]}-sliders.png")
    page.close()
    assert (ROOT / "notebooks" / name).read_bytes() == committed
    assert status() == before
    assert [path for path in home.rglob("*") if path.is_file()] == []


def slid(page):
    """What is wrong when the first slider of an opened notebook is moved."""
    sliders = page.locator(".jp-OutputArea .widget-slider:visible")
    for _ in range(60):  # what is far away is not drawn yet
        if sliders.count():
            break
        page.mouse.move(800, 500)
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(150)
    if not sliders.count():
        return ["there is no slider"]
    sliders.first.scroll_into_view_if_needed()
    picture = page.locator(".jp-OutputArea .widget-vbox img").first
    before = picture.get_attribute("src")
    sliders.first.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(100):
        if picture.get_attribute("src") != before:
            break
        page.wait_for_timeout(100)
    found = [] if picture.get_attribute("src") != before else ["the figure stays as it is"]
    shown = page.locator(".jp-OutputArea-output[data-mime-type*='error']:visible")
    return found + shown.all_inner_texts()


def deleted(lab, path):
    """Delete by Jupyter's interface, which wants the value of a cookie in a header as well."""
    with urllib.request.urlopen(f"{lab}lab") as answer:
        cookies = answer.headers.get_all("Set-Cookie")
    pairs = [cookie.partition(";")[0] for cookie in cookies]
    found = next(pair.partition("=")[2] for pair in pairs if pair.startswith("_xsrf="))
    header = {"Cookie": "; ".join(pairs), "X-XSRFToken": found}
    asking = urllib.request.Request(f"{lab}{path}", method="DELETE", headers=header)
    urllib.request.urlopen(asking).close()


def written(name, *sources):
    """The path of a notebook of these code cells, "cell-0" and so on, under a heading."""
    cells = [nbformat.v4.new_markdown_cell("# Planted")]
    for number, text in enumerate(sources):
        tags = ["raises-exception"] if text == RAISES else []  # so that the rest runs
        cell = nbformat.v4.new_code_cell(text, id=f"cell-{number}", metadata={"tags": tags})
        cells.append(cell)
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = ROOT / PLACE / "notebooks" / name
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path


RAISES = "1 / 0"
IMPORTS = """import time

from ipywidgets import FloatSlider

from helpers.figures import plots
from helpers.figures.sliders import explore"""


def test_what_all_sliders_say_is_drawn_however_fast_they_move(browser, lab):
    """JupyterLab hears them in threads of their own, and a move comes while another one draws.

    What was drawn last is there when the notebook is opened again, before anything is run.
    """
    draw = """def draw(a, b):
    plots.curves({'a': ([0, 1], [a, b])}, 'x', 'y', alt=f'At {a:.2f} and {b:.2f}.')
    time.sleep(0.1)"""
    last = "explore(draw, a=FloatSlider(1), b=FloatSlider(1));"
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    path = written("fast.ipynb", IMPORTS, draw, last)
    assert run_all(page, lab, path) == []
    sliders = page.locator(".jp-OutputArea .widget-slider")
    for _ in range(3):
        for number in range(2):
            sliders.nth(number).locator(".noUi-handle").focus()
            for _ in range(4):
                page.keyboard.press("ArrowRight")
                page.wait_for_timeout(30)
    picture = page.locator(".jp-OutputArea .widget-vbox img").first
    for _ in range(100):
        values = [slider.locator(".widget-readout").inner_text() for slider in sliders.all()]
        wanted = "At {} and {}.".format(*values)
        if picture.get_attribute("alt") == wanted:
            break
        page.wait_for_timeout(100)
    assert picture.get_attribute("alt") == wanted
    assert float(values[0]) > 1 < float(values[1])
    for _ in range(60):
        page.keyboard.press("ControlOrMeta+s")
        page.wait_for_timeout(500)
        if saved(path) and wanted in path.read_text(encoding="utf-8"):
            break
    [session] = [each for each in asked(f"{lab}api/sessions") if each["path"].endswith(path.name)]
    deleted(lab, f"api/sessions/{session['id']}")
    page.goto(f"{lab}lab/tree/{PLACE}/notebooks/{path.name}?reset")  # with a kernel of its own
    page.wait_for_selector(".jp-OutputArea .widget-vbox img")
    assert picture.get_attribute("alt") == wanted
    page.close()


def test_a_planted_fault_is_found(browser, lab):
    """A cell that raises, and a slider whose figure never changes."""
    draw = "def draw(height):\n    plots.curves({'a': ([0, 1], [0, 1])}, 'x', 'y', alt='A line.')"
    last = "explore(draw, height=FloatSlider(1));"
    path = written("planted.ipynb", IMPORTS, RAISES, draw, last)
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    assert run_all(page, lab, path) == ["cell-1: division by zero"]
    assert slid(page) == ["the figure stays as it is"]
    page.close()
