"""What the notebooks and the assignments import."""
