"""Copy notebook 3's contour figure to docs/saddle.png, for the README: `make figure`."""

import json
from base64 import b64decode
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    text = (ROOT / "notebooks" / "03-gradient-descent.ipynb").read_text(encoding="utf-8")
    [cell] = [cell for cell in json.loads(text)["cells"] if cell["id"] == "contour"]
    png = b64decode(cell["outputs"][0]["data"]["image/png"])
    (ROOT / "docs" / "saddle.png").write_bytes(png)
