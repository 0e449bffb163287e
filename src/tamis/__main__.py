"""`python -m tamis`: see `_cli.py`."""

from tamis._cli import main

if __name__ == "__main__":
    main()
