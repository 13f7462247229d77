# Everything a person types; CI types the same. `make help` lists it.
PYTHON ?= python3
ifeq ($(CONDA_DEFAULT_ENV),behavioral-data-science)
  VENV := $(CONDA_PREFIX)
  READY :=
else
  VENV := .venv
  READY := .venv/requirements.lock
endif
ifeq ($(OS),Windows_NT)
  PY := $(VENV)/$(if $(READY),Scripts/,)python.exe
else
  PY := $(VENV)/bin/python
endif
PIP := $(PY) -m pip --disable-pip-version-check install -qq

.DEFAULT_GOAL := help
.PHONY: help run-all check accept sweep test portable audit lab site pdf browser format lock environment figure evidence bench clean

help: ## Show every target with one line
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo 'Options of run-all: ONLY=05  DATA=table.csv  TEST=rows.csv  PARAMS="seed=7 step_size=0.05"  FORCE=1  EXPLAIN=1  WORKERS=2  SCHEDULER=tcp://…  LIMITS="--cell-limit 900"  TORCH_INDEX= (empty: PyTorch with CUDA)'

RUN = $(PY) -m runner.run --only '$(ONLY)' --data '$(DATA)' --unlabelled '$(TEST)' --params '$(PARAMS)' --scheduler '$(SCHEDULER)' --workers '$(or $(WORKERS),0)' $(if $(FORCE),--force) $(if $(EXPLAIN),--explain) $(LIMITS)
# What the site shows instead of sliders is left there by the notebooks: helpers/interactive.py.
REFERENCE = $(RUN) $(if $(PARAMS)$(DATA)$(TEST),,--env 'COURSE_FRAMES=$(CURDIR)/build/frames')
# What is typed beside a sweep's options, such as seed=0:20, is its grid.
empty :=
space := $(empty) $(empty)
GRID = $(filter-out ONLY=% DATA=% TEST=% PARAMS=% SCHEDULER=% WORKERS=% FORCE=% EXPLAIN=% LIMITS=% PYTHON=% TORCH_INDEX=%,$(subst \$(space),_,$(MAKEOVERRIDES)))
SITE := $(VENV)/requirements-site.lock
NBVAL := --nbval --nbval-artefacts build
PAGES := README.md data/README.md docs

run-all: $(READY) ## Execute what has changed with papermill, and regenerate the outputs (FORCE=1: all)
	@$(REFERENCE)

check: $(READY) ## Execute what has changed into build/, and compare it with the committed outputs
	@$(REFERENCE) --keep
	@$(PY) -m pytest -q $(NBVAL) $(if $(ONLY),$(wildcard notebooks/$(ONLY)*.ipynb),notebooks $(PAGES))

accept: $(READY) ## Show how the outputs differ from the committed ones, and replace these
	@$(REFERENCE) --differences

sweep: $(READY) ## One notebook over a grid of parameters: make sweep ONLY=05 seed=0:20
	@$(RUN) --sweep $(GRID)

test: $(READY) ## Lint, unit tests, and every committed output against one execution
	@$(PY) -m ruff check --quiet . && $(PY) -m ruff format --quiet --check .
	@$(REFERENCE) --keep
	@$(PY) -m pytest $(NBVAL) -n auto --dist loadscope --ignore tests/browser tests notebooks $(PAGES)

portable: $(READY) ## Execute all under other code paths: what moves, by how much of its tolerance (4 minutes)
	@$(PY) -m runner.noise_audit $(if $(ONLY),--only '$(ONLY)') $(if $(FORCE),--force) $(if $(SETS),--sets $(SETS))

audit: $(READY) ## Change each digit, sign, verdict and letter that a reader sees, and count what is caught
	@$(REFERENCE) --keep
	@$(PY) tests/audit.py

lab: $(READY) ## Open JupyterLab on your copies of the notebooks (LAB="--no-browser --port 9000")
	@$(PY) -m runner.lab $(LAB)

site: $(SITE) ## The course as static pages, from what run-all left in build/: build/site/index.html
	@$(PY) docs/site/make_site.py

pdf: $(SITE) ## The five problems as one document, from the same: build/homework.pdf
	@$(PY) docs/site/make_pdf.py

browser: $(SITE) ## Try JupyterLab, the site and the PDF in a real browser (four minutes)
	@$(PY) docs/site/chromium.py
	@$(MAKE) --no-print-directory --jobs 2 site pdf
	@$(PY) -m pytest -q -n 3 --dist worksteal tests/browser

format: $(READY) ## Format code and notebooks
	@$(PY) -m ruff check --quiet --fix --exit-zero . && $(PY) -m ruff format --quiet .

lock: $(READY) ## Rewrite both locks and environment.yml from pyproject.toml (UPGRADE=1: newest)
	@$(PY) .ci/lock.py $(if $(UPGRADE),--upgrade)

environment: $(READY) ## Create .venv from requirements.lock, where it is missing or out of date

figure: $(READY) ## Copy notebook 3's contour figure to docs/, for the README
	@$(PY) -c 'import base64, json, pathlib; cells = json.loads(pathlib.Path("notebooks/03-gradient-descent.ipynb").read_text("utf-8"))["cells"]; [cell] = [c for c in cells if c["id"] == "contour"]; pathlib.Path("docs/saddle.png").write_bytes(base64.b64decode(cell["outputs"][0]["data"]["image/png"]))'

evidence: $(READY) ## Compute again what problem 5 quotes: learning curve, forty splits (twenty minutes)
	@$(PY) -m runner.kernel_environment $(PY) -c 'from helpers import evidence; evidence.write()'

bench: $(READY) ## Time the engine, the net and the sparse layer against others (half an hour)
	@$(PIP) --target build/bench-peer --upgrade transformers==5.23.0
	@$(PIP) --target build/bench-nbmake --upgrade --no-deps nbmake==1.5.5
	@$(PY) tests/bench.py
	@$(PY) tests/bench_engine.py

clean: ## Delete .venv and build
	@rm -rf .venv build

# Its copy of the lock says what an environment was made from: only a changed text rebuilds it.
.venv/requirements.lock: requirements.lock
	@if cmp -s requirements.lock $@; then touch $@; else $(MAKE) --no-print-directory rebuild; fi

# Only the site, the PDF and the tests of both need these.
$(SITE): requirements-site.lock $(READY)
	@echo 'Installing what the site needs, once: 80 MB to download, 280 MB on the disk.'
	@$(PIP) --no-deps --requirement $< && cp $< $@

.PHONY: rebuild
rebuild:
	@$(PYTHON) .ci/environment.py
