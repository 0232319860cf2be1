# Everything a person does with a checkout. PYTHON=python3.12 chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
DEV := .venv/dev.stamp

.PHONY: help run demo test test-lowest lint bench screenshots build clean

help:          ## this list
	@sed -n 's/^\([a-z-]*:\).*## /\1\t/p' Makefile | expand -t 16

run: $(BIN)/heatmap ## draw the recorded trading day into site/index.html
	@$(BIN)/heatmap demo --once

demo: $(BIN)/heatmap ## serve the recorded day live, beside a sample blog
	@$(BIN)/heatmap demo

test: $(DEV)   ## set up the test servers, and run all tests
	@$(BIN)/python tests/servers/unpack.py
	$(BIN)/python -m pytest

test-lowest: $(DEV) ## the tests that need no server or browser, on the lowest versions of the dependencies
	@[ -x .venv-lowest/bin/pytest ] || { $(PYTHON) -m venv .venv-lowest && \
	 .venv-lowest/bin/python -m pip install --quiet --require-hashes -r requirements-lowest.txt; }
	PYTHONPATH=$(CURDIR) .venv-lowest/bin/python -m pytest -m "not real" --ignore=tests/browser --ignore=tests/publishers \
	 --ignore=tests/test_end_to_end.py --ignore=tests/test_install.py

lint: $(DEV)   ## ruff, mypy --strict, and the floors of ARCHITECTURE.md
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV)  ## a tick against the original approach, in ratios
	$(BIN)/python -m bench.tick

screenshots: $(DEV) ## draw docs/screenshots anew
	$(BIN)/python -m tests.screenshots

build: $(DEV)  ## the wheel and the source distribution, into dist/
	$(BIN)/python -m hatchling build

clean:         ## forget what was set up
	rm -rf .venv .venv-lowest tests/.servers build dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	 { echo 'heatmap needs Python 3.11 or newer: install it, then make PYTHON=python3.12 (or whatever it is called)'; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	 { echo 'This Python cannot make virtual environments: install its venv module (Debian: apt-get install python3-venv)'; exit 1; }
	@$(PYTHON) -m venv .venv

$(BIN)/heatmap: pyproject.toml | .venv/bin/python
	@echo 'Setting up .venv (once) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV): requirements-dev.txt pyproject.toml | .venv/bin/python
	@echo 'Setting up .venv for development (once) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
