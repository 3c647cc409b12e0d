# make            what there is
# make test       everything that can run on this machine; what it lacks is named
# make bench      speed and memory, each beside a baseline in the same run
# make golden     write golden files anew (look at the difference before you commit)

GO ?= go

.PHONY: help test short lint bench golden fuzz

help:
	@sed -n 's/^# //p' Makefile

# The tests of millions of invocations, and those that hold the emulator to real
# time, run without the race detector, all others with it. What runs for real is
# tested one package after the other: each would be late for the others.
test: lint
	$(GO) test -race ./engine/... ./sim/... ./scenarios/... ./results/... ./benchmarks/...
	$(GO) test -race -p 1 . ./emu/... ./cmd/... ./examples/...
	$(GO) test -tags invariants ./engine/...
	$(GO) test -tags invariants -run 'TestRandom|TestTimelines' ./sim
	$(GO) test -run 'TestQueueing|TestInFull' ./sim ./results/repro
	$(GO) test -run 'TestPaced|TestOnEnginePaced|TestFiveHundred|TestEveryFault' .
	@./.ci/missing

short:
	$(GO) test -short ./...

lint:
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

bench:
	$(GO) test -run '^$$' -bench 'Queue|Sharing|Model' -cpu 1 ./sim
	$(GO) test -run '^$$' -bench 'Genome' -benchtime 3x ./sim
	$(GO) test -run '^$$' -bench 'Partition' ./engine/placement
	$(GO) test -run '^$$' -bench 'Lag' -benchtime 3x ./emu/local

golden:
	$(GO) test ./engine/mastersp ./engine/workersp ./engine/dataflower ./scenarios ./results/figures ./results/views -rewrite

fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 20s $$p || exit 1; \
	  done; \
	done
