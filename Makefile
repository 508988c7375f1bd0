# A fresh machine has Python (>= 3.11) and make; `make setup` brings the rest into .venv.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
READY := .venv/.ready
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.PHONY: setup demo check format testcluster test differential faults bench bench-operator gate docs image lock clean
.DEFAULT_GOAL := setup

setup: $(READY)

$(READY): pyproject.toml requirements.lock $(wildcard packages/*/pyproject.toml)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --compile-bytecode --require-hashes --requirement requirements.lock
	$(UV) pip install --quiet --no-deps --editable . $(foreach package,$(wildcard packages/*),--editable $(package))
	@$(BIN)/python -m compileall -q src packages
	@touch $@
	@echo "Ready: $(BIN)/lmos --help"

demo: setup
	$(BIN)/python examples/acme/demo.py

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# A Kubernetes control plane from Go modules, in a cache outside of the project: 10 to 20 minutes, once.
testcluster: setup
	$(BIN)/python -m tools.testcluster build

test: setup
	$(BIN)/pytest

# A thousand generated worlds on a cluster and on the embedded store; keeps the result.
differential: setup
	$(BIN)/pytest tests/cluster/test_differential.py --worlds 1000 --record

# Operators live through faults: in virtual time here; `python -m tests.operator.faults --real` on a real API server.
faults: setup
	$(BIN)/python -m tests.operator.faults

bench: setup
	$(BIN)/python -m benchmarks

# On the test cluster, beside kopf: half an hour.
bench-operator: setup
	$(BIN)/python -m benchmarks.operator

# What a reconcile costs beside kopf, compared with what is recorded: a minute.
gate: setup
	$(BIN)/python -m benchmarks.operator.gate

docs: setup
	$(BIN)/zensical build --clean --strict

# Needs an engine, docker or one that is called so.
image:
	docker build --file deploy/docker/Dockerfile --tag lmos:$(VERSION) .
	docker run --rm --read-only --network none lmos:$(VERSION) --version

lock: setup
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --all-extras \
		--group dev --group docs --group bench --output-file requirements.lock pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--output-file deploy/docker/build.lock deploy/docker/build.in

clean:
	rm -rf .venv site dist build .lmos
