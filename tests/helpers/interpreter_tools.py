"""Sub-interpreters with a GIL of their own, in code for a child: see subprocess_tools.py."""

from __future__ import annotations

# The same few calls over three modules, of which each version has at least one.
IN_INTERPRETERS = '''
import os, sys, threading, traceback

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


def create_at_last():
    # CPython 3.13.0 has been seen to fail here under load, before the new interpreter runs anything. A failure is told.
    for _ in range(4):
        try:
            return create()
        except Exception:
            traceback.print_exc()
    return create()


def in_new_interpreter(code):
    interpreter = create_at_last()
    try:
        run(interpreter, code)
    finally:
        destroy(interpreter)


def in_interpreters_of_threads(code, times, meanwhile=lambda: None):
    """Run the code so often in each of four threads, every time in a new interpreter, and print how many ended."""

    def work():
        try:
            for _ in range(times):
                in_new_interpreter(code)
            finished.append(True)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    finished = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()
    print(len(finished))
'''
