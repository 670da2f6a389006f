# `make demo` and `make test` need nothing but Python 3.11, git, make and a C++20 compiler.
PYTHON ?= python3
BIN := .venv/bin
REFERENCE := .venv-conformance/bin
PYTEST_FLAGS ?=
BENCH_FLAGS ?=
SANITIZED ?= tests/engine tests/ops tests/nn tests/autograd
CPP := $(wildcard native/*.cpp native/*.h)

.PHONY: help setup build demo test lint format bench conformance sanitize clean

help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Make .venv with gleed in it (does nothing when nothing changed)
	@$(PYTHON) tools/develop.py setup

build: ## Compile what changed in native/
	@$(PYTHON) tools/develop.py build

demo: setup ## Train a network on real handwritten digits
	@$(BIN)/gleed demo

test: lint ## Check everything that needs no PyTorch
	$(BIN)/pytest -n 2 $(PYTEST_FLAGS)

lint: setup ## Formatting, lint, types and import layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/clang-format --dry-run -Werror $(CPP)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Lay out all code as `make lint` wants it; make stubs and docs/api.md
	$(BIN)/python tools/generate_stubs.py
	$(BIN)/python tools/generate_api_docs.py
	$(BIN)/ruff check --fix --exit-zero --quiet
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CPP)

bench: ## Measure gleed against PyTorch
	@$(PYTHON) tools/develop.py reference
	$(REFERENCE)/python benchmarks/speed.py $(BENCH_FLAGS)

conformance: ## Compare gleed's results with PyTorch's
	@$(PYTHON) tools/develop.py reference
	$(REFERENCE)/pytest tests/conformance -n 2 $(PYTEST_FLAGS)

sanitize: ## Run the tests of the core under AddressSanitizer and UBSan; reports go to build/
	@$(PYTHON) tools/develop.py sanitize
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0:log_path=build/sanitize UBSAN_OPTIONS=print_stacktrace=1 \
		.venv-sanitize/bin/pytest $(SANITIZED) -n 2 $(PYTEST_FLAGS)

clean: ## Remove all that these targets made
	rm -rf .venv .venv-conformance .venv-sanitize build gleed-demo .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache
