# Two commands set everything up: `make demo` and `make test`. `make help` lists the rest.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
SHELL  := /bin/bash

.PHONY: help demo test web system clean

help:
	@echo "make demo   hold a whole conversation, see what the engine does, and talk yourself in a browser"
	@echo "make test   run all tests, Python and C++"
	@echo "make web    build the browser's client, its React hooks and the page (Node 20)"
	@echo "make clean  remove what was built"

demo: $(VENV)/.installed
	$(BIN)/spike-engine demo
	@if [ -t 1 ]; then $(BIN)/spike-engine serve; else echo "Talk yourself, in a browser: $(BIN)/spike-engine serve"; fi

test: $(VENV)/.installed
	@.ci/whip-server
	$(BIN)/python -m nox --session cpp-release tests web

web:
	cd web && npm ci --silent --ignore-scripts && npm run --silent build

# What comes from the system: libopus for the core, PortAudio for devices, recorded speech for the demo and the tests, doctest for the C++ tests.
system:
	@.ci/system-packages

$(VENV)/.installed: pyproject.toml CMakeLists.txt $(shell find cpp cmake python -type f -not -path '*/__pycache__/*' 2>/dev/null) | system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group test --group peers nox
	$(BIN)/python -m pip install --quiet '.[demo]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .nox spike-demo web/node_modules web/*/node_modules web/*/dist
