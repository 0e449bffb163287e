"""`python -m tamis shared`: looks after the regions of shared caches.

``command`` has what each command does, ``help`` their texts, ``directory`` the regions that there are, ``entries`` what
is shown of an entry, and ``text`` how sizes, times and values are printed.
"""
