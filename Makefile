# One command per habit. Each target works alone: it makes .venv first when that is missing or older than
# pyproject.toml. Needs Python 3.11+, pip and make. Another interpreter: `make test PYTHON=python3.13`.
# Written for GNU make 3.81, the one on macOS.

VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
RUN := $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help demo test faults lint bench docs clean

help:
	@echo "make demo    run specs/triage.yaml on the simulator: no key, no cost"
	@echo "make test    run every test"
	@echo "make faults  kill runs 100 times and count what was lost or paid twice (ten minutes)"
	@echo "make lint    ruff, mypy --strict, the import rules, generated docs"
	@echo "make bench   measure what the docs claim, into benchmarks/RESULTS.md (20 minutes; a part: ARGS=loop)"
	@echo "make docs    write docs/spec.md again from the schema"
	@echo "make clean   remove .venv, caches and build results (outputs/ stays)"

demo: $(VENV)/.for-use
	@echo "== demo: specs/triage.yaml on the simulator"
	@$(BIN)/promptrun specs/triage.yaml --simulate
	@echo "== the command is $(BIN)/promptrun"

test: $(VENV)/.for-work
	@echo "== test: pytest on every core"
	@$(RUN) -m pytest -n auto --dist worksteal $(ARGS)

faults: $(VENV)/.for-work
	@echo "== faults: 100 kills; ARGS='--kills 20 --seed 7' for others"
	@$(RUN) tests/faults/kill_100.py $(ARGS)

lint: $(VENV)/.for-work
	@echo "== lint: ruff check"
	@$(RUN) -m ruff check
	@echo "== lint: ruff format"
	@$(RUN) -m ruff format --check
	@echo "== lint: mypy --strict"
	@$(RUN) -m mypy
	@echo "== lint: import rules"
	@$(BIN)/lint-imports
	@echo "== lint: docs/spec.md against the schema"
	@$(RUN) docs/generate.py --check

bench: $(VENV)/.for-work
	@$(RUN) benchmarks/run.py $(ARGS)

docs: $(VENV)/.for-work
	@$(RUN) docs/generate.py

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info

# Two states of .venv: for using promptrun, and for working on it. The second holds the first.
$(VENV)/.for-use: pyproject.toml $(VENV)/.made
	@echo "== .venv: installing promptrun (a minute the first time)"
	@$(call pip_install,-e .)
	@touch $@

$(VENV)/.for-work: pyproject.toml $(VENV)/.made
	@echo "== .venv: installing promptrun and its development tools (a minute the first time)"
	@$(call pip_install,-e '.[dev]')
	@touch $(VENV)/.for-use $@

# Debian's python3 comes without ensurepip: there the environment starts without pip and the system's pip fills it.
$(VENV)/.made:
	@python=$$($(find_python)); \
	[ -n "$$python" ] || { echo "promptrun needs Python 3.11 or newer$(if $(PYTHON), and $(PYTHON) is not,: none found on PATH; install one or say make PYTHON=/path/to/python3)" >&2; exit 1; }; \
	echo "== .venv: made with $$($$python --version) ($$python)"; \
	$$python -m venv --clear $(VENV) >/dev/null 2>&1 || $$python -m venv --clear --without-pip $(VENV); \
	echo "$$python" > $@

find_python = for python in $(if $(PYTHON),$(PYTHON),python3 python python3.14 python3.13 python3.12 python3.11); do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done

pip_install = if $(RUN) -m pip --version >/dev/null 2>&1; then $(RUN) -m pip $(pip_words) $(1); \
	else $$(cat $(VENV)/.made) -m pip --python $(RUN) $(pip_words) $(1); fi
pip_words = --disable-pip-version-check install --quiet
