# Bokit's own targets; bare `make` lists them. Everything is set up on first use, in .venv and .bokit.
SHELL := bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
PYTHON ?= python3
STAGE ?= default
export PYTHON

# an environment is set up again when its lock or the interpreter changes
python := $(shell $(PYTHON) -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)
stamp = .set-up-$(shell (echo '$(python)'; cat $(1)) | cksum | cut -d ' ' -f 1)
LIBRARIES := .venv/$(call stamp,requirements/dev.txt)
DEV := .venv/$(call stamp,requirements/dev.txt pyproject.toml)-ours
CLOUD := .bokit/cloud/$(call stamp,requirements/cloud.txt)
SAM := .bokit/sam/$(call stamp,requirements/sam.txt)
LAMBDA := .bokit/lambda/$(call stamp,requirements/lambda.txt)
SECURITY := .bokit/security/$(call stamp,requirements/security.txt)
COMPARE := .bokit/compare/$(call stamp,requirements/compare.txt)
DOCS := .bokit/docs/$(call stamp,requirements/docs.txt)
MCP := .bokit/mcp/$(call stamp,requirements/mcp.txt)
NODE := .bokit/node/$(call stamp,requirements/node.txt)
PAGE := web/node_modules/$(call stamp,requirements/node.txt web/package-lock.json)-page
WEB := web/node_modules/$(call stamp,requirements/node.txt web/package-lock.json)

bin := .venv/bin
node := .bokit/node/bin/node
biome := node_modules/@biomejs/biome/bin/biome
# checks never contact an AWS account
offline := AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true SAM_CLI_TELEMETRY=0

# one worker more than there are processors: who waits for the local cloud leaves them to others
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

.PHONY: help demo up down logs test quick model openapi schemas check reliability attacks fuzz bench compare deploy deploy-check restore fmt lint types template security checkpoint lock setup web browsers shots docs mcp

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) $(CLOUD) $(SAM) $(LAMBDA) $(PAGE) ## set up what is missing

$(LIBRARIES):
	@local/setup_env.sh .venv requirements/dev.txt $@
$(DEV): $(LIBRARIES)
	@$(bin)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation --no-index --editable . && touch $@
$(CLOUD):
	@local/setup_env.sh .bokit/cloud requirements/cloud.txt $@
$(SAM):
	@local/setup_env.sh .bokit/sam requirements/sam.txt $@
$(LAMBDA):
	@local/setup_env.sh .bokit/lambda requirements/lambda.txt $@
$(SECURITY):
	@local/setup_env.sh .bokit/security requirements/security.txt $@
$(COMPARE):
	@local/setup_env.sh .bokit/compare requirements/compare.txt $@
$(DOCS):
	@local/setup_env.sh .bokit/docs requirements/docs.txt $@
$(MCP):
	@local/setup_env.sh .bokit/mcp requirements/mcp.txt $@
$(NODE):
	@local/setup_env.sh .bokit/node requirements/node.txt $@
$(PAGE): $(NODE) # what builds the page, a tenth of it all
	@local/setup_node.sh --omit=dev $@
$(WEB): $(PAGE)
	@local/setup_node.sh --include=dev $@ $(PAGE)

demo: ## a first look: start everything, sync simulated platforms, show the results
	@local/require_python.sh && $(PYTHON) -m local.ports "make demo"
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m local demo

up: ## start the local cloud with the stack deployed; what runs already gets what changed
	@local/require_python.sh && $(PYTHON) -m local.ports "make up"
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m local up

down: ## stop the local cloud and keep its data
	@$(or $(wildcard $(bin)/python),$(PYTHON)) -m local.down

logs: $(DEV) ## what the functions log, as it comes (FUNCTION=sync_batch, SINCE=1h, ONCE=1; BOKIT_STACK=bokit for a deployed stack)
	@$(bin)/python -m local.logs $(FUNCTION) $(if $(SINCE),--since $(SINCE)) $(if $(ONCE),--once)

test: ## run every test that needs no AWS account
	@$(MAKE) --no-print-directory -s -j 3 setup $(COMPARE) $(DOCS) $(MCP) $(WEB)
	@$(bin)/python -m pytest -n $(WORKERS)

quick: $(DEV) ## the fast tests of the core and the engine, in a minute
	@$(bin)/python -m pytest -n $(WORKERS) -p no:schemathesis -m "not slow and not stack" tests/unit tests/engine

model: $(DEV) ## 20,000 games of the engine and a model of nights, and the model's seeded faults (hours)
	@$(bin)/python -m tests.model.mutants
	@$(bin)/python -m tests.model

web: $(WEB) ## build the npm package and the page, into web/client/dist and web/page/dist
	@$(node) web/build.mjs

browsers: web $(DEV) ## the page in every language, scheme and size, in Chromium (make test tries a sample)
	@BOKIT_BROWSERS=all $(node) --test web/page/test/*.test.ts

shots: web $(DEV) ## pictures of every view of the page, in .bokit/shots
	@$(node) web/page/shots.ts

docs: $(DEV) $(DOCS) ## build the documents as a site, into .bokit/site
	@$(bin)/python -m local.docs.site

mcp: $(DEV) $(MCP) ## set up what `bokit mcp` needs, the door for assistants (docs/assistants.md)

schemas: $(DEV) ## write docs/schemas from the config file's fields and the documents of --json
	@PYTHONPATH=layers/shared:cli $(bin)/python -m bokit_cli.schemas docs/schemas

openapi: $(DEV) ## write docs/openapi.json from the routes, with examples of a small world, and docs/http-api.md
	@PYTHONPATH=layers/shared:. $(bin)/python -m tests.support.api_examples > docs/openapi-examples.json.new 2> /dev/null
	@mv docs/openapi-examples.json.new docs/openapi-examples.json
	@PYTHONPATH=layers/shared $(bin)/python -m bokit.http.openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json
	@PYTHONPATH=layers/shared:cli:. $(bin)/python -m tests.support.docs_blocks

check: ## what CI runs: lint, types, import rules, template, security, tests
	@$(MAKE) --no-print-directory -s -j 3 setup $(COMPARE) $(DOCS) $(MCP) $(SECURITY) $(WEB)
	@$(MAKE) --no-print-directory -s lint types template security
	@$(bin)/python -m pytest -n $(WORKERS) --durations=40 --durations-min=10 --cov --cov-report=term:skip-covered
	@$(bin)/python -m bench --compare

reliability: $(DEV) $(CLOUD) ## count what faults lose, double or open: one table (JSON=1, COUNT=200 listings, LINES="clock")
	@$(bin)/python -m tests.support.reliability $(if $(JSON),--json) --count $(or $(COUNT),200) $(LINES)

attacks: ## seven attacks by one tenant on the local cloud, and how fresh another one's sources stay (MINUTES=30)
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m tests.support.attacks $(or $(MINUTES),30) $(if $(EACH),--each)

fuzz: ## made-up requests to each operation of the API (COUNT=10)
	@$(MAKE) --no-print-directory -s -j 3 setup
	@BOKIT_FUZZ=$(or $(COUNT),10) $(bin)/python -m pytest tests/stack/test_schemathesis.py

bench: ## run the benchmarks: one table of ratios against peers (NAMES="reading start", RECORD=1 keeps the ratios and draws them)
	@$(MAKE) --no-print-directory -s -j 3 setup web $(COMPARE)
	@$(bin)/python -m bench $(if $(RECORD),--record) $(NAMES)

# more worlds than the command's default, for the page
SEEDS ?= 1-4

compare: $(DEV) $(COMPARE) ## score Bokit beside other policies and write docs/compare (SEEDS=1-4)
	@$(bin)/python -m simulator score --seeds $(SEEDS) --write docs/compare

deploy: ## check, build and deploy to an account (STAGE=default, staging or prod; PARAMS="AlarmEmail=… DomainName=…"; CHECK=1)
	@$(if $(CHECK),,$(MAKE) --no-print-directory -s -j 3 setup)
	@$(if $(CHECK),$(MAKE) --no-print-directory -s $(DEV))
	@$(bin)/python -m local.deploy $(STAGE) $(if $(CHECK),--check) $(if $(STACK),--stack $(STACK)) $(if $(BUILT),--built $(BUILT))

deploy-check: ## only the checks of `make deploy`
	@$(MAKE) --no-print-directory -s deploy CHECK=1

# a restored table is ready before anything is deployed
restore: $(DEV) ## a table as it was, and the stack on it (STAGE, NEW=table to make; FROM=stack or table, AT=time, KEY=ARN, STACK)
	@found=$$($(bin)/python -m local.restore $(STAGE) --to "$(NEW)" --from "$(or $(FROM),$(STACK))" --at "$(AT)" --key "$(KEY)" \
	  $(if $(KEEP_TOKENS),--keep-tokens)) && \
	  $(MAKE) --no-print-directory deploy STAGE=$(STAGE) PARAMS="$$found $(PARAMS)" $(if $(STACK),STACK=$(STACK))

fmt: $(DEV) $(WEB) ## format the code
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .
	@cd web && ../$(node) $(biome) check --write . ../examples/react

lint: $(DEV) $(WEB) ## formatting, lint, import rules
	@$(bin)/ruff format --check .
	@$(bin)/ruff check .
	@$(bin)/lint-imports
	@cd web && ../$(node) $(biome) check --error-on-warnings . ../examples/react

types: $(DEV) $(WEB) ## mypy and TypeScript, strictly
	@$(bin)/mypy
	@$(node) web/build.mjs
	@for folder in web/client/test web/page web/page/test examples/react; do $(node) web/node_modules/typescript/bin/tsc --project $$folder || exit; done

template: $(DEV) $(SAM) ## cfn-lint and sam validate
	@$(offline) $(bin)/cfn-lint template.yaml
	@$(offline) .bokit/sam/bin/sam validate --lint

security: $(SECURITY) ## bandit on the code, checkov on the template
	@.bokit/security/bin/bandit --quiet --configfile pyproject.toml --recursive layers/shared/bokit cli functions local
	@$(offline) .bokit/security/bin/checkov --config-file .checkov.yaml

checkpoint: $(DEV) ## make the local cloud save its data now
	@$(bin)/python -m local checkpoint

lock: $(NODE) ## resolve the locks again, for Python 3.11 to 3.14
	@local/lock.sh
