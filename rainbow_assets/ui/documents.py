"""The project's documents as pages below /rainbow/docs/, so that what a check tells to do is a link that opens.

Here: docs/*.md as HTML, with an anchor at each heading, as GitHub makes them. Not here: who may ask (`guard.py`).
"""

import re
from html import escape
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rainbow_assets.settings import PROJECT_DIR

PLACE = "/rainbow/docs/"
FOLDER = PROJECT_DIR / "docs"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }}
code, pre {{ background: #f2f4f7; border-radius: 4px; padding: .1em .3em }} pre {{ padding: 1em; overflow: auto }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #d0d7de; padding: .3em .6em; vertical-align: top }}
img {{ max-width: 100% }} :target {{ background: #fff3c4 }}
</style></head><body>{body}</body></html>"""
SAFE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"}


class Documents:
    """Before `app`: answers what lies below /rainbow/docs/."""

    def __init__(self, app: ASGIApp) -> None:
        """Everything else is the app's."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's scope, as ASGI has it."""
        if scope["type"] == "http" and scope["path"].startswith(PLACE):
            await answer(scope["path"].removeprefix(PLACE))(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def answer(name: str) -> Response:
    """The document (`data-quality` or `data-quality.md`), or one of its pictures; nothing outside of docs/."""
    file = (FOLDER / name).resolve()
    if not file.suffix:
        file = file.with_suffix(".md")
    if not file.is_relative_to(FOLDER) or not file.is_file():
        return HTMLResponse(PAGE.format(title="Not found", body="<p>There is no such document.</p>"), 404, SAFE)
    if file.suffix != ".md":
        return FileResponse(file)
    return HTMLResponse(PAGE.format(title=escape(file.stem), body=_html(file)), headers=SAFE)


def _html(file: Path) -> str:
    """The document with anchors; its own HTML is shown as text."""
    markdown = MarkdownIt("js-default", {"linkify": False})
    tokens = markdown.parse(file.read_text(encoding="utf-8"))
    for heading, title in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", anchor(title))
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def anchor(title: Token) -> str:
    """What a link to a heading names it, as GitHub has it."""
    text = re.sub(r"[^\w\- ]", "", title.content.lower())
    return text.strip().replace(" ", "-")
