"""Derives the blocking client from the one for asyncio, so that each line of it is written once.

Run it after a change of ``src/facefleet/client/aio``; ``--check`` only tells whether ``blocking`` is current, with
status 1 if not.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "src" / "facefleet" / "client"

_RULES = (
    (r"\bAsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r", Awaitable\b", ""),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\baclosing\b", "closing"),
    (r"\b__a(enter|exit|iter)__\b", r"__\1__"),
    (r"(?<=\.)a(close|read|iter_bytes)\b", r"\1"),
    (r"(?<=def )aclose\b", "close"),
    (r"\basyncio\b", "time"),
    (r"\bclient\.aio\b", "client.blocking"),
)
_HEAD = "# Derived from {name} by tools/derive_client.py: change it there.\n"
_DOCSTRING = (
    '"""The client for threads and scripts, derived from ``facefleet.client.aio`` by ``tools/derive_client.py``."""\n'
)


def derived(source: Path) -> str:
    """The blocking form of a module."""
    if source.name == "__init__.py":
        return _DOCSTRING
    text = source.read_text()
    for pattern, blocking in _RULES:
        text = re.sub(pattern, blocking, text)
    return _formatted(_HEAD.format(name=f"aio/{source.name}") + text, CLIENT / "blocking" / source.name)


def _formatted(text: str, place: Path) -> str:
    for command in ("check --quiet --select I --fix", "format"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--stdin-filename", str(place), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> int:
    """Write or check every module."""
    stale = []
    wanted = {CLIENT / "blocking" / source.name: source for source in sorted((CLIENT / "aio").glob("*.py"))}
    for place in sorted({*wanted, *(CLIENT / "blocking").glob("*.py")}):
        text = derived(wanted[place]) if place in wanted else None
        if (place.read_text() if place.is_file() else None) != text:
            stale.append(place.name)
            if "--check" not in sys.argv:
                place.unlink(missing_ok=True) if text is None else place.write_text(text)
    if "--check" in sys.argv and stale:
        sys.stderr.write(f"not current: {', '.join(stale)}; run python tools/derive_client.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
