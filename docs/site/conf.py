"""Sphinx's settings for the site and for the paper: make_site.py and make_pdf.py call it."""

import re
import sys
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import pages  # noqa: E402

PAPER = tags.has("paper")  # noqa: F821

project = "Behavioral Data Science homework"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += [] if PAPER else ["sphinx_copybutton", "notfound.extension"]
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
myst_links_external_new_tab = False
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]
exclude_patterns = ["LICENSE", "downloads"]
exclude_patterns += ["docs/runner.md", "docs/architecture.md", "docs/quoting.md"] * PAPER
default_role = "literal"
highlight_language = "none"
autodoc_mock_imports = ["torch", "tensorflow", "keras", "triton"]
autodoc_typehints = "none"
autodoc_preserve_defaults = True
add_module_names = False

mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}, "startup": {"typeset": True}}
html_static_path = [str(HERE / "static")]
html_css_files = ["paper.css"] if PAPER else ["site.css"]
html_js_files = [] if PAPER else ["site.js"]
html_title = project
html_use_index = html_domain_indices = html_show_copyright = False
html_show_sphinx = html_show_sourcelink = False
html_sourcelink_suffix = ""
html_favicon = str(HERE / "static" / "icon.svg")
html_context = {"default_mode": "auto"}
html_theme = "basic" if PAPER else "sphinx_book_theme"


if not PAPER:
    html_theme_options = {
        "footer_content_items": [],
        "show_navbar_depth": 1,
        "use_download_button": True,
        "use_fullscreen_button": False,
        "show_toc_level": 2,
        "toc_title": "On this page",
        "navbar_persistent": [],
    }
    html_search_scorer = str(HERE / "scorer.js")
    copybutton_selector = "div.highlight pre"
    notfound_urls_prefix = f"/{pages.published().partition('.io/')[2]}"
    if address := pages.repository():  # what needs whole addresses
        extensions += ["sphinx_sitemap", "sphinxext.opengraph"]
        html_baseurl = ogp_site_url = pages.published()
        ogp_image = "_images/saddle.png"
        ogp_enable_meta_description = True
        ogp_social_cards = {"enable": False}
        sitemap_url_scheme = "{link}"
        html_theme_options |= {
            "repository_url": address,
            "repository_branch": "main",
            "use_repository_button": True,
            "use_issues_button": True,
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
                "notebook_interface": "jupyterlab",
            },
        }


def fold_solutions(app, doctree):
    """Put each exercise's solution, and each appendix, behind its heading, closed.

    Who wants an appendix is said in its first paragraph, which stays in sight.
    """
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title).astext()
        appendix = title.startswith("Appendix ")
        if not PAPER and (appendix or title.startswith("Solution to exercise")):
            kind, said = ("appendix", "Open") if appendix else ("solution", "The solution")
            opening = f'<details class="{kind}"><summary>{said}</summary>'
            section.insert(1 + appendix, nodes.raw("", opening, format="html"))
            section.append(nodes.raw("", "</details>", format="html"))


def as_written(app, what, name, obj, options, lines):
    """Docstrings are written for reading in an editor: `code` in backticks, * is a star."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]+`+)", line)
        parts[::2] = [re.sub(r"([*|]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
        parts[1::2] = ["``" + part.strip("`") + "``" for part in parts[1::2]]
        lines[number] = "".join(parts)


def others_methods(app, what, name, obj, skip, options):
    """Leave out what scikit-learn writes into each of its classifiers."""
    return True if re.fullmatch(r"set_\w+_request|get_metadata_routing", name) else None


def setup(app):
    """What Sphinx calls first."""
    app.connect("doctree-read", fold_solutions)
    app.connect("autodoc-process-docstring", as_written)
    app.connect("autodoc-skip-member", others_methods)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
