# Every target sets up what it needs and does nothing twice: finished steps leave a stamp in .venv.
# `make PYTHON=python3.12 test` builds .venv with another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/.uv
DEPENDENCIES := $(VENV)/.dependencies
EXTENSION := $(VENV)/.extension

# Folders are listed beside their files, so that a deleted source is noticed too.
RUST_SOURCES := Cargo.toml Cargo.lock $(wildcard crates/*/Cargo.toml) $(shell find crates/*/src)

# In a log, progress is noise: there the long steps print only warnings and errors.
QUIET := $(shell test -t 2 || echo --quiet)

# rustup puts cargo here; a shell that is older than the installation does not have it on its PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin
# maturin sets this too. Without one value for all of them, pyo3 is built again at every change of tool.
export PYO3_PYTHON := $(abspath $(BIN)/python)
export VIRTUAL_ENV := $(abspath $(VENV))
# Without bytecode on disk every process compiles PyTorch's sources anew, five seconds of it, and tests start dozens.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help train test oh-hell soak gpu-check bench lint format clean toolchain

help:
	@echo 'make train    train the quick preset on this machine and print how strong the result is'
	@echo 'make test     lint, then all Rust and Python tests'
	@echo 'make oh-hell  compare 100,000 random rounds with the oh_hell of OpenSpiel (ROUNDS=1000000: a million)'
	@echo 'make soak     kill, stop and hurt runs for five minutes (MINUTES=60: an hour) and count what was lost;'
	@echo '                CLUSTER=1: as long again on a Ray cluster that loses machines'
	@echo 'make gpu-check  what needs a GPU: checks, benchmarks and a training run, in ten minutes'
	@echo 'make bench    criterion benchmarks of the engine, the search and the scheduler'
	@echo 'make lint     formatting, clippy, ruff, mypy and the stub of the extension'
	@echo 'make format   rewrite sources in the project format'
	@echo 'make clean    remove .venv, builds and caches; runs/ stays'

train: $(EXTENSION)
	$(BIN)/blob-zero train --preset quick --run-dir runs/quick

test: lint
	cargo test --workspace --locked $(QUIET)
# Two workers take half the time of one on two cores; tests are handed out one by one, since a few take most of it.
	$(BIN)/python -m pytest $(QUIET) -n 2 --dist worksteal

oh-hell: $(EXTENSION)
	OH_HELL_ROUNDS=$(or $(ROUNDS),100000) $(BIN)/python -m pytest $(QUIET) tests/envs -k oh_hell

# Tiny networks gain nothing from more threads, and the trials run beside other work.
soak: $(EXTENSION)
	OMP_NUM_THREADS=1 $(BIN)/python tests/soak.py --minutes $(or $(MINUTES),5) $(if $(CLUSTER),--cluster)

# Also runs from an installed wheel: python -m blob_zero.gpu_check. ARGS="--only checks" runs a part.
gpu-check: $(EXTENSION)
	$(BIN)/python -m blob_zero.gpu_check $(ARGS)

bench: toolchain
	cargo bench --locked --package blob_benches

lint: $(EXTENSION)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked $(QUIET) -- -D warnings
	$(BIN)/ruff check $(QUIET) .
	$(BIN)/ruff format --check $(QUIET) .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml blob_zero._core

format: $(DEPENDENCIES)
	cargo fmt --all
	$(BIN)/ruff check --fix $(QUIET) .
	$(BIN)/ruff format $(QUIET) .

clean:
	rm -rf $(VENV) target dist python/blob_zero/_core.*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find python tests -name __pycache__ -prune -exec rm -rf {} +

toolchain:
	@command -v cargo >/dev/null || { \
		echo 'error: cargo is not on the PATH: install Rust 1.88 or newer from https://rustup.rs' >&2; exit 1; }

$(UV): | toolchain
	@command -v $(PYTHON) >/dev/null || { \
		echo 'error: $(PYTHON) is not on the PATH: name a Python of 3.11 or newer, as in make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1): name one of 3.11 or newer, as in make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

$(DEPENDENCIES): pyproject.toml $(UV)
	$(BIN)/uv pip install $(QUIET) --requirements pyproject.toml --group dev
	@touch $@

$(EXTENSION): $(DEPENDENCIES) $(RUST_SOURCES)
	PATH="$(abspath $(BIN)):$$PATH" maturin develop --release --locked --uv $(QUIET)
	@touch $@
