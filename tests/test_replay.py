"""The comparison: planted changes to committed outputs, and each refusal's sentence."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
import zlib

import nbformat
import numpy as np
import pytest
from nbformat import v4
from PIL import Image
from support import replayed

from runner import notebook
from runner.compare import accept
from runner.compare import outputs as comparing
from runner.compare import text as text_of


def png(pixels, mode="RGB", **options):
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).convert(mode).save(out, "png", **options)
    return base64.b64encode(out.getvalue()).decode()


def with_part(kind, data):
    """The picture with one more part, behind its header."""
    whole = base64.b64decode(png(picture(size=600)))
    part = len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return base64.b64encode(whole[:33] + part + whole[33:]).decode()


def late(kind, data):
    """The picture with one more part, before its end."""
    whole = base64.b64decode(png(picture(size=600)))
    part = len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return base64.b64encode(whole[:-12] + part + whole[-12:]).decode()


def transparent(alpha):
    """The picture, as transparent as that everywhere."""
    pixels = np.dstack([picture(size=600), np.full((600, 600), alpha)])
    return png(pixels, "RGBA")


def picture(line=(0, 0, 200), size=60):
    """A white square with a thick line of one colour across it."""
    pixels = np.full((size, size, 3), 255)
    pixels[28:32] = line
    return pixels


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def display(**data):
    data = {kind.replace("_", "/"): content for kind, content in data.items()}
    return v4.new_output("display_data", data=data)


def figure(alt, width, **data):
    return display(**data) | {"metadata": {"image/png": {"alt": alt, "width": width}}}


TABLE = (
    "<table class='t'><tr><th>auc</th></tr><tr><td>0.90620</td></tr><tr><td>40</td></tr></table>"
)
CELLS = [  # source, tags, outputs
    ("loss", [], [stream("loss 0.1234 after 12000 steps\nbest -2.25000e-05\n")]),
    ("table", [], [display(text_html=TABLE, text_plain="auc 0.9062")]),
    ("json", [], [display(application_json={"auc": 0.90623, "n": 40})]),
    (
        "figure",
        [],
        [figure("a line", 600, image_png=png(picture(size=600)), text_plain="<Figure>")],
    ),
    ("two", [], [stream("text\n"), display(text_html="<b style='color:#0072B2'>x</b>")]),
    ("silent", [], []),
    ("# NBVAL_IGNORE_OUTPUT\nclock", [], []),
    ("loose", ["rtol=0.1"], [stream("0.5\n")]),
    ("warns", [], [stream("careful\n", "stderr")]),
    ("ends", [], [stream("in 2025. Then 12000. 0 within 1e-12, up to -1.149e+08, 1.23400\n")]),
]


def base():
    cells = []
    for number, (source, tags, outputs) in enumerate(CELLS, start=1):
        cell = v4.new_code_cell(source, execution_count=number, outputs=outputs, id=f"c{number}")
        cell.metadata["tags"] = tags
        cells.append(cell)
    about = {"kernelspec": {"name": "py", "display_name": ""}, "language_info": {"name": "py"}}
    return nbformat.from_dict(v4.new_notebook(cells=cells, metadata=about))


def text(cell, old, new, output=0):
    def change(nb):
        assert old in nb.cells[cell].outputs[output].text
        nb.cells[cell].outputs[output].text = nb.cells[cell].outputs[output].text.replace(old, new)

    return change


def data(cell, kind, old, new):
    def change(nb):
        content = nb.cells[cell].outputs[-1].data
        assert old in content[kind]
        content[kind] = content[kind].replace(old, new)

    return change


def whole(cell, kind, content):
    return lambda nb: nb.cells[cell].outputs[-1].data.update({kind: content})


def drop(cell, kind):
    return lambda nb: nb.cells[cell].outputs[-1].data.pop(kind)


def about(key, value):
    return lambda nb: nb.cells[3].outputs[0].metadata["image/png"].update({key: value})


def outputs(cell, new):
    return lambda nb: nb.cells[cell].update(outputs=new(nb.cells[cell].outputs))


def counts(*numbers):
    def change(nb):
        for cell, number in zip(nb.cells, numbers, strict=False):
            cell.execution_count = number

    return change


def ignoring(cell):
    return lambda nb: nb.cells[cell].metadata.update(tags=["nbval-ignore-output"])


def unseen(nb):
    more = v4.new_code_cell("1", outputs=[stream("1\n")], id="more")
    more.metadata["tags"] = ["skip-execution"]
    nb.cells.append(more)


def unseen_stream(nb):
    nb.cells[0].outputs = [display(stdout=nb.cells[0].outputs[0].text)]


def one_pixel(shade):
    pixels = picture(size=600)
    pixels[0, 0] = shade
    return png(pixels)


def spot():
    pixels = picture(size=600)
    pixels[8:11, 8:11] = 120
    return png(pixels)


JSON, HTML, PLAIN, PNG = "application/json", "text/html", "text/plain", "image/png"
ROW = "<tr><td>40</td></tr>"
PLANTED = {  # name: (change of the committed notebook, whether it must be caught)
    "digit inside": (text(9, "1.23400", "1.23401"), False),
    "digit outside": (text(0, "0.1234", "0.1244"), True),
    "integer": (text(0, "12000 steps", "12001 steps"), True),
    "integer made a decimal": (text(0, "12000 steps", "12012.5 steps"), True),
    "sign": (text(0, "-2.25", "2.25"), True),
    "exponent": (text(0, "e-05", "e-04"), True),
    "exponent inside": (text(0, "-2.25000e-05", "-2.25001e-05"), False),
    "number to nan": (text(0, "0.1234", "nan"), True),
    "word": (text(0, "loss", "cost"), True),
    "spacing": (text(0, "loss 0", "loss  0"), True),
    "lines swapped": (
        text(
            0,
            "loss 0.1234 after 12000 steps\nbest -2.25000e-05\n",
            "best -2.25000e-05\nloss 0.1234 after 12000 steps\n",
        ),
        True,
    ),
    "line lost": (text(0, "best -2.25000e-05\n", ""), True),
    "line added": (text(0, "steps\n", "steps\nmore\n"), True),
    "last line end lost": (text(0, "-05\n", "-05"), True),
    "table row lost": (data(1, HTML, ROW, ""), True),
    "table number inside": (data(1, HTML, "0.90620", "0.90621"), False),
    "table number outside": (data(1, HTML, "0.9062", "0.9162"), True),
    "table integer": (data(1, HTML, "40", "41"), True),
    "table heading": (data(1, HTML, "auc", "acc"), True),
    "plain text of a table": (data(1, PLAIN, "0.9062", "0.8062"), True),
    "html form lost": (drop(1, HTML), True),
    "json number inside": (whole(2, JSON, {"auc": 0.90621, "n": 40}), False),
    "json number outside": (whole(2, JSON, {"auc": 0.9162, "n": 40}), True),
    "json key lost": (whole(2, JSON, {"auc": 0.90623}), True),
    "json keys in another order": (whole(2, JSON, {"n": 40, "auc": 0.90623}), False),
    "picture, one faint pixel": (whole(3, PNG, one_pixel((250, 250, 250))), False),
    "picture, other colour": (whole(3, PNG, png(picture(line=(200, 0, 0), size=600))), True),
    "picture, other size": (whole(3, PNG, png(picture(size=601))), True),
    "picture was blank": (whole(3, PNG, png(np.full((600, 600, 3), 255))), True),
    "picture lost": (drop(3, PNG), True),
    "picture broken": (whole(3, PNG, "bm90IGEgcGljdHVyZQ=="), True),
    "outputs swapped": (outputs(4, lambda both: both[::-1]), True),
    "colour of html": (data(4, HTML, "#0072B2", "#0072B3"), True),
    "output emptied": (outputs(0, lambda _: []), True),
    "output where there is none": (outputs(5, lambda _: [stream("1\n")]), True),
    "never executed": (counts(None), True),
    "cells out of order": (counts(2, 1), True),
    "ignored output": (outputs(6, lambda _: [stream("12:00:01\n")]), True),
    "inside the cell's own tolerance": (text(7, "0.5", "0.53"), False),
    "alt text": (about("alt", "a curve"), True),
    "width": (about("width", 601), True),
    "year at the end of a sentence": (text(9, "2025.", "2024."), True),
    "integer with a point": (text(9, "12000.", "12001."), True),
    "a tolerance": (text(9, "1e-12", "1e-09"), True),
    "exponent without end": (text(9, "e+08", "e+808"), True),
    "picture, transparent": (whole(3, PNG, transparent(0)), True),
    "picture, half transparent": (whole(3, PNG, transparent(128)), True),
    "picture, opaque": (whole(3, PNG, transparent(255)), False),
    "picture, smaller file": (whole(3, PNG, png(picture(size=600), "P", optimize=True)), False),
    "picture, with gamma": (whole(3, PNG, with_part(b"gAMA", bytes([0, 3, 13, 64]))), True),
    "picture, turned": (whole(3, PNG, with_part(b"eXIf", b"II*\0")), True),
    "picture, moving": (whole(3, PNG, with_part(b"acTL", bytes(8))), True),
    "more digits than were computed": (text(0, "0.1234", "0.123401"), True),
    "digits of another width": (text(0, "12000 steps", "1２000 steps"), True),
    "hidden behind a carriage return": (text(0, "loss", "cost\rloss"), True),
    "output ignored": (ignoring(0), True),
    "a cell that is not executed": (unseen, True),
    "picture, stretched": (
        whole(3, PNG, with_part(b"pHYs", bytes([0, 0, 0, 9, 0, 0, 0, 1, 0]))),
        True,
    ),
    "picture, seen otherwise": (whole(3, PNG, late(b"tRNS", bytes([0, 0, 0, 0, 0, 200]))), True),
    "a stream that nobody shows": (unseen_stream, True),
    "metadata of an output": (lambda nb: nb.cells[3].outputs[0].metadata.update(height=1), True),
    "picture, one small spot": (whole(3, PNG, spot()), True),
    "a warning that was not committed": (outputs(8, lambda _: []), True),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """{name: what pytest says of the notebook}, with every planted change in one run."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "build").mkdir()
    for number, (change, _) in enumerate(PLANTED.values()):
        committed, executed = base(), base()
        change(committed)
        nbformat.write(committed, folder / f"n{number:02}.ipynb")
        nbformat.write(executed, folder / "build" / f"n{number:02}.ipynb")
    printed = replayed(folder, *sorted(path.name for path in folder.glob("*.ipynb")))
    cases = ElementTree.parse(folder / "result.xml").iter("testcase")
    found = {f"n{number:02}": [] for number in range(len(PLANTED))}
    for case in cases:
        stem = case.get("classname").removesuffix(".ipynb")
        found[stem] += [fault.text for fault in case if fault.tag in ("failure", "error")]
    assert "no tests ran" not in printed
    return dict(zip(PLANTED, found.values(), strict=True))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change(verdicts, name):
    assert bool(verdicts[name]) == PLANTED[name][1], verdicts[name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("digit outside", "0.1234 is not 0.1244 within the tolerance"),
        ("line lost", "line 2 was '' and is 'best -2.25000e-05\\n'"),
        ("output emptied", "committed is no output, and now there is stdout"),
        ("output where there is none", "committed is stdout, and now there is no output"),
        ("never executed", "The committed cell was never executed"),
        ("cells out of order", "executed out of order: [2] stands in place 1"),
        ("picture, other colour", "a picture differs by 0."),
        ("picture, other size", "a picture was (601, 601) pixels large and is (600, 600)"),
        ("picture broken", "a picture cannot be read ("),
        ("picture, moving", "its part b'acTL' may change how it looks"),
        ("hidden behind a carriage return", "has a carriage return, which hides text"),
        ("output ignored", "It has outputs that are not compared: commit it without any"),
        ("a warning that was not committed", "now there is stderr; stderr: careful"),
    ],
)
def test_it_is_refused_by_its_own_sentence(verdicts, name, sentence):
    assert sentence in verdicts[name][0]


def tagged(nb):
    nb.cells[0].metadata.update(tags=["injected-parameters"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda nb: nb.cells[0].update(source="other"), "executed from another source"),
        (lambda nb: nb.cells.pop(), "executed from another source"),
        (tagged, "executed with other parameters"),
        (lambda nb: nb.cells[2].update(execution_count=None), "'c3' was not executed in its turn"),
        (lambda nb: nb.metadata.kernelspec.update(name="ir"), "kernel was 'ir', and is 'py'"),
        (lambda nb: nb.metadata.language_info.update(name="R"), "language was 'R', and is 'py'"),
    ],
)
def test_an_artefact_of_something_else_is_refused(change, sentence):
    executed = base()
    change(executed)
    with pytest.raises(notebook.UsageError, match=sentence):
        comparing.same_source(base(), executed)


def test_a_difference_knows_its_share_of_the_tolerance(tmp_path):
    old, new = [stream("a 1.0 b 2.0\n")], [stream("a 1.0001 b 2.0004\n")]

    def shares(**own):
        found = comparing.differences(old, new, comparing.TOLERANCE | own, tmp_path / "a")
        return [each.share for each in found]

    assert shares() == pytest.approx([2, 4], rel=1e-4)
    assert shares(rtol=5e-4) == pytest.approx([0.2, 0.4], rel=1e-4)
    assert shares(rtol=0, atol=5e-4) == pytest.approx([0.2, 0.8], rel=1e-4)


@pytest.mark.parametrize(
    ("was", "now", "counts", "share", "away"),
    [
        ("342", "341", 0, np.inf, 1 / 342),
        ("342", "341", 4, 0.25, 1 / 342),
        ("342", "346", 4, 1, 4 / 342),
        ("342", "347", 4, 1.25, 5 / 342),
        ("342", "342.5", 4, 0.5 / (342 * 5e-5), 0.5 / 342),
        ("0", "0.5", 4, np.inf, np.inf),
        ("1.0e308", "1e999", 0, np.inf, np.inf),
        ("1e999", "1.0e308", 0, np.inf, np.inf),
        ("-1.149e+08", "-1.149e+808", 0, np.inf, np.inf),
        ("012", "12", 0, np.inf, 0),
    ],
)
def test_integers_have_a_tolerance_of_their_own(tmp_path, was, now, counts, share, away):
    tolerance = comparing.TOLERANCE | {"counts": counts}
    (found,) = comparing.differences([stream(was)], [stream(now)], tolerance, tmp_path / "a")
    assert (found.share, found.away) == pytest.approx((share, away))
    assert bool(comparing.refused([found])) == (share > 1)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("rtol=nan", "rtol=nan is no number from 0 to 0.5"),
        ("rtol=2", "rtol=2 is no number from 0 to 0.5"),
        ("rms=0.9", "rms=0.9 is no number from 0 to 0.5"),
        ("counts=inf", "counts=inf is no number from 0 to"),
        ("atol=-1", "atol=-1 is no number from 0 to"),
        ("rtol=much", "could not convert string to float: 'much'"),
    ],
)
def test_a_tolerance_that_would_let_anything_is_refused(tmp_path, tag, said):
    cell = v4.new_code_cell("1", metadata={"tags": [tag]}, id="a")
    with pytest.raises(notebook.UsageError, match=re.escape(f"A tolerance of cell 'a': {said}")):
        comparing.tolerance(tmp_path, cell)


def test_a_red_run_says_what_it_may_mean(tmp_path):
    (tmp_path / "build").mkdir()
    committed = base()
    text(0, "0.1234", "0.1244")(committed)
    nbformat.write(committed, tmp_path / "a.ipynb")
    assert "is not there: a.ipynb was not executed" in replayed(tmp_path, "a.ipynb")
    nbformat.write(base(), tmp_path / "build" / "a.ipynb")
    last = " ".join(replayed(tmp_path, "a.ipynb").split())
    assert "Outputs differ from the committed ones: a.ipynb::Cell 0. If you changed nothing" in last


def test_the_projects_tolerance_holds_for_nbval_and_for_accepting(tmp_path, monkeypatch, capsys):
    (tmp_path / "build").mkdir()
    nbformat.write(base(), tmp_path / "build" / "a.ipynb")
    committed = base()
    text(0, "0.1234", "0.1244")(committed)
    (tmp_path / "a.ipynb").write_text(notebook.clean(committed), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "1 failed" in replayed(tmp_path, "a.ipynb")
    (tmp_path / "pyproject.toml").write_text("[tool.runner]\nrtol = 0.01\n", encoding="utf-8")
    printed = replayed(tmp_path, "a.ipynb")
    assert "failed" not in printed
    assert "allowed difference uses 80% of its tolerance, in a.ipynb::Cell 0." in printed
    for _ in range(2):  # the first leaves the marks
        accept.accept(tmp_path / "build" / "a.ipynb", tmp_path / "a.ipynb", show=True)
    assert "a.ipynb: nothing differs beyond the tolerance" in capsys.readouterr().out
    assert "0.1244" in (tmp_path / "a.ipynb").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").unlink()
    accept.accept(tmp_path / "build" / "a.ipynb", tmp_path / "a.ipynb", show=True)
    assert "a.ipynb, cell c1: stdout: line 1 was" in capsys.readouterr().out


def test_a_cell_is_compared_with_its_own_artefact_though_another_has_its_source(tmp_path):
    cells = [v4.new_code_cell("next(n)", execution_count=k, id=f"c{k}") for k in (1, 2)]
    for number, cell in enumerate(cells, start=1):
        cell.outputs = [stream(f"{number}\n")]
    (tmp_path / "build").mkdir()
    for folder in (tmp_path, tmp_path / "build"):
        nbformat.write(v4.new_notebook(cells=cells), folder / "a.ipynb")
    assert "1 passed" in replayed(tmp_path, "a.ipynb::Cell 1")


def test_what_is_being_written_is_not_compared(tmp_path):
    (tmp_path / "build").mkdir()
    nbformat.write(base(), tmp_path / "build" / "a.ipynb")
    (tmp_path / "a.ipynb").write_text(notebook.clean(base()), encoding="utf-8")
    with notebook.locked(tmp_path / "build"):
        printed = replayed(tmp_path, "a.ipynb")
    assert "Another run is at work in build/; wait for it to end." in printed
    assert " passed" in replayed(tmp_path, "a.ipynb")


def test_git_shows_text_and_no_picture(tmp_path):
    nb = base()
    nb.cells.insert(0, v4.new_markdown_cell("Some prose.", id="m"))
    nbformat.write(nb, tmp_path / "a.ipynb")
    shown = text_of.shown(tmp_path / "a.ipynb")
    assert "--- markdown m\nSome prose.\n" in shown
    assert "loss 0.1234 after 12000 steps\n" in shown
    assert ">>> image/png\na picture, " in shown
    assert max(map(len, shown.splitlines())) < 200
