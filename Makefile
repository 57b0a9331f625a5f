# What people do here. `make` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installed from this lock: versions and hashes, so that everybody has the same.
LOCK := requirements.lock
EXTRAS := steps cpu tpu registry mlflow docker vertex dev
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header \
  --no-annotate --no-emit-index-url
COMPILE_IMAGE := $(COMPILE) --python-platform x86_64-manylinux_2_31 --constraint $(LOCK)
READY := $(VENV)/.ready-$(shell cat $(LOCK) pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)

IMAGES ?= light cpu

.PHONY: help setup demo demo-gcs test check compile images kind-up kind-demo kind-down bench bench-data lock clean

help:  ## List what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(READY)  ## Make .venv from the lock (4 minutes, 2.5 GB; then .venv/bin/pawpetal is the command)

demo: $(READY)  ## Train, judge and register a classifier on the built-in sample, offline
	@echo "Running the whole pipeline on sample:flowers ..."
	@$(BIN)/pawpetal run --dataset sample:flowers --architecture residual
	@echo
	@echo "Open the report named above in a browser. Next:"
	@echo "  $(BIN)/pawpetal models list"
	@echo "  $(BIN)/pawpetal run --dataset folder:YOUR_PHOTOS --architecture transfer:MobileNetV2"

demo-gcs: $(READY)  ## The same with all photos and results in an emulated Cloud Storage
	@$(BIN)/python -m infra.gcs.demo --architecture residual

test: $(READY)  ## Run all tests
	@if docker/engine; then $(BIN)/python docker/build.py $(IMAGES); else export PAWPETAL_ENGINE=no; fi; \
	echo "Running the tests; the pipeline itself is in them, so it takes some minutes ..."; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	@echo "All tests passed. Next: make demo"

check: $(READY)  ## Lint and check types
	$(BIN)/zizmor --offline --quiet --persona=pedantic .github
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

compile: $(READY)  ## Compile the pipelines into pipelines/specs
	@$(BIN)/pawpetal compile

images: $(READY) compile  ## Build the container images of the steps (IMAGES="light cpu gpu tpu")
	@$(BIN)/python docker/build.py $(IMAGES) $(if $(BASE_IMAGE),--base-image $(BASE_IMAGE))

kind-up:  ## Make a local cluster with Kubeflow Pipelines and MLflow
	@infra/kind/up $(SKIP:%=--skip %)

kind-demo: $(READY)  ## Run the whole pipeline in that cluster, on the built-in sample
	@infra/kind/demo

kind-down:  ## Delete that cluster, with its runs and models
	@infra/kind/down

bench: $(READY)  ## Measure what the README quotes (20 minutes)
	@$(BIN)/python -m benchmarks.results --vary-split

bench-data: $(READY)  ## Measure ingest, augmentation and reading, as docs/data.md quotes (15 minutes)
	@$(BIN)/python -m benchmarks.ingest speed
	@$(BIN)/python -m benchmarks.ingest memory
	@$(BIN)/python -m benchmarks.augmentation
	@$(BIN)/python -m benchmarks.reading

lock: $(READY)  ## Resolve the newest versions that pyproject.toml allows into the lock
	$(COMPILE) --universal --upgrade $(EXTRAS:%=--extra %) pyproject.toml -o $(LOCK)
	$(COMPILE_IMAGE) --extra registry pyproject.toml -o docker/locks/light.lock
	for image in cpu gpu tpu; do $(COMPILE_IMAGE) --config-file docker/locks/uv.toml \
	  --extra steps --extra registry --extra $$image pyproject.toml -o docker/locks/$$image.lock; done
	echo 'setuptools>=77' | $(COMPILE_IMAGE) - -o docker/locks/build.lock

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
