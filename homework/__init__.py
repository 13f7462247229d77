"""The assignments: five notebooks, the numbers of each class, their checks and their rubric."""
