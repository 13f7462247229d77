"""Problem 5's experiments: the classifiers, what makes the tables in data/, and benchmarks."""
