# Everything a developer does, one target each. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
INSTALLED := $(VENV)/.installed
NATIVE_SOURCES := $(wildcard native/src/*.rs native/*.toml native/Cargo.lock native/*.pyx) aggregate/engine/messages.json
# Tests to run (T), minutes of a fuzz or soak run (MINUTES), processes of the test run (JOBS).
T ?= tests
MINUTES ?= 5
JOBS ?= auto
DATA ?= data/demo

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (Debian: apt-get install python3)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m virtualenv -q $(VENV) 2>/dev/null; } \
		|| { rm -rf $(VENV); uv venv -q --seed --python $(PYTHON) $(VENV) 2>/dev/null; } \
		|| { rm -rf $(VENV); echo "no way to make a virtual environment: install python3-venv, virtualenv or uv"; exit 1; }

$(INSTALLED): $(VENV)/bin/python pyproject.toml setup.py $(NATIVE_SOURCES)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -e '.[dev,auth,otel,test,lint]'
	@touch $@

.PHONY: setup
setup: $(INSTALLED) ## Make .venv and build the project into it

.PHONY: demo
demo: $(INSTALLED) ## Start a node with its own nats-server and run the bank scenario over gRPC
	@$(BIN)/aggregate demo --data $(DATA)

.PHONY: test
test: $(INSTALLED) ## Run all tests, Rust's included (T=path for a part)
	@if [ "$(T)" = tests ] && command -v cargo >/dev/null; then cargo test --quiet --manifest-path native/Cargo.toml; fi
	$(BIN)/python -m pytest -q -n $(JOBS) $(T)

.PHONY: lint
lint: $(INSTALLED) ## ruff, mypy, rustfmt, clippy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v cargo-clippy >/dev/null; then \
		cargo fmt --manifest-path native/Cargo.toml --check && \
		cargo clippy --quiet --manifest-path native/Cargo.toml --all-targets -- -D warnings; \
	else echo "no cargo clippy here: the Rust sources were not linted"; fi

.PHONY: format
format: $(INSTALLED) ## Format all sources
	$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .
	@if command -v cargo-fmt >/dev/null; then cargo fmt --manifest-path native/Cargo.toml; fi

.PHONY: coverage
coverage: $(INSTALLED) ## Run the tests with coverage, report in htmlcov/
	$(BIN)/python -m pytest -q -n $(JOBS) --cov --cov-report=html --cov-report=term:skip-covered $(T)

.PHONY: bench
bench: $(INSTALLED) ## Run the benchmarks; writes bench/results.json
	$(BIN)/python -m bench

.PHONY: bench-compare
bench-compare: $(INSTALLED) ## Run the benchmarks and fail where a ratio is worse than the recorded baseline allows
	$(BIN)/python -m bench --compare bench/baseline.json

.PHONY: fuzz
fuzz: $(INSTALLED) ## Compare the engines on generated programs for MINUTES
	$(BIN)/python -m tests.differential --minutes $(MINUTES)

.PHONY: soak
soak: $(INSTALLED) ## Kill, pause and cut nodes and servers under load for MINUTES, and check what was promised
	$(BIN)/python -m tests.faults --minutes $(MINUTES)

.PHONY: container
container: $(INSTALLED) ## Build the images and test them and the compose file (needs Docker; minutes)
	$(BIN)/python -m pytest -q -m container tests/plan/test_m13_container.py
	AGGREGATE_IMAGES_BUILT=1 $(BIN)/python -m pytest -q -n 4 -m container tests/docker/test_image.py tests/docker/test_compose.py

.PHONY: swarm-smoke
swarm-smoke: $(INSTALLED) ## Do what swarm/README.md says on a Swarm of this machine, from deploying to taking away (needs Docker)
	$(BIN)/python -m pytest -q -m container tests/docker/test_swarm.py

.PHONY: swarm-campaign
swarm-campaign: $(INSTALLED) ## Twenty tenants work through the gateway of a stack that is rolled, killed and cut, and a checker judges
	$(BIN)/python -m tests.docker.campaign

.PHONY: clean-images
clean-images: ## Remove the images that were built here
	-docker rmi cloudlysis/aggregate:local cloudlysis/nats:local cloudlysis/gateway:local cloudlysis/victoria-metrics:local
	-docker image prune -f --filter label=cloudlysis.stage

.PHONY: native
native: $(INSTALLED) ## Rebuild only the Rust module, quickly
	$(BIN)/maturin develop --release --skip-install

.PHONY: pure
pure: $(VENV)/bin/python ## Install without the native parts and run the tests
	$(BIN)/python -m pip install -q --upgrade pip
	rm -f aggregate/engine/_native*.so aggregate/engine/_keys*.so
	AGGREGATE_BUILD=pure $(BIN)/python -m pip install -q -e '.[dev,auth,otel,test,lint]'
	AGGREGATE_ENGINE=pure $(BIN)/python -m pytest -q -n $(JOBS) $(T)
	rm -f $(INSTALLED)

.PHONY: proto
proto: $(INSTALLED) ## Regenerate the gRPC stubs from the .proto
	$(BIN)/python -m aggregate.proto.generate

.PHONY: wheel
wheel: $(INSTALLED) ## Build the wheel into dist/
	$(BIN)/python -m pip wheel -q --no-deps -w dist .

.PHONY: clean
clean: ## Remove what was built (not .venv, not data)
	rm -rf build dist wheels htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis native/target aggregate/engine/*.so
	rm -f $(INSTALLED)
