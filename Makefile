# Two commands are all anyone needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := intents solvers router chains

.PHONY: help install demo test check soak bench clean

help:  ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed  ## Create .venv with the locked dependencies and the package itself

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "Solvent needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d: set PYTHON=..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## Run the market end to end: signed intents over HTTP, solvers, settlement, replay
	$(BIN)/solvent demo $(ARGS)

check: install  ## Format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(PACKAGES)
	$(BIN)/lint-imports

test: check  ## Everything that CI runs
	$(BIN)/pytest

soak: install  ## Long runs: twenty demos, twenty kills, 1,000 hostile auctions, hostile solvers, random markets
	$(BIN)/pytest -m soak -n 0 -s

bench: install  ## Print every benchmark's table
	@for file in tests/bench/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file $(ARGS) || exit 1; done

clean:  ## Remove what the commands above made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
