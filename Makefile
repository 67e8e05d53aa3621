# make study [PROFILE=quick] [DATA=folder]   set up, run whatever has not run, build the pages
# make test                                  set up, check the code and the notebooks, run the tests
# make fuzz [COUNT=300]                      damaged files through every reader
# make torture [KILLS=50]                    kill, starve and damage a smoke study again and again
# make bench                                 set up, measure speed and memory beside plain forms
# make bench-gpu                             the same on a GPU, as a file to send in a pull request
# make lab                                   set up, open the explorer in JupyterLab
# make lock                                  write the installed versions into requirements.lock
# make clean                                 remove the environment; results stay

PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
DATA ?=
COUNT ?= 300
KILLS ?= 50
RELIABILITY := outputs/published/reliability.json

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: study test fuzz torture bench bench-gpu lab lock clean

study: $(READY)
	$(BIN)/dve study --profile $(PROFILE) $(if $(DATA),--data "$(DATA)")

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb
	$(BIN)/python -m pytest -n 2 --dist worksteal

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --count $(COUNT) --record $(RELIABILITY)

torture: $(READY)
	$(BIN)/python -m tests.torture --kills $(KILLS) --record $(RELIABILITY)

bench: $(READY)
	$(BIN)/dve bench

bench-gpu: $(READY)
	$(BIN)/dve bench --device cuda --share

lab: $(READY)
	$(BIN)/jupyter lab notebooks/explore.ipynb

lock: $(READY)
	$(BIN)/python .ci/lock.py > requirements.lock

clean:
	rm -rf $(VENV)

# One list of dependencies, in pyproject.toml; a change to it brings the environment up to date.
$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
