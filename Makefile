# What people do here. `make` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installed from this lock: versions and hashes, so that everybody has the same.
LOCK := requirements.lock
READY := $(VENV)/.ready-$(shell cat $(LOCK) pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)

.PHONY: help setup demo test check compile bench lock clean

help:  ## List what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(READY)  ## Make .venv from the lock (4 minutes, 2.5 GB; then .venv/bin/pawpetal is the command)

demo: $(READY)  ## Train, judge and register a classifier on the built-in sample, offline
	@echo "Running the whole pipeline on sample:flowers ..."
	@$(BIN)/pawpetal run --dataset sample:flowers --architecture residual
	@echo
	@echo "Open the report named above in a browser. Next:"
	@echo "  $(BIN)/pawpetal models list"
	@echo "  $(BIN)/pawpetal run --dataset folder:YOUR_PHOTOS --architecture mobilenet_v2"

test: $(READY)  ## Run all tests
	@echo "Running the tests; the pipeline itself is in them, so it takes some minutes ..."
	@$(BIN)/python -m pytest
	@echo "All tests passed. Next: make demo"

check: $(READY)  ## Lint and check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

compile: $(READY)  ## Compile the pipelines into pipelines/specs
	@$(BIN)/pawpetal compile

bench: $(READY)  ## Measure what the README quotes (20 minutes)
	@$(BIN)/python -m benchmarks.results --vary-split

lock: $(READY)  ## Resolve the newest versions that pyproject.toml allows into the lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --all-extras pyproject.toml -o $(LOCK)

clean:  ## Remove .venv and what checks and builds leave (runs and models stay)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(READY):
	@echo "Setting up $(VENV): 2.5 GB, some 4 minutes ..."
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
	  { echo "Python 3.11 or 3.12 is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make setup PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $(LOCK) \
	  | awk '/^Collecting/ && ++n % 20 == 0 { print "  " n " packages found ..." } \
	         /^Installing collected/ { print "  " n " packages downloaded, installing ..." } { fflush() }'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.ready-*
	@touch $@
	@echo "Set up. The command is $(BIN)/pawpetal"
