# The project's verbs. Each one does its own set-up: on a fresh machine `make demo` needs Python 3.11+ and nothing else.
.DEFAULT_GOAL := help
.PHONY: help install extras demo ui api stream dashboard test soak check bench lock clean

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := .venv/.extras

# Telemetry is off for every tool that has any.
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := False

# Every command imports some thousand modules: compiled once, also where Python itself may not write bytecode.
export UV_COMPILE_BYTECODE := 1

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Rainbow needs Python 3.11 to 3.13: make PYTHON=python3.12 install") if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-installer.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(if $(wildcard $(EXTRAS)),requirements-all.lock,requirements.lock)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

# The same and more: what runs the speed layer and the dashboard, and their tests.
$(EXTRAS): $(STAMP) requirements-all.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-all.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(EXTRAS)

install: $(STAMP)  ## a .venv with the locked dependencies and the `rainbow` command

extras: $(EXTRAS)  ## also the speed layer and the dashboard

demo: install  ## from nothing to a full lakehouse: stack, shop, one run, the batch views
	$(BIN)/rainbow demo

ui: install  ## the Dagster UI on http://127.0.0.1:3000
	$(BIN)/rainbow ui

api: install  ## the orders API on http://127.0.0.1:8000
	$(BIN)/rainbow api

stream: extras  ## the speed layer: the shop's changes into ClickHouse as they happen
	$(BIN)/rainbow stream

dashboard: extras  ## the dashboard on http://127.0.0.1:8501
	$(BIN)/rainbow dashboard

test: extras  ## unit, graph and integration tests
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

soak: extras  ## the property and fault tests for longer: 1,000 other histories, every point of a run killed
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest $(addprefix tests/integration/test_,any_order.py builds.py faults.py batch.py maintain.py add_a_mart.py)

check: extras  ## lint, types, which way imports run
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/sqlfluff lint --processes 2 dbt_project/models dbt_project/tests/*.sql

bench: extras  ## the benchmarks: ratios, as a table and as JSON
	$(BIN)/python -m benchmarks

lock: install  ## pin the dependencies again, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group dev --group extras --all-extras -c requirements.lock pyproject.toml -o requirements-all.lock
	grep -A 99 '^uv==' requirements.lock | awk 'NR > 1 && /^[a-z]/ {exit} {print}' > requirements-installer.lock

clean:  ## stop the stack and remove everything that was made here
	-@[ -x $(BIN)/rainbow ] && $(BIN)/rainbow down
	rm -rf .venv .rainbow dbt_project/target dbt_project/logs
