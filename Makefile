# `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test wheel-arm64 test-arm64 bench fuzz format clean

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

TOOLCHAIN := $(CURDIR)/runtimes/native/cmake/aarch64-linux.cmake
ARM64_ROOT := build/arm64-root

# $(call need,COMMAND:PACKAGE...) stops where a command is missing, naming the Debian packages that bring them.
need = @missing=$$(for each in $(1); do \
	PATH=$$PATH:/usr/sbin command -v $${each%:*} >/dev/null || echo " $${each\#*:}"; done | tr -d '\n'); \
	[ -z "$$missing" ] || { echo "error: packages are missing; as root: apt-get install$$missing" >&2; exit 1; }

wheel-arm64:
	$(call need,aarch64-linux-gnu-g++:g++-aarch64-linux-gnu)
	$(MAKE) setup
	rm -f dist/kaprune_edge_runtime-*aarch64.whl
	CMAKE_TOOLCHAIN_FILE=$(TOOLCHAIN) _PYTHON_HOST_PLATFORM=manylinux_2_34-aarch64 \
		$(BIN)/python -m build --wheel --outdir dist runtimes
	@$(BIN)/python -m zipfile --list dist/kaprune_edge_runtime-*aarch64.whl | grep libkaprune.so >/dev/null || \
		{ echo "error: the library was not built; see above why" >&2; exit 1; }

# On an emulated device that is unpacked from packages in $(ARM64_ROOT).
test-arm64:
	$(call need,aarch64-linux-gnu-g++:g++-aarch64-linux-gnu qemu-aarch64-static:qemu-user-static \
		apt-get:apt dpkg-deb:dpkg ssh:openssh-client sshd:openssh-server)
	$(MAKE) wheel-arm64
	$(BIN)/cmake -S runtimes/native -B build/arm64 --toolchain $(TOOLCHAIN) -DCMAKE_BUILD_TYPE=Release
	$(BIN)/cmake --build build/arm64 --parallel 2
	$(BIN)/ctest --test-dir build/arm64 --output-on-failure
	tests/device/make_arm64_root.sh $(ARM64_ROOT) dist/kaprune_edge_runtime-*aarch64.whl
	OMP_NUM_THREADS=1 $(BIN)/pytest -m arm64

# DEEPSPARSE=PYTHON and OPENVINO=PYTHON also time these engines, which those Pythons have.
bench: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/kernels/run.py
	$(BIN)/python benchmarks/encoder/run.py $(if $(DEEPSPARSE),--deepsparse $(DEEPSPARSE)) \
		$(if $(OPENVINO),--openvino $(OPENVINO))
	$(BIN)/python benchmarks/encoder/run.py --shape minilm
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
