package sim_test

import (
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// One scenario for each mechanism: what it changes is worked out by hand.

// single runs invocations of one workflow under one scheduler, with the
// profile ideal and overrides, and returns the records.
func single(t *testing.T, workflow, scheduler, load, overrides string) (*scenarios.Plan, *records) {
	t.Helper()
	p := plan(t, fmt.Sprintf(`
name: mechanism
workflows: [%s]
cluster: {workers: 2}
load: %s
schedulers: [%s]
overrides: %s
`, workflow, load, scheduler, overrides))
	return p, simulate(t, p, 0)
}

const (
	one      = "{clients: 1, limit: 1}"
	two      = "{clients: 1, limit: 2}"
	chainOn1 = "{name: s, control: workersp, placement: explicit, data: faastore, table: {chain: {a: 1, b: 1, c: 1}}}"
	apart    = "{name: s, control: workersp, placement: explicit, data: remote, table: {chain: {a: 1, b: 2, c: 1}}}"
	master   = "{name: s, control: mastersp, placement: explicit, data: remote, table: {chain: {a: 1, b: 2, c: 1}}}"
)

// latency of the last invocation, when all containers are warm.
func last(r *records) engine.Time { return r.invocations[len(r.invocations)-1].Latency() }

func expect(t *testing.T, what string, got, want engine.Time) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d ns, by hand %d ns", what, got, want)
	}
}

func TestAColdStartIsPaidOnceForEachFunction(t *testing.T) {
	_, r := single(t, "chain.yaml", chainOn1, two, "{}")
	expect(t, "cold starts", r.invocations[0].Latency()-r.invocations[1].Latency(), 3*coldStart)
	if r.invocations[0].ColdStarts != 3 || r.invocations[1].ColdStarts != 0 {
		t.Errorf("%d and %d cold starts", r.invocations[0].ColdStarts, r.invocations[1].ColdStarts)
	}
	expect(t, "the phase cold start", r.invocations[0].Phases[record.ColdStart], 3*coldStart)
}

func TestStartsAtTheSameTimeSlowEachOtherDown(t *testing.T) {
	// Two containers for the items of the list start together: the second
	// takes half as long again.
	p, r := single(t, "foreach.yaml", "workersp+hash+remote", one, "{container: {slowdown: 0.5}, pool: {bind_cold_start: true}}")
	first, second := r.task(t, p, "work[0/2]"), r.task(t, p, "work[1/2]")
	expect(t, "first start", first.Started-first.Queued, coldStart)
	expect(t, "second start", second.Started-second.Queued, coldStart*3/2)
}

func TestAnIdleContainerIsKeptForItsTime(t *testing.T) {
	for _, test := range []struct {
		gap  string
		cold int
	}{{"9s", 0}, {"11s", 3}} {
		p := plan(t, fmt.Sprintf(`
name: keep-alive
workflows: [chain.yaml]
load: {arrivals: constant, rate: %v/s, limit: 2}
schedulers: [%s]
overrides: {container: {keep_alive: 10s}}
`, map[string]float64{"9s": 1.0 / 9, "11s": 1.0 / 11}[test.gap], chainOn1))
		if r := simulate(t, p, 0); r.invocations[1].ColdStarts != test.cold {
			t.Errorf("after %s: %d cold starts, want %d", test.gap, r.invocations[1].ColdStarts, test.cold)
		}
	}
}

func TestAMessageIsPaidForEachHop(t *testing.T) {
	_, r := single(t, "chain.yaml", apart, two, "{}")
	_, slow := single(t, "chain.yaml", apart, two, "{network: {message: 1100us}}")
	// gateway → a → b → c, and back the same way.
	expect(t, "six messages of a millisecond more", last(slow)-last(r), 6*ms)
	_, r = single(t, "chain.yaml", master, two, "{}")
	_, slow = single(t, "chain.yaml", master, two, "{network: {message: 1100us}}")
	// gateway → master, master → worker and back for each function, → gateway.
	expect(t, "eight messages of a millisecond more", last(slow)-last(r), 8*ms)
}

func TestTheEngineIsASingleServer(t *testing.T) {
	_, r := single(t, "chain.yaml", chainOn1, two, "{}")
	_, slow := single(t, "chain.yaml", chainOn1, two, "{engine: {event: 1ms, receive: 2ms, send: 4ms}}")
	// The gateway handles the arrival (event) and sends a; the worker receives
	// it, handles three ends of tasks and sends one answer, which the gateway
	// receives. A container that comes up is an event too, but all are warm.
	// The releases that the gateway sends leave after it knows of the end, in
	// the same step, whose time counts.
	gateway := 1*ms + 4*ms
	worker := 2*ms + 3*1*ms + 4*ms
	release := 2*ms + 1*4*ms
	expect(t, "engine time", last(slow)-last(r), gateway+worker+release)
}

func TestDataInMemorySparesTheStore(t *testing.T) {
	_, remote := single(t, "chain.yaml", "{name: s, control: workersp, placement: explicit, data: remote, table: {chain: {a: 1, b: 1, c: 1}}}", two, "{}")
	_, local := single(t, "chain.yaml", chainOn1, two, "{}")
	store := 2*(operation+link(1*MB)) + 2*(operation+link(2*MB)) // put and get
	mem := 2*memory(1*MB) + 2*memory(2*MB)
	expect(t, "what memory saves", last(remote)-last(local), store-mem)
	if i := local.invocations[1]; i.LocalRead != 3*MB || i.LocalWritten != 3*MB || i.RemoteWritten != 500*KB || i.RemoteRead != 0 {
		t.Errorf("bytes: local %d read, %d written, remote %d read, %d written", i.LocalRead, i.LocalWritten, i.RemoteRead, i.RemoteWritten)
	}
}

func TestTheStorageNodeCanBeCapped(t *testing.T) {
	for _, test := range []struct {
		cluster string
		rate    float64 // payload bytes per s
	}{
		{"storage: {link: 50MB/s}", 50e6},
		{"storage: {cap: 50MB/s}", 50e6 * 1448 / 1514},
	} {
		p := plan(t, fmt.Sprintf("name: cap\nworkflows: [chain.yaml]\ncluster: {workers: 2, %s}\nload: %s\nschedulers: [%s]\n", test.cluster, one, apart))
		b := simulate(t, p, 0).task(t, p, "b")
		want := operation + engine.Time(1*MB*1e9/test.rate)
		if off := b.Fetch - want; off < 0 || off > 1 {
			t.Errorf("%s: fetching 1 MB took %d ns, by hand %d ns", test.cluster, b.Fetch, want)
		}
	}
}

func TestOneDocumentPerRequestMakesPutsConflict(t *testing.T) {
	// Two instances put at the same time. Both read the same revision; the one
	// that is through first commits, the other has to send all again.
	overrides := "{couchdb: {one_document_per_request: true}}"
	p, r := single(t, "conflict.yaml", "workersp+hash+remote", two, overrides)
	i := r.invocations[1]
	if i.Conflicts != 1 || i.ResentBytes != 1*MB {
		t.Errorf("%d conflicts, %d bytes sent again; by hand 1 and %d", i.Conflicts, i.ResentBytes, 1*MB)
	}
	_ = p
	_, without := single(t, "conflict.yaml", "workersp+hash+remote", two, "{}")
	if without.invocations[1].Conflicts != 0 {
		t.Error("conflicts without a common document")
	}
	// Each put reads the revision first. Both uploads share the link and end
	// together; the loser reads again and has the link to itself.
	again := operation + operation + link(1*MB)
	expect(t, "what the conflict costs", last(r)-last(without), firstRevisions+again)
}

// firstRevisions: split puts two items, and the parts are put side by side;
// each put has to read the revision, an operation of the store.
const firstRevisions = 3 * operation

func TestAPutThatConflictsWithManyIsSentAgainAndAgain(t *testing.T) {
	// With n equal writers, one commits in each round: n(n+1)/2 uploads.
	_, r := single(t, "writers.yaml", "workersp+hash+remote", two, "{couchdb: {one_document_per_request: true}}")
	const n = 10
	if got, want := r.invocations[1].Conflicts, n*(n+1)/2-n; got != want {
		t.Errorf("%d conflicts, by hand %d", got, want)
	}
}

func TestTheDispatchTickIsAGrid(t *testing.T) {
	p, r := single(t, "chain.yaml", chainOn1, two, "{dispatch: {tick: 5ms}}")
	for _, task := range r.tasks {
		if task.Started%(5*ms) != 0 && !task.Cold {
			t.Errorf("%s started at %d ns, which is not on the grid", p.Trial(0, 0).Workflows[0].Functions[task.Function].Name, task.Started)
		}
	}
}

func TestTheCapHoldsAndTheArtefactsIsOffByOne(t *testing.T) {
	for _, test := range []struct {
		overrides string
		most      int
	}{{"{}", 2}, {"{pool: {cap_off_by_one: true}}", 3}} {
		_, r := single(t, "capped.yaml", "workersp+hash+remote", "{arrivals: constant, rate: 1000/s, limit: 20}", test.overrides)
		containers := map[uint32]bool{}
		for _, task := range r.tasks {
			containers[task.Container] = true
		}
		if len(containers) != test.most {
			t.Errorf("%s: %d containers, want %d", test.overrides, len(containers), test.most)
		}
	}
}

func TestTheArtefactsPoolLocksUpAtTheCap(t *testing.T) {
	_, r := single(t, "capped.yaml", "workersp+hash+remote", "{arrivals: constant, rate: 10/s, limit: 20}",
		"{pool: {deadlock_at_cap: true}, invocation: {timeout: 5s}}")
	outcomes := map[engine.Outcome]int{}
	for _, i := range r.invocations {
		outcomes[i.Outcome]++
	}
	// Two containers take the first two; the third request finds the cap
	// reached, and nothing is ever dispatched again.
	if outcomes[engine.Completed] != 2 || outcomes[engine.TimedOut] != 18 {
		t.Errorf("outcomes %v, by hand 2 completed and 18 timed out", outcomes)
	}
}

func TestTimingDocumentsAreOnTheCriticalPath(t *testing.T) {
	_, r := single(t, "chain.yaml", apart, two, "{}")
	_, slow := single(t, "chain.yaml", apart, two, "{couchdb: {timing_documents: true}, store: {documents: {timing: 4ms}}}")
	expect(t, "a document for each function", last(slow)-last(r), 3*4*ms)
}

func TestPlacementQueriesDelayTheStart(t *testing.T) {
	_, r := single(t, "chain.yaml", apart, two, "{}")
	_, slow := single(t, "chain.yaml", apart, two, "{gateway: {placement_query: true}, store: {documents: {placement: 3ms}}}")
	expect(t, "one query for the start function", last(slow)-last(r), 3*ms)
}

func TestProbingAllWorkersPrecedesEveryFunction(t *testing.T) {
	_, r := single(t, "chain.yaml", master, two, "{}")
	_, slow := single(t, "chain.yaml", master, two, "{mastersp: {probe_all_workers: true}, store: {documents: {addresses: 6ms}}}")
	expect(t, "addresses, probes and answers, three times", last(slow)-last(r), 3*(6*ms+2*message))
	if got, want := slow.invocations[1].Messages-r.invocations[1].Messages, 3*2*2; got != want {
		t.Errorf("%d more messages, by hand %d: two workers, asked and answering, three times", got, want)
	}
}

func TestLogDocumentsAreWrittenForEachKey(t *testing.T) {
	_, r := single(t, "chain.yaml", apart, two, "{}")
	_, slow := single(t, "chain.yaml", apart, two, "{couchdb: {log_documents: true}, store: {documents: {log: 2ms}}}")
	// Two keys are fetched and three are put.
	expect(t, "a document for each key", last(slow)-last(r), 5*2*ms)
}

func TestListsAreReadFromTheDatabase(t *testing.T) {
	scheduler := "workersp+hash+remote"
	_, r := single(t, "foreach.yaml", scheduler, two, "{}")
	_, slow := single(t, "foreach.yaml", scheduler, two, "{couchdb: {list_documents: true}, store: {documents: {list: 2ms, revision: 1ms, log: 3ms}}}")
	// Saving the list is a read and a write; the foreach reads it.
	expect(t, "saving and reading the list", last(slow)-last(r), 1*ms+3*ms+2*ms)
}

func TestGlobalInputsAreReadOrMissing(t *testing.T) {
	_, r := single(t, "global.yaml", "workersp+hash+remote", two, "{}")
	expect(t, "two keys at once, from the store", r.tasks[len(r.tasks)-1].Fetch, operation+link(1*MB+3*MB))
	_, missing := single(t, "global.yaml", "workersp+hash+remote", two, "{gateway: {missing_global_inputs: true}, store: {missing: 2ms, lookups: 2}}")
	expect(t, "two look-ups in vain", missing.tasks[len(missing.tasks)-1].Fetch, 2*2*ms)
	if missing.invocations[1].RemoteRead != 0 {
		t.Error("bytes were read that are not there")
	}
}

func TestAStoreWithOneServerPerformsOneOperationAtATime(t *testing.T) {
	for _, test := range []struct {
		store string
		want  engine.Time
	}{
		{"{missing: 4ms}", 4 * ms}, // side by side
		{"{missing: 4ms, servers: 1, busy: 3ms}", 3*ms + 4*ms},
	} {
		_, r := single(t, "global.yaml", "workersp+hash+remote", two, "{gateway: {missing_global_inputs: true}, store: "+test.store+"}")
		expect(t, "two look-ups in vain", r.tasks[len(r.tasks)-1].Fetch, test.want)
	}
}

func TestCoresAreShared(t *testing.T) {
	// Two instances of 30 ms on one core take 60 ms each, as both go at half
	// the speed.
	p := plan(t, `
name: cores
workflows: [foreach-equal.yaml]
cluster: {workers: 1, cores: 1}
load: {clients: 1, limit: 2}
schedulers: [faasflow]
`)
	r := simulate(t, p, 0)
	for _, task := range r.tasks[len(r.tasks)-3:] {
		name := p.Trial(0, 0).Workflows[0].Functions[task.Function].Name
		if name == "work" {
			expect(t, "two on one core", task.Compute, 60*ms)
		}
	}
}

func TestNodesMayShareTheCoresOfOneHost(t *testing.T) {
	p := plan(t, `
name: host
workflows: [fork.yaml]
cluster: {workers: 2, cores: 8, host_cores: 1}
load: {clients: 1, limit: 2}
schedulers: [{name: s, control: workersp, placement: explicit, data: remote, table: {fork: {a: 1, b: 2}}}]
`)
	for _, task := range simulate(t, p, 0).tasks[2:] {
		expect(t, "one of two on one host core", task.Compute, 2*40*ms)
	}
}

func TestAnOutputIsPutWhenItIsPosted(t *testing.T) {
	p, r := single(t, "posted.yaml", "workersp+hash+remote", two, "{}")
	task := r.tasks[len(r.tasks)-1]
	expect(t, "putting two outputs", task.Put, 2*operation+link(1*MB)+link(2*MB))
	expect(t, "computing", task.Compute, 100*ms)
	_ = p
}
