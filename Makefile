# stillpoint: `make demo` and `make test` each do all their set-up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Programs that are started, each with the package of Debian that brings it; tests/unit/test_programs.py compares.
PROGRAMS := etcd:etcd-server psql:postgresql mariadbd:mariadb-server redis-server:redis-server \
    mvn:maven node:nodejs qemu-ga:qemu-guest-agent mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs \
    mksquashfs:squashfs-tools mkntfs:ntfs-3g podman:podman runc:runc cc:gcc objdump:binutils openssl:openssl \
    pgrep:procps systemctl:systemd zsh:zsh fish:fish tcsh:tcsh git:git
PROGRAMS_BROWSER := chromium:chromium
PROGRAMS_IMAGE := buildah:buildah debootstrap:debootstrap dpkg-source:dpkg-dev
PROGRAMS_PACKAGES := checkmodule:checkpolicy semodule_package:semodule-utils git:git
PROGRAMS_E2E := genisoimage:genisoimage qemu-system-x86_64:qemu-system-x86 rpm:rpm sesearch:setools bunzip2:bzip2 \
    $(PROGRAMS_PACKAGES)

.DEFAULT_GOAL := help
.PHONY: help venv system peers image guest-packages release demo test coverage exhaustive e2e faults lint docs site proto bench lock changelog

help: ## this text
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: venv ## what backup and restore of a small shop would be; no cluster needed
	@$(BIN)/stillpoint rehearse --from examples

test: venv system peers image ## every test but those of e2e and exhaustive: real Velero, API server and CSI on this machine
	$(BIN)/python -m pytest -n 3 --no-loadscope-reorder

e2e: venv system peers image ## guests that boot, are backed up while they write, held while things fail, and boot again: 15 minutes
	@packaging/missing $(PROGRAMS_E2E)
	$(BIN)/python -m pytest -m e2e

coverage: venv system ## the share of the product's lines that tests without servers run, which makes these two thirds slower
	$(BIN)/python -m pytest -n 2 -q tests/unit tests/contract tests/guest/unit --cov --cov-report=
	@echo "coverage: $$($(BIN)/coverage report --format=total) % of lines"

guest-packages: venv ## dist/: the guest's program, and its packages as .deb and .rpm
	@packaging/missing $(PROGRAMS_PACKAGES)
	@PYTHON="$(CURDIR)/$(BIN)/python" packaging/guest/build dist

exhaustive: venv system peers ## what the two leave out: sixteen disks, twenty machines, Velero's own polling, a browser
	@packaging/missing $(PROGRAMS_BROWSER)
	$(BIN)/python -m pytest -m exhaustive

lint: venv ## ruff, mypy --strict, the layers, links of the docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy packaging/*.py
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --no-tips --target=3.6- --violations guest_hooks
	$(BIN)/python packaging/docs_tables.py --check
	$(BIN)/mkdocs build --strict

docs: venv ## the tables of docs that are made from the code
	$(BIN)/python packaging/docs_tables.py

site: venv ## build/site: the docs as a site
	$(BIN)/mkdocs build --strict

faults: venv system ## the guest's fault campaign at its full length, 10,000 cycles
	$(BIN)/python -m tests.guest.campaign 10000

bench: venv system peers image ## the figures of docs/figures.md, as ratios of one run
	@packaging/missing $(PROGRAMS_E2E)
	$(BIN)/python -m benchmarks

venv: $(VENV)/.installed ## the Python environment, from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "stillpoint: Python environment in $(VENV), from requirements.lock (a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "stillpoint: $(PYTHON) is missing or older than 3.11; HINT: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || packaging/debian-packages python3-venv
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

system: ## what the tests need from the distribution
	@packaging/missing $(PROGRAMS)

peers: venv ## Velero, Kubernetes and CSI for the tests, built once into a cache outside the tree
	@$(BIN)/python -m tests.peers.build

proto: venv ## plugin/stillpoint/wire/generated, from proto/
	$(BIN)/python proto/generate.py

# Needed by the asyncio half of the kubernetes package alone, which the payload leaves out, or where a system has no time zones,
# or by parts of rich that nothing here uses: highlighting of source code, and Markdown.
NOT_BUNDLED := aiohappyeyeballs aiohttp aiohttp-retry aiosignal attrs frozenlist markdown-it-py mdurl multidict propcache pygments \
    tzdata yarl
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command 'make lock'

lock: ## requirements.lock anew, from pyproject.toml, and the part that the image bundles (needs uv)
	$(COMPILE) --group pyproject.toml:dev pyproject.toml -o requirements.lock
	$(COMPILE) --constraint requirements.lock $(NOT_BUNDLED:%=--no-emit-package %) pyproject.toml -o packaging/requirements.lock

image: venv ## the image that Velero takes the plugin from, and its payload, built without a container engine (as root)
	@packaging/missing $(PROGRAMS_IMAGE)
	@$(BIN)/python packaging/image.py

changelog: venv ## CHANGELOG.md from changelog.d, for the version of the tree
	$(BIN)/towncrier build --version "$$($(BIN)/python packaging/version.py)"

release: venv ## dist/: all that a release has, then its tag; with DRY_RUN=1 no tag (RELEASING.md)
	@packaging/missing $(PROGRAMS_IMAGE) $(PROGRAMS_PACKAGES)
	@$(BIN)/python packaging/release.py $(if $(DRY_RUN),--dry-run)
