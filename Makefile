# `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-arm64 bench fuzz format clean

setup: .venv/ready

NATIVE := $(wildcard runtimes/native/*.* runtimes/native/*/*.*)

.venv/ready: pyproject.toml runtimes/pyproject.toml constraints.txt $(NATIVE)
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
	$(BIN)/cmake -S runtimes/native -B build/native -DCMAKE_BUILD_TYPE=Release
	$(BIN)/cmake --build build/native --parallel 2
	$(BIN)/ctest --test-dir build/native --output-on-failure
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

# Needs g++-aarch64-linux-gnu and qemu-user-static.
test-arm64: setup
	$(BIN)/cmake -S runtimes/native -B build/arm64 \
		--toolchain $(CURDIR)/runtimes/native/cmake/aarch64-linux.cmake -DCMAKE_BUILD_TYPE=Release
	$(BIN)/cmake --build build/arm64 --parallel 2
	$(BIN)/ctest --test-dir build/arm64 --output-on-failure

# DEEPSPARSE=PYTHON also times DeepSparse, which that Python has.
bench: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/kernels/run.py
	$(BIN)/python benchmarks/encoder/run.py $(if $(DEEPSPARSE),--deepsparse $(DEEPSPARSE))
	$(BIN)/python benchmarks/encoder/layers.py
	$(BIN)/python benchmarks/encoder/table.py

# Needs clang++. What is new in build/fuzz/corpus belongs into the kept corpus, see runtimes/native/README.md.
RUNS ?= 1000000
fuzz: setup
	$(BIN)/cmake -S runtimes/native -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DKAPRUNE_TESTS=OFF -DKAPRUNE_FUZZ=ON -DKAPRUNE_SANITIZE=address,undefined
	$(BIN)/cmake --build build/fuzz --parallel 2
	mkdir -p build/fuzz/corpus
	build/fuzz/fuzz_operators -max_len=64 -entropic=0 -print_final_stats=1 -artifact_prefix=build/fuzz/ \
		-runs=$(RUNS) build/fuzz/corpus runtimes/native/fuzz/corpus

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info runtimes/*.egg-info
