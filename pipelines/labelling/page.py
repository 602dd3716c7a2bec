"""Renders the labelling page: one HTML file with its style and script, and no conversation.

The script asks the server for one conversation at a time and shows its text as text, never as HTML.
The content security policy allows only this style, this script and requests to this server.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any, Final, NamedTuple

import jinja2
import msgspec
from markupsafe import Markup

from pipelines.judges.definitions import LANGUAGES, Definition, definitions
from pipelines.labelling.session import MIN_MOOD_HUMAN_MESSAGES, MOODS_PER_END
from schemas.labels import AFFECTIVE_TYPES, MIN_ROLEPLAY_HUMAN_MESSAGES, ROLEPLAY_TYPES, USES

_POLICY: Final = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Page(NamedTuple):
    """The page, and the content security policy that it needs."""

    html: bytes
    policy: str


def render_page(reader: str) -> Page:
    """Returns the page of one reader."""
    style, script = _file("label.css"), _file("label.js")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        _file("label.html")
    )
    html = template.render(
        style=Markup(style),
        script=Markup(script),
        facts=Markup(_embedded(_facts(reader))),
    )
    return Page(html.encode(), _POLICY.format(script=_digest(script), style=_digest(style)))


def _facts(reader: str) -> dict[str, Any]:
    return {
        "reader": reader,
        "affective_use": USES[0],
        "affective_types": AFFECTIVE_TYPES,
        "roleplay_types": ROLEPLAY_TYPES,
        "min_roleplay_human_messages": MIN_ROLEPLAY_HUMAN_MESSAGES,
        "min_mood_human_messages": MIN_MOOD_HUMAN_MESSAGES,
        "moods_per_end": MOODS_PER_END,
        "interface": msgspec.json.decode(_file("interface.json")),
        "definitions": {language: _plain(language) for language in LANGUAGES},
    }


def _plain(language: str) -> dict[str, Any]:
    texts = definitions(language)
    groups = {"types": texts.types, "uses": texts.uses, "reasons": texts.pushback_reasons}
    single = {
        "affective": texts.affective, "pushback": texts.pushback, "mood": texts.mood,
        "opening": texts.opening, "closing": texts.closing, "none": texts.none,
    }  # fmt: skip
    return {
        **{name: [_dict(each) for each in group] for name, group in groups.items()},
        **{name: _dict(each) for name, each in single.items()},
        "mood_steps": texts.mood_steps,
        "rules": texts.rules,
    }


def _dict(definition: Definition) -> dict[str, str]:
    return definition._asdict()


def _embedded(facts: Any) -> str:
    """Returns JSON that no HTML parser takes for the end of its script element."""
    text = msgspec.json.encode(facts).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _file(name: str) -> str:
    return resources.files("pipelines.labelling").joinpath("templates", name).read_text("utf-8")


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
