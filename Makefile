# Two commands for everybody:
#   make compare   install into .venv and compare the shipped model with the shipped annotations
#   make test      the same for linters, types and tests
PYTHON ?= python3
VENV ?= .venv
REPORT ?= attnxai-report
PYTEST_FLAGS ?= -n auto
# the version of torch in make newest: pip takes builds of several GB for later ones
NEWEST_TORCH ?= 2.13.0

BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt

.PHONY: compare test lint docs slow bench oldest newest dist page clean

compare: $(VENV)/.installed
	$(BIN)/attnxai compare --model d8.pt --annotations expert.csv --output $(REPORT) --overwrite

test: $(VENV)/.installed-test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/repo-review .

# runs the examples and notebooks and refuses warnings; needs no network but for the packages
docs: $(VENV)/.installed-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -n docs build/docs

slow: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow $(PYTEST_FLAGS)

bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/agreement.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/networks.py
	$(BIN)/python benchmarks/starting.py
	$(BIN)/python benchmarks/many_images.py --n-images 1000 4000
	$(BIN)/python benchmarks/clusters.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/symmetry.py

# The tests with the lowest versions that pyproject.toml allows, and with the newest that there are. What old versions
# say about newer ones of Python and of their own requirements is no error there. Where the tests pass, their versions go
# into the table of docs/contributing.md.
OLD_WARNINGS := -W default::DeprecationWarning -W default::PendingDeprecationWarning -W default::FutureWarning

oldest:
	$(PYTHON) -m venv --clear build/oldest
	$(PYTHON) release/oldest.py > build/oldest.txt
	build/oldest/bin/python -m pip install --quiet --disable-pip-version-check -c build/oldest.txt -e '.[test]'
	OMP_NUM_THREADS=1 build/oldest/bin/python -m pytest $(OLD_WARNINGS) $(PYTEST_FLAGS)
	build/oldest/bin/python release/tested_versions.py lowest

newest:
	$(PYTHON) -m venv --clear build/newest
	build/newest/bin/python -m pip install --quiet --disable-pip-version-check torch==$(NEWEST_TORCH) -e '.[test]'
	OMP_NUM_THREADS=1 build/newest/bin/python -m pytest $(PYTEST_FLAGS)
	build/newest/bin/python release/tested_versions.py newest

# sdist and wheel, installed and tried in an environment of their own
dist:
	$(PYTHON) release/distributions.py dist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("attnxai needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(INPUTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python $(INPUTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $(VENV)/.installed $@

$(VENV)/.installed-docs: $(VENV)/bin/python $(INPUTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $(VENV)/.installed $@

# needs node; the result is committed, so that users do not
page:
	cd attnxai/annotations/page/source && npm ci --ignore-scripts && npm run build

clean:
	rm -rf $(VENV) $(REPORT) build dist docs/gallery docs/reference/generated .mypy_cache .pytest_cache .ruff_cache
