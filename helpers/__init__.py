"""The thin math that the notebooks import."""
