"""Figures: charts, drawings that carry an idea, one style, their data, and sliders over them."""
