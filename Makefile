# Everything here sets itself up: nothing but Python 3.11 or newer is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= out/demo
DEMO_CONVERSATIONS ?= 20000

RUNNER ?= direct
LIVE_CONVERSATIONS ?= 500

.PHONY: help setup demo live test test-live test-cluster lint train evaluate bench generate golden lock clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with the locked dependencies

$(READY): requirements.lock setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "make: Python 3.11 or newer is needed, $(PYTHON) is %d.%d; use e.g. make PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)

demo: $(READY) ## Simulate conversations, run the job over them, write the report
	$(BIN)/undertone simulate --conversations $(DEMO_CONVERSATIONS) --days 2 --output $(DEMO)/archive
	$(BIN)/undertone run --input '$(DEMO)/archive/*.avro' --output $(DEMO)/run

live: $(READY) ## Run the streaming job on emulators of Pub/Sub and BigQuery (RUNNER=direct|flink)
	$(BIN)/python -m deploy.local.live --runner=$(RUNNER) --conversations=$(LIVE_CONVERSATIONS)

test: $(READY) ## Run every test that this machine can run
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadgroup

test-live: $(READY) ## Run the faults on real emulators and Flink (needs Java, Maven, gcloud)
	$(BIN)/python -m pytest -m live -p no:xdist tests/live

test-cluster: $(READY) ## Run the backfill on two task managers of Flink, and kill one (needs Java, Maven)
	$(BIN)/python -m pytest -m cluster -p no:xdist tests/cluster

lint: $(READY) ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

train: $(READY) ## Train the classifier anew (needs UNDERTONE_DATA), and measure it
	$(BIN)/python -m training.evaluate

evaluate: $(READY) ## Measure the shipped classifier (needs UNDERTONE_DATA)
	$(BIN)/python -m training.evaluate --no-train

bench: $(READY) ## Measure speeds, as ratios against something run beside
	$(BIN)/python -m tests.benchmarks.bench_run
	$(BIN)/python -m tests.benchmarks.bench_classifier
	$(BIN)/python -m tests.benchmarks.bench_state
	$(BIN)/python -m tests.benchmarks.bench_stream --runner direct
	$(BIN)/python -m tests.benchmarks.bench_stream --runner flink

generate: $(READY) ## Generate anew the protobuf code, the table catalogue, and what deploys flags and tables
	$(BIN)/python -m grpc_tools.protoc -I schemas --python_out=schemas --pyi_out=schemas schemas/conversation_event.proto
	$(BIN)/python -m deploy.metadata
	$(BIN)/python -m deploy.tables
	$(BIN)/python -m pipelines.catalogue

golden: $(READY) ## Write the golden graphs anew, after a change that is meant, and missing golden state
	$(BIN)/python -m tests.golden.write_graph
	$(BIN)/python -m tests.golden.write_state

lock: ## Choose the newest versions that setup.py allows, and lock them
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet uv
	$(VENV)/lock/bin/uv pip compile setup.py --extra dev --universal --python-version 3.11 --generate-hashes --no-header --upgrade -o requirements.lock
	$(VENV)/lock/bin/uv pip compile setup.py deploy/requirements.in --extra accurate --universal --python-version 3.11 --generate-hashes --no-header --constraint requirements.lock -o deploy/requirements.lock
	$(VENV)/lock/bin/uv pip compile tests/deploy/requirements.in --no-deps --generate-hashes --no-header -o tests/deploy/requirements.lock

clean: ## Remove what was made
	rm -rf $(VENV) .venv-bigquery .venv-release .terraform-schema .flink out build dist *.egg-info
