"""Compare two pictures, as the root mean square (RMS) of their pixels' differences in a tile."""

from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from math import inf
from pathlib import Path

from PIL import Image, ImageChops

TILE = 8  # pixels: smaller than a letter
# Others turn a picture, animate it, or change its colours, and not every reader shows it alike.
CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"tEXt", b"sRGB", b"sBIT"}


def compared(old: str, new: str, limit: float, stem: str) -> Iterator[tuple[float, float, str]]:
    """How two pictures (base64) differ: (share of the tolerance, RMS, sentence), or nothing.

    `limit` is the largest RMS that is allowed. Where they differ by more, three files whose names
    begin with `stem` show the expected picture, the actual one and the difference.
    """
    if old == new:
        return
    both = dict(zip(("expected", "actual"), (old, new), strict=True))
    try:
        was, now = (_seen(b64decode(text)) for text in both.values())
    except Exception as error:  # of Pillow, which has many
        yield (inf, inf, f"a picture cannot be read ({error})")
        return
    if was.size != now.size:
        yield (inf, inf, f"a picture was {was.size} pixels large and is {now.size}")
    elif all(low == high for low, high in now.getextrema()):
        yield (inf, inf, "a picture is blank")
    elif away := _worst_tile(was, now):
        share = away / limit if limit else inf
        said = f"a picture differs by {away:.3f} (RMS of its worst tile; {limit:g} is allowed)"
        if share > 1:
            said += f", as {stem}-difference.png shows, beside -expected and -actual"
            Path(stem).parent.mkdir(parents=True, exist_ok=True)
            for name, text in both.items():
                Path(f"{stem}-{name}.png").write_bytes(b64decode(text))
            ImageChops.invert(ImageChops.difference(was, now)).save(f"{stem}-difference.png")
        yield (share, away, said)


def _seen(data: bytes) -> Image.Image:
    """A PNG as a reader sees it, on white; ValueError for what readers may show otherwise."""
    place, before = 8, set()
    while place < len(data):
        kind = data[place + 4 : place + 8]
        late = kind == b"tRNS" and b"IDAT" in before  # readers do not agree
        square = data[place + 8 : place + 12] == data[place + 12 : place + 16]
        if kind not in CHUNKS or late or (kind == b"pHYs" and not square):
            raise ValueError(f"its part {kind!r} may change how it looks")
        before.add(kind)
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    picture = Image.open(BytesIO(data), formats=["PNG"]).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _worst_tile(was: Image.Image, now: Image.Image) -> float:
    """The RMS, over pixels and colours, of the tile in which two pictures differ the most."""
    import numpy as np

    squares = ((np.asarray(was, float) - np.asarray(now, float)) / 255) ** 2
    high, wide = (-(-side // TILE) for side in squares.shape[:2])
    padded = np.zeros((high * TILE, wide * TILE, 3))
    padded[: squares.shape[0], : squares.shape[1]] = squares
    return float(padded.reshape(high, TILE, wide, TILE, 3).mean(axis=(1, 3, 4)).max() ** 0.5)
