"""A notebook as text for `git diff`: its cells and results, and of a picture that it is another."""

import hashlib
import sys
from pathlib import Path

from runner import notebook
from runner.compare import outputs

LONGEST = 120  # characters of a line of figures' data


def shown(path: Path) -> str:
    """The cells and outputs of a notebook's file, in lines that can be read."""
    lines = []
    for cell in notebook.load(path).cells:
        tags = " ".join(cell.metadata.get("tags", []))
        lines += [f"\n--- {cell.cell_type} {cell.get('id')} {tags}".rstrip(), cell.source]
        for kind, content in outputs.flat(cell.get("outputs", [])):
            if kind.startswith("image/"):
                content = f"a picture, {hashlib.sha256(content.encode()).hexdigest()[:8]}"
            rows = content.splitlines()
            long = LONGEST if kind.endswith("json") else None
            lines += [f">>> {kind}", *(row[:long] for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(shown(Path(sys.argv[1])), end="")
