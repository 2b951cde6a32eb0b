# make demo    replay an agent run into a Backpack and see what that is good for
# make demo-langgraph    a LangGraph agent on a Backpack: killed, resumed, taken back, forked; no model, no key
# make test    everything that has to hold: lint, types, tests, coverage, each benchmark at its smallest
# make check   lint and types only
# make long    the property tests with many more examples
# make bench   all benchmarks at full size, written to docs/performance.md
# make clean   forget the virtual environment and what was measured or cached
#
# Each makes what it needs in .venv and remembers it there, so the second time starts at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# What the property tests try: few examples every day, many with `make long`.
EXAMPLES ?= 12
LONG_EXAMPLES ?= 400

# Branches of backpack/core that tests must reach, in percent.
CORE_COVERAGE ?= 97

# The tests whose branches are counted, but for those marked `uncounted`: counting makes a test three times as slow. These,
# those that crash and harm stores, the others of stores and disks, and the rest run side by side.
CORE_TESTS := tests/core tests/contract
DISK_TESTS := tests/archive tests/blobs tests/storage tests/store
CRASH_TESTS := $(wildcard tests/archive/test_*crash*.py) $(addprefix tests/archive/test_,defects.py flips.py kills.py)

.PHONY: demo demo-langgraph test core-tests crash-tests disk-tests other-tests check long bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/backpack demo

demo-langgraph: $(VENV)/langgraph
	@$(BIN)/python -m backpack.demo.langgraph

test: check
	$(MAKE) --no-print-directory --jobs=4 core-tests crash-tests disk-tests other-tests

core-tests: $(VENV)/tools
	BACKPACK_HYPOTHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m coverage run --source=backpack/core \
		-m pytest -m 'not uncounted' $(CORE_TESTS)
	$(BIN)/python -m coverage report --fail-under=$(CORE_COVERAGE)
	BACKPACK_HYPOTHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -p no:cacheprovider -m uncounted $(CORE_TESTS)

crash-tests: $(VENV)/tools
	BACKPACK_HYPOTHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -p no:cacheprovider $(CRASH_TESTS)

disk-tests: $(VENV)/tools
	BACKPACK_HYPOTHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -p no:cacheprovider \
		$(patsubst %,--ignore=%,$(CRASH_TESTS)) $(DISK_TESTS)

other-tests: $(VENV)/tools
	BACKPACK_HYPOTHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -p no:cacheprovider \
		$(patsubst %,--ignore=%,$(CORE_TESTS) $(DISK_TESTS))

check: $(VENV)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

long: $(VENV)/tools
	HYPOTHESIS_PROFILE=long BACKPACK_INTERRUPT_STRIDE=1 BACKPACK_HYPOTHESIS_EXAMPLES=$(LONG_EXAMPLES) $(BIN)/python -m pytest

bench: $(VENV)/rivals
	$(BIN)/python -m benchmarks --write docs/performance.md

clean:
	rm -rf $(VENV) .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist

# The stamps in .venv say what was installed there; each is made anew when what it was made from changes.

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is not: $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) lacks the venv module: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/langgraph: $(VENV)/installed
	$(PIP) install --quiet --editable '.[langgraph]' 'langgraph-checkpoint-sqlite>=3.1'
	@touch $@

$(VENV)/tools: $(VENV)/installed
	$(PIP) install --quiet --group test --group check
	@touch $@

$(VENV)/rivals: $(VENV)/tools benchmarks/compare/requirements.txt
	$(PIP) install --quiet --requirement benchmarks/compare/requirements.txt
	@touch $@
