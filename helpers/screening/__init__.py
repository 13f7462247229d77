"""The screening table: loaded and checked, what has to be said of it first, and scores."""
