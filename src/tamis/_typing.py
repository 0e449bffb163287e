"""Nothing at run time: `_typing.pyi` has what the stub of the compiled part says of functions."""
