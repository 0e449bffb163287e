"""Mounts memory of some size, for children of tests."""

from __future__ import annotations

import ctypes

NEW_NAMESPACE = 0x20000  # CLONE_NEWNS
RECURSIVE_PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE


def mounted(at: str, options: str, flags: int = 0) -> bool:
    """Mount a tmpfs there, for this process alone, and tell whether that was allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NAMESPACE) or libc.mount(None, b"/", None, RECURSIVE_PRIVATE, None):
        return False
    return libc.mount(b"tmpfs", at.encode(), b"tmpfs", flags, options.encode()) == 0
