"""HTML pages out of the templates beside."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deepnet_fairseq.evaluation.report.decimals import one, signed

TEMPLATES = Path(__file__).parent / "templates"
SCRIPT = "tables.js"


def render(template: str, **context: Any) -> str:
    """Return a page from one of the templates: a whole HTML file that asks nothing from any server.

    Whatever the context holds is escaped, and the page's Content-Security-Policy lets its own script run alone.
    """
    # Sentences come from a model and from the web: everything is escaped, whatever the template's name ends in.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(one=one, signed=signed, tag=language_tag)
    script = environment.get_template(SCRIPT).render()
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template(template).render(script_hash=f"sha256-{digest}", **context)


def language_tag(code: str) -> str:
    """A corpus's language code as HTML's lang attribute writes it: zho_Hant is zho-Hant."""
    return code.replace("_", "-")
