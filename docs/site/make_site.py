"""Static pages from the executed notebooks, executing nothing: `make site`."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import pages  # noqa: E402


def sphinx(source: Path, target: Path, builder: str) -> int:
    """Build `source` into `target`; a warning is an error."""
    from sphinx.cmd.build import build_main

    shutil.rmtree(target, ignore_errors=True)
    doctrees = source.with_name(f"{source.name}-doctrees")
    shutil.rmtree(doctrees, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-c", str(HERE), "-b", builder, "-d", str(doctrees)]
    return build_main([*options, str(source), str(target)])


def mathjax(target: Path) -> None:
    """Put MathJax beside the pages: they load nothing from elsewhere."""
    import conf

    place = target / "_static" / "mathjax"
    fonts = "output/chtml/fonts/woff-v2"
    shutil.copytree(conf.MATHJAX / fonts, place / fonts)
    shutil.copyfile(conf.MATHJAX / "tex-chtml.js", place / "tex-chtml.js")


def main(build: Path) -> int:
    source, target = build / ".site", build / "site"
    try:
        pages.write(build, source)
    except pages.Missing as error:
        print(error, file=sys.stderr)
        return 2
    status = sphinx(source, target, "html")
    if status == 0:
        mathjax(target)
        shutil.copytree(source / "frames", target / "_static" / "frames")
        for path in pages.notebooks(build):  # what the download button gives
            shutil.copyfile(path, target / "_sources" / "notebooks" / path.name)
        spares = [
            target.rglob("*.map"),
            target.glob("_static/locales"),
            target.glob("_static/*.html"),
        ]
        for spare in [path for paths in spares for path in paths]:
            shutil.rmtree(spare) if spare.is_dir() else spare.unlink()
        files = [path for path in target.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{target / 'index.html'}: {len(files)} files, {size:.1f} MB")
    return status


if __name__ == "__main__":
    os.environ.pop("COURSE_PAPER", None)
    sys.exit(main(pages.ROOT / "build"))
