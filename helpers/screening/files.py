"""A table as people have it, as texts: CSV of any separator, ARFF or Excel, compressed or not."""

import gzip
import re
import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd

QUOTES = "'\""


class TableError(ValueError):
    """A table that cannot be used; the message is for the person who supplied it."""

    def _render_traceback_(self):
        # IPython shows this in the place of the traceback.
        return f"TableError: {self}".splitlines()


def read(path):
    """The cells of a file as texts (n, columns), named as in its header.

    The index holds the rows of the file, counted from 1; rows without any text are left out.
    Raises TableError, one sentence, where the file is no table.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        data = _unpacked(data) if zipfile.is_zipfile(BytesIO(data)) else data
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file; give the path of a table.") from None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise TableError(f"{path}: it cannot be read ({error}).") from None
    kind, how = _kind(data)
    if how is None:
        raise TableError(f"{path}: this is {kind}; save the table as CSV in UTF-8.")
    try:
        cells, first = how(data)
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty; it needs a header and rows.") from None
    except UnicodeDecodeError:
        raise TableError(f"{path}: this is not {kind}; save it as CSV in UTF-8.") from None
    except Exception as error:  # of pandas and openpyxl, which have many
        reason = str(error).strip().splitlines()[-1].rstrip(".")
        raise TableError(f"{path}: this is not {kind} that can be read ({reason}).") from None
    cells = cells.fillna("").astype(str)
    cells = cells.apply(lambda column: column.str.strip().str.strip(QUOTES).str.strip())
    if cells.shape[1] == 1:
        raise TableError(f"{path}: this is not a table: its first line has only one column.")
    rows = cells.iloc[1:].set_axis(cells.iloc[0], axis=1)
    rows.index = range(first, first + len(rows))
    return rows[(rows != "").any(axis=1)]


def _unpacked(data):
    """The one table in an archive, as Kaggle and UCI give them; an Excel workbook as it is."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = archive.namelist()
        if "[Content_Types].xml" in names:
            return data
        tables = [name for name in names if name.endswith((".csv", ".arff", ".tsv", ".xlsx"))]
        if len(tables) != 1:
            raise OSError(f"the archive holds {', '.join(names)[:80]}: unpack it, and name one")
        return archive.read(tables[0])


def _kind(data):
    """What a file is, in words, and the function that reads it."""
    if data.startswith(b"PK\x03\x04"):
        return "an Excel workbook", _excel
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old Excel file", None
    if re.match(rb"\s*[<{]|\s*\[\s*[{\[]", data):
        return "a web page or JSON", None
    if re.search(rb"^\s*@(relation|attribute)\b", data.replace(b"\0", b""), re.I | re.M):
        return "an ARFF file", _arff
    return "a CSV table in UTF-8", _csv


def _excel(data):
    sheets = pd.read_excel(BytesIO(data), None, header=None, dtype=str, keep_default_na=False)
    if len(sheets) > 1:
        print(f"Of {len(sheets)} sheets only the first, {next(iter(sheets))!r}, is read.")
    return next(iter(sheets.values())), 2


def _csv(data):
    lines = _text(data).splitlines()
    empty = (re.fullmatch(r"[\s,;\"]*|sep=.|#.*", line) for line in lines)
    above = next((n for n, found in enumerate(empty) if not found), None)  # of the header
    if above is None:
        raise pd.errors.EmptyDataError
    return _cells("\n".join(lines[above:]), max(",;\t", key=lines[above].count)), above + 2


def _arff(data):
    lines = _text(data).splitlines()
    at = next((n for n, line in enumerate(lines) if line.lower().split()[:1] == ["@data"]), None)
    if at is None:
        raise ValueError("no line @data")
    names = [re.match(r"\s*@attribute\s+('[^']+'|\"[^\"]+\"|[^\s{]+)", s, re.I) for s in lines[:at]]
    rows = ["" if line.lstrip().startswith("%") else line for line in lines[at + 1 :]]
    quote = "'" if any("'" in row for row in rows) else '"'
    header = ",".join(f"{quote}{name[1].strip(QUOTES)}{quote}" for name in names if name)
    return _cells("\n".join([header, *rows]), ",", quotechar=quote, escapechar="\\"), at + 2


def _cells(text, separator, **options):
    how = {"header": None, "dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    return pd.read_csv(StringIO(text), sep=separator, skipinitialspace=True, **how, **options)


def _text(data):
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]
    return data.decode("utf-16" if wide else "utf-8-sig")
