# make            prints this list
# make build      builds ./wiresql (a cold build takes about 100 s: DuckDB is linked in)
# make demo       imports the shipped captures, asks the founding question, serves it
# make check      gofmt, vet and the quick tests: a minute
# make test       installs what the tests drive if root, then runs everything CI runs
# make race       the tests under the race detector
# make fuzz       each fuzz target for FUZZTIME, in search of new inputs
# make random     RANDOM_STATEMENTS new random statements, MariaDB against wiresql
# make lint       gofmt, vet, staticcheck
# make docs       writes the generated documentation again
# make bench      side-by-side benchmarks (BENCHDIR needs about 15 GB, ten minutes)
# make bench-sql  those of SQL, beside DuckDB, MariaDB and BEFORE (about 15 GB, half an hour)
# make bench-hunts   hunts over a month beside DuckDB, a dashboard, the page (2 GB, half an hour)
# make bench-metadata    what is read of packets beside tshark, what a host did in a week, packets to take home (6 GB, half an hour)
# make bench-collector   those of the collector (about 2 GB, ten minutes)
# make bench-capture     those of capturing, as root, beside tcpdump and netsniff-ng (1 GB, three minutes)
# make bench-soak   all of it for a quarter of an hour, as root: what the processes take, statements that fail (3 GB)

SHELL := /bin/bash
GO ?= go
FUZZTIME ?= 10s
RANDOM_STATEMENTS ?= 20000
# Programs that make test data and benchmarks; ./... leaves testdata out.
PROGRAMS := ./testdata/bench ./testdata/exporter/... ./testdata/generate ./testdata/shift
BENCHDIR ?= /tmp/wiresql-bench
# The commit whose packet queries bench-sql compares with.
BEFORE ?= 92955ab
# The programs the tests drive: real clients and real peers, no mocks. Java 17
# or later and npm are taken as they are there, or installed.
PACKAGES := tshark tcpdump tcpreplay ethtool iproute2 mariadb-client mariadb-server nfdump softflowd python3-pymysql python3-mysqldb python3-sqlalchemy python3-pyodbc \
	odbc-mariadb unixodbc libmariadb-dev libmariadb-java chromium

.PHONY: help build demo check test deps unit race fuzz random vet lint docs bench bench-sql bench-hunts bench-metadata bench-collector bench-capture bench-soak

help:
	@sed -n 's/^# //p' Makefile | head -16

build:
	$(GO) build -o wiresql .

demo: build
	./wiresql demo

# What is quick: packages that do not link DuckDB and kill no processes.
check: vet
	$(GO) test -short ./tables ./tables/archive/disk ./tables/archive/pcap ./capture/observe ./collector ./functions ./engine/metadata ./engine/pushdown

# The same tree gives the same answer: tests run each fuzz target on its seeds
# and on all inputs that ever failed; the search for new ones is make fuzz.
test: deps lint unit race

deps:
	@missing=""; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	command -v javac >/dev/null || missing="$$missing default-jdk-headless"; command -v npm >/dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	  else \
	    echo "the tests need: sudo apt-get install --no-install-recommends$$missing"; exit 1; \
	  fi; \
	fi

unit:
	$(GO) test -timeout 40m ./...

# The packages where goroutines meet; the rest has no concurrency to race.
race:
	$(GO) test -race -short -timeout 40m ./tables/archive/... ./tables/compact ./capture/... ./collector ./engine ./sqlserver

fuzz:
	@set -e; for pkg in $$($(GO) list ./... | grep -v /testdata); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep ^Fuzz || true); do \
	    echo "fuzz $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

random:
	$(GO) test . -run 'TestRandomStatements$$' -v -timeout 2h -random.seed $$(date +%s) -random.statements $(RANDOM_STATEMENTS)

vet:
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); if [ -n "$$bad" ]; then echo "not gofmt'ed: $$bad"; exit 1; fi
	$(GO) vet ./... $(PROGRAMS)

lint: vet
	$(GO) tool staticcheck ./... $(PROGRAMS)

docs:
	$(GO) test . -run Docs -rewrite

bench: build
	$(GO) run ./testdata/bench -dir $(BENCHDIR) -wiresql ./wiresql

bench-sql: build $(BENCHDIR)/wiresql-$(BEFORE)
	$(GO) run ./testdata/bench -sql -before $(BENCHDIR)/wiresql-$(BEFORE) -dir $(BENCHDIR) -wiresql ./wiresql

$(BENCHDIR)/wiresql-$(BEFORE):
	rm -rf $(BENCHDIR)/before && mkdir -p $(BENCHDIR)/before
	git archive $(BEFORE) | tar -x -C $(BENCHDIR)/before
	cd $(BENCHDIR)/before && $(GO) build -o $@ .
	rm -rf $(BENCHDIR)/before

bench-hunts: build
	$(GO) run ./testdata/bench -hunts -runs 1 -dir $(BENCHDIR) -wiresql ./wiresql

bench-metadata: build
	$(GO) run ./testdata/bench -metadata -runs 3 -dir $(BENCHDIR) -wiresql ./wiresql

bench-collector: build
	$(GO) run ./testdata/bench -collector -dir $(BENCHDIR) -wiresql ./wiresql

bench-capture: build
	$(GO) run ./testdata/bench -capture -dir $(BENCHDIR) -wiresql ./wiresql

bench-soak: build
	$(GO) run ./testdata/bench -soak 15m -dir $(BENCHDIR) -wiresql ./wiresql
