# make reproduce [SCALE=quick]   run every paper at a scale and print the scoreboard of claims
# make test                      the fast test suite
# make docs                      write docs/estimators.md and docs/distributions.md from the code
# make verify                    everything: checks of the code, fast and slow tests
# VENV=folder puts the environment somewhere else than .venv.

SHELL := bash
VENV ?= .venv
SCALE ?= quick
# Recipes see the environment's programs first; finding a Python to make it from does not.
within := PATH="$(abspath $(VENV))/bin:$$PATH"

.PHONY: reproduce test slow verify lint format docs lock clean

reproduce: $(VENV)/.installed
	@test -f config/$(SCALE).yaml || { echo "no scale '$(SCALE)': smoke, quick, standard or paper" >&2; exit 1; }
	@$(within) snakemake --cores all --configfile config/$(SCALE).yaml; status=$$?; \
	test ! -f results/$(SCALE)/tables/claims.parquet && exit $$status; \
	$(within) reparam scoreboard --made --scale $(SCALE) || exit 1; \
	echo "Report: reports/$(SCALE)/index.html"; \
	exit $$status

test: $(VENV)/.installed
	@$(within) pytest -m "not slow" -n 2 --dist loadfile

slow: $(VENV)/.installed
	@$(within) pytest -m slow -n 2 --dist loadfile

verify: lint test slow

lint: $(VENV)/.installed
	@export $(within); set -e; \
	ruff check .; \
	ruff format --check .; \
	snakefmt --check Snakefile workflow; \
	snakemake --lint; \
	lint-imports; \
	mypy

format: $(VENV)/.installed
	@export $(within); ruff check --fix .; ruff format .; snakefmt Snakefile workflow

docs: $(VENV)/.installed
	@$(within) python tools/estimator_docs.py && $(within) python tools/law_docs.py

# The newest versions within the ranges of pyproject.toml become the pins.
lock: $(VENV)/.installed
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(VENV)/bin/python -m venv "$$fresh"; \
	"$$fresh/bin/pip" install --disable-pip-version-check '.[dev]'; \
	$(within) python tools/lock.py "$$fresh/bin/python"

clean:
	rm -rf $(VENV) build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.locked: requirements.lock
	@for python in python3 python3.13 python3.12 python3.11 none; do \
	  "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if [ "$$python" = none ]; then \
	  echo "No Python >= 3.11 with its venv module found: install one (Debian, Ubuntu: apt-get install python3-venv)." >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version); PyTorch and its GPU libraries are several GB."; \
	"$$python" -m venv $(VENV)
	@$(VENV)/bin/pip install --disable-pip-version-check --requirement requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(VENV)/bin/pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable .
	@touch $@
