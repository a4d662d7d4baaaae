# The two commands to know: `make demo` records a dataset with the real parts, `make test` runs every test.
# Either prepares the machine first, which takes minutes once and no time after that.

PYTHON := tests/host/python
TOOLS := .venv/bin
# Isaac Lab brings packages whose pytest plugins have no business here.
PYTEST := $(PYTHON) -m pytest -q -p no:dash -p no:anyio $(PYTEST_ARGS)
# Kit, omni.ui and Isaac Lab are started once in each of these processes, of which each gets whole files of tests.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

FOLDERS := contract dataset recording tools sim

.NOTPARALLEL:
.PHONY: help setup demo play test lint test-oldest $(FOLDERS:%=test-%) test-kit bench soak panel lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what is missing (environments, system packages)
	@tests/host/setup

demo: setup ## Record the demo dataset in a real Kit, through the panel
	@$(PYTHON) tests/host/demo.py

play: setup ## Drive the demo task with the keyboard, in a window, and record it
	@$(PYTHON) tests/host/play.py

# The quick ones first. Kit and Isaac Lab allow one start per process, so that their folders are runs of their own.
test: lint test-oldest $(FOLDERS:%=test-%) test-kit ## Run every check and test
	@printf '\nAll checks and tests passed.\n'

lint: setup test-contract ## Style, types, the floors of the house, and what we rely on in Isaac Lab and Isaac Sim
	$(TOOLS)/ruff check source tests
	$(TOOLS)/ruff format --check source tests
	$(TOOLS)/mypy
	$(TOOLS)/mypy --platform win32
	$(TOOLS)/lint-imports --no-cache

$(FOLDERS:%=test-%): test-%: setup
	@echo "== tests/$*"; $(PYTEST) $(PARALLEL) -m "not soak" tests/$*

test-kit: setup
	@for app in user bare; do echo "== tests/kit, $$app app"; $(PYTEST) $(PARALLEL) -m "not soak" tests/kit --app $$app || exit 1; done

OLDEST_TESTS := tests/recording tests/dataset/test_writer.py tests/dataset/test_reader.py tests/tools/test_convert.py
test-oldest: setup ## Run what needs no Isaac Lab with the oldest numpy, pyarrow, pydantic, … that are allowed
	@echo "== the oldest packages that are allowed"; \
	    PYTHONPATH=$(CURDIR)/source:$(CURDIR)/tests .venv-oldest/bin/python -m pytest -q $(PYTEST_ARGS) $(OLDEST_TESTS)

bench: setup ## Measure the writer's speed
	@$(PYTHON) -m bench.run

soak: setup ## Run the long tests
	@$(PYTEST) -m soak tests

panel: setup ## Draw the panel in every state into build/panel/
	@$(PYTHON) tests/host/draw_panel.py build/panel

LOCK := uv pip compile --quiet --no-header --python-version 3.12 --prerelease if-necessary-or-explicit
lock: setup ## Resolve the newest versions into the locks (LOCK_ARGS="--upgrade")
	cd tests/host/locks && PATH="$(CURDIR)/.uv/bin:$$PATH" && \
	    $(LOCK) $(LOCK_ARGS) --override sim-overrides.txt sim.in --output-file sim.lock && \
	    $(LOCK) $(LOCK_ARGS) lerobot.in --output-file lerobot.lock && \
	    $(LOCK) --upgrade --resolution lowest-direct --extra convert ../../../pyproject.toml oldest.in \
	        --output-file oldest.lock

clean: ## Remove what was built and measured; datasets and environments stay
	rm -rf build dist .kit .host .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis imgui.ini
	find source tests -name __pycache__ -type d -prune -exec rm -rf {} +
