"""Validates times and days in a query or a body: RFC 3339 only, not everything that pydantic would take."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _time(value: object) -> object:
    if not isinstance(value, str) or not _TIME.fullmatch(value):  # pydantic would take a number for s since 1970
        raise ValueError("use a time with its zone (RFC 3339), such as 2026-11-24T09:30:00Z")
    return value


def _day(value: object) -> object:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("use a day as YYYY-MM-DD")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("use a time within the years 1 to 9999 of UTC") from None


Time = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_utc)]
Day = Annotated[date, BeforeValidator(_day)]
