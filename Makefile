# Everything here needs nothing but Python 3.11 or newer, pip and make: each target sets up
# what it uses.  The environment is stamped with the locked requirements and made anew when
# they change.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(shell cat requirements/base.txt requirements/dev.txt requirements/peer.txt pyproject.toml | cksum | cut -d' ' -f1)
BASE := $(VENV)/base-$(LOCKED)
DEV := $(VENV)/dev-$(LOCKED)
PEER := $(VENV)/peer-$(LOCKED)
NODE_PACKAGES := tests/e2e/node_modules/.package-lock.json

# pip of the machine installs into the environment: venv's own pip is not needed.
PIP := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check -qq
COMPILE := $(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.11 --universal
PYTEST := $(BIN)/python -m pytest

export NO_MKDOCS_2_WARNING := 1

# Where nobody looks on, the demo ends by itself.
DEMO_OPTIONS ?= $(if $(CI),--once)

.DEFAULT_GOAL := help
.PHONY: help demo test test-long pytest lint format bench bench-couchdb docs docs-serve eval generate requirements clean

help: ## what can be made
	@echo 'make …'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) \
		| awk -F'|' '{ printf "%-16s%s\n", $$1, $$2 }'

demo: $(BASE) ## see it work: three devices, conflicts of every kind, a sweep (DEMO_OPTIONS=--once)
	@$(BIN)/couchmend demo $(DEMO_OPTIONS)

test: lint pytest ## the checks and the tests (some minutes)

pytest: $(DEV) node-packages
	$(PYTEST) -n 2 -m 'not long' $(PYTEST_OPTIONS)

test-long: $(DEV) node-packages ## property, fault and soak runs (many minutes)
	$(PYTEST) -n 2 -m long $(PYTEST_OPTIONS)

lint: $(DEV) ## ruff (rules and format) and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(DEV) ## put the code into ruff's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV) $(PEER) ## measure, and print a table
	@if command -v npm >/dev/null; then npm ci --prefix benchmarks/peers; fi
	$(BIN)/python -m benchmarks $(BENCH_OPTIONS)

eval: $(DEV) $(PEER) ## merge what people merged, and compare (CASES=FILE, one case a line)
	$(BIN)/python -m benchmarks.merges $(if $(CASES),--cases $(CASES))

bench-couchdb: $(DEV) ## measure with a CouchDB (URL=http://name:password@host:port)
	@if command -v npm >/dev/null; then npm ci --prefix benchmarks/peers; fi
	$(BIN)/python -m benchmarks --couchdb $(URL) $(BENCH_OPTIONS)

docs: $(DEV) ## build the documentation into site/; a warning fails
	$(BIN)/python docs/generate.py --check
	$(BIN)/mkdocs build --strict -q
	@echo 'the documentation is in site/index.html'

docs-serve: $(DEV) ## read the documentation while writing it
	$(BIN)/mkdocs serve

generate: $(DEV) ## write the generated pages of the documentation
	$(BIN)/python docs/generate.py

requirements: $(DEV) ## lock the dependencies anew (UPGRADE=1 takes newer versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --group build -o requirements/base.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --group build --group dev --group docs \
		-c requirements/base.txt -o requirements/dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --group build --group dev --group docs \
		--group peer -c requirements/dev.txt -o requirements/peer.txt

clean: ## remove everything that was made
	rm -rf $(VENV) site dist demo tests/e2e/node_modules benchmarks/peers/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE): | requirements/base.txt
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed (make PYTHON=/path/to/python …)'; exit 1; }
	@echo 'setting up $(VENV)'
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(PIP) install --require-hashes -r requirements/base.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): | $(BASE)
	@echo 'setting up $(VENV) for development'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(PEER): | $(DEV)
	@echo 'setting up $(VENV) for comparisons'
	@$(PIP) install --require-hashes -r requirements/peer.txt
	@touch $@

.PHONY: node-packages
node-packages:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_PACKAGES); \
	else echo 'Node.js is missing: tests with PouchDB are left out (Debian: apt-get install nodejs npm)'; fi

$(NODE_PACKAGES): tests/e2e/package-lock.json
	npm ci --prefix tests/e2e
	@touch $@
