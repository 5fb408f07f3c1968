"""Sphinx's settings for the guide: `make docs` builds it into the gateway, which serves it."""

from pathlib import Path

from contracts.version import VERSION

project = "Darkroom"
copyright = "Darkroom contributors"
version = release = VERSION

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["generate"]
nitpicky = True  # a link that leads nowhere is an error, with -W

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "html_image"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Darkroom"
html_favicon = "../services/gateway/web/favicon.svg"
html_extra_path = ["downloads"]
html_static_path = ["static"]
html_css_files = ["guide.css"]
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#a8301b", "color-brand-content": "#a8301b"},
    "dark_css_variables": {"color-brand-primary": "#ff8152", "color-brand-content": "#ff8152"},
}
