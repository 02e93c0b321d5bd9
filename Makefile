# Everything is done in .venv, from locks with hashes. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
PYTEST := $(BIN)/python -m pytest

# Where the environment forbids it, each of the hundreds of programs that the tests start compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test system fuzz page image image-test sbom check fix learn quality bench bench-identity bench-service bench-streams bench-batches audit lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# Two stamps: what the demo needs is a third of what the tests need. The package itself is installed last, in place.
$(VENV)/.all: requirements/all.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.all
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.all
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	touch $@

$(VENV)/.audit: requirements/audit.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	touch $@

demo: $(VENV)/.all ## start the whole service, fuse two photos over HTTP, save the picture, stop
	mkdir -p $(OUT)
	$(BIN)/facefleet demo --output $(OUT)/demo.jpg --force

test: $(VENV)/.dev ## all tests but the long tiers, at most 9 minutes on 2 cores
	$(BIN)/facefleet models pull > /dev/null
	$(BIN)/facefleet samples > /dev/null
	$(PYTEST) -n 3 --dist worksteal $(ARGS)

system: $(VENV)/.dev ## kill, cut and upgrade the whole service under thousands of tasks, at most 20 minutes
	$(BIN)/facefleet models pull > /dev/null
	$(BIN)/facefleet samples > /dev/null
	$(PYTEST) -s -m system $(ARGS)

fuzz: $(VENV)/.dev ## 200,000 damaged photos, 24,000 inferences from eight threads, the API by every role; at most 20 minutes (ARGS as for test)
	$(BIN)/facefleet models pull > /dev/null
	$(BIN)/facefleet samples > /dev/null
	$(PYTEST) -s -m fuzz $(ARGS)

page: $(VENV)/.dev ## the page in a real Chromium: trouble, signing in, keyboard, languages, accessibility; about 6 minutes
	$(BIN)/facefleet models pull > /dev/null
	$(BIN)/facefleet samples > /dev/null
	$(PYTEST) -s -m "page or not page" tests/page $(ARGS)

image: $(VENV)/.dev ## build the images of gateway and worker with podman or docker (ARGS: gateway, worker-cpu, worker-gpu)
	$(BIN)/python -m tools.images $(ARGS)

image-test: image ## run the images as a cluster does, on real servers, and kill them
	$(BIN)/facefleet models pull > /dev/null
	$(BIN)/facefleet samples > /dev/null
	$(PYTEST) -s -m image tests/image $(ARGS)

sbom: $(VENV)/.dev ## list what each lock pins as CycloneDX in out/sbom (ARGS="--image facefleet-gateway": what an image holds)
	$(BIN)/python -m tools.sbom $(ARGS)

check: $(VENV)/.dev ## formatting, lint, types, floors, what is generated, weak spots, what the locks pin
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/reference/generate.py --check
	$(BIN)/python tools/derive_client.py --check
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src tools
	$(BIN)/python tools/audit_locks.py

fix: $(VENV)/.dev ## mend formatting and what lint can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

quality: $(VENV)/.all ## what the engine reaches on sets of pictures built from the samples, figures beside their bars
	$(BIN)/facefleet samples > /dev/null
	$(BIN)/python -m benchmarks.quality.occlusion
	$(BIN)/python -m benchmarks.quality.exposure --every 8
	$(BIN)/python -m benchmarks.quality.sidelight --every 4
	$(BIN)/python -m benchmarks.quality.eyes
	$(BIN)/python -m benchmarks.quality.grain
	$(BIN)/python -m benchmarks.quality.search --shapes 1

learn: $(VENV)/.all ## renew engine/mesh/occlusion.json from drawn scenes (docs/decisions/0017), about 15 minutes
	$(BIN)/facefleet samples > /dev/null
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.quality.learn

bench: $(VENV)/.all ## time every step of the engine beside its floor
	$(BIN)/facefleet samples > /dev/null
	$(BIN)/python -m benchmarks.engine

bench-identity: $(VENV)/.bench ## whose face a recogniser sees in every pair of sample people; contact sheets in out/identity
	$(BIN)/facefleet samples > /dev/null
	$(BIN)/python -m benchmarks.identity --output $(OUT)/identity $(ARGS)

bench-service: $(VENV)/.all ## drain rate, idle latency and accept rate beside their floors, about 10 minutes
	$(BIN)/facefleet samples > /dev/null
	$(BIN)/python -m benchmarks.service $(ARGS)

bench-streams: $(VENV)/.all ## what 1,000 clients that follow tasks cost a gateway, about 2 minutes
	$(BIN)/python -m benchmarks.streams $(ARGS)

bench-batches: $(VENV)/.all ## what a batch adds to the memory of a gateway on its way in and out, about a minute
	$(BIN)/python -m benchmarks.batches $(ARGS)

audit: $(VENV)/.audit ## ask the OSV database for known weaknesses of what the locks pin; skipped where it is out of reach
	$(BIN)/python tools/audit_locks.py --online

lock: $(VENV)/.dev ## renew requirements/ (needs uv)
	./requirements/lock.sh

clean: ## remove what make has made
	rm -rf $(VENV) $(OUT) .mypy_cache .ruff_cache .import_linter_cache
