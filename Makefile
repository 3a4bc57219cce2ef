# Needs Python 3.11 or newer with venv, git, make and a C compiler; fetches the rest itself.
#   make demo    a network of real cities on http://127.0.0.1:8026/  (PORT=… changes it)
#   make test    everything that is checked
PORT ?= 8026
JOB ?=
OPTIONS ?=
TARGET ?=
SECONDS ?= 60
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps

FRONTEND := $(shell find frontend -name node_modules -prune -o -type f -print 2>/dev/null)
CATALOGUES := $(wildcard src/rynek/web/locale/*/LC_MESSAGES/*.po)
BUILT := $(STAMPS)/built

# The libraries are installed uncompiled (see tools/install.sh). Where this is set, as in many
# container images, every start would compile all of them anew: 5 s instead of 1.5.
unexport PYTHONDONTWRITEBYTECODE

# When make itself is killed the server must not stay behind; setpriv is part of util-linux.
DIE_WITH_MAKE := $(shell setpriv --pdeathsig TERM true 2>/dev/null && echo setpriv --pdeathsig TERM)

.PHONY: help setup demo test check bench fuzz lint format docs lock clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@sed -n '1,3s/^# \{0,1\}//p' Makefile
	@echo '  make bench   measures (JOB=… one job); make fuzz (TARGET=… SECONDS=…); make lint, docs, format, lock, clean'

demo: $(BUILT)
	@exec $(DIE_WITH_MAKE) $(VENV)/bin/rynek demo --port $(PORT)

setup: $(BUILT) $(STAMPS)/dev

# The browser and the broker come from the distribution, beside what comes from PyPI and npm.
# pytest runs even when lint fails, so that one run tells everything; either fails the target.
test: $(STAMPS)/venv
	@(tools/browser.sh; tools/mosquitto.sh) & machine=$$!; \
	$(MAKE) --no-print-directory setup; status=$$?; wait $$machine; exit $$status
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	$(MAKE) --no-print-directory check || status=1; exit $$status

check: setup
	@$(PY) -m pytest -n auto --dist worksteal $(PYTEST)

lint: setup
	@status=0; \
	$(VENV)/bin/lint-imports --no-cache || status=1; \
	$(VENV)/bin/ruff check --output-format concise . || status=1; \
	$(VENV)/bin/ruff format --check --output-format concise . || status=1; \
	$(VENV)/bin/mypy --num-workers 2 || status=1; \
	exit $$status

format: setup
	@$(VENV)/bin/ruff check --fix-only . ; $(VENV)/bin/ruff format .

# OPTIONS: those of benchmarks/run.py, such as OPTIONS='--entities 1000000 --json now.json'.
bench: setup
	@tools/wrk.sh
	@$(PY) benchmarks/run.py $(OPTIONS) $(JOB)

# Coverage-guided fuzzing of everything that reads bytes from outside; see docs/install.md.
fuzz: setup
	@$(PY) -m pip --disable-pip-version-check --quiet install --no-compile \
		--requirement requirements-fuzz.lock
	@PYTHONPATH=src nice -n 15 $(PY) -m tests.fuzz.run $(TARGET) --seconds $(SECONDS)

docs: setup
	@$(VENV)/bin/mkdocs build --strict --quiet && echo 'site/index.html'

# Both lock files hold for Python 3.11 to 3.13 on Linux: written with the oldest, whose
# dependencies include those of the newer ones.
COMPILE := $(PY) -m piptools compile --quiet --strip-extras --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --no-header
lock: setup
	@$(PY) -m pip --disable-pip-version-check --quiet install pip-tools
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --constraint requirements.lock --output-file requirements-dev.lock \
		--extra dev pyproject.toml
	@printf 'atheris>=3.0\n' | $(COMPILE) --output-file requirements-fuzz.lock -

clean:
	rm -rf $(VENV) build dist site frontend/node_modules src/rynek/web/static/app
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	find src -name '*.mo' -delete

$(STAMPS)/venv:
	@echo 'Making the virtual environment'
	@tools/venv.sh $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(BUILT): $(STAMPS)/venv requirements.lock pyproject.toml hatch_build.py $(FRONTEND) $(CATALOGUES)
	@echo 'Installing the dependencies and building the frontend (a minute or two)'
	@tools/install.sh $(VENV) requirements.lock
	@touch $@

$(STAMPS)/dev: $(BUILT) requirements-dev.lock
	@echo 'Installing what the tests need'
	@$(PY) -m pip --disable-pip-version-check --quiet install --no-compile \
		--requirement requirements-dev.lock
	@touch $@
