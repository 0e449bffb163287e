"""Requests and replies, without saying how they travel: steps that a thread or a task makes."""

from __future__ import annotations

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeAlias

    from tamis.remote._scripts import Script

    Command: TypeAlias = "tuple[bytes | int, ...]"
    # Yields what is to be sent, gets the replies, and returns what they say.
    Requests: TypeAlias = "Generator[Send, list[Any], Any]"


class Send:
    """Send commands in one go. The replies are what it is sent back."""

    __slots__ = ("commands",)

    def __init__(self, *commands: Command) -> None:
        self.commands = commands


class ReplyError:
    """An error in the place of a reply."""

    __slots__ = "is_elsewhere", "is_missing_script", "text"

    def __init__(self, text: str, *, is_missing_script: bool, is_elsewhere: bool) -> None:
        self.text = text
        self.is_missing_script = is_missing_script
        # Another server may be the one to ask by now.
        self.is_elsewhere = is_elsewhere

    @classmethod
    def of_line(cls, line: bytes) -> ReplyError:
        """Return the error that a line of the protocol is, without its mark."""
        code, _, text = line.decode("utf-8", "replace").partition(" ")
        elsewhere = code in {"READONLY", "MOVED", "ASK", "CLUSTERDOWN", "MASTERDOWN"}
        return cls(f"{code} {text}", is_missing_script=code == "NOSCRIPT", is_elsewhere=elsewhere)


class Refused(Exception):
    """The server has answered with an error. Never leaves this package."""


def running(script: Script, *keys_and_arguments: bytes | int) -> Requests:
    """Run a script, and return its reply. Raises Refused where the server answers with an error."""
    (reply,) = yield Send((b"EVALSHA", script.digest, script.keys, *keys_and_arguments))
    if isinstance(reply, ReplyError) and reply.is_missing_script:
        (reply,) = yield Send((b"EVAL", script.source, script.keys, *keys_and_arguments))
    if isinstance(reply, ReplyError):
        raise Refused(reply.text)
    return reply
