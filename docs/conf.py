"""Settings of Sphinx: ``make docs`` builds the pages, runs the examples and takes warnings for errors."""

from __future__ import annotations

import enum
import functools
import importlib
import types
from typing import TYPE_CHECKING, Any

from pygments.lexers.special import TextLexer

import attnxai

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "attnxai"
author = "attnxai developers"
version = release = attnxai.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
nitpicky = True

# --- pages -----------------------------------------------------------------------------------------

# links to sections have the anchors that GitHub gives them
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
# what tqdm says where widgets are not installed
nb_output_stderr = "remove"
nb_execution_timeout = 120

# --- gallery ---------------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    # one needs a table that does not ship, the other writes the sample anew
    "ignore_pattern": r"(expert_reliability|simulate_sample)\.py$",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 600,
    "image_srcset": ["2x"],
}
exclude_patterns = ["**/sg_execution_times.rst", "sg_execution_times.rst", "gallery/*.ipynb"]

# --- public names ----------------------------------------------------------------------------------

# types stand in the sections on parameters
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
# a page for each public name: those of members that are tables of their own would double it
numpydoc_show_class_members = False

# --- appearance ------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "attnxai"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "attnxai"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}


# --- names in docstrings ---------------------------------------------------------------------------


@functools.cache
def found(path: str) -> Any:
    """What a full path leads to, such as ``attnxai.compare``; None if to nothing."""
    parts = path.split(".")
    for n in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:n]))
            for part in parts[n:]:
                fields = getattr(thing, "__dataclass_fields__", {})
                thing = fields.get(part) or getattr(thing, part)
        except (ImportError, AttributeError):
            continue
        return thing
    return None


def named(node: pending_xref) -> Any:
    """What a name in a docstring is: that of a member, of its module or package, or a full path."""
    name = node["reftarget"].lstrip(".")
    documented = found(node["refdoc"].rpartition("/")[2])
    module = getattr(documented, "__module__", node.get("py:module") or "")
    packages = [".".join(module.split(".")[:n]) for n in range(module.count(".") + 1, 0, -1)]
    within = [node.get("py:class"), *packages]
    paths = [f"{path}.{name}" for path in within if path] + [name]
    return next((thing for path in paths if (thing := found(path)) is not None), None)


def to_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement
) -> nodes.Node | None:
    """Link what a docstring names by its module to the page of its public name.

    What exists without being public is shown without a link. Sphinx warns of everything else.
    """
    if node.get("refdomain") != "py" or (thing := named(node)) is None:
        return None
    domain = env.domains.python_domain
    for public in domain.objects if callable(thing) or isinstance(thing, LINKED) else ():
        if found(public) is thing:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, shown)
    return shown


LINKED = (types.ModuleType, property, dict)


def add_values(
    _app: Sphinx, _what: str, _name: str, thing: Any, _options: Any, lines: list[str]
) -> None:
    """Put the values of an enumeration, which have no docstrings of their own, below its docstring."""
    if isinstance(thing, enum.EnumType):
        lines += ["", "Values: " + ", ".join(f"``{value.value!r}``" for value in thing) + ".", ""]


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("missing-reference", to_public_name)
    app.connect("autodoc-process-docstring", add_values)
    app.add_lexer("csv", TextLexer)  # Pygments has none
