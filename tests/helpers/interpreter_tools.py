"""Sub-interpreters with a GIL of their own, in code for a child: see subprocess_tools.py."""

from __future__ import annotations

# The same few calls over three modules, of which each version has at least one.
IN_INTERPRETERS = """
import os, sys, threading

if sys.version_info >= (3, 14):
    from concurrent import interpreters

    def create():
        return interpreters.create()

    def run(interpreter, code):
        interpreter.exec(code)

    def destroy(interpreter):
        interpreter.close()

elif sys.version_info >= (3, 13):
    import _interpreters

    def create():
        return _interpreters.create("isolated")

    def run(interpreter, code):
        error = _interpreters.exec(interpreter, code)
        if error is not None:
            raise RuntimeError(error.errdisplay)

    def destroy(interpreter):
        _interpreters.destroy(interpreter)

else:
    import _xxsubinterpreters

    def create():
        return _xxsubinterpreters.create(isolated=True)

    def run(interpreter, code):
        _xxsubinterpreters.run_string(interpreter, code)

    def destroy(interpreter):
        _xxsubinterpreters.destroy(interpreter)


def in_new_interpreter(code):
    interpreter = create()
    try:
        run(interpreter, code)
    finally:
        destroy(interpreter)
"""
