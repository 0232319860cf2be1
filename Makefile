# Everything a person does with a checkout. PYTHON=python3.12 chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
DEV := .venv/dev.stamp
NODE := tests/script/node_modules
NODE_DEV := $(NODE)/dev.stamp
PARALLEL := --numprocesses=auto --dist=worksteal
SCRIPTS := $(shell find templates -name '*.js')
BIOME := $(NODE)/.bin/biome lint --config-path=tests/script --error-on-warnings --no-errors-on-unmatched

# A worker compiles each test and module once, not with each run, also where the environment forbids it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run demo quick test test-lowest lint bench promises screenshots build clean

help:          ## this list
	@sed -n 's/^\([a-z-]*:\).*## /\1\t/p' Makefile | expand -t 16

run: $(BIN)/heatmap ## draw the recorded trading day into site/index.html
	@$(BIN)/heatmap demo --once

demo: $(BIN)/heatmap ## serve the recorded day live, beside a sample blog
	@$(BIN)/heatmap demo

# Without Node.js the accessibility tests are left out.
test: $(DEV) $(if $(shell command -v npm),$(NODE_DEV)) ## set up the test servers, and run all tests
	@$(BIN)/python tests/servers/unpack.py
	$(BIN)/python -m pytest $(PARALLEL) -m "not serial"
	$(BIN)/python -m pytest -m serial

# Unit tests compute and do not wait, so one worker a processor is enough.
quick: $(DEV)  ## the unit layer: the tests that start no process and no server
	$(BIN)/python -m pytest $(PARALLEL) --numprocesses=$(shell getconf _NPROCESSORS_ONLN) -m "unit and not serial"

test-lowest: $(DEV) ## the tests that need no server or browser, on the lowest versions of the dependencies
	@[ -x .venv-lowest/bin/pytest ] || { $(PYTHON) -m venv .venv-lowest && \
	 .venv-lowest/bin/python -m pip install --quiet --require-hashes -r requirements-lowest.txt; }
	PYTHONPATH=$(CURDIR) .venv-lowest/bin/python -m pytest $(PARALLEL) -m "not real and not serial" --ignore=tests/browser --ignore=tests/publishers --ignore=tests/promises \
	 --ignore=tests/test_end_to_end.py --ignore=tests/test_install.py

lint: $(DEV) $(NODE_DEV) ## ruff, mypy --strict, the order of the packages in ARCHITECTURE.md, and the page's script by biome and tsc
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIOME) templates
	@mkdir -p build && cat /dev/null $(sort $(SCRIPTS)) >build/script.js
	$(BIOME) --only=correctness/noUnusedVariables --only=style/useConst build/script.js
	$(if $(SCRIPTS),$(NODE)/.bin/tsc --project tests/script)

bench: $(DEV)  ## a tick against the original approach, in ratios; a page's weight and speed; uploads
	@$(BIN)/python tests/servers/unpack.py
	$(BIN)/python -m bench.tick
	$(BIN)/python -m bench.page
	$(BIN)/python -m bench.publish

promises: $(DEV) ## measure all that docs/promises.md promises, and write the figures there; takes well over an hour
	@$(BIN)/python tests/servers/unpack.py --rivals
	$(BIN)/python -m tests.promises

screenshots: $(DEV) ## draw docs/screenshots anew
	$(BIN)/python -m tests.screenshots

build: $(DEV)  ## the wheel and the source distribution, into dist/
	$(BIN)/python -m hatchling build

clean:         ## forget what was set up
	rm -rf .venv .venv-lowest tests/.servers $(NODE) build dist

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
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(NODE_DEV): tests/script/package.json tests/script/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || \
	 { echo "The page's script is checked with Node.js: install it with npm (Debian: apt-get install nodejs npm)"; exit 1; }
	@echo 'Setting up $(NODE) (once) ...'
	@npm ci --prefix tests/script --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@
