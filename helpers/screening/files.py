"""A table as people have it, as texts: CSV of any separator, ARFF or Excel, compressed or not."""

import csv
import gzip
import re
import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd

QUOTES = "'\""
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


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
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file; give the path of a table.") from None
    except (OSError, EOFError) as error:
        raise TableError(f"{path}: it cannot be read ({error}).") from None
    kind, how = _kind(data, path)
    try:
        cells, first = how(data)
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty; it needs a header and rows.") from None
    except Exception as error:  # of pandas, openpyxl and codecs, which have many
        reason = str(error).strip().splitlines()[-1].rstrip(".")
        raise TableError(f"{path}: this is not {kind} that can be read ({reason}).") from None
    cells = cells.fillna("").astype(str).apply(lambda column: column.str.strip().str.strip(QUOTES))
    cells = cells.apply(lambda column: column.str.strip())
    if cells.shape[1] == 1:
        raise TableError(f"{path}: this is not a table: its first line has only one column.")
    rows = cells.iloc[1:].set_axis(cells.iloc[0], axis=1)
    rows.index = range(first, first + len(rows))
    return rows[(rows != "").any(axis=1)]


def _kind(data, path):
    """What a file is, in words, and the function that reads it."""
    if data.startswith(b"PK\x03\x04"):
        return "an Excel workbook", _excel
    if data.startswith(_OLD_EXCEL):
        raise TableError(f"{path}: this is an old Excel file; save it as .xlsx or as CSV.")
    if re.search(rb"^\s*@(relation|attribute)\b", data, re.IGNORECASE | re.MULTILINE):
        return "an ARFF file", _arff
    return "a CSV table in UTF-8", _csv


def _excel(data):
    if not zipfile.is_zipfile(BytesIO(data)):
        raise ValueError("the file is cut off")
    return pd.read_excel(BytesIO(data), header=None, dtype=str, keep_default_na=False), 2


def _csv(data):
    text = _text(data)
    header = text.lstrip().partition("\n")[0]
    return _cells(text, max(",;\t", key=header.count)), 2


def _arff(data):
    lines = _text(data).splitlines()
    at = next((n for n, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if at is None:
        raise ValueError("no line @data")
    names = [re.match(r"\s*@attribute\s+('[^']+'|\"[^\"]+\"|\S+)", s, re.I) for s in lines[:at]]
    rows = ["" if line.startswith("%") else line for line in lines[at + 1 :]]
    header = ",".join(f"'{name[1].strip(QUOTES)}'" for name in names if name)
    return _cells("\n".join([header, *rows]), ",", quotechar="'"), at + 2


def _cells(text, separator, **options):
    how = {"header": None, "dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    how |= {"skipinitialspace": True, "quoting": csv.QUOTE_MINIMAL} | options
    return pd.read_csv(StringIO(text), sep=separator, **how)


def _text(data):
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if wide else "utf-8-sig")
