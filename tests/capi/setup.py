"""Builds the extension modules that the tests of the C API use, as any project that uses tamis.h would.

The one in C++ only where there is a compiler for it.
"""

import shlex
import shutil
import sysconfig

from setuptools import Extension, setup

import tamis

# -pedantic is for the header alone, in test_capi.py: Python's own headers don't hold to it in each version.
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def extension(name: str, source: str, standard: str) -> Extension:
    """Describe one of them: the same functions under another name."""
    return Extension(
        name,
        [source],
        include_dirs=[tamis.get_include()],
        define_macros=[("MODULE", name)],
        extra_compile_args=[f"-std={standard}", *WARNINGS],
    )


modules = [extension("use_tamis_c", "use_tamis.c", "c11")]
if shutil.which(shlex.split(sysconfig.get_config_var("CXX"))[0]):
    modules.append(extension("use_tamis_cpp", "use_tamis.cpp", "c++17"))

setup(name="use-tamis", version="0", ext_modules=modules)
