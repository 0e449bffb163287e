"""What decides what a function returns, as far as it can be reached, as one digest that is the same in every process.

The name of the region of a shared cache that is given none has that digest in it. The modules, from the top:

- ``region_name``: the name;
- ``handlers``: what adds an object to the walk, by its type. Functions are known by their code, defaults, closures and
  what they wrap (``functions``), other callables by what they are made of (``callables``), classes by what is in them
  (``classes``), values of built-in types by their bytes (``values``), and all else by its class and by what its own
  ``__reduce_ex__`` returns (``objects``);
- ``walk``: the walk, its digest, and how it came to where it is, for ``messages``;
- ``program``: what functions need of the sources of their modules. A ``source`` is a module's code, taken apart into
  ``statements``, and these into ``instructions``;
- ``code``: digests of code, and the names in it;
- ``modules``: modules, found without importing anything;
- ``digests``: bytes and digests of constants, and ``Nameless``, the error of what has nothing that is the same in every
  process, such as a lock or a connection.
"""
