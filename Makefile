# What people run: `make demo`, `make quick` and `make test`. Each makes the environment in VENV if it is missing or stale.
# For another Python: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV := .venv
COVERAGE := --cov --cov-report=term --cov-fail-under=100
# Measured, but not gated: much of these runs in processes that the tests start, where nothing is measured.
ROOMS := runtime/aws runtime/deliver runtime/run tools/change tools/deploy tools/dlq
# Named for its place too: an environment that was moved or copied here is stale.
STAMP := installed-$(subst /,-,$(CURDIR))
INSTALLED := $(VENV)/$(STAMP)
RUN := $(VENV)/bin/python

# An environment whose Python is gone, or too old, is stale.
ifneq ($(shell $(RUN) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null),True)
$(shell rm -f $(INSTALLED)-*)
endif

# The tests of the console need 150 MB more, and a browser; without one they are left out.
BROWSER := $(or $(ROUTER_BROWSER_TESTS),$(shell command -v chromium || command -v chromium-browser || command -v google-chrome))
TESTS := $(INSTALLED)-tests $(if $(BROWSER),$(INSTALLED)-browser)

# What an interpreter, or a version of a dependency, can change: imports, decoding, sources, types, the handler.
CORE_TESTS := $(addprefix tests/unit/runtime/,config engine envelopes modes program sources transforms) \
	tests/unit/runtime/test_bytecode.py tests/unit/runtime/test_import_stubs.py tests/unit/test_model.py \
	tests/e2e/test_lambda.py tests/e2e/test_runtime_client.py
PYTHON_TESTS := $(CORE_TESTS) tests/typing tests/unit/plugins tests/unit/testing tests/unit/test_pytest_plugin.py
RUNTIME_TESTS := $(CORE_TESTS) $(addprefix tests/unit/runtime/,aws deliver run)

.PHONY: demo quick test coverage test-python lowest lowest-tests steady search soak peers replay verify-model verify-losses soundness soundness-docs soundness-diff pairs bench mutants lint format docs site audit checkov stacks screenshots vendor lock clean

demo: $(INSTALLED)-demo ## the sample flows on an embedded AWS
	@$(RUN) -m router demo

quick: $(TESTS) ## the tests that are not marked `slow`
	@$(RUN) -m pytest -n 2 --dist worksteal -m "not slow" $(ARGS)

test: $(TESTS) ## all tests; COVERAGE= runs them without the coverage gate, ARGS= adds options of pytest
	@$(RUN) -m pytest -n 3 --dist worksteal $(COVERAGE) $(ARGS)

coverage: ## lines and branches that no test reaches in ROOMS without a gate; ARGS=tests/unit/tools/dlq runs these tests only
	@$(MAKE) --no-print-directory test COVERAGE="$(addprefix --cov=router/,$(ROOMS)) --cov-report=term"

test-python: demo $(INSTALLED)-tests ## what can differ on another Python, such as PYTHON=python3.13 VENV=.venv-3.13; and the demo
	@$(RUN) -m pytest -n 3 --dist worksteal $(PYTHON_TESTS) $(ARGS)

lowest: ## the tests of the run time with the lowest versions of its dependencies that pyproject.toml allows
	@$(MAKE) --no-print-directory lowest-tests VENV=.venv-lowest

lowest-tests: $(INSTALLED)-tests
	@$(RUN) -m tests.lowest > $(VENV)/lowest.txt
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps -r $(VENV)/lowest.txt
	@$(RUN) -m pytest -n 3 --dist worksteal $(RUNTIME_TESTS) $(ARGS)

steady: $(INSTALLED)-tests ## the tests marked `timing`, TIMES (10) times beside two busy loops; ARGS= names fewer tests
	@$(RUN) -m tests.steady --times $(or $(TIMES),10) -n 4 --dist worksteal $(ARGS)

search: $(INSTALLED)-tests ## the property tests with new examples for MINUTES (30); SEED= repeats a round
	@$(RUN) -m tests.search --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(or $(ARGS),-n 2)

soak: $(INSTALLED)-tests ## the long form of the tests under faults; writes docs/reliability.md
	@$(RUN) -m tests.faults.soak --messages $(or $(MESSAGES),5000) --minutes $(or $(MINUTES),15) --seed $(or $(SEED),1)

peers: $(INSTALLED)-tests ## all faults of a peer that breaks HTTP, for MINUTES (60); SEED= decides on their order
	@$(RUN) -m tests.faults.peers --minutes $(or $(MINUTES),60) --seed $(or $(SEED),1) $(ARGS)

replay: $(INSTALLED)-tests ## a replay of MESSAGES (200000) that is killed KILLS (10) times, and its tables compared with the source
	@$(RUN) -m tests.faults.replay_killed --messages $(or $(MESSAGES),200000) --kills $(or $(KILLS),10) --seed $(or $(SEED),1)

soundness: $(INSTALLED)-tests ## what `router check` says, compared with what happens to messages; writes docs/conformance.md
	@$(RUN) -m tests.soundness --configs $(or $(CONFIGS),5000) --public $(or $(PUBLIC),1500) \
		--messages $(or $(MESSAGES),300) --seed $(or $(SEED),1) --minutes $(or $(MINUTES),15) --write $(ARGS)

soundness-docs: $(INSTALLED)-tests ## the same, of configs and messages that are made from the documentation alone
	@$(RUN) -m tests.soundness --documented --configs $(or $(CONFIGS),5000) --messages $(or $(MESSAGES),120) \
		--seed $(or $(SEED),1) --minutes $(or $(MINUTES),60) --write $(ARGS)

soundness-diff: $(INSTALLED)-tests ## what `router diff` says of edits of public schemas, compared with messages; writes docs/conformance.md
	@$(RUN) -m tests.soundness.changes --pairs $(or $(PAIRS),2400) --messages $(or $(MESSAGES),2000) \
		--seed $(or $(SEED),1) --minutes $(or $(MINUTES),60) --write $(ARGS)

pairs: $(INSTALLED)-tests ## what two routes that write one key lose, by every order of EVENTS (6) events, and on a local AWS for MINUTES (30); writes docs/conformance.md
	@$(RUN) -m tests.soundness.pairs --events $(or $(EVENTS),6) --all-events 4 --minutes $(or $(MINUTES),30) --seed $(or $(SEED),1) --write $(ARGS)

keys: $(INSTALLED)-tests ## what `router check` says of the keys of PAIRS (1000) random pairs of routes, attacked by KEYS (1000000) keys, and on a local AWS; writes docs/conformance.md
	@$(RUN) -m tests.soundness.keys --pairs $(or $(PAIRS),1000) --keys $(or $(KEYS),1000000) --seed $(or $(SEED),1) \
		--minutes $(or $(MINUTES),60) --aws --write $(ARGS)

verify-model: $(INSTALLED)-tests ## what `router verify` says of CASES (20000) random cases, compared with every order of receipt, for MINUTES (30)
	@$(RUN) -m tests.soundness.verify --cases $(or $(CASES),20000) --minutes $(or $(MINUTES),30) --seed $(or $(SEED),1)

verify-losses: $(INSTALLED)-tests ## MESSAGES (100000) through worker and function under faults and kills: nothing is lost; then LOSSES (10) planted, all are found
	@$(RUN) -m tests.faults.losses --messages $(or $(MESSAGES),100000) --losses $(or $(LOSSES),10) \
		--minutes $(or $(MINUTES),60) --seed $(or $(SEED),1)

bench: $(INSTALLED)-bench ## what a message costs, beside the code that people write instead; writes docs/performance.md
	@$(RUN) benchmarks/run.py $(ARGS)

mutants: $(INSTALLED)-tests ## what tests do not notice of small changes in MODULE, by default all packages with rules about losing data
	@# Not in the lock file, which is for all Pythons: what mutmut requires differs among them.
	@$(RUN) -m pip install --quiet 'mutmut==3.8.*'
	@$(RUN) -m tests.mutants $(MODULE) $(ARGS)

lint: $(INSTALLED)-lint ## style, types, architecture: all of them, also if one fails
	@failed=0; run() { echo "$$*"; "$$@" || failed=1; }; \
	run $(RUN) -m ruff format --check .; \
	run $(RUN) -m ruff check .; \
	run $(RUN) -m mypy; \
	run $(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo; \
	run $(RUN) -m tests.words; \
	exit $$failed

format: $(INSTALLED)-lint ## write the code as `make lint` wants it
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

docs: $(INSTALLED)-demo ## the pages that are made from the code
	$(RUN) -m docs.generate.pages .

site: $(VENV)-site/$(STAMP)-site ## the site of the documentation, in build/site; VERSION= names another than `dev`
	@$(VENV)-site/bin/python -m docs.generate.site build/site $(VERSION)

screenshots: $(INSTALLED)-browser ## the pictures of the console in docs/console; needs the program chromium
	$(RUN) -m docs.generate.screenshots docs/console

audit: $(VENV)-audit/$(STAMP)-audit ## known vulnerabilities of the locked packages
	@for lock in requirements/*.lock; do \
		echo "$$lock"; $(VENV)-audit/bin/python -m pip_audit --strict --progress-spinner off --disable-pip --require-hashes -r $$lock || exit 1; \
	done

checkov: $(INSTALLED)-tests $(VENV)-checkov/bin/checkov ## what checkov finds in templates, and why that is accepted
	@$(RUN) -m pytest -n 0 tests/unit/tools/deploy/template/test_template_checkov.py $(ARGS)

stacks: $(INSTALLED)-tests $(VENV)-checkov/bin/checkov $(VENV)-sam/bin/sam ## deploys twenty configs on a local AWS, changes them, rolls back, undeploys; writes docs/conformance.md
	@$(RUN) -m tests.aws.stack_runs --seed $(or $(SEED),1) $(or $(ARGS),--write)

vendor: $(INSTALLED)-lint ## the libraries of the page of `router console`, by npm
	$(RUN) -m docs.generate.vendored

lock: $(INSTALLED)-lint ## pin again what commands install
	@PATH="$(VENV)/bin:$$PATH" $(RUN) -m requirements.lock --upgrade

clean: ## remove what the commands here made
	rm -rf .venv* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

$(INSTALLED)-demo: pyproject.toml requirements/worker.lock
$(INSTALLED)-tests: $(INSTALLED)-demo
$(INSTALLED)-browser $(INSTALLED)-bench: $(INSTALLED)-tests
$(INSTALLED)-lint: $(INSTALLED)-browser $(INSTALLED)-bench

$(INSTALLED)-%: requirements/%.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "this needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) requirements/install.py $(VENV) $(STAMP) $*

# In environments of their own, and not locked: they need an older boto3 than the router.
$(VENV)-checkov/bin/checkov:
	@$(PYTHON) -m venv $(VENV)-checkov
	@$(VENV)-checkov/bin/python -m pip install --quiet --disable-pip-version-check 'checkov==3.3.*'

$(VENV)-sam/bin/sam:
	@$(PYTHON) -m venv $(VENV)-sam
	@$(VENV)-sam/bin/python -m pip install --quiet --disable-pip-version-check 'aws-sam-cli==1.*'

$(VENV)-site/$(STAMP)-site: requirements/site.lock
	@$(PYTHON) requirements/install.py $(VENV)-site $(STAMP) site

$(VENV)-audit/$(STAMP)-audit: requirements/audit.lock
	@$(PYTHON) requirements/install.py $(VENV)-audit $(STAMP) audit
