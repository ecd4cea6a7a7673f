"""Settings that may change over a run: a number, or one that rises or falls by iteration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_serializer

NUMBER, SCHEDULE = "number", "schedule"
"""The two forms of such a setting; pydantic puts them into the places of its errors."""


class Ramp(BaseModel):
    """A number that goes in equal steps, each rounded, from one value to another, and stays there."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    from_: int = Field(alias="from", ge=1)
    """In the first iteration."""
    to: int = Field(ge=1)
    """From iteration `over + 1` on."""
    over: int = Field(ge=1)
    """Iterations it takes."""

    def at(self, iteration: int) -> int:
        """The number in an iteration, the first being 0; halves are rounded up."""
        done = min(iteration, self.over)
        return (2 * (self.from_ * (self.over - done) + self.to * done) + self.over) // (2 * self.over)

    @model_serializer
    def _as_written(self) -> dict[str, int]:
        return {"from": self.from_, "to": self.to, "over": self.over}


Scheduled = Annotated[
    Annotated[int, Field(ge=1), Tag(NUMBER)] | Annotated[Ramp, Tag(SCHEDULE)],
    Discriminator(lambda value: SCHEDULE if isinstance(value, dict | Ramp) else NUMBER),
]
"""A number of at least 1, or `{ from = 2000, to = 10000, over = 50 }`."""


def at(value: int | Ramp, iteration: int) -> int:
    """The number that a setting has in an iteration, the first being 0."""
    return value.at(iteration) if isinstance(value, Ramp) else value
