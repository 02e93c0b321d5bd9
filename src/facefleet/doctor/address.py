"""Shows the address of a server without user, password and parameters, and compares its clock with ours."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from facefleet.doctor.report import Finding, State

_SKEW_SECONDS = 5.0  # leases of 30 s are compared over machines; a signature to S3 lasts 15 minutes


def shown(url: str) -> str:
    """Scheme, host, port and path of a URL."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def compare_clock(check: str, theirs: float, ours: float) -> Finding:
    """A warning where the clocks are apart; both in s since the epoch of Unix.

    Args:
        check: Name of the finding.
        theirs: The server's clock.
        ours: Our clock at that moment.
    """
    apart = theirs - ours
    if abs(apart) <= _SKEW_SECONDS:
        return Finding(check, State.OK, f"within {_SKEW_SECONDS:g} s of ours")
    found = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} ours"
    return Finding(check, State.WARNING, found, "Set both clocks (NTP): leases, tokens and signatures depend on them.")
