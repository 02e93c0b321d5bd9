"""Builds plain HTML documents for people, beside the page itself: no script, one style, strict headers."""

from __future__ import annotations

import base64
import hashlib

MEDIA_TYPE = "text/html; charset=utf-8"
_STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "section{border-top:1px solid;padding:.75rem 0}h2{margin:0;font-size:1.1rem}"
    ":target{outline:2px solid;outline-offset:.5rem}p{margin:.25rem 0}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers that every such document is sent with."""


def html(language: str, title: str, body: str) -> str:
    """A whole document.

    Args:
        language: Its tag (BCP 47).
        title: Of the tab; neither it nor the body is escaped here.
        body: Markup below ``<body>``.
    """
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
