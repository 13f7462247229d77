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
.PHONY: help run-all student self-check grade check accept sweep test test-all portable audit lab frames site pdf browser format lock environment figure data evidence bench clean

help: ## Show every target with one line
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo 'Options of run-all: ONLY="03 05"  DATA=table.csv  TEST=rows.csv  PARAMS="seed=7 step_size=0.05"  FORCE=1  EXPLAIN=1  WORKERS=2  SCHEDULER=tcp://…  LIMITS="--cell-limit 900"  TORCH_INDEX= (empty: PyTorch with CUDA)'

# The shell reads these itself: what is typed may have quotation marks in it.
export ONLY DATA TEST PARAMS SCHEDULER SEED LESSONS ADDRESS NOTEBOOK SUBMISSIONS GRADES
RUN = $(PY) -m runner.run --only "$$ONLY" --data "$$DATA" --unlabelled "$$TEST" --params "$$PARAMS" --scheduler "$$SCHEDULER" --workers '$(or $(WORKERS),0)' $(if $(FORCE),--force) $(if $(EXPLAIN),--explain) $(LIMITS)
SITE := $(VENV)/requirements-site.lock
NBVAL := --nbval --nbval-artefacts build

run-all: $(READY) ## Execute what has changed with papermill, and regenerate the outputs (FORCE=1: all)
	@$(RUN)

check: $(READY) ## Execute what has changed into build/, and compare it with the committed outputs
	@$(RUN) --keep
	@$(PY) -m pytest -q $(NBVAL) $(or $(foreach n,$(ONLY),$(wildcard notebooks/$n*.ipynb homework/$n*.ipynb)),notebooks homework)

accept: $(READY) ## Show how the outputs differ from the committed ones, and replace these
	@$(RUN) --differences

sweep: $(READY) ## One notebook over a grid of parameters: make sweep ONLY=05 GRID="seed=0:20"
	@$(RUN) --sweep $(GRID)

test: $(READY) ## Lint, every committed output against one execution, unit tests (3 minutes)
	@$(PY) -m ruff check --quiet . && $(PY) -m ruff format --quiet --check .
	@$(RUN) --keep
	@$(PY) -m pytest -n auto --dist worksteal -m 'not slow' --ignore tests/browser $(NBVAL) tests notebooks homework

test-all: test ## … and the slow ones: faults, sweeps, a cluster, other code paths, a real browser
	@$(PY) -m pytest -n auto --dist worksteal -m 'slow and not weekly' --ignore tests/browser tests
	@$(MAKE) --no-print-directory portable SETS="prescott shell"
	@$(MAKE) --no-print-directory browser

portable: $(READY) ## Execute all under other code paths: what moves, by how much of its tolerance (4 minutes)
	@$(PY) tests/portable.py --only "$$ONLY" $(if $(FORCE),--force) $(if $(SETS),--sets $(SETS))

audit: $(READY) ## Change each digit, sign, verdict and letter that a reader sees, and count what is caught
	@$(RUN) --keep
	@$(PY) tests/audit.py

lab: $(READY) ## Open JupyterLab on your copies of the notebooks (LAB="--outputs": new ones with outputs)
	@$(PY) -m runner.lab $(LAB)

student: $(READY) ## The assignments for students, without answers: make student SEED=2026 (build/student/)
	@$(PY) -m classroom.student --seed "$$SEED" --lessons "$$LESSONS" --address "$$ADDRESS"

self-check: $(READY) ## Run a student's notebook, and say what has an answer: NOTEBOOK=build/student/03.ipynb
	@$(PY) classroom/self_check.py "$$NOTEBOOK" || test $$? = 1

grade: $(READY) ## Points and feedback for a folder of submissions: make grade SUBMISSIONS=folder SEED=2026
	@$(PY) -m classroom.grade "$$SUBMISSIONS" --seed "$$SEED" --workers '$(or $(WORKERS),0)' $(if $(FORCE),--force) $(if $(TRUST),--trust) $(if $(HASH),--hash) $(if $(GRADES),--grades "$$GRADES")

# Where no kernel is, a slider shows frames: the notebooks with sliders leave them in build/frames.
frames: $(READY)
	@$(RUN) --notebooks notebooks --only '03 04 05' --build build/frames --keep --env "COURSE_FRAMES=$$PWD/build/frames"

site: $(SITE) frames ## The course as static pages, from what run-all left in build/: build/site/index.html
	@$(PY) docs/site/make_site.py

pdf: $(SITE) ## The five problems as one document, from the same: build/homework.pdf
	@$(PY) docs/site/make_pdf.py

browser: $(SITE) ## Try JupyterLab, the site and the PDF in a real browser (ALL=1: all notebooks)
	@$(PY) docs/site/chromium.py
	@$(MAKE) --no-print-directory --jobs 2 site pdf
	@$(PY) -m pytest -q -n 3 --dist worksteal $(if $(ALL),,-m 'not weekly') tests/browser

format: $(READY) ## Format code and notebooks
	@$(PY) -m ruff check --quiet --fix --exit-zero . && $(PY) -m ruff format --quiet .

lock: $(READY) ## Rewrite both locks and environment.yml from pyproject.toml (UPGRADE=1: newest)
	@$(PY) .ci/lock.py $(if $(UPGRADE),--upgrade)

environment: $(READY) ## Create .venv from requirements.lock, where it is missing or out of date

figure: $(READY) ## Copy notebook 3's contour figure to docs/, for the README
	@$(PY) docs/site/saddle.py

data: $(READY) ## Fetch a public table of adults (UCI) into data/, with its citation and licence
	@$(PY) -m experiments.public_table

evidence: $(READY) ## Compute again what problem 5 quotes: learning curve, forty splits (half an hour)
	@$(PY) -m runner.execute.environment $(PY) -m experiments.evidence

bench: $(READY) ## Time the net and the sparse layer against others, by turns
	@$(PIP) --target build/bench-peer --upgrade transformers==5.23.0
	@$(PY) -m experiments.bench

clean: ## Delete .venv and build
	@rm -rf .venv build

# Its copy of the lock says what an environment was made from: only a changed text rebuilds it.
# A changed pyproject.toml may name new packages of the project itself.
.venv/requirements.lock: requirements.lock pyproject.toml
	@if cmp -s requirements.lock $@; \
	then $(PIP) --no-deps --no-build-isolation --editable . && touch $@; \
	else $(MAKE) --no-print-directory rebuild; fi

# Only the site, the PDF and the tests of both need these.
$(SITE): requirements-site.lock $(READY)
	@echo 'Installing what the site needs, once: 80 MB to download, 280 MB on the disk.'
	@$(PIP) --no-deps --requirement $< && cp $< $@

.PHONY: rebuild
rebuild:
	@$(PYTHON) .ci/environment.py
