# Every command that a developer needs. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
# What is installed besides tamis to run the tests: the type checkers too, which the tests of the stubs run.
EXTRAS ?= test,packages,lint
# How `make develop` builds: `release` as shipped, `dev` to build fast what runs slower. All else builds with `release`.
PROFILE ?= release
# Draws the plots: matplotlib is not there for every interpreter that is measured.
PLOT_PYTHON ?= python3
# A directory of traces for bench-hitratio; without one, the synthetic workloads alone.
TRACES ?=
# Passed on to pytest and to the benchmarks.
ARGS ?=
# In how many processes the tests in Python run. By default in one, where all of them run: some fork, which Python warns of beside threads.
# Several have one hash seed, so that they name the tests alike.
JOBS ?=
# What `make fuzz` reads: region or codec.
TARGET ?= region

BIN = $(VENV)/bin
# A command to put before those that build in the folders of this tree, for those who run several at a time: `flock FILE`.
BUILD_LOCK ?=
# What takes long to build, or does not build everywhere; pip finds the newest release that has a wheel.
PIP = $(BUILD_LOCK) $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary gevent,greenlet,hypothesis,numpy,psutil,pydantic-core

.DEFAULT_GOAL := help
# No target is a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Settings: PYTHON=$(PYTHON) (interpreter), VENV=$(VENV) (virtual environment), ARGS='…' (for pytest and the benchmarks), PROFILE=$(PROFILE) (for develop: release, or dev, which builds in seconds)"

tools:
	@command -v cargo >/dev/null || { echo "tamis: building needs Rust 1.89 or newer: the command 'cargo' was not found (see https://rustup.rs)" >&2; exit 2; }
	@command -v cc >/dev/null || { echo "tamis: building needs a C compiler as a linker: the command 'cc' was not found" >&2; exit 2; }
	@command -v $(PYTHON) >/dev/null || { echo "tamis: the interpreter '$(PYTHON)' was not found: set PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "tamis: Python 3.10 or newer is needed: set PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
		|| { echo "tamis: building needs Python's headers: no Python.h for '$(PYTHON)' (Debian has it in python3-dev)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "tamis: '$(PYTHON)' has no venv module (Debian has it in python3-venv)" >&2; exit 2; }

venv: tools
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)

demo: venv ## build into a new virtual environment and run examples/demo.py
	@$(PIP) .
	$(BIN)/python examples/demo.py $(ARGS)

test: test-core test-python ## build, and run all tests

test-core: tools ## run the core's own tests, without any Python
	cargo test --locked --quiet --no-default-features

test-loom: tools ## run the models of the lock-free protocols in every order that the memory model allows
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=4 cargo test --locked --quiet --profile checked --no-default-features --lib -- concurrent shm

# The sanitizers need a nightly toolchain. std comes compiled without their marks: tests/sanitizers says what that hides.
test-sanitizers: test-thread-sanitizer test-address-sanitizer ## run the core's tests under ThreadSanitizer and AddressSanitizer

nightly: tools
	@cargo +nightly --version >/dev/null 2>&1 || { echo "tamis: the sanitizers need Rust's nightly toolchain: rustup toolchain install nightly" >&2; exit 2; }

# ThreadSanitizer can't follow forks.
test-thread-sanitizer: nightly
	TSAN_OPTIONS="suppressions=$(abspath tests/sanitizers/thread.supp)" RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" CARGO_TARGET_DIR=target/thread-sanitizer \
		cargo +nightly test --locked --quiet --profile checked --no-default-features --lib --target "$$(rustc -vV | sed -n 's/^host: //p')" -- --test-threads=1 \
		--skip shm::tests::processes --skip shm::tests::files --skip core::forks

test-address-sanitizer: nightly
	RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/address-sanitizer \
		cargo +nightly test --locked --quiet --profile checked --no-default-features --lib --target "$$(rustc -vV | sed -n 's/^host: //p')" -- --test-threads=1

test-python: venv ## build, and run the tests in Python
	@$(PIP) '.[$(EXTRAS)]'
	$(if $(JOBS),PYTHONHASHSEED=$$(date +%S)) $(BIN)/python -m pytest $(if $(JOBS),-n $(JOBS) --dist worksteal) $(ARGS)

test-capi-valgrind: venv ## run all functions of the C API under valgrind
	@command -v valgrind >/dev/null || { echo "tamis: the command 'valgrind' was not found" >&2; exit 2; }
	@$(PIP) '.[test]'
	cd tests/capi && $(abspath $(BIN))/python setup.py --quiet build_ext --build-temp $(abspath build/capi) --build-lib $(abspath build/capi)
	$(BIN)/python tests/helpers/memcheck.py $(BIN)/python tests/capi/exercise.py build/capi

lint: venv ## rustfmt, clippy, ruff, mypy and pyright
	@$(PIP) '.[test,lint]'
	cargo fmt --check
	PYO3_PYTHON=$(abspath $(BIN)/python) PYO3_BUILD_EXTENSION_MODULE=1 cargo clippy --locked --quiet --all-targets --features hashbrown-index -- -D warnings
	cargo clippy --locked --quiet --all-targets --no-default-features -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict --python-executable $(BIN)/python src/tamis examples bench docs/reference.py
	$(BIN)/pyright --pythonpath $(BIN)/python src/tamis

format: venv ## format the sources
	@$(PIP) '.[lint]'
	cargo fmt
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: venv ## nanoseconds a call, beside functools.lru_cache and an empty call
	@$(PIP) .
	$(BIN)/python bench/timing.py $(ARGS)

bench-instructions: venv ## instructions a call, by valgrind
	@$(PIP) .
	$(BIN)/python bench/instructions.py $(ARGS)

bench-index: venv ## the shipped index and hashbrown's under the same store: instructions a call of each
	@$(PIP) .
	$(BIN)/python bench/instructions.py $(ARGS)
	@[ -x $(VENV)-hashbrown/bin/python ] || $(PYTHON) -m venv $(VENV)-hashbrown
	TAMIS_FEATURES=hashbrown-index $(VENV)-hashbrown/bin/python -m pip install --quiet --disable-pip-version-check .
	$(VENV)-hashbrown/bin/python bench/instructions.py $(ARGS)

bench-stack: venv ## bytes of the C stack that a level of recursion through a cache takes
	@$(PIP) .
	$(BIN)/python bench/stack.py $(ARGS)

bench-options: venv ## what an option costs a hit
	@$(PIP) .
	$(BIN)/python bench/options.py $(ARGS)

bench-keys: venv ## nanoseconds a hit for keys of other types than int and str, beside functools
	@$(PIP) .
	$(BIN)/python bench/timing.py --only key: $(ARGS)

bench-coroutines: venv ## nanoseconds an await, beside an uncached coroutine function and async-lru
	@$(PIP) . 'async-lru>=2'
	$(BIN)/python bench/coroutines.py $(ARGS)

bench-mapping: venv ## SieveCache beside dict, cachetools, lru-dict and cachebox
	@$(PIP) . cachetools lru-dict cachebox
	$(BIN)/python bench/mapping.py $(ARGS)

bench-programs: venv ## real programs with functools' caches and with tamis's: sympy, black, mypy
	@$(PIP) . sympy black mypy
	$(BIN)/python bench/programs.py $(ARGS)

bench-starvation: venv ## a reader whose keys are compared by Python code, beside a writer that evicts
	@$(PIP) .
	$(BIN)/python bench/starvation.py $(ARGS)

bench-remote: venv ## a tier in Redis, beside redis-py, cashews, aiocache and dogpile.cache
	@command -v redis-server >/dev/null || { echo "tamis: the command 'redis-server' was not found" >&2; exit 2; }
	@$(PIP) '.[redis]' 'cashews[redis]' 'aiocache[redis]' dogpile.cache
	@mkdir -p bench/build
	$(BIN)/python bench/remote.py --json bench/build/remote.json $(ARGS)
	@[ -x .venv-plot/bin/python ] || $(PLOT_PYTHON) -m venv .venv-plot
	@.venv-plot/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'matplotlib>=3.8'
	@.venv-plot/bin/python bench/plot.py bench/build/remote.json bench/build/remote.svg

bench-shared: venv ## caches that processes share, beside warp_cache
	@[ -x $(VENV)-shared/bin/python ] || $(PYTHON) -m venv $(VENV)-shared
	@$(VENV)-shared/bin/python -m pip install --quiet --disable-pip-version-check warp_cache==0.7.0 .
	$(VENV)-shared/bin/python bench/shared.py --json bench/build/shared.json $(ARGS)
	@[ -x .venv-plot/bin/python ] || $(PLOT_PYTHON) -m venv .venv-plot
	@.venv-plot/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'matplotlib>=3.8'
	@.venv-plot/bin/python bench/plot.py bench/build/shared.json bench/build/shared.svg

bench-threads: venv plot-venv ## calls a second of several threads in one cache: for free-threaded interpreters
	@$(PIP) .
	$(BIN)/python bench/threads.py --json bench/build/threads.json $(ARGS)
	@.venv-plot/bin/python bench/plot.py bench/build/threads.json bench/build/threads.svg

bench-hitratio: venv plot-venv ## hit ratios of SIEVE, LRU, FIFO and Belady's optimum: TRACES=dir for traces, one key a line, gzip
	@$(PIP) .
	@$(PIP) --only-binary :all: libcachesim || echo "libcachesim is not there for this interpreter: its column is left out"
	@mkdir -p bench/results
	$(BIN)/python bench/hitratio.py $(TRACES) --json bench/results/hitratio.json --markdown bench/results/hitratio.md $(ARGS)
	@.venv-plot/bin/python bench/charts.py bench/results bench/results/hitratio.json

# In an environment of its own. Results of several interpreters lie beside each other, and go into the same tables.
bench-peers: venv plot-venv ## tamis beside eight other caches; an hour, or some minutes with ARGS=--quick
	@[ -x $(VENV)-peers/bin/python ] || $(PYTHON) -m venv $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check . 'pyperf>=2.8'
	@PYTHONPATH=bench $(VENV)-peers/bin/python -m peers install
	PYTHONPATH=bench $(VENV)-peers/bin/python -m peers run $(ARGS)
	@PYTHONPATH=bench $(VENV)-peers/bin/python -m peers report bench/results/peers-*.json
	@.venv-plot/bin/python bench/charts.py bench/results bench/results/peers-*.json

bench-publish: ## put the tables and plots of bench/results into the README and docs/
	$(PYTHON) bench/publish.py

plot-venv:
	@[ -x .venv-plot/bin/python ] || $(PLOT_PYTHON) -m venv .venv-plot
	@.venv-plot/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'matplotlib>=3.8'

bench-reclamation: tools ## what it costs to read what others may take away: tamis beside crossbeam-epoch and seize
	CARGO_TARGET_DIR=target/reclamation cargo run --locked --quiet --release --manifest-path bench/reclamation/Cargo.toml

bench-shm: tools ## nanoseconds of the shared region's operations, without Python
	cargo test --locked --quiet --release --no-default-features --lib -- --ignored shm::bench --nocapture

# So many writers are killed, and ten times as many regions are damaged, from another seed each time; and each random driver
# of tests/fuzz plays for so long.
ROUNDS ?= 1000
SECONDS ?= 600
soak: venv ## kill writers of a shared region, damage regions, and play the random drivers: ROUNDS=10000 SECONDS=3600 for longer
	TAMIS_SOAK_ROUNDS=$(ROUNDS) TAMIS_SEED=$$(date +%s) cargo test --locked --quiet --release --no-default-features --lib -- shm::tests:: --nocapture
	@$(PIP) .
	@for driver in memory coroutines codec regions; do \
		echo "tests/fuzz/$$driver.py"; \
		$(BIN)/python -X faulthandler tests/fuzz/$$driver.py --seconds $(SECONDS) >build/fuzz-$$driver.log 2>&1 || { tail -n 60 build/fuzz-$$driver.log; exit 1; }; \
		tail -n 1 build/fuzz-$$driver.log; \
	done

# Guided by coverage, for what reads bytes that may be damaged. Needs Rust's nightly toolchain, and `cargo install cargo-fuzz`.
fuzz: venv ## libFuzzer on what reads regions and values: TARGET=codec, SECONDS=60
	@cargo fuzz --version >/dev/null 2>&1 || { echo "tamis: the command 'cargo fuzz' was not found: cargo install cargo-fuzz" >&2; exit 2; }
	@cargo +nightly --version >/dev/null 2>&1 || { echo "tamis: fuzzing needs Rust's nightly toolchain: rustup toolchain install nightly" >&2; exit 2; }
	PYO3_PYTHON=$(abspath $(BIN)/python) LD_LIBRARY_PATH="$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONHOME="$$($(BIN)/python -c 'import sys; print(sys.base_prefix)')" PYTHONPATH=$(abspath src) \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz/targets $(TARGET) -- -max_total_time=$(SECONDS) $(ARGS)

stress: venv ## threads in caches for ten minutes: ARGS='--seconds 60' for one
	@$(PIP) .
	$(BIN)/python tests/threads/stress.py --seconds 600 $(ARGS)

# Not --quiet: mkdocs would not count its warnings then.
docs: venv ## build the documentation into build/site, with warnings as errors
	@$(PIP) '.[docs]'
	$(BIN)/python -m mkdocs build --strict

docs-reference: venv ## write docs/reference.md anew, from the docstrings
	@$(PIP) .
	$(BIN)/python docs/reference.py >docs/reference.md

docs-test: venv ## run all code of the documentation, with the caches that it compares with
	@$(PIP) '.[test,peers]'
	TAMIS_REQUIRE_PEERS=1 $(BIN)/python -m pytest tests/package/test_docs.py tests/package/test_hitratio.py $(ARGS)

develop: check-profile venv ## build in place: changes of Python files show at once, those of Rust after another make develop
ifeq ($(PROFILE),release)
	@$(PIP) --editable '.[$(EXTRAS)]'
else
	@[ "$(EDITABLE)" -nt pyproject.toml ] && [ "$(EDITABLE)" -nt setup.py ] && $(IS_EDITABLE) || { \
		$(PIP) 'setuptools>=77' 'setuptools-rust>=1.10' && \
		SETUPTOOLS_RUST_CARGO_PROFILE=$(PROFILE) $(PIP) --no-build-isolation --editable '.[$(EXTRAS)]' && touch "$(EDITABLE)"; }
	@SETUPTOOLS_RUST_CARGO_PROFILE=$(PROFILE) $(BIN)/python setup.py --quiet build_rust --inplace
endif

# pip takes longer than cargo. So PROFILE=dev asks it only where the environment has no editable installation, or where what that was made from has changed.
EDITABLE = $(VENV)/.editable-$(EXTRAS)
IS_EDITABLE = $(BIN)/python -I -c 'import importlib.util as u, os, sys; found = u.find_spec("tamis"); sys.exit(not found or os.path.dirname(found.origin) != os.path.abspath("src/tamis"))'

check-profile: export PROFILE := $(PROFILE)
check-profile:
	@[ "$$PROFILE" = release ] || [ "$$PROFILE" = dev ] || { echo "tamis: PROFILE is release (as shipped) or dev (fast to build), not '$$PROFILE'" >&2; exit 2; }

staticlib: venv ## build libtamis.a for PYTHON, for programs that embed it, with what belongs to it into build/embed
	@$(PIP) 'setuptools>=77' 'setuptools-rust>=1.10'
	$(BIN)/python setup.py --quiet build_staticlib $(ARGS)

sdist: venv ## build the source distribution into dist/
	@$(PIP) build
	$(BIN)/python -m build --sdist

wheel: venv ## build a wheel for PYTHON into dist/
	@$(PIP) build
	$(BIN)/python -m build --wheel

release-check: venv ## build sdist and wheel, and look at them by twine, check-manifest and auditwheel
	@$(PIP) build twine check-manifest auditwheel
	@rm -rf dist
	$(BUILD_LOCK) $(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(BUILD_LOCK) $(BIN)/check-manifest
	@for wheel in dist/*.whl; do $(BIN)/python -m auditwheel show $$wheel; done

clean: ## remove all that was built
	rm -rf target build dist src/*.egg-info src/tamis/*.so .venv .venv-* bench/build
