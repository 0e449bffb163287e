"""What is raised of a server."""

from __future__ import annotations


class Unreachable(ConnectionError):
    """A change could not be brought to the server: other processes may go on with what they have."""


class Away(Exception):
    """The server can't be asked now. Never leaves this package."""
