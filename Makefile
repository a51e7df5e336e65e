# stillpoint: `make demo` and `make test` each do all their set-up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEBIAN_PACKAGES := etcd-server python3-venv

.DEFAULT_GOAL := help
.PHONY: help venv system demo test lint proto bench lock

help: ## this text
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

venv: $(VENV)/.installed ## the Python environment, from the lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "stillpoint: Python environment in $(VENV), from requirements.lock"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## requirements.lock anew, from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command 'make lock' --group pyproject.toml:dev pyproject.toml -o requirements.lock
