# make run · make test · make check · make bench
# A bare machine needs Python 3.11 or newer with venv, and make. Recipes stay in this folder and
# never name it, so any path will do, with spaces or Chinese characters too.

SHELL := /bin/sh
PYTHON = $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null \
	&& echo "$$name" && break; done)
VENV_PYTHON := .venv/bin/python
# Packages are installed again only if what is asked for changes.
STAMP := .venv/installed-$(shell cat requirements.txt | cksum | cut -d ' ' -f 1)
DEV_STAMP := .venv/installed-dev-$(shell cat requirements-dev.txt | cksum | cut -d ' ' -f 1)
TESTS ?=
WORKERS ?= 2

.PHONY: run test check bench
.SUFFIXES:

run: $(STAMP)
	@exec $(VENV_PYTHON) -m config.local.supervisor --follow-parent

test: $(DEV_STAMP)
	@$(VENV_PYTHON) manage.py build --no-static
	@$(VENV_PYTHON) -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

check: $(DEV_STAMP)
	@$(VENV_PYTHON) -m config.local.checks

bench: $(DEV_STAMP)
	@$(VENV_PYTHON) -m benchmarks

.venv/made:
	@test -n "$(PYTHON)" || { echo "Regulars needs Python 3.11 or newer; none was found on PATH."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python lacks venv. Mend it with: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv && touch $@

$(STAMP): .venv/made requirements.txt
	@echo "Installing what Regulars runs on ..."
	@$(call install,requirements.txt)
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.txt
	@echo "Installing what tests and checks need ..."
	@$(call install,requirements-dev.txt)
	@touch $@

# Plain pip is enough; uv, where there is one, is faster.
install = if command -v uv >/dev/null 2>&1; \
	then uv pip install --quiet --python $(VENV_PYTHON) --require-hashes -r $(1); \
	else $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); fi
