# Everything here sets itself up: nothing but Python 3.11 or newer is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEVELOPED := $(VENV)/.ready-dev
# A lock is complete, so pip resolves nothing: no later release of a package can break this.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps
DEMO ?= out/demo
DEMO_CONVERSATIONS ?= 20000

RUNNER ?= direct
LIVE_CONVERSATIONS ?= 500

.PHONY: help setup develop demo audit live test test-live test-cluster lint train evaluate bench generate golden lock clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with what a user needs

develop: $(DEVELOPED) ## Add to .venv what tests, checks and training need

$(READY): requirements.lock setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "make: Python 3.11 or newer is needed, $(PYTHON) is %d.%d; use e.g. make PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $(READY)

$(DEVELOPED): $(READY) requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip check
	@touch $(DEVELOPED)

demo: $(READY) ## Simulate conversations, run the job over them, have 500 judged, write the report
	$(BIN)/undertone simulate --conversations $(DEMO_CONVERSATIONS) --days 2 --output $(DEMO)/archive
	$(BIN)/undertone run --input '$(DEMO)/archive/*.avro' --output $(DEMO)/run
	$(BIN)/undertone judge $(DEMO)/run --input '$(DEMO)/archive/*.avro' \
	  --judge labels --labels $(DEMO)/archive/labels.jsonl --truth $(DEMO)/archive/truth.parquet

audit: demo ## Attack what the demo published
	$(BIN)/undertone audit $(DEMO)/run

live: $(DEVELOPED) ## Run the streaming job on emulators of Pub/Sub and BigQuery (RUNNER=direct|flink)
	$(BIN)/python -m deploy.local.live --runner=$(RUNNER) --conversations=$(LIVE_CONVERSATIONS)

test: $(DEVELOPED) ## Run every test that this machine can run
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadgroup

test-live: $(DEVELOPED) ## Run the faults on real emulators and Flink (needs Java, Maven, gcloud)
	$(BIN)/python -m pytest -m live -p no:xdist tests/live

test-cluster: $(DEVELOPED) ## Run the backfill on two task managers of Flink, and kill one (needs Java, Maven)
	$(BIN)/python -m pytest -m cluster -p no:xdist tests/cluster

lint: $(DEVELOPED) ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

train: $(DEVELOPED) ## Train the classifier (needs UNDERTONE_DATA), and measure it
	$(BIN)/python -m training.evaluate

evaluate: $(DEVELOPED) ## Measure the shipped classifier (needs UNDERTONE_DATA)
	$(BIN)/python -m training.evaluate --no-train

bench: $(DEVELOPED) ## Measure speeds, as ratios against something run beside
	$(BIN)/python -m tests.benchmarks.bench_run
	$(BIN)/python -m tests.benchmarks.bench_classifier
	$(BIN)/python -m tests.benchmarks.bench_state
	$(BIN)/python -m tests.benchmarks.bench_user_day
	$(BIN)/python -m tests.benchmarks.bench_stream --runner direct
	$(BIN)/python -m tests.benchmarks.bench_stream --runner flink

generate: $(DEVELOPED) ## Generate the protobuf code, the Avro schema, the facets, the table catalogue, and what deploys flags and tables
	$(BIN)/python -m grpc_tools.protoc -I schemas --python_out=schemas --pyi_out=schemas schemas/conversation_event.proto
	$(BIN)/python -m schemas.archive_schema
	$(BIN)/python -m pipelines.operations.facet_view
	$(BIN)/python -m deploy.metadata
	$(BIN)/python -m deploy.tables
	$(BIN)/python -m pipelines.operations.catalogue

golden: $(DEVELOPED) ## Write the golden graphs again, after a meant change, and missing golden state
	$(BIN)/python -m tests.golden.write_graph
	$(BIN)/python -m tests.golden.write_state

lock: COMPILE := $(VENV)/lock/bin/uv pip compile --quiet --generate-hashes --no-header
lock: ## Choose the newest versions that setup.py allows, and lock them
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet uv
	$(COMPILE) --universal --python-version 3.11 --upgrade setup.py requirements.in --extra dev -o requirements-dev.lock
	$(COMPILE) --universal --python-version 3.11 setup.py requirements.in --extra accurate --extra judges --constraint requirements-dev.lock -o requirements.lock
	$(COMPILE) --python-version 3.13 --upgrade deploy/local/requirements.in -o deploy/local/requirements.lock
	$(COMPILE) --no-deps tests/deploy/requirements.in -o tests/deploy/requirements.lock
	$(COMPILE) --no-deps tests/pipelines/judges/requirements.in -o tests/pipelines/judges/requirements.lock

clean: ## Remove what was made
	rm -rf $(VENV) .venv-bigquery .venv-release .judge-model .terraform-schema .flink out build dist *.egg-info
