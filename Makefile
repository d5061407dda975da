# What people run: `make demo`, `make quick` and `make test`. Each makes the environment in VENV if it is missing or stale.
# For another Python: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Named for its place too: an environment that was moved or copied here is stale, and so is one whose Python is gone.
INSTALLED := $(VENV)/installed$(subst /,-,$(CURDIR))
ifneq ($(shell $(RUN) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null),True)
$(shell rm -f $(INSTALLED)-*)
endif
INSTALL := -m pip install --quiet --disable-pip-version-check
# Of the long runs: SEED=7 MINUTES=30 MESSAGES=20000, where a run has the option.
LONG = $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(MESSAGES),--messages $(MESSAGES)) $(ARGS)
COVERAGE := --cov --cov-report=term --cov-fail-under=100
PYTEST = $(RUN) -m pytest -n $(1) --dist worksteal

# What an interpreter, or a version of a dependency, can change: imports, decoding, sources, types, the handler.
PYTHON_TESTS := $(addprefix tests/unit/runtime/,config engine envelopes modes program sources transforms) \
	tests/unit/test_model.py tests/unit/plugins \
	tests/unit/testing tests/unit/test_pytest_plugin.py tests/typing tests/e2e/test_lambda.py tests/e2e/test_runtime_client.py

.PHONY: demo quick test test-python lint format bench soak soundness site lock clean

demo: $(INSTALLED)-demo ## the sample flows on an embedded AWS
	@$(RUN) -m router demo

quick: $(INSTALLED)-dev ## the tests that are not marked `slow`
	@$(call PYTEST,2) -m "not slow" $(ARGS)

test: $(INSTALLED)-dev ## all tests; COVERAGE= runs them without the coverage gate, ARGS= adds options of pytest
	@$(call PYTEST,3) $(COVERAGE) $(ARGS)

test-python: $(INSTALLED)-dev ## the demo and what can differ on another Python, such as PYTHON=python3.13 VENV=.venv-3.13
	@$(RUN) -m router demo
	@$(call PYTEST,3) $(PYTHON_TESTS) $(ARGS)

lint: $(INSTALLED)-dev ## style, types, architecture: all of them, also if one fails
	@failed=0; run() { echo "$$*"; "$$@" || failed=1; }; \
	run $(RUN) -m ruff format --check .; \
	run $(RUN) -m ruff check .; \
	run $(RUN) -m mypy; \
	run $(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo; \
	exit $$failed

format: $(INSTALLED)-dev ## write the code as `make lint` wants it, and the files that are made from it
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m docs.generate.pages .

bench: $(INSTALLED)-dev ## what a message costs, beside the code that people write instead; writes docs/performance.md
	@$(RUN) benchmarks/run.py $(ARGS)

soak: $(INSTALLED)-dev ## the long form of the tests under faults; ONLY=faults (default), peers, replay, losses or stacks; ARGS=--help
	@$(RUN) -m tests.faults $(or $(ONLY),faults) $(LONG)

soundness: $(INSTALLED)-dev ## what `check`, `diff` and `verify` say, beside what happens; ONLY=check, documented, diff, pairs, keys or verify
	@$(RUN) -m tests.soundness $(ONLY) $(LONG)

site: $(INSTALLED)-dev ## the site of the documentation, in build/site
	@$(RUN) -m docs.generate.site build/site

# The greatest set first: the others have its versions.
lock: $(INSTALLED)-dev ## pin again what commands install; UPGRADE= keeps the versions that are there
	@compile() { $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-strip-extras $(or $(UPGRADE),--upgrade) "$$@"; }; set -e; \
	compile -o requirements/dev.lock pyproject.toml --extra console --extra otel --group build --group dev; \
	compile -o requirements/demo.lock -c requirements/dev.lock pyproject.toml --extra local --group build; \
	compile -o requirements/worker.lock -c requirements/dev.lock pyproject.toml --extra worker --group build

clean: ## remove what the commands here made
	rm -rf .venv* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

$(INSTALLED)-demo: requirements/demo.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "this needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "installing what $< pins into $(VENV) ..." >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) $(INSTALL) --require-hashes --no-deps -r $<
	@$(RUN) $(INSTALL) --no-deps --no-build-isolation --editable .
	@$(RUN) -m compileall -q router
	@touch $@

$(INSTALLED)-dev: requirements/dev.lock $(INSTALLED)-demo
	@echo "installing what $< pins into $(VENV) ..." >&2
	@$(RUN) $(INSTALL) --require-hashes --no-deps -r $<
	@touch $@
