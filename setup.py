"""Builds ``tamis._core``, the compiled part, with setuptools-rust. Everything else is in pyproject.toml.

``python setup.py build_staticlib`` builds what programs that embed Python link with instead.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build_py import build_py
from setuptools_rust import Binding, RustExtension, Strip

ROOT = Path(__file__).parent
# The last release of pyo3-ffi for free-threaded 3.13; later ones begin with free-threaded 3.14.
PYO3_FFI_FOR_313T = "0.28.3"


def version() -> str:
    """Read the version from Cargo.toml, the one place that has it."""
    match = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert match, "Cargo.toml has no version"
    return match[1]


def manifest_for_this_interpreter() -> Path:
    """Name the Cargo.toml to build from: the committed one, or a copy under build/ for free-threaded 3.13."""
    if not (sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info[:2] == (3, 13)):
        return Path("Cargo.toml")
    copy = Path("build", "cargo-313t")
    copy.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(copy / "src", ignore_errors=True)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.so"))
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    pinned = manifest.replace('">=0.28.3, <0.31"', f'"={PYO3_FFI_FOR_313T}"')
    assert pinned != manifest, "Cargo.toml no longer has the range that this pins"
    (copy / "Cargo.toml").write_text(pinned, encoding="utf-8")
    shutil.copy(ROOT / "README.md", copy)
    # cargo changes no more of this copy than the pin asks for.
    shutil.copy(ROOT / "Cargo.lock", copy)
    return copy / "Cargo.toml"


def require_rust() -> None:
    """Say plainly what is missing before setuptools-rust fails at length."""
    cargo = os.environ.get("CARGO", "cargo")
    if shutil.which(cargo) is None:
        sys.exit("tamis: building needs Rust 1.89 or newer (the command 'cargo' was not found): see https://rustup.rs")
    if not Path(sysconfig.get_path("include"), "Python.h").exists() and os.environ.get("TAMIS_IGNORE_HEADERS") != "1":
        missing = sysconfig.get_path("include")
        sys.exit(f"tamis: building needs Python's headers (no Python.h in {missing}); Debian has them in python3-dev")


class BuildPackage(build_py):
    """Puts the C header beside the package's files. For editable installs it stays where it is: see get_include()."""

    header = "include/tamis.h"

    def run(self) -> None:
        """Copy all files."""
        super().run()
        if not self.editable_mode:
            self.mkpath(str(Path(self.target).parent))
            self.copy_file(self.header, self.target, preserve_mode=False)

    @property
    def target(self) -> str:
        """Where the header goes."""
        return str(Path(self.build_lib, "tamis", self.header))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """List what run() makes."""
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else [self.target])]

    def get_output_mapping(self) -> dict[str, str]:
        """List what run() makes, and of what."""
        return {**super().get_output_mapping(), **({} if self.editable_mode else {self.target: self.header})}


class BuildStaticLibrary(Command):
    """Builds libtamis.a, and what belongs to it. docs/embedding.md tells how to use them."""

    description = "build libtamis.a, tamis.zip and tamis.h, for programs that embed Python"
    user_options = [("build-dir=", "d", "where they go (default: build/embed)")]  # noqa: RUF012 (setuptools' own way)

    def initialize_options(self) -> None:
        """Set the defaults."""
        self.build_dir = str(Path("build", "embed"))

    def finalize_options(self) -> None:
        """Have nothing to work out."""

    def run(self) -> None:
        """Build all three."""
        folder = Path(self.build_dir)
        (folder / "include").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.archive(), folder / "libtamis.a")
        shutil.copyfile(ROOT / "include" / "tamis.h", folder / "include" / "tamis.h")
        # Not compressed, so that Python can read it without zlib.
        with zipfile.ZipFile(folder / "tamis.zip", "w", zipfile.ZIP_STORED) as archive:
            for path in sorted((ROOT / "src" / "tamis").rglob("*.py")):
                archive.write(path, path.relative_to(ROOT / "src"))

    def archive(self) -> str:
        """Let cargo build the library, and say where it lies."""
        command = [os.environ.get("CARGO", "cargo"), "rustc", "--release", "--lib", "--crate-type", "staticlib"]
        command += [*CARGO_ARGS, "--manifest-path", str(manifest), "--message-format", "json-render-diagnostics"]
        command += ["--features", os.environ.get("TAMIS_FEATURES", "")]
        built = subprocess.run(command, env=CARGO_ENVIRONMENT, stdout=subprocess.PIPE, check=False)
        if built.returncode != 0:
            sys.exit("tamis: cargo could not build the static library")
        artifacts = [json.loads(line) for line in built.stdout.splitlines()]
        files = [
            name for artifact in artifacts for name in artifact.get("filenames", []) if name.endswith("libtamis.a")
        ]
        return files[-1]


# Whether anything but these was asked for. Options and their values do no harm: no command is named like one.
BUILDING = {
    "build",
    "build_ext",
    "build_rust",
    "build_staticlib",
    "bdist_wheel",
    "editable_wheel",
    "install",
    "develop",
}
commands = BUILDING & set(sys.argv)
needs_build = bool(commands)
if needs_build:
    require_rust()
manifest = manifest_for_this_interpreter() if needs_build else Path("Cargo.toml")
CARGO_ARGS = ["--locked"] if manifest == Path("Cargo.toml") else []
# The interpreter itself, not a link to it in a virtual environment: for another path cargo would build all anew.
CARGO_ENVIRONMENT = {**os.environ, "PYO3_BUILD_EXTENSION_MODULE": "1", "PYO3_PYTHON": os.path.realpath(sys.executable)}

setup(
    version=version(),
    rust_extensions=[
        RustExtension(
            "tamis._core",
            path=str(manifest),
            # The other bindings pass a feature of the pyo3 crate, which is not here.
            binding=Binding.NoBinding,
            debug=False,
            strip=Strip.Debug,
            env=CARGO_ENVIRONMENT,
            features=os.environ.get("TAMIS_FEATURES", "").split(),
            cargo_manifest_args=CARGO_ARGS,
        )
    ],
    cmdclass={"build_py": BuildPackage, "build_staticlib": BuildStaticLibrary},
    zip_safe=False,
)
