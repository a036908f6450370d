# The verbs a person types. Each is one or two commands; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3

.PHONY: help
help: ## Print every verb with one line
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up down run
up: ## Bring up everything on a real Kubernetes and show five cars
	@$(PYTHON) hack/system up

down: ## Take everything down again
	@$(PYTHON) hack/system down

run: ## Serve the API alone on port 8000: sample stock, state in memory
	@cargo build --quiet -p faciliauto-service
	@echo 'http://localhost:8000 — a browser shows the page for buyers; or try, in another terminal:'
	@echo "  curl -s localhost:8000/recommend --json '{\"orcamento_min\": 50000, \"orcamento_max\": 90000, \"uso_principal\": \"familia\"}'"
	@cargo run --quiet -p faciliauto-service

.PHONY: test test-fast test-alerts test-cluster test-tools test-page test-contract test-s3 test-redis-faults test-redis-matrix lint format
test: test-fast test-alerts test-tools test-cluster ## Everything that must hold before a change lands

test-fast: lint ## Formatting, lints, unit and integration tests; no cluster
	@$(PYTHON) hack/debian.py curl jq redis-server zstd
	cargo test --workspace --locked

lint: ## Formatting and lints; warnings fail
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --test cluster --test drills --locked -- -D warnings
	$(PYTHON) hack/points_picture.py --check

format: ## Put the formatting right
	cargo fmt --all

test-alerts: ## Alerts fire when they should and only then; a real Prometheus answers what dashboards ask
	PROMTOOL="$$($(PYTHON) hack/promtool.py)" cargo test --workspace --locked --test integration -- --include-ignored prom

test-tools: ## The tools under hack/, with a cluster of their own where none is up
	$(PYTHON) -W ignore::ResourceWarning -m unittest discover --start-directory hack/cluster/tests --top-level-directory hack/cluster
	$(PYTHON) -m unittest discover --start-directory hack/bench_operator/tests --top-level-directory hack/bench_operator

test-page: ## The buyers' page and /docs in a headless Chromium, which is installed where it is missing
	@$(PYTHON) hack/page_test

test-contract: ## The API against its own description, asked by Schemathesis; SEED=7 asks otherwise
	@$(PYTHON) hack/contract_test $(SEED)

test-redis-matrix: ## The tests that use Redis, against Redis 7.0, Redis 8.0 and Valkey 8.1
	@$(PYTHON) hack/redis_matrix.py

test-s3: ## Backups against a real server for S3, which is built once and dies at every request in turn
	@$(PYTHON) hack/debian.py redis-server
	@$(PYTHON) hack/s3_test.py

test-redis-faults: ## Break a real Redis under two replicas, 200 requests/s, 30 s each time, and compare records and p99
	@$(PYTHON) hack/debian.py redis-server
	FACILIAUTO_TEST_LONG_FAULTS=1 cargo test --release --locked -p faciliauto-service --test service redis_faults -- --test-threads 1 --nocapture

test-cluster: ## Tests on a real cluster, brought up when none is given
	$(PYTHON) hack/system test

.PHONY: bench-engine bench-peers bench-http bench-stock bench-backup bench-operator fuzz
bench-engine: ## How fast the engine is: BENCH lines, and on standard error what was seen
	@cargo bench --quiet --locked -p faciliauto-engine --bench engine

bench-peers: ## The same ranking by Polars, DuckDB, NumPy and PostgreSQL, in turns with ours
	@$(PYTHON) hack/bench_peers

bench-http: ## A recommendation over HTTP beside a bare handler, one core each for server and load; fails past its targets
	@$(PYTHON) hack/debian.py redis-server
	@$(PYTHON) hack/shipped.py bench --quiet --package faciliauto-service --bench http

bench-stock: ## 100,000 cars of one dealer from its upload to every replica: times and memory; fails past its targets
	@$(PYTHON) hack/debian.py redis-server
	@$(PYTHON) hack/shipped.py bench --quiet --package faciliauto-service --bench stock

bench-backup: ## A million cars and a million events backed up, proven, restored, pruned: times, and memory at its most
	@$(PYTHON) hack/debian.py redis-server
	@$(PYTHON) hack/shipped.py bench --quiet --package faciliauto-service --bench backup

bench-operator: ## What the operator asks of the API server, counted in its audit log: one resource, and twenty left alone
	@$(PYTHON) hack/bench_operator

fuzz: ## Each fuzz target of engine and service for SECONDS_EACH (60); needs a nightly toolchain and cargo-fuzz
	@$(PYTHON) hack/fuzz.py

.PHONY: drill-backup drill-restore drill-crash
drill-backup: ## 50,000 cars and 200,000 events backed up under load: time, size, p99; REDIS="7.0 8.0 valkey-8.1"
	@$(PYTHON) hack/system drill backup $(REDIS)

drill-restore: ## Their loss and their restore, record by record, and restores while buyers look; REDIS=8.0
	@$(PYTHON) hack/system drill restore $(REDIS)

drill-crash: ## Kill everything that takes part in a restore at every step of it; REDIS=valkey-8.1
	@$(PYTHON) hack/debian.py redis-server
	@$(PYTHON) hack/system drill crash $(REDIS)

.PHONY: cluster-up cluster-down cluster-status kubeconfig images
cluster-up: ## A real Kubernetes on this machine
	@$(PYTHON) hack/cluster up

cluster-down: ## Remove it without a trace
	@$(PYTHON) hack/cluster down

cluster-status: ## Its components: running or not, since when, where their logs are
	@$(PYTHON) hack/cluster status

kubeconfig: ## Print the path of its kubeconfig (make -s kubeconfig)
	@$(PYTHON) hack/cluster kubeconfig

images: ## Build both images from the Dockerfile and load them into it
	@$(PYTHON) hack/cluster images

.PHONY: generate
# A file is written once its text is there: what was interrupted leaves the old one.
generate: ## Write generated files anew: the CRD, schemas, the sample stock, what the tests compare whole objects with
	text="$$(cargo run --quiet -p faciliauto-operator -- crd)" && echo "$$text" > crds/faciliautodeployments.yaml
	text="$$(cargo run --quiet -p faciliauto-service -- schema stock-row)" && echo "$$text" > docs/stock-row.schema.json
	FACILIAUTO_UPDATE_GOLDEN=1 cargo test --quiet -p faciliauto-service --test service document::the_table_of_errors
	$(PYTHON) hack/sample_stock.py
	FACILIAUTO_UPDATE_GOLDEN=1 cargo test --quiet -p faciliauto-operator --test integration -- golden:: status:: diff::
