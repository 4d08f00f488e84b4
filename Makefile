# The commands of this repository; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
PYTHON3 ?= python3
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' operator/pyproject.toml)
CACHE := $(or $(QMO_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/quantized-model-operator)

CHART := charts/quantized-model-operator
HELM ?= $(or $(shell command -v helm),$(CACHE)/helm/helm)
# The local cluster: PROFILE is control-plane or node; DIR holds all of its state.
PROFILE ?= control-plane
DIR ?= .state/cluster
# The engine that builds the image, if one answers; otherwise buildah makes it on a base of its own, which needs root
# and no registry.
IMAGE ?= quantized-model-operator:$(VERSION)
ENGINE ?= $(shell for engine in docker podman; do $$engine info >/dev/null 2>&1 && echo $$engine && break; done)

CLUSTER_TOOL := PYTHONPATH=tests/cluster $(PYTHON3) -m qmo_cluster
DEMO := PYTHONPATH=tests/cluster:tests/demo $(PY) -m qmo_demo
# The demo runs on a cluster of its own, or with CLUSTER=current on the one that kubectl points at;
# then REGISTRY says where to push the images, or IMAGES=loaded that the nodes have them.
CLUSTER ?= own
IMAGES ?=
REGISTRY ?=
DEMO_OPTIONS := --cluster $(CLUSTER) $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(filter loaded,$(IMAGES)),--images-loaded)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(READY) ## Make .venv from the pinned requirements (instant when it is current)

$(READY): operator/requirements-dev.txt operator/requirements-uv.txt operator/pyproject.toml tests/tools/setup.sh
	@tests/tools/setup.sh $(VENV)
	@touch $@

.PHONY: generate
generate: $(READY) ## Write the CRD, RBAC, install.yaml and the API reference from the types
	@$(PY) tests/tools/generate.py write

.PHONY: verify
verify: $(READY) ## Check that the generated files are current
	@$(PY) tests/tools/generate.py verify

.PHONY: format
format: $(READY) ## Format the Python files
	@$(VENV)/bin/ruff check --select I --fix --quiet
	@$(VENV)/bin/ruff format

.PHONY: lint
lint: $(READY) ## Run every pre-commit hook on every file
	@$(VENV)/bin/pre-commit run --all-files

.PHONY: type
type: $(READY) ## Check types alone
	@$(VENV)/bin/mypy

.PHONY: test
test: $(READY) ## Run every layer: lint, unit, golden, shell, cluster, e2e, node
	@$(PY) tests/tools/run_layers.py

.PHONY: golden
golden: $(READY) ## Rewrite the golden files (not in CI)
	@if [ "$${CI:-}" = true ]; then echo "golden: refused, CI only compares golden files"; exit 1; fi
	@$(PY) -m pytest tests/golden --rewrite-golden

.PHONY: shell-test
shell-test: $(READY) ## Run kopf in process against an emulated API server
	@$(PY) tests/tools/run_layers.py shell

.PHONY: e2e
e2e: $(READY) ## Run the tests against a real API server and against real pods
	@$(PY) tests/tools/run_layers.py e2e node

.PHONY: chart
chart: verify $(HELM) ## Lint, render and package the Helm chart into dist/
	@$(HELM) lint --strict --quiet $(CHART)
	@for values in /dev/null $(wildcard $(CHART)/ci/*-values.yaml); do \
	  $(HELM) template release $(CHART) --namespace qm-system --values "$$values" >/dev/null; \
	done
	@$(HELM) package $(CHART) --destination dist

# Without a helm on the PATH, the one that the local cluster pins is built.
$(CACHE)/helm/helm: tests/cluster/tools/helm/go.mod tests/cluster/tools/helm/go.sum
	@mkdir -p $(@D)
	CGO_ENABLED=0 go build -C tests/cluster/tools/helm -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' \
	  -o $@ helm.sh/helm/v4/cmd/helm

.PHONY: image
image: ## Build the operator's image with docker, podman or buildah
	$(if $(ENGINE),$(ENGINE) build --file images/operator/Dockerfile,$(PYTHON3) images/build.py operator --no-archive) \
	  --tag $(IMAGE) $(if $(ENGINE),.)

.PHONY: run
run: $(READY) ## Run the operator here, against the current kubeconfig
	@QMO_OPERATOR_IMAGE=$${QMO_OPERATOR_IMAGE:-$(IMAGE)} $(PY) -m quantized_model_operator run

.PHONY: demo
demo: $(READY) ## Start a cluster and serve a really quantised model with a really running vLLM
	@$(DEMO) up $(DEMO_OPTIONS)

.PHONY: demo-down
demo-down: $(READY) ## End what the demo started
	@$(DEMO) down $(DEMO_OPTIONS)

.PHONY: cluster-up
cluster-up: ## Start a local Kubernetes: PROFILE=control-plane or PROFILE=node
	@$(CLUSTER_TOOL) up --profile $(PROFILE) --dir $(DIR)

.PHONY: cluster-down
cluster-down: ## End the local Kubernetes in DIR
	@$(CLUSTER_TOOL) down --dir $(DIR)

.PHONY: bench
bench: $(READY) ## Measure reconcile speed, memory and writes
	@PYTHONPATH=tests:tests/cluster $(PY) tests/bench/bench.py

.PHONY: bench-planning
bench-planning: $(READY) ## Measure what a plan costs, as a command and in the operator
	@PYTHONPATH=tests $(PY) tests/bench/planning.py

.PHONY: bench-failures
bench-failures: $(READY) ## Measure how soon the reason of a failed vLLM stands in the status
	@PYTHONPATH=tests:tests/cluster:tests/demo $(PY) tests/bench/failure_latency.py

.PHONY: requirements
requirements: $(READY) ## Resolve all pinned requirements anew
	@tests/tools/lock.sh
	@images/lock.sh

.PHONY: release
release: test chart ## Test, then write chart, wheel, CRD, manifest, image and checksums to dist/
	@cp crds/quantizedmodels.yaml charts/install.yaml dist/
	@cd operator && ../$(VENV)/bin/hatchling build --target wheel --directory ../dist
	@$(PYTHON3) images/build.py operator --tag $(IMAGE) --archive dist/$(subst :,-,$(notdir $(IMAGE))).tar
	@cd dist && rm -f SHA256SUMS && sha256sum -- * > SHA256SUMS && cat SHA256SUMS
