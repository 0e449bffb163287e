"""What files of tests/typing use when they are run: `assert_type` looks at the value then."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin


class Self:
    """Stands for whatever class."""


def fits(value: object, expected: Any) -> bool:
    """Tell whether the value is of this type, as far as its class shows that."""
    origin = get_origin(expected)
    if expected is Any or expected is Self:
        return True
    if expected is None:
        return value is None
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in get_args(expected))
    if origin is Literal:
        return value in get_args(expected)
    if expected is float:  # for type checkers an int is one
        return isinstance(value, int | float)
    return isinstance(value, origin or expected)


def assert_type(value: Any, expected: Any) -> Any:
    """Do at run time what type checkers do before."""
    assert fits(value, expected), (value, expected)
    return value
