"""Serves ``GET /docs/errors``: the meaning of each code; the ``type`` of every problem document leads here."""

from __future__ import annotations

import base64
import hashlib
import inspect
from html import escape

from fastapi import APIRouter, Response

from facefleet.errors.base import FacefleetError
from facefleet.errors.tree import tree
from facefleet.gateway.problems import DOCUMENTATION

_STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "section{border-top:1px solid;padding:.75rem 0}h2{margin:0;font-size:1.1rem}"
    ":target{outline:2px solid;outline-offset:.5rem}p{margin:.25rem 0}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "public, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def router() -> APIRouter:
    """The route of the page of errors, which is rendered once."""
    routes = APIRouter(include_in_schema=False)
    page = _page()

    @routes.get(DOCUMENTATION)
    async def show() -> Response:
        return Response(page, media_type="text/html; charset=utf-8", headers=_HEADERS)

    return routes


def _page() -> str:
    coded = [cls for cls in tree() if "code" in vars(cls) and cls is not FacefleetError]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Errors of facefleet</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Errors</h1>"
        "<p>Each problem document carries one of these codes; the same code means the same in every release.</p>"
        f"{''.join(_section(cls) for cls in coded)}</body></html>"
    )


def _section(cls: type[FacefleetError]) -> str:
    again = "The same request can succeed later." if cls.retryable else "The same request meets it again."
    return (
        f'<section id="{cls.code}"><h2><code>{cls.code}</code>: {escape(cls.title)}</h2>'
        f"<p>{escape(inspect.getdoc(cls) or '')}</p><p>Status {cls.status}. {again}</p></section>"
    )
