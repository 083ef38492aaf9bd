# Everything a checkout needs. Requires Python 3.11 or newer and make; all else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCUMENT := agents/data/declaration.txt
SDK := sdk/typescript
SDK_STAMP := $(SDK)/node_modules/.package-lock.json

.PHONY: help setup run lint types test test-slow test-all bench

help:
	@echo 'make setup     make .venv with the package and the tools'
	@echo 'make run       summarize $(DOCUMENT)'
	@echo 'make test      linters, type checks and tests'
	@echo 'make test-all  the same and the long crash and property tests'
	@echo 'make types     check the agents and the SDK with the TypeScript compiler (needs Node.js)'
	@echo 'make bench     measure the core'

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Error: this is Python %d.%d; name a newer one: make PYTHON=python3.11" % sys.version_info[:2])'
	@echo 'Setting up $(VENV); the first time takes a minute or two.' >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
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
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup -m 'not slow'

test-slow: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup -m slow

test-all: test test-slow

bench: setup
	$(BIN)/python -m bench core
