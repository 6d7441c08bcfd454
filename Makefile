# `make` prints what there is. Scripts are in .ci; what they fetch and build is in .cache, which may be deleted.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Each target's time of `make fuzz`.
FUZZTIME ?= 10s
# The packages that test, race and microbench look at.
PKG ?= ./...
# What reports say they are about. Asked once, before a report is written over one that is kept.
COMMIT := $(shell git describe --always --dirty 2>/dev/null)
# Two test programs at once: several of them start servers of their own.
TEST := go test -p 2 -timeout 20m

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/tocsin
	go build -o bin/tocsin ./processor/cmd/tocsin

.PHONY: demo
demo: ## a day of a hospital network with planted attacks, through all parts on this machine; fails if an alert is missing
	@.ci/setup.sh demo
	@$(MAKE) --no-print-directory build
	bin/tocsin demo

.PHONY: setup
setup: ## see that what the tests need is there; installs it on Debian as root, else says how to get it
	@.ci/setup.sh

.PHONY: kafka-jars
kafka-jars: ## fetch the real Kafka broker for tests into .cache, through Maven
	@.ci/kafka-jars.sh

.PHONY: test
test: setup ## all tests, with the real Kafka and PostgreSQL (PKG=./topics/... for a part)
	$(TEST) $(PKG)
	$(if $(filter ./...,$(PKG)),$(TEST) -tags tocsin_next_format ./topics ./state/...)

.PHONY: race
race: ## all tests with the race detector (PKG=./state/... for a part)
	@.ci/setup.sh race
	$(TEST) -race $(PKG)

.PHONY: long
long: setup ## the long form of the end-to-end tests: more events, more crashes
	TOCSIN_LONG=1 go test -p 1 -count 1 -timeout 6h -v ./processor/processortest/endtoend

# The parts of the soak that were asked for; none: all of them, in their short form.
SOAK := $(strip $(if $(KILLS),TestSoak) $(if $(STORM),TestStorm) $(if $(UPGRADE),TestUpgrade))
space := $(subst ,, )

.PHONY: soak
soak: setup ## processes killed, paused, stopped under load (KILLS=20 EVENTS=100000 RATE=2000 SEED=1), a storm of STORM=20 s, an upgrade over UPGRADE=40000; SUM=1 adds up what was reported
ifdef SUM
	TOCSIN_SUM=$(CURDIR)/bench/results go test -count 1 -v -run 'TestSum$$' ./processor/processortest/soak
else
	report=$(if $(SOAK),$(CURDIR)/bench/results,$$(mktemp -d)); mkdir -p "$$report"; \
	  TOCSIN_SOAK=1 TOCSIN_REPORT=$$report TOCSIN_KILLS=$(KILLS) TOCSIN_EVENTS=$(EVENTS) TOCSIN_RATE=$(RATE) \
	  TOCSIN_COMMIT=$(COMMIT) TOCSIN_SEED=$(SEED) TOCSIN_STORM=$(STORM) TOCSIN_UPGRADE=$(UPGRADE) go test -count 1 -timeout 24h -v \
	  ./processor/processortest/soak $(if $(SOAK),-run '$(subst $(space),|,$(SOAK))')
endif

SIMULATE := go test -count 1 -timeout 24h -v ./processor/processortest/simulate
# Of a verbose run: what failed, and the summaries.
BRIEFLY := grep -v -e '^=== ' -e '^ *--- PASS'

.PHONY: simulate
simulate: ## the simulator: SEEDS=200, then the crash-point matrix, CELLS=1 each (CELL=loop/ for some); SEED=7 or CELL=… with REPEAT=100 runs one until it fails
ifdef REPEAT
	TOCSIN_SEED=$(SEED) TOCSIN_CELL='$(CELL)' TOCSIN_REPEAT=$(REPEAT) \
	  $(SIMULATE) -run '^$(if $(CELL),TestMatrix,TestSeeds)$$' | $(BRIEFLY)
else
	$(if $(or $(SEEDS),$(if $(CELL),,all)),TOCSIN_SEED=$(SEED) TOCSIN_SEEDS=$(SEEDS) TOCSIN_COMMIT=$(COMMIT) \
	  TOCSIN_REPORT=$(if $(SEEDS),$(CURDIR)/bench/results/simulate.md) $(SIMULATE) -run TestSeeds | $(BRIEFLY))
	TOCSIN_CELL='$(CELL)' TOCSIN_CELLS=$(CELLS) TOCSIN_COMMIT=$(COMMIT) \
	  TOCSIN_MATRIX=$(if $(CELLS),$(CURDIR)/bench/results/crash-matrix.md) $(SIMULATE) -run TestMatrix | $(BRIEFLY)
endif

.PHONY: readme-check
readme-check: setup ## run what README and deploy/docs tell to run, in fresh clones (PAGE=README.md for some); transcripts in .cache/transcripts
	go run ./processor/processortest/readme $(if $(PAGE),-only $(PAGE))

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 10s)
	@.ci/fuzz.sh $(FUZZTIME)

.PHONY: mutants
mutants: setup ## put faults into the code, one at a time: a test must see each (MUTANT=name,… for some; TABLE=1 writes it down)
	go run ./processor/processortest/mutants $(if $(MUTANT),-only $(MUTANT)) $(if $(PART),-part $(PART)) \
	  $(if $(TABLE),-table $(CURDIR)/bench/results/mutants.md)

.PHONY: bench
bench: setup ## the short set of measurements against the real Kafka, under ten minutes, into bench/results (bench/README.md)
	@bench/short.sh bench/results

# How often each benchmark is run: benchstat wants six or more.
COUNT ?= 1

.PHONY: microbench
microbench: setup ## benchmarks of single steps (PKG=./topics, COUNT=10 for benchstat)
	go test -run '^$$' -bench . -benchmem -count $(COUNT) $(PKG)

.PHONY: kstreams
kstreams: ## build and test the Kafka Streams peer into .cache, through Maven: then `go run ./bench/load -peer streams`
	@bench/peers/kstreams/build.sh

.PHONY: lint
lint: ## formatting and golangci-lint (.golangci.yaml); the first time builds the linter
	@tool=$$(.ci/lint-tool.sh) && "$$tool" run

.PHONY: generate
generate: ## run the generators; CI fails if that changes a file
	go generate ./...

.PHONY: image
image: ## build the container image without an engine, and run its root file system once; leaves .cache/image/tocsin.tar
	@.ci/setup.sh image
	@.ci/image.sh

.PHONY: bare
bare: ## on a bare Debian 12 made for it (Go, git and make alone): make demo, make test (TARGETS=demo for one); root, long
	@.ci/setup.sh bare
	@.ci/bare.sh $(TARGETS)

.PHONY: clean
clean: ## remove bin and .cache
	rm -rf bin .cache
