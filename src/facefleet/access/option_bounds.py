"""Checks the bounds that a policy sets to options of a fusion: the least and the greatest value of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat, model_validator

from facefleet.errors.limits import PolicyForbids
from facefleet.option_values import Number
from facefleet.options import Assignments, FuseOptions
from facefleet.section import Section

_OPTIONS = FuseOptions.table()
_BOUNDED = tuple(name for name, one in _OPTIONS.items() if isinstance(one.values, Number | Assignments))


class Bounds(Section):
    """The values that an option may have, both ends included; of a list, how many entries."""

    min: FiniteFloat | None = Field(None, description="the least; null: that of the option")
    max: FiniteFloat | None = Field(None, description="the greatest; null: that of the option")

    @model_validator(mode="after")
    def _leave_room(self) -> Bounds:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is {self.min:g}, which is over max, {self.max:g}")
        return self

    def hold(self, value: float) -> bool:
        """Whether a value is within them."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def __str__(self) -> str:
        ends = {"at least": self.min, "at most": self.max}
        return " and ".join(f"{word} {end:g}" for word, end in ends.items() if end is not None) or "anything"


def check_bounds(bounds: Mapping[str, Bounds] | None) -> None:
    """Check that bounds can be met.

    Raises:
        ValueError: An option has no values that can be compared, or none that is within its bounds.
    """
    for name, one in (bounds or {}).items():
        if name not in _BOUNDED:
            raise ValueError(f"{name[:64]} is no option with bounds; those are {', '.join(_BOUNDED)}")
        values = _OPTIONS[name].values
        least, greatest = (values.minimum, values.maximum) if isinstance(values, Number) else (0, None)
        beyond = one.min is not None and greatest is not None and one.min > greatest
        if beyond or (one.max is not None and one.max < least):
            raise ValueError(f"{name} can have no value that is {one}")


def require_within(bounds: Mapping[str, Bounds], options: Mapping[str, Any]) -> None:
    """Check the options of a fusion.

    Args:
        bounds: Name of an option → its bounds.
        options: As the record keeps them; one that is not among them has its default, which has to be within, too.

    Raises:
        PolicyForbids: A value is outside; the field names the option.
    """
    for name, one in bounds.items():
        value = options.get(name, _OPTIONS[name].default)
        if value is None:  # such as no weaker blend: nothing was chosen that could be outside
            continue
        amount = value if isinstance(value, int | float) else len(value)
        if not one.hold(amount):
            counted = "" if amount is value else " entries"
            raise PolicyForbids(
                f"Your policy allows {name} to be {one}{counted}; it is {amount:g}.",
                field=f"options.{name}", value=amount, minimum=one.min, maximum=one.max,
            )  # fmt: skip
