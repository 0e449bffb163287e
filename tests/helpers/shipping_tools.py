"""Two processes, one of which pickles what its `__main__` has made, and the other one loads and uses it."""

from __future__ import annotations

from helpers.subprocess_tools import run_child

SENDER = """
import base64, warnings
warnings.simplefilter("ignore")
{head}
import {pickler} as pickler
{tail}
for name in {names!r}:
    print(base64.b64encode(pickler.dumps({{"what": eval(name)}})).decode())
"""

RECEIVER = """
import asyncio, base64, warnings
warnings.simplefilter("ignore")
import {pickler} as pickler
{names} = (pickler.loads(base64.b64decode(data))["what"] for data in {data!r})
{code}
"""


def ship(pickler: str, source: str, names: list[str], code: str, *, late: bool = False) -> None:
    """Run the source in one process, and the code with these names of it in another. `late`: the pickler is last."""
    head, tail = (source, "") if late else ("", source)
    sent = run_child(SENDER.format(head=head, pickler=pickler, tail=tail, names=names))
    run_child(RECEIVER.format(pickler=pickler, names=", ".join(names) + ",", data=sent.split(), code=code))
