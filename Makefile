# `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test format clean

setup: .venv/ready

.venv/ready: pyproject.toml runtimes/pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable runtimes --editable '.[dev]'
	touch $@

demo: setup
	rm -rf build/demo
	$(BIN)/kaprune-edge demo --output build/demo

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy kaprune_edge runtimes/kaprune_runtime cli
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info runtimes/*.egg-info
