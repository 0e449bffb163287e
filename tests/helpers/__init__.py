"""What several test files use: children and programs to run, compilers to call, callables to give to options."""
