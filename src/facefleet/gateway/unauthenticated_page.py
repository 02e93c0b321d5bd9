"""Answers a person whose browser shows no good credential with a plain page, in English or Chinese, instead of JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from facefleet.gateway.plain_html import html

LANGUAGE, OTHER = "en", "zh-CN"
_RANGE = re.compile(r"\s*(?P<name>[A-Za-z0-9*/+.-]+)\s*(?:;\s*q=(?P<quality>[01](?:\.\d{0,3})?)\s*)?")
_DOCUMENTS = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    why: str
    people: str
    programs: str
    code: str


_WORDS = {
    LANGUAGE: _Words(
        "You are not signed in",
        "This address needs an API key or a token, and none that is good came with the request. If you have none, ask "
        "whoever runs this service.",
        'People sign in on <a href="/">the start page</a>.',
        "Programs send it in the header <code>Authorization: Bearer …</code>.",
        "Code",
    ),
    OTHER: _Words(
        "您尚未登录",
        "访问此地址需要 API 密钥或令牌，而本次请求没有附带有效的凭据。如果您没有，请联系本服务的管理员。",
        '请在<a href="/">首页</a>登录。',
        "程序请在请求头 <code>Authorization: Bearer …</code> 中发送。",
        "代码",
    ),
}


def wants_page(scope: Scope) -> bool:
    """Whether a person opened this address: a browser asks for HTML when it does, a program or a script for others."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    return any(name in _DOCUMENTS for name, _ in _ranges(Headers(scope=scope).getlist("accept")))


def page(scope: Scope, code: str) -> str:
    """The page in the language that the visitor prefers; English where neither is asked for.

    Args:
        scope: Of the request.
        code: Of the error.
    """
    language = _language(Headers(scope=scope).getlist("accept-language"))
    words = _WORDS[language]
    body = (
        f"<h1>{words.title}</h1><p>{words.why}</p><p>{words.people}</p><p>{words.programs}</p>"
        f"<p><small>401 · {words.code}: <code>{code}</code></small></p>"
    )
    return html(language, f"{words.title} – facefleet", body)


def _language(values: list[str]) -> str:
    """Of all that are named, the one with the highest quality; of equal ones the first (RFC 9110, section 12.5.4)."""
    ranges = sorted(_ranges(values), key=lambda one: -one[1])
    primary = next((tag for name, _ in ranges if (tag := name.partition("-")[0]) in ("en", "zh")), "en")
    return OTHER if primary == "zh" else LANGUAGE


def _ranges(values: list[str]) -> list[tuple[str, float]]:
    """Name in small letters and quality of each range that is taken; what cannot be read is left out."""
    matches = filter(None, (_RANGE.fullmatch(one) for one in ",".join(values).split(",")))
    ranges = [(one["name"].lower(), float(one["quality"] or 1)) for one in matches]
    return [(name, quality) for name, quality in ranges if quality > 0]
