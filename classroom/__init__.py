"""Hands assignments out and looks at what comes back: student copies, self-check, questions."""
