# `make help` lists the targets. Everything that is built lands in this checkout:
# .tools/ (uv and its cache), .venv/ (what runs) and build/ (wheels, reports).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

UV := .tools/uv
BIN := .venv/bin
PY := $(BIN)/python

# A cache of our own keeps clones apart; set UV_CACHE_DIR to share one.
export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache/uv
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# Another environment that happens to be active is none of our business.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
export PYTHON ?=

# More for the tool that a target runs, for example: make test ARGS="-k retention"
ARGS ?=
# One worker per core. `make test WORKERS=0` runs in one process, for a debugger.
WORKERS ?= logical

# Folders belong to the sources: their times change when a file goes away.
SOURCES := pyproject.toml apps/booksynth/pyproject.toml LICENSE $(wildcard README.md) \
	$(shell find src apps/booksynth/src -name __pycache__ -prune -o -print 2>/dev/null)
TYPED := $(wildcard src apps/booksynth/src tests apps/booksynth/tests)
SHELL_SCRIPTS := scripts/bootstrap scripts/services .ci/run

# The interpreter or uv that these were made from may have left the machine, or
# another interpreter is asked for.
BROKEN := $(shell test -x $(PY) && test -x $(UV) && \
	{ test -z '$(PYTHON)' || test '$(PYTHON)' = "$$(cat .tools/asked)"; } || echo FORCE)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- what everything stands on ---

.tools/ready: scripts/bootstrap requirements/uv-bootstrap.txt $(BROKEN)
	@scripts/bootstrap
	@touch $@

.venv/.deps: .tools/ready requirements/dev.lock
	@$(UV) venv --quiet --clear --relocatable --python "$$(cat .tools/python)" .venv
	$(UV) pip sync --quiet --compile-bytecode --python $(PY) --require-hashes requirements/dev.lock
	@touch $@

# The stamp bears the time when the build began, so that a source which changes
# meanwhile is built again.
.venv/.packages: .venv/.deps $(SOURCES)
	@rm -rf build/wheels
	@touch $@.began
	@$(UV) build --quiet --wheel --out-dir build/wheels .
	@$(UV) build --quiet --wheel --out-dir build/wheels apps/booksynth
	$(UV) pip install --quiet --compile-bytecode --python $(PY) --offline --no-deps --reinstall build/wheels/*.whl
	@mv $@.began $@

FORCE:

# --- for people ---

.PHONY: deps
deps: .venv/.deps ## only the third-party packages, hash-pinned, into .venv/

.PHONY: install
install: .venv/.packages ## .venv/ with milepost, booksynth and every tool

# One shelf of books and of analyses that were made already, as a reader would have it.
DEMO_SHELF = apps/booksynth/examples/shelf apps/booksynth/examples/analyses

.PHONY: demo demo-killed
demo: install ## from the bundled books and analyses to one list and a plan for each entry, with a progress bar
	@mkdir -p build/demo/shelf
	@cp -p $(addsuffix /*,$(DEMO_SHELF)) build/demo/shelf/
	@$(BIN)/booksynth run build/demo/shelf --output build/demo/results $(ARGS)

demo-killed: install ## the same, killed three times in the middle, then compared with an undisturbed run
	@$(PY) scripts/killed_demo.py

.PHONY: real-books
real-books: install ## read the books of some Debian packages (needs apt and the network; never in CI)
	@$(PY) scripts/real_books.py $(ARGS)

.PHONY: check
check: install ## the static part: style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/shellcheck $(SHELL_SCRIPTS)
	$(PY) -m mypy $(TYPED)
	$(BIN)/lint-imports --cache-dir .cache/import-linter

.PHONY: test
test: check ## check, then every test but the soak ones
	@scripts/services
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

.PHONY: coverage
coverage: install ## the same tests, slower, with the lines and branches that they reach
	@scripts/services
	@mkdir -p build/coverage
	$(PY) -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term $(ARGS)

.PHONY: soak
soak: install ## the tests that run for hours
	$(PY) -m pytest -m soak --timeout 0 $(ARGS)

.PHONY: bench
bench: install ## benchmarks against the floor and the peers, each in an environment below build/peers/
	$(PY) -m benchmarks $(ARGS)

.PHONY: format
format: install ## let ruff put style right where it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Add UPGRADE=--upgrade to take newer versions; without it only what the inputs
# ask for changes. No address of a registry may be written into a lock.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-package milepost --no-emit-package booksynth \
	--custom-compile-command 'make lock' $(UPGRADE)
UPGRADE ?=

.PHONY: lock
lock: .tools/ready ## pin again what requirements/*.in and pyproject.toml ask for
	$(COMPILE) --all-extras pyproject.toml apps/booksynth/pyproject.toml requirements/dev.in -o requirements/dev.lock
	$(COMPILE) requirements/uv.in -o requirements/uv-bootstrap.txt
	for peer in requirements/peers/*.in; do $(COMPILE) "$$peer" -o "$${peer%.in}.lock" || exit 1; done

.PHONY: clean
clean: ## remove .venv/, build/ and the caches; .tools/ stays
	rm -rf .venv build .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
