"""Executes, caches, compares and accepts notebooks as files; knows nothing of what is in them."""
