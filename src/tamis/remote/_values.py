"""What `tamis.remote.Redis` takes, and what is wrong with what was given."""

from __future__ import annotations

import datetime
import math
import pickle

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def seconds(name: str, value: Any) -> float:
    """Return a span in seconds, of a number or a timedelta."""
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} takes seconds (a number) or a timedelta, not {type(value).__name__}")
    seconds = float(value)
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(f"{name} takes more than 0 seconds, not {value!r}")
    return seconds


def natural(name: str, value: Any) -> int:
    """Return a number of bytes."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} takes a number of bytes (an int), not {type(value).__name__}")
    number: int = value.__index__()
    if not 0 < number < 1 << 29:
        raise ValueError(f"{name} takes from 1 to 536870911 bytes, which is the most a server keeps, not {value!r}")
    return number


def serializer_of(serializer: Any) -> Any:
    """Return the serializer, or None."""
    if serializer is None:
        return None
    for name in ("dumps", "loads"):
        if not callable(getattr(serializer, name, None)):
            kind = type(serializer).__name__
            raise TypeError(f"serializer takes an object with dumps(obj) -> bytes and loads(bytes) -> obj, not {kind}")
    return serializer


def is_pickle(serializer: Any) -> bool:
    """Tell whether it is pickle, or another module whose bytes run code where they are loaded."""
    if serializer is None:
        return False
    if getattr(serializer, "__name__", None) in {
        "pickle",
        "_pickle",
        "cPickle",
        "dill",
        "cloudpickle",
        "marshal",
        "joblib",
    }:
        return True
    functions = serializer.dumps, serializer.loads
    return any(function in (pickle.dumps, pickle.loads) for function in functions)


def secret_of(secret: Any) -> bytes | None:
    """Return the secret, or None."""
    if secret is None:
        return None
    if not isinstance(secret, bytes | bytearray):
        raise TypeError(f"secret takes bytes, not {type(secret).__name__}")
    if not secret:
        raise ValueError("secret takes at least one byte; 32 random ones are good")
    return bytes(secret)
