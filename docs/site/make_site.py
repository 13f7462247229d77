"""Static pages from the executed notebooks, executing nothing: `make site`."""

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import pages  # noqa: E402


def sphinx(source: Path, target: Path, builder: str, *options: str) -> int:
    """Build `source` into `target`, and MathJax beside it; a warning is an error."""
    from sphinx.cmd.build import build_main

    shutil.rmtree(target, ignore_errors=True)
    doctrees = source.with_name(f"{source.name}-doctrees")
    shutil.rmtree(doctrees, ignore_errors=True)
    given = ["-q", "-W", "--keep-going", "-c", str(HERE), "-b", builder, "-d", str(doctrees)]
    status = build_main([*given, *options, str(source), str(target)])
    if status == 0:  # the pages load nothing from elsewhere
        place, fonts = target / "_static" / "mathjax", "output/chtml/fonts/woff-v2"
        package = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
        shutil.copytree(package / fonts, place / fonts)
        shutil.copyfile(package / "tex-chtml.js", place / "tex-chtml.js")
    return status


SHAPE = r"\d+,\d+,\[[^\]]*\],\"[0-9a-f]+\",(?:\"[^\"]*\"|\[[^\]]*\])"
ICONS = {  # where an icon is defined, and under which name
    "scripts/fontawesome.js": re.compile(rf'(?:"([a-z0-9-]+)"|\b([a-z0-9]+)):\[{SHAPE}\],?'),
    "styles/pydata-sphinx-theme.css": re.compile(r'\.fa-([a-z0-9-]+)\{--fa:"[^"]*"\}'),
}


def lighter(site: Path) -> None:
    """Keep of the theme's 2,000 icons what the pages use; let pictures load when they are near."""
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    used = {name for text in texts.values() for name in re.findall(r"\bfa-([a-z0-9-]+)", text)}
    for path, text in texts.items():
        text = re.sub(r"<img (?![^>]*\bloading=)", '<img loading="lazy" ', text)
        path.write_text(text, encoding="utf-8")
    keep = used | {"xmark"}  # a script of the theme shows that one
    for file, icon in ICONS.items():
        text = (site / "_static" / file).read_text(encoding="utf-8")
        text = icon.sub(lambda found: found[0] if {*found.groups()} & keep else "", text)
        (site / "_static" / file).write_text(text, encoding="utf-8")


def main(build: Path) -> int:
    """Make build/site, whole or not at all; the exit status."""
    source, made, target = build / ".site", build / ".site-html", build / "site"
    try:
        pages.write(build, source)
    except pages.Missing as error:
        print(error, file=sys.stderr)
        return 2
    status = sphinx(source, made, "html")
    if status == 0:
        shutil.copytree(source / "frames", made / "_static" / "frames")
        # What the download button gives.
        shutil.copytree(source / "downloads", made / "_sources" / "notebooks", dirs_exist_ok=True)
        shutil.rmtree(made / "_static" / "locales", ignore_errors=True)
        lighter(made)
        for spare in [*made.rglob("*.map"), *made.glob("_static/*.html")]:
            spare.unlink()
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
        files = [path for path in target.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{target / 'index.html'}: {len(files)} files, {size:.1f} MB")
    return status


if __name__ == "__main__":
    sys.exit(main(pages.ROOT / "build"))
