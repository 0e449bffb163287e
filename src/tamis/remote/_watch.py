"""What the compiled part's watch of near entries can do: a type for type checkers."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Tells which near entries of one server stand. A stripe is a number of 16 bits, by which keys are spread."""

    def ticket(self, stripe: int, alone: bool, /) -> tuple[int, int]:
        """Return a ticket, taken before the server is asked. ``alone``: for what the server has not."""
        ...

    def changed(self, stripe: int, /) -> None:
        """Have no ticket of this stripe stand."""
        ...

    def all_changed(self) -> None:
        """Have no ticket stand."""
        ...

    def heard(self, nanoseconds: int, /) -> None:
        """Have new tickets stand for so long: the server was heard of."""
        ...

    def lost(self) -> None:
        """Have no ticket stand until the server is heard of again, but those that are alone."""
        ...

    def is_heard(self) -> bool:
        """Tell whether tickets may stand now."""
        ...
