"""The site. ``python -m tools.site`` gathers its pages and builds it; see there."""

import re

from tools.man import VERSION
from tools.site import REPOSITORY

project = "tape"
version = release = VERSION
copyright = "the authors of tape. Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
source_suffix = {".md": "markdown"}
exclude_patterns = []
suppress_warnings = [
    "myst.header",  # memory_order.md: a heading of the third level for each name
    "ref.python",   # `bytes` is also a member of some classes
]
nitpicky = False

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
c_id_attributes = ["TAPE_API"]

html_theme = "furo"
html_title = f"tape {version}"
html_static_path = ["_static"]
html_css_files = ["tape.css"]
html_copy_source = True
html_show_sphinx = False
html_extra_path = ["llms.txt"]
html_theme_options = {
    "source_view_link": f"{REPOSITORY}/blob/main/docs/{{filename}}",
    "light_css_variables": {"color-brand-primary": "#8a3b12", "color-brand-content": "#8a3b12",
                            "font-stack": "system-ui, -apple-system, 'Segoe UI', sans-serif"},
    "dark_css_variables": {"color-brand-primary": "#f0a06a", "color-brand-content": "#f0a06a"},
}
highlight_language = "none"  # drawings are no Python
pygments_style = "friendly"
pygments_dark_style = "github-dark"


def one_paragraph(app, what, name, thing, options, lines):
    """``Raises: this; that`` and its hanging lines are one paragraph, not a term and its meaning."""
    hanging = False
    for number, line in enumerate(lines):
        if re.match(r"(Raises|Returns|Attributes): \S", line):
            hanging = True
        elif hanging and line.startswith(" "):
            lines[number] = line.lstrip()
        else:
            hanging = False


def setup(app):
    app.connect("autodoc-process-docstring", one_paragraph, priority=100)  # before napoleon
