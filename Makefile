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

bin := .venv/bin
# checks never contact an AWS account
offline := AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true SAM_CLI_TELEMETRY=0

# one worker more than there are processors: who waits for the local cloud leaves them to others
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

.PHONY: help demo up down test quick model openapi check reliability attacks bench compare deploy fmt lint types template security checkpoint lock setup

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) $(CLOUD) $(SAM) $(LAMBDA) ## set up what is missing

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

demo: ## a first look: start everything, sync simulated platforms, show the results
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m local demo

up: ## start the local cloud with the stack deployed
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m local up

down: ## stop the local cloud and keep its data
	@$(MAKE) --no-print-directory -s $(DEV)
	@$(bin)/python -m local down

test: ## run every test that needs no AWS account
	@$(MAKE) --no-print-directory -s -j 3 setup $(COMPARE)
	@$(bin)/python -m pytest -n $(WORKERS)

quick: $(DEV) ## the fast tests of the core and the engine, in a minute
	@$(bin)/python -m pytest -n $(WORKERS) -p no:schemathesis -m "not slow and not stack" tests/unit tests/engine

model: $(DEV) ## 20,000 games of the engine and a model of nights, and the model's seeded faults (hours)
	@$(bin)/python -m tests.model.mutants
	@$(bin)/python -m tests.model

openapi: $(DEV) ## write docs/openapi.json from the routes
	@PYTHONPATH=layers/shared $(bin)/python -m bokit.http.openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

check: ## what CI runs: lint, types, import rules, template, security, tests
	@$(MAKE) --no-print-directory -s -j 3 setup $(COMPARE) $(SECURITY)
	@$(MAKE) --no-print-directory -s lint types template security
	@$(bin)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered

reliability: $(DEV) $(CLOUD) ## count what faults lose, double or open: one table (JSON=1, COUNT=200 listings, LINES="clock")
	@$(bin)/python -m tests.support.reliability $(if $(JSON),--json) --count $(or $(COUNT),200) $(LINES)

attacks: ## seven attacks by one tenant on the local cloud, and how fresh another one's sources stay (MINUTES=30)
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m tests.support.attacks $(or $(MINUTES),30) $(if $(EACH),--each)

bench: ## run the benchmarks, as ratios against peers
	@$(MAKE) --no-print-directory -s -j 3 setup
	@$(bin)/python -m bench

# more worlds than the command's default, for the page
SEEDS ?= 1-4

compare: $(DEV) $(COMPARE) ## score Bokit beside other policies and write docs/compare (SEEDS=1-4)
	@$(bin)/python -m simulator score --seeds $(SEEDS) --write docs/compare

deploy: ## build and deploy to a real account (STAGE=default, staging or prod; ALARM_EMAIL=…)
	@$(MAKE) --no-print-directory -s -j 3 setup
	BOKIT_PYTHON=$(CURDIR)/$(bin)/python .bokit/sam/bin/sam build --config-env $(STAGE)
	@notified=$$($(bin)/python -m local.deploy $(STAGE)) && \
	  .bokit/sam/bin/sam deploy --config-env $(STAGE) $$notified

fmt: $(DEV) ## format the code
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .

lint: $(DEV) ## formatting, lint, import rules
	@$(bin)/ruff format --check .
	@$(bin)/ruff check .
	@$(bin)/lint-imports

types: $(DEV) ## mypy, strictly
	@$(bin)/mypy

template: $(DEV) $(SAM) ## cfn-lint and sam validate
	@$(offline) $(bin)/cfn-lint template.yaml
	@$(offline) .bokit/sam/bin/sam validate --lint

security: $(SECURITY) ## bandit on the code, checkov on the template
	@.bokit/security/bin/bandit --quiet --configfile pyproject.toml --recursive layers/shared/bokit cli/bokit_cli functions local
	@$(offline) .bokit/security/bin/checkov --config-file .checkov.yaml

checkpoint: $(DEV) ## make the local cloud save its data now
	@$(bin)/python -m local checkpoint

lock: ## resolve the locks again, for Python 3.11 to 3.14
	@local/lock.sh
