# Every target works on a fresh clone: it makes .venv and installs what the lock file names first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
SEEDS ?= 50

.PHONY: help install demo test soak check bench chaos format lock sbom dashboards screenshots clean
.DEFAULT_GOAL := help

help: ## what can be made here
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

install: $(VENV)/installed ## the environment in .venv, from requirements.lock

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Frontdesk needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

demo: install ## a whole district through real Kafka and real ClickHouse, on this machine
	@$(BIN)/frontdesk demo

test: install ## every test, benchmarks excepted
	@$(BIN)/python -m pytest -n 2 --dist loadfile

soak: install ## the heavy tests in full: 200,000 hostile records and the like
	@FRONTDESK_FULL=1 $(BIN)/python -m pytest -rP $$(grep -rl FRONTDESK_FULL tests --include='test_*.py')

check: install ## ruff, mypy, import-linter, generated pages and lock file up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/contract/test_schema_page.py tests/contract/test_dashboards.py tests/contract/test_lock.py tests/unit/test_event_schemas.py

format: install ## ruff format, and what ruff can mend by itself
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: install ## events per CPU-second, freshness, memory, recovery, every query on 1,200 districts
	@$(BIN)/python -m tests.benchmarks

chaos: install ## real servers under faults from SEEDS seeds, every number compared afterwards
	@$(BIN)/python -m tests.chaos --seeds $(SEEDS)

dashboards: install ## write deploy/grafana/dashboards from the code beside them
	@$(BIN)/python -m deploy.grafana

screenshots: install ## docs/img: the live page in Chromium, on a phone, a laptop and a wall
	@$(BIN)/python -m tests.screenshots

lock: install ## renew requirements.lock, and the locks of the image: the same versions of what it installs and is built with
	@$(COMPILE) --extra embedded --extra dev pyproject.toml -o requirements.lock
	@$(COMPILE) --constraint requirements.lock pyproject.toml -o deploy/compose/requirements.lock
	@sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(COMPILE) --constraint requirements.lock - -o deploy/compose/build.lock

sbom: install ## sbom.cdx.json: what the image is made of, as CycloneDX; the same file from the same lock
	@$(BIN)/cyclonedx-py requirements deploy/compose/requirements.lock --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --output-format JSON --output-file sbom.cdx.json

clean: ## remove the environment and the embedded servers' data
	@rm -rf $(VENV) .frontdesk
