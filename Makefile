# Awda's root commands. They work from any directory: `make -C path/to/awda up`.
# Each of them first sets up .venv where that is necessary.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up test unit fmt typecheck check demo bench lock

HERE := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VENV := $(HERE)/.venv
BIN := $(VENV)/bin
AWDA := $(BIN)/awda
LOCK_KEY := $(firstword $(shell cksum < $(HERE)/requirements.lock))
READY := $(VENV)/.ready-$(LOCK_KEY)
EXTRA := $(VENV)/.extra-$(firstword $(shell cksum < $(HERE)/requirements-fhir.lock))
FUZZ := $(VENV)/.fuzz-$(firstword $(shell cksum < $(HERE)/requirements-fuzz.lock))

# Two workers on two cores, each with its own servers; never more than four. A worker takes one file after the other.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(HERE)/Makefile

up: $(READY) ## Run Awda until Ctrl-C; EMPTY=1 seeds no sample cases
	@cd $(HERE) && exec $(AWDA) up $(if $(EMPTY),--empty)

test: $(READY) $(EXTRA) $(FUZZ) ## Run all tests against real servers; ARGS="-k consent" selects some
	@cd $(HERE) && exec $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

unit: $(READY) $(EXTRA) ## Run the tests that need no server; takes less than a minute
	@cd $(HERE) && exec $(BIN)/python -m pytest $(PARALLEL) -m unit $(ARGS)

fmt: $(READY) ## Format the code and apply the corrections that ruff knows
	@cd $(HERE) && $(BIN)/ruff check --fix --exit-zero .
	@cd $(HERE) && $(BIN)/ruff format .

typecheck: $(READY) $(EXTRA) ## Check the types
	@cd $(HERE) && exec $(BIN)/mypy .

check: $(READY) $(EXTRA) ## Check formatting, lint, types, import contracts and generated pages
	@cd $(HERE) && $(BIN)/ruff format --check .
	@cd $(HERE) && $(BIN)/ruff check .
	@cd $(HERE) && $(BIN)/mypy .
	@cd $(HERE) && PYTHONPATH=$(HERE) $(BIN)/lint-imports
	@cd $(HERE) && if [ -f tools/docs.py ]; then $(BIN)/python -m tools.docs --check; fi

demo: $(READY) ## Carry 20 sample cases through all stages in a temporary home; CASES=50 changes how many
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && AWDA_HOME=$$home $(AWDA) demo run --cases $(or $(CASES),20)

bench: $(READY) ## Run the benchmarks, print a table, write bench/results/latest.json
	@cd $(HERE) && exec $(BIN)/python -m bench

lock: ## Update all pinned versions and hashes of requirements*.in (needs uv)
	@cd $(HERE) && uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock
	@cd $(HERE) && uv pip compile requirements-fhir.in -c requirements.lock --universal --python-version 3.11 \
		--generate-hashes --upgrade --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--quiet -o requirements-fhir.lock
	@cd $(HERE) && uv pip compile requirements-fuzz.in -c requirements.lock --universal --python-version 3.11 \
		--generate-hashes --upgrade --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--quiet -o requirements-fuzz.lock

# The set-up; repeated only when a lock file changes.
$(READY):
	@python=; for each in python3.11 python3.12 python3.13 python3.14 python3; do \
		if command -v $$each >/dev/null 2>&1 && \
			$$each -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Awda needs Python 3.11 or later with its venv module, and none was found on the PATH." >&2; \
		echo "Install one (on Debian or Ubuntu: apt-get install python3 python3-venv) and try again." >&2; exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$($$python --version). This happens once and takes a minute or two." >&2; \
	"$(BIN)/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || \
		$$python -m venv --clear "$(VENV)"
	@"$(BIN)/python" -m pip --version >/dev/null 2>&1 || "$(BIN)/python" -m ensurepip >/dev/null
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$(HERE)/requirements.lock"
	@printf '%s\n' '#!/bin/sh' \
		'here=$$(CDPATH= cd -- "$$(dirname -- "$$(readlink -f -- "$$0")")/../.." && pwd)' \
		'PYTHONPATH="$$here$${PYTHONPATH:+:$$PYTHONPATH}" exec "$$here/.venv/bin/python" -P -m cli.main "$$@"' > "$(AWDA)"
	@chmod 755 "$(AWDA)"
	@rm -f "$(VENV)"/.ready-* && touch "$@"

# The FHIR extra: tests and checks need it, `make up` does not.
$(EXTRA): | $(READY)
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$(HERE)/requirements-fhir.lock"
	@rm -f "$(VENV)"/.extra-* && touch "$@"

# What only tests need; `make up` and the image do not.
$(FUZZ): | $(READY)
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$(HERE)/requirements-fuzz.lock"
	@rm -f "$(VENV)"/.fuzz-* && touch "$@"
