# `make bench` trains and compares every model; `make test` runs the tests. Both do all set-up.
#
#   GPU=0      that GPU            GPU=0,1  DataParallel over both      GPU=cpu  the CPU
#   MODELS= BUDGET= SEEDS= RECIPE= PLAN=    options of `fmnist-bench run`; ARGS= any others
#   RESULTS=   run folder of `make report`; without it the newest      BASE=  commit of `make gate`
#   PYTHON=    interpreter for the virtual environment (3.11 or later)
#   VENV=      (empty) uses PYTHON as it is, and installs nothing
#   CUDA=1     PyTorch with CUDA, CUDA=0 without; by itself: with it where there is an NVIDIA driver

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup data bench report test test-all check format benchmark fuzz counts gate gpu-proof peers docs clean

PYTHON ?= python3
VENV ?= .venv
GPU ?=
MODELS ?= all
BUDGET ?=
SEEDS ?=
RECIPE ?=
PLAN ?=
CUDA ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
RESULTS ?=
BASE ?= main
ARGS ?=

comma := ,
space := $(subst ,, )
in_a_rule = $(subst $(space),\ ,$(1))# a path as a rule names it: a folder may have a space
DEVICE := auto
ifeq ($(GPU),cpu)
DEVICE := cpu
else ifneq ($(GPU),)
# set before Python starts: torch reads them once
export CUDA_VISIBLE_DEVICES := $(GPU)
export CUDA_DEVICE_ORDER := PCI_BUS_ID
DEVICE := cuda:0
ifneq ($(findstring $(comma),$(GPU)),)
PLAN := $(if $(PLAN),$(if $(findstring dp,$(PLAN))$(findstring ladder,$(PLAN)),$(PLAN),$(PLAN)$(comma)dp),dp)
endif
endif

ifeq ($(VENV),)
RUN := '$(PYTHON)'
READY :=
else
RUN := '$(VENV)/bin/python'
READY := $(call in_a_rule,$(VENV)/.ready)
endif

DATA := $(or $(FMNIST_DATA),data)
DATA_READY := $(call in_a_rule,$(DATA)/FashionMNIST/raw/t10k-labels-idx1-ubyte)

help: ## this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
	@sed -n '3,8s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

setup: $(READY) $(DATA_READY) ## virtual environment, pinned packages, data

data: $(READY) $(DATA_READY) ## the data set alone

bench: $(READY) ## train every model under one budget and print the table
	@$(RUN) -m bench run --models '$(MODELS)' --device '$(DEVICE)' \
	  $(if $(BUDGET),--budget '$(BUDGET)') $(if $(SEEDS),--seeds '$(SEEDS)') \
	  $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(PLAN),--plan '$(PLAN)') $(ARGS)

report: $(READY) ## one HTML page of the newest run, or of RESULTS=FOLDER
	@$(RUN) -m bench report $(if $(RESULTS),'$(RESULTS)') $(ARGS)

# a worker holds about 1 GB, its fork server another
PYTEST := -m pytest -n auto --maxprocesses 8 --dist worksteal

test: $(READY) $(DATA_READY) ## the first tier of the tests: units, and every command once
	@$(RUN) $(PYTEST) $(ARGS)

test-all: $(READY) $(DATA_READY) ## all tests but those of the night: compiled plans, whole gates, simulations and more fuzz too
	@FUZZ_EXAMPLES=100 $(RUN) $(PYTEST) -m 'not nightly' $(ARGS)

check: $(READY) ## format, lint, types, import contracts, then `make test`
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo --no-cache
	@$(MAKE) --no-print-directory test

format: $(READY) ## format and mend what ruff can
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

# some 50 rounds each at most, as the JSON file keeps every one of them
BENCHMARK_JSON ?= .benchmarks/benchmark.json
benchmark: $(READY) $(DATA_READY) ## time the parts of the harness with pytest-benchmark
	@mkdir -p '$(dir $(BENCHMARK_JSON))'
	@$(if $(filter cpu,$(GPU)),CUDA_VISIBLE_DEVICES=) $(RUN) -m pytest tests/benchmarks -m "slow or not slow" --benchmark-enable \
	  --benchmark-only --benchmark-timer=tests.benchmarks.timer.synchronized_s --benchmark-min-time=0.02 \
	  --benchmark-max-time=1 --benchmark-min-rounds=5 --benchmark-json='$(BENCHMARK_JSON)' $(ARGS)
	@echo "figures in $(BENCHMARK_JSON)" >&2

# new inputs each time; `make test` runs 20 a test and `make test-all` 100, always the same ones
fuzz: $(READY) $(DATA_READY) ## give every reader some thousand bad inputs
	@FUZZ_EXAMPLES=1000 $(RUN) -m pytest -m fuzz tests/fuzz $(ARGS)

counts: $(READY) ## take the counts of all models, compiled plans and an epoch into tests/counts.toml
	@$(RUN) -m bench.counts --renew $(if $(GPU),--device '$(DEVICE)') $(ARGS)

gate: $(READY) $(DATA_READY) ## hold this commit to BASE=REV (main): counts, speed, accuracy, memory
	@$(RUN) -m bench gate --base '$(BASE)' --models '$(MODELS)' --device '$(DEVICE)' $(if $(PLAN),--plan '$(PLAN)') $(ARGS)

LIMIT ?= 540
gpu-proof: $(READY) $(DATA_READY) ## see on GPU=0 all that is claimed of one, within LIMIT seconds (540)
	@$(RUN) -m tools.gpu_proof --limit '$(LIMIT)' $(ARGS)

peers: $(READY) $(DATA_READY) ## V0 against JAX in interleaved turns (installs the extra `peers`)
	@$(if $(VENV),$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[peers]' &&) \
	  $(RUN) -m tools.jax_peer $(ARGS)

docs: $(READY) ## write docs/cli.md anew from the command line's own help
	@$(RUN) -m typer bench.cli utils docs --name fmnist-bench --output docs/cli.md

clean: ## remove the virtual environment and all caches; data and results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(READY),)
# which build of PyTorch: `cpu` is without the CUDA libraries, some 5 GB; `pypi` is with them
ifneq ($(filter-out 0 1,$(CUDA)),)
ifneq ($(origin CUDA),environment)# where it may be the folder of a toolkit
$(error CUDA=$(CUDA) is neither CUDA=1 nor CUDA=0)
endif
endif
WITH_CUDA := $(filter 0 1,$(CUDA))
THERE := $(if $(wildcard $(READY)),$(if $(findstring +cpu,$(shell cat '$(VENV)/.ready')),cpu,pypi))
NVIDIA := /proc/driver/nvidia/version /dev/nvidiactl /dev/dxg
ifeq ($(WITH_CUDA),0)
BUILD := cpu
else ifneq ($(WITH_CUDA)$(filter-out cpu,$(GPU))$(wildcard $(NVIDIA)),)
BUILD := pypi
else ifeq ($(THERE),pypi)# does for a CPU too
BUILD := pypi
else
BUILD := $(if $(filter Linux,$(shell uname -s)),cpu,pypi)# elsewhere PyPI has no CUDA libraries
endif
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
TORCHVISION := $(shell sed -n 's/^torchvision==//p' constraints.txt)
OTHER := $(filter cpu+pypi pypi+cpu,$(THERE)+$(BUILD))# than the one that is there
# an environment whose interpreter is gone (upgrade, moved clone) is made anew
ifneq ($(wildcard $(READY)),)
ifneq ($(shell $(RUN) -c 'print(1)' 2>/dev/null),1)
$(shell rm -f '$(VENV)/.ready')
endif
endif
.PHONY: other
$(READY): pyproject.toml constraints.txt $(if $(OTHER),other)
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: Python 3.11 or later is needed, '$(PYTHON)' is not; name one: make PYTHON=python3.12" >&2; exit 2; }
	@'$(PYTHON)' -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' has no venv module; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@echo "setting up $(VENV) (one to several minutes)" >&2
	@'$(PYTHON)' -m venv '$(VENV)'
	@install() { $(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt "$$@"; }; \
	if [ $(BUILD) = pypi ]; then \
	  install 'torch!=$(TORCH)+cpu' 'torchvision!=$(TORCHVISION)+cpu' -e '.[dev]'; \
	elif timeout 5 $(RUN) -m pip index versions torch --index-url '$(TORCH_INDEX)' --retries 0 --timeout 4 2>/dev/null \
	    | grep -qF '$(TORCH)+cpu' \
	  && $(if $(OTHER),'$(PYTHON)' -m venv --clear '$(VENV)',true) \
	  && install --extra-index-url '$(TORCH_INDEX)' 'torch==$(TORCH)+cpu' 'torchvision==$(TORCHVISION)+cpu' -e '.[dev]'; then :; \
	else \
	  echo "$(TORCH_INDEX) does not give torch $(TORCH)+cpu: PyPI's build, with 5 GB of CUDA libraries" >&2; \
	  install -e '.[dev]'; \
	fi || { echo "make: pip could not install the packages; see its message above, then run make again" >&2; exit 2; }
	@$(RUN) -c 'from importlib.metadata import version; print(version("torch"))' > '$@'
	@echo "set up $(VENV): torch $$(cat '$@'), $$(du -sh '$(VENV)' | cut -f1)" >&2
endif

# a folder of the user's, who may have mistyped it, is filled by `make data` alone
FETCH := $(if $(FMNIST_DATA),$(filter data,$(MAKECMDGOALS)),yes)
$(DATA_READY): | $(READY)
	@$(RUN) -m bench doctor $(if $(FETCH),--fetch) --data '$(DATA)' >&2
