# make demo: install and run the whole path on real data, into runs/demo/.    make test: install and run the tests.
# PYTHON chooses the interpreter:  make demo PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DECLARED := pyproject.toml setup.py constraints.txt

.PHONY: demo test clean

demo: $(VENV)/.installed
	$(VENV)/bin/mercato demo

test: $(VENV)/.installed-dev
	$(VENV)/bin/python -m pytest

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.installed: $(DECLARED) | $(VENV)/bin/pip
	@echo "Installing mercato into $(VENV) (torch is large: some minutes the first time)"
	@$(PIP) --editable '.[data]'
	@touch $@

$(VENV)/.installed-dev: $(DECLARED) | $(VENV)/bin/pip
	@echo "Installing mercato and its development tools into $(VENV) (torch is large: some minutes the first time)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "error: no '$(PYTHON)' here; name a Python 3.11 to 3.13 with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "error: Python 3.11 to 3.13 needed, '$(PYTHON)' is $$($(PYTHON) -V 2>&1); name another with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  echo "error: '$(PYTHON) -m venv' failed; on Debian and Ubuntu it needs the package python3-venv" >&2; exit 1; }
