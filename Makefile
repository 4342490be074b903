# `make search` and `make test` work in a fresh clone with Python >= 3.11, git and make, and write nothing outside it.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= config/config.yaml
# Caches of pip, Snakemake, matplotlib and the hub stay inside the clone; HF_HOME may point to a shared one.
export XDG_CACHE_HOME := $(CURDIR)/.venv/cache
export PIP_CACHE_DIR := $(XDG_CACHE_HOME)/pip
export MPLCONFIGDIR := $(XDG_CACHE_HOME)/matplotlib
export HF_HOME ?= $(XDG_CACHE_HOME)/huggingface
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: search test test-services lint format dag clean help

search: .venv/installed ## run the embedded default experiment to its report
	$(BIN)/snakemake --configfile $(CONFIG)
	@$(BIN)/flexibert status results/$$($(BIN)/python -c "import sys, yaml; print(yaml.safe_load(open(sys.argv[1])).get('name', 'default'))" $(CONFIG))

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

test: .venv/installed ## run the whole test suite; what the machine lacks is skipped
	$(PYTEST)

test-services: .venv/installed ## run only the tests that need a browser, graphviz or the tests' own Slurm
	$(PYTEST) -m "browser or graphviz or slurm"

lint: .venv/installed ## check style and types of Python, and the rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile rules
	$(BIN)/snakemake --lint

format: .venv/installed ## put Python and rules in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/Snakefile rules

dag: .venv/installed ## draw the rule graph and the job graph into results/<name>/dag
	$(BIN)/flexibert dag --configfile $(CONFIG)

clean: ## remove the environment; results stay
	rm -rf .venv

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# An installation that was cut off leaves `installing`: packages may be half there, so all are put in again (downloads are
# kept). torch first and alone: asked for together with others, pip may take a newer build with gigabytes of CUDA libraries.
.venv/installed: envs/requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed, this is ' + sys.version.split()[0] + '; try: make PYTHON=python3.12 $(MAKECMDGOALS)')"
	test ! -e .venv/installing || rm -rf .venv/bin .venv/include .venv/lib .venv/lib64
	mkdir -p .venv && touch .venv/installing
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $$(grep '^torch==' envs/requirements.txt)
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	rm .venv/installing
	touch $@
