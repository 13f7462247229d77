"""Fetch a public AQ-10 table (adults, UCI) with its citation and licence: `make data`.

It goes to data/public_table.csv, which git ignores: whether it may be passed on is for its licence
to say, and for its reader to decide.
"""

import sys
import warnings

from sklearn.datasets import fetch_openml

from helpers.screening import asd

NUMBER = 43414  # on openml.org; the same table is number 426 of UCI's repository
FILE = asd.DATA / "public_table.csv"


def main():
    """Write the table and print where it is from; the exit status."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it tries again
            found = fetch_openml(data_id=NUMBER, as_frame=True, cache=False, n_retries=1)
    except Exception as error:  # of sockets, HTTP and parsers, which have many
        print(f"openml.org did not give table {NUMBER} ({error}); nothing was written.")
        print("The same table is at archive.ics.uci.edu, number 426: take it with DATA=file.arff.")
        return 1
    FILE.write_text(found.frame.to_csv(index=False), encoding="utf-8")
    for name in ("name", "url", "licence", "citation"):
        print(f"{name}: {found.details.get(name) or 'not given'}")
    print("Read the licence before you pass on the table or anything that holds rows of it.")
    try:
        table = asd.load(FILE)
    except asd.TableError as error:
        print(error)
        return 1
    print(f"{len(table)} rows: make run-all ONLY=05 DATA={FILE.relative_to(asd.DATA.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
