"""Serves ``GET /docs/errors``: the meaning of each code; the ``type`` of every problem document leads here."""

from __future__ import annotations

import inspect
from html import escape

from fastapi import APIRouter, Response

from facefleet.errors.base import FacefleetError
from facefleet.errors.tree import tree
from facefleet.gateway.plain_html import MEDIA_TYPE, SECURITY, html
from facefleet.gateway.problems import DOCUMENTATION

_HEADERS = SECURITY | {"Cache-Control": "public, max-age=3600"}


def router() -> APIRouter:
    """The route of the page of errors, which is rendered once."""
    routes = APIRouter(include_in_schema=False)
    page = _page()

    @routes.get(DOCUMENTATION)
    async def show() -> Response:
        return Response(page, media_type=MEDIA_TYPE, headers=_HEADERS)

    return routes


def _page() -> str:
    coded = [cls for cls in tree() if "code" in vars(cls) and cls is not FacefleetError]
    body = (
        "<h1>Errors</h1>"
        "<p>Each problem document carries one of these codes; the same code means the same in every release.</p>"
        f"{''.join(_section(cls) for cls in coded)}"
    )
    return html("en", "Errors of facefleet", body)


def _section(cls: type[FacefleetError]) -> str:
    again = "The same request can succeed later." if cls.retryable else "The same request meets it again."
    return (
        f'<section id="{cls.code}"><h2><code>{cls.code}</code>: {escape(cls.title)}</h2>'
        f"<p>{escape(inspect.getdoc(cls) or '')}</p><p>Status {cls.status}. {again}</p></section>"
    )
