"""Caches beside each other: `make bench-peers`. README.md one folder up tells how to read what comes out.

adapters.py    who is measured          catalog.py   what is measured, all scenarios
timers.py      how                      worker.py    one scenario of one peer, in a process of its own
__main__.py    the command line         report.py    tables of the results; charts.py, one folder up, draws them
"""
