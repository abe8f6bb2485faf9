# `make demo` and `make check` do their own set-up: the first run makes .venv, later runs start at once.
# PYTHON=python3.12 chooses the interpreter; no activated environment is needed or used.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
GENERATED := docs/cli.md docs/credentials.md docs/checks.md README.md

SHELL := /bin/bash

.PHONY: demo check docs azureml-server azureml-servers-old

demo: $(VENV)/.redline-run
	@$(BIN)/redline demo

check: $(VENV)/.redline-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog -I . --check $(GENERATED)
	$(BIN)/pytest -n 3 --dist loadfile

docs: $(VENV)/.redline-dev
	$(BIN)/cog -I . -r $(GENERATED)

# Microsoft's inference server pins an OpenTelemetry that excludes the current exporter, so it has an environment of its own.
azureml-server: .venv-azureml/.made

.venv-azureml/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: redline needs Python 3.11 or later; '$(PYTHON)' is older" >&2; \
	  echo "hint: make azureml-server PYTHON=python3.12" >&2; exit 2; }
	@echo "Setting up Microsoft's inference server in .venv-azureml (once, about a minute)" >&2
	@$(PYTHON) -m venv .venv-azureml
	@.venv-azureml/bin/python -m pip --disable-pip-version-check --quiet install azureml-inference-server-http
	@touch $@

# Older generations word their logs and telemetry differently. Each needs a Python of its time; without it nothing is made.
azureml-servers-old:
	@for spec in 0.8:0.8.4.2:3.9 0.4:0.4.13:3.7; do \
	  IFS=: read -r short version python <<< "$$spec"; \
	  [ -e .venv-azureml-$$short/.made ] && continue; \
	  found=$$(ls -d $$HOME/.pyenv/versions/$$python.*/bin/python 2>/dev/null | tail -1); \
	  [ -n "$$found" ] || found=$$(command -v python$$python || true); \
	  [ -n "$$found" ] && "$$found" -c '' 2>/dev/null || { echo "note: no Python $$python; inference server $$version is left out" >&2; continue; }; \
	  "$$found" -m venv .venv-azureml-$$short && \
	    .venv-azureml-$$short/bin/python -m pip --disable-pip-version-check --quiet install azureml-inference-server-http==$$version && \
	    touch .venv-azureml-$$short/.made || echo "note: inference server $$version cannot be installed" >&2; \
	done

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: redline needs Python 3.11 or later; '$(PYTHON)' is older or missing" >&2; \
	  echo "hint: make demo PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: '$(PYTHON) -m venv' failed" >&2; \
	  echo "hint: on Debian and Ubuntu, apt-get install python3-venv" >&2; rm -rf $(VENV); exit 2; }

$(VENV)/.redline-run: pyproject.toml | $(BIN)/python
	@echo "Installing redline into $(VENV) (once, about a minute)" >&2
	@$(PIP) install --editable '.[local]'
	@touch $@

$(VENV)/.redline-dev: pyproject.toml | $(BIN)/python
	@echo "Installing redline and its development tools into $(VENV) (once, about a minute)" >&2
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.redline-run
