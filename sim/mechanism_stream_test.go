package sim_test

import (
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// One scenario for each mechanism of streaming and of data-driven control. What
// the timelines show to the nanosecond is not repeated here: that a datum at the
// threshold goes inline and one a byte longer does not (inline), and that one
// with readers on both nodes goes both ways (diamond). That what has been read
// by its last reader is dropped, which takes no time, is in the traces of
// engine/dataflower.

// placed is a scheduler that puts functions on the workers that a table says.
func placed(control, data, workflow, table string) string {
	return fmt.Sprintf("{name: s, control: %s, placement: explicit, data: %s, table: {%s: %s}}", control, data, workflow, table)
}

// streamed runs invocations of a workflow, which is changed first, under
// DataFlower.
func streamed(t *testing.T, name, table, load, overrides string, change func(*workflow.Workflow)) (*scenarios.Plan, *records) {
	t.Helper()
	p := plan(t, fmt.Sprintf(`
name: mechanism
workflows: [%s.yaml]
cluster: {workers: 2}
load: %s
schedulers: [%s]
overrides: %s
`, name, load, placed("dataflower", "pipe", name, table), overrides))
	if change != nil {
		change(p.Trial(0, 0).Workflows[0])
	}
	return p, simulate(t, p, 0)
}

// A container whose function has one core sends 15.14 MB/s on the wire. Of each
// frame of 1514 bytes, 1448 are payload: that is 14.48 MB/s, a chunk in 10 ms.
const slowSender = "broker: {chunk: 144800B}, container: {egress: 15.14MB/s}"

// From the post on, a datum is sent, and fetched by the node that reads it, chunk
// by chunk: all but one chunk of the one is hidden behind the other, whichever
// takes longer. In one piece it is on the way twice as long.
func TestChunksAreSentAndFetchedAtTheSameTime(t *testing.T) {
	const mebi = 1024 * 1024
	for _, test := range []struct {
		overrides string
		bytes     float64
		want      engine.Time
	}{
		{"{broker: {chunk: 0}}", mebi, link(mebi) + message + link(mebi)},
		{"{broker: {chunk: 1MiB}}", mebi, link(mebi) + message + link(mebi)},
		{"{broker: {chunk: 512KiB}}", mebi, link(mebi/2) + message + link(mebi)},
		{"{broker: {chunk: 64KiB}}", mebi, link(mebi/16) + message + link(mebi)},
		// The second of two chunks holds the rest.
		{"{broker: {chunk: 1MiB}}", 2*mebi - 1000, link(mebi) + message + link(2*mebi-1000)},
		// A chunk can be fetched a while after it was sent, and each has to be
		// asked for: that adds up, as one is fetched after the other.
		{"{broker: {chunk: 256KiB, append: 3ms, get: 500us}}", mebi, link(mebi/4) + 3*ms + message + 4*(ms/2+link(mebi/4))},
		// If sending is slow, each chunk but the last has been fetched by the time
		// the next is sent.
		{"{" + slowSender + "}", 4 * 144_800, 40*ms + link(144_800)},
	} {
		p, r := streamed(t, "two", "{a: 1, b: 2}", two, test.overrides, func(w *workflow.Workflow) {
			w.Functions[0].Outputs[0].Size = workflow.Constant(test.bytes)
		})
		on := r.of(t, p, 1, "b").Queued - r.of(t, p, 1, "a").Ended
		expect(t, fmt.Sprintf("%s: %.0f bytes on their way", test.overrides, test.bytes), on, test.want)
	}
}

// Two invocations arrive together, and b has one container. While the second b
// waits for it, its input comes: what is left to fetch is a read of the disk.
// From the store it has to be fetched then.
func TestDataComeWhileTheirReaderWaits(t *testing.T) {
	for _, test := range []struct {
		data  string
		fetch engine.Time
	}{{"pipe", disk(1 * MB)}, {"remote", operation + link(1*MB)}} {
		p, r := single(t, "queue.yaml", placed("dataflower", test.data, "queue", "{a: 1, b: 2}"), "{clients: 2, limit: 2}", "{}")
		first, second := r.of(t, p, 0, "b"), r.of(t, p, 1, "b")
		if first.Started > second.Started {
			first, second = second, first
		}
		expect(t, test.data+": the second starts", second.Started, first.Ended)
		expect(t, test.data+": the second fetches", second.Fetch, test.fetch)
	}
}

// All on one worker: a puts its output into memory 21 ms after it has started,
// and b reads it 500 ms after that, when slow has ended: it is there for 479 ms.
// If that is longer than it may stay, it is read from disk, here a slow one.
func TestWhatStaysInMemoryForTooLongIsMovedToDisk(t *testing.T) {
	for _, test := range []struct {
		lifetime string
		fetch    engine.Time
		local    int64
	}{
		{"0", memory(1 * MB), 1 * MB},
		{"480ms", memory(1 * MB), 1 * MB},
		{"478ms", transfer(1*MB, 100*MB), 0},
	} {
		p, r := streamed(t, "kept", "{a: 1, slow: 1, b: 1}", two,
			"{memory: {lifetime: "+test.lifetime+"}, disk: {bandwidth: 100MB/s}}", nil)
		b := r.of(t, p, 1, "b")
		expect(t, "b waits for slow", b.Queued-r.of(t, p, 1, "a").Ended, 479*ms)
		expect(t, test.lifetime+": reading a's output", b.Fetch, test.fetch)
		if got := r.invocations[1].LocalRead; got != test.local {
			t.Errorf("%s: %d bytes read from memory, by hand %d", test.lifetime, got, test.local)
		}
	}
}

// Two invocations arrive together, and a has one container, which takes the
// second task when it is not held back any more: B / (100 MB/s × cores) after
// the first has started, unless that is less than 5 ms after its end.
func TestAContainerIsHeldBackForWhatItHasLeftToSend(t *testing.T) {
	for _, test := range []struct {
		name      string
		bytes     float64
		cores     float64
		table     string
		overrides string
		hold      engine.Time
	}{
		{"10 MB in 100 ms, of which 20 are over", 10 * MB, 1, "{a: 1, b: 2}", "{}", 80 * ms},
		{"half the cores, half the rate", 10 * MB, 0.5, "{a: 1, b: 2}", "{}", 180 * ms},
		{"twice the rate", 10 * MB, 1, "{a: 1, b: 2}", "{pressure: {rate: 200MB/s}}", 30 * ms},
		{"just long enough", 2.5 * MB, 1, "{a: 1, b: 2}", "{}", 5 * ms},
		{"a byte less is not", 2.5*MB - 1, 1, "{a: 1, b: 2}", "{}", 0},
		{"sent before the end", 1 * MB, 1, "{a: 1, b: 2}", "{}", 0},
		{"switched off", 10 * MB, 1, "{a: 1, b: 2}", "{pressure: {enabled: false}}", 0},
		{"nothing is sent to a reader nearby", 10 * MB, 1, "{a: 1, b: 1}", "{}", 0},
	} {
		p, r := streamed(t, "two", test.table, "{clients: 2, limit: 2}", test.overrides, func(w *workflow.Workflow) {
			a := &w.Functions[0]
			a.Outputs[0].Size, a.CPU, a.MaxContainers = workflow.Constant(test.bytes), test.cores, 1
		})
		first, second := r.of(t, p, 0, "a"), r.of(t, p, 1, "a")
		expect(t, test.name+": the container is held back", second.Started-first.Ended, test.hold)
		expect(t, test.name+": so says the task", second.Held, test.hold)
		expect(t, test.name+": so does the phase", r.invocations[1].Phases[record.HoldBack], test.hold)
	}
}

// Without a cap, what comes while a's only container is held back scales out to
// another, unless the first is free again before that is up. The first a starts
// 100.3 ms after its arrival (three messages and a cold start), and leaves 20 MB:
// its container is free 200 ms after that, at 300.3 ms.
func TestPressureScalesOut(t *testing.T) {
	const informed = 3 * message
	for _, test := range []struct {
		arrives   engine.Time
		overrides string
		started   engine.Time
		cold      bool
		held      engine.Time
	}{
		{150 * ms, "{}", 150*ms + informed + coldStart, true, 0},
		{250 * ms, "{}", 300*ms + informed, false, 50 * ms},
		{310 * ms, "{}", 310*ms + informed, false, 0},
		{150 * ms, "{pressure: {enabled: false}}", 150*ms + informed, false, 0},
	} {
		load := fmt.Sprintf("{arrivals: constant, rate: %v/s, limit: 2}", 1e9/float64(test.arrives))
		p, r := streamed(t, "two", "{a: 1, b: 2}", load, test.overrides, func(w *workflow.Workflow) {
			w.Functions[0].Outputs[0].Size = workflow.Constant(20 * MB)
		})
		name := fmt.Sprintf("%s, %d ns later: ", test.overrides, test.arrives)
		a := r.of(t, p, 1, "a")
		expect(t, name+"a starts", a.Started-r.of(t, p, 0, "a").Queued+informed, test.started)
		expect(t, name+"the hold delays it", a.Held, test.held)
		if a.Cold != test.cold {
			t.Errorf("%sa cold start: %v", name, a.Cold)
		}
	}
}

// A list of two items, of four chunks and of one, is posted at once; m is a
// message, and c a chunk on a link.
//
// By default the unit sends a chunk of each in turn: 0, 1, 0, 0, 0. Item 1 is at
// the broker after 2c. It is fetched from 2c + m on, but at 3c the next chunk of
// item 0 wants half of the link: what is left, worth m, takes 2m. That delays
// item 0 by m, whose last chunk is at the broker after 5c.
//
// The artefact's unit sends item 0 as a whole, and it has been fetched m after
// item 1 is at the broker.
func TestAShortDatumWaitsBehindALongOneInTheArtefact(t *testing.T) {
	const m = message
	c := link(chunk)
	for _, test := range []struct {
		fifo        string
		long, short engine.Time
	}{
		{"false", 6*c + m, 3*c + 2*m},
		{"true", 5*c + m, 6*c + m},
	} {
		p, r := streamed(t, "line", "{split: 1, work: 2}", two, "{broker: {fifo_unit: "+test.fifo+"}}", nil)
		posted := r.of(t, p, 1, "split").Ended
		expect(t, test.fifo+": the long item is there", r.of(t, p, 1, "work[0/2]").Queued-posted, test.long)
		expect(t, test.fifo+": the short item is there", r.of(t, p, 1, "work[1/2]").Queued-posted, test.short)
	}
}

// A container's share of the link is so much for each of its cores, on the wire.
// It holds for what the container sends to the broker and to the store, not for
// what it fetches, nor for the memory of its own node.
func TestContainersHaveALimitOfTheirOwn(t *testing.T) {
	const bytes = 14 * 144_800 // 140 ms at 14.48 MB/s
	sent := 140 * ms
	for _, test := range []struct {
		name, data, table string
		cores             float64
		on                engine.Time // from the end of a's computing to the end of b's fetch
	}{
		{"streamed, one core", "pipe", "{a: 1, b: 2}", 1, sent + link(144_800) + disk(bytes)},
		{"streamed, half a core", "pipe", "{a: 1, b: 2}", 0.5, 2*sent + link(144_800) + disk(bytes)},
		{"stored, one core", "remote", "{a: 1, b: 2}", 1, operation + sent + message + operation + link(bytes)},
		{"in memory", "pipe", "{a: 1, b: 1}", 1, 2 * memory(bytes)},
	} {
		p := plan(t, fmt.Sprintf("name: egress\nworkflows: [two.yaml]\ncluster: {workers: 2}\nload: %s\nschedulers: [%s]\noverrides: {%s}\n",
			two, placed("dataflower", test.data, "two", test.table), slowSender))
		a := &p.Trial(0, 0).Workflows[0].Functions[0]
		a.Outputs[0].Size, a.CPU = workflow.Constant(bytes), test.cores
		r := simulate(t, p, 0)
		producer, consumer := r.of(t, p, 1, "a"), r.of(t, p, 1, "b")
		expect(t, test.name, consumer.Started+consumer.Fetch-(producer.Ended-producer.Put), test.on)
	}
}

// Started early, b is there with the first chunk of its input, waits inside for
// the rest, and reads it then: nothing is won but the start of a container, which
// is most of what the first invocation waits for.
func TestAReaderMayStartWithTheFirstChunk(t *testing.T) {
	first := link(chunk) + message
	for _, test := range []struct {
		early           string
		number          int64
		queued, fetched engine.Time // after a's end
	}{
		{"false", 1, stream(1 * MB), stream(1*MB) + disk(1*MB)},
		{"true", 1, first, stream(1*MB) + disk(1*MB)},
		{"false", 0, stream(1 * MB), stream(1*MB) + coldStart + disk(1*MB)},
		{"true", 0, first, first + coldStart + disk(1*MB)},
	} {
		p, r := streamed(t, "chain", "{a: 1, b: 2, c: 2}", two, "{broker: {early_start: "+test.early+"}}", nil)
		a, b := r.of(t, p, test.number, "a"), r.of(t, p, test.number, "b")
		name := fmt.Sprintf("early %s, invocation %d: ", test.early, test.number)
		expect(t, name+"b is queued", b.Queued-a.Ended, test.queued)
		expect(t, name+"b has its input", b.Started+b.Fetch-a.Ended, test.fetched)
	}
}

// The list is posted after 30 ms, its items go inline, and so do the parts. If
// how many there are is known only at the end of split, merge waits for that.
func TestTheCountMayComeAtTheEnd(t *testing.T) {
	for _, test := range []struct {
		table, quirk string
		want         engine.Time // after the start of split
	}{
		{"{split: 1, work: 2, merge: 2}", "false", 30*ms + message + 20*ms},
		{"{split: 1, work: 2, merge: 2}", "true", 300*ms + message},
		{"{split: 1, work: 2, merge: 1}", "false", 30*ms + message + 20*ms + message},
		{"{split: 1, work: 2, merge: 1}", "true", 300 * ms},
	} {
		p, r := streamed(t, "count", test.table, two, "{dispatch: {count_at_end: "+test.quirk+"}}", nil)
		expect(t, test.table+", count at end "+test.quirk, r.of(t, p, 1, "merge").Queued-r.of(t, p, 1, "split").Started, test.want)
	}
}

// other posts a flag after 20 ms, which lets split run for 20 ms, and the rest
// later. Each instance of work reads an item, which goes inline, and that rest.
// Normally it waits for both. In the artefact it runs with its item: it waits
// inside for what is being fetched, and goes without what its node has not heard
// of.
func TestAnItemMayOvertakeOtherInputs(t *testing.T) {
	const item = 40*ms + message // after the start of other
	for _, test := range []struct {
		race          string
		postedAt      float64
		queued, fetch engine.Time // after the start of other, and from then on
	}{
		{"false", 1, 200*ms + stream(1*MB), disk(1*MB + 1*MB)}, // both at once
		{"true", 1, item, 0},
		// The first chunk is at the broker only after 41 ms.
		{"true", 0.195, item, 0},
		// It is there, and announced, after 37 ms.
		{"true", 0.175, item, 35*ms + stream(1*MB) - item + disk(1*MB+1*MB)},
		{"true", 0.1, item, disk(1*MB + 1*MB)},
	} {
		p, r := streamed(t, "race", "{other: 1, split: 1, work: 2}", two, "{dispatch: {foreach_race: "+test.race+"}}", func(w *workflow.Workflow) {
			w.Functions[0].Outputs[1].PostedAt = test.postedAt
		})
		for _, name := range []string{"work[0/2]", "work[1/2]"} {
			work := r.of(t, p, 1, name)
			what := fmt.Sprintf("race %s, posted at %v: %s ", test.race, test.postedAt, name)
			expect(t, what+"is queued", work.Queued-r.of(t, p, 1, "other").Started, test.queued)
			expect(t, what+"fetches for", work.Fetch, test.fetch)
		}
	}
}

// Three items are announced at once, a millisecond after the tick that was due.
// One is matched with its reader on each tick.
func TestTheMatchTickIsAGrid(t *testing.T) {
	const tick = 7 * ms
	p, r := streamed(t, "count", "{split: 1, work: 2, merge: 1}", two, "{dispatch: {match_tick: 7ms}}", nil)
	there := r.of(t, p, 1, "split").Started + 30*ms + message
	first := (there + tick - 1) / tick * tick
	for n := range engine.Time(3) {
		expect(t, fmt.Sprintf("item %d is matched", n), r.of(t, p, 1, fmt.Sprintf("work[%d/3]", n)).Queued, first+n*tick)
	}
}

// A consumer that has to be set up first delays a datum, unless that is sent so
// slowly that the setup is over before the second chunk is there.
func TestAConsumerIsSetUpForEachDatum(t *testing.T) {
	for _, test := range []struct {
		egress string
		want   engine.Time
	}{{"unlimited", 5 * ms}, {"15.14MB/s", 0}} {
		way := func(setup string) engine.Time {
			p, r := streamed(t, "two", "{a: 1, b: 2}", two,
				fmt.Sprintf("{broker: {chunk: 144800B, consumer_setup: %s}, container: {egress: %s}}", setup, test.egress), nil)
			return r.of(t, p, 1, "b").Queued - r.of(t, p, 1, "a").Ended
		}
		expect(t, "a setup of 5 ms, egress "+test.egress, way("5ms")-way("0"), test.want)
	}
}

// A container of a fifth of a core runs for 20 of each 100 ms. Work that takes
// it 100 ms on average is done in the first 20; a little more has to wait for
// the next period.
func TestAQuotaIsGivenAtTheBeginOfEachPeriod(t *testing.T) {
	for _, test := range []struct {
		compute engine.Time
		cores   float64
		want    engine.Time
	}{
		{100 * ms, 0.2, 20 * ms},
		{105 * ms, 0.2, 100*ms + 1*ms},
		{500 * ms, 0.2, 4*100*ms + 20*ms},
		{525 * ms, 0.2, 5*100*ms + 5*ms},
		{100 * ms, 0.5, 50 * ms},
		{130 * ms, 1, 130 * ms},
		{130 * ms, 0, 130 * ms}, // It only waits.
	} {
		_, r := streamed(t, "quota", "{f: 1}", two, "{container: {cpu_period: 100ms}}", func(w *workflow.Workflow) {
			w.Functions[0].Compute, w.Functions[0].CPU = workflow.Constant(float64(test.compute)), test.cores
		})
		expect(t, fmt.Sprintf("%d ns on %v cores", test.compute, test.cores), r.tasks[1].Compute, test.want)
	}
}

func TestTheGatewayMakesADocumentFirst(t *testing.T) {
	_, r := streamed(t, "chain", "{a: 1, b: 2, c: 2}", two, "{}", nil)
	_, slow := streamed(t, "chain", "{a: 1, b: 2, c: 2}", two, "{gateway: {request_document: true}, store: {documents: {request: 13ms}}}", nil)
	expect(t, "a document for each invocation", last(slow)-last(r), 13*ms)
}

// c asks for its two inputs one after the other, and reads 3 MB in all.
func TestStreamedDataAreReadOneAfterTheOther(t *testing.T) {
	p, r := streamed(t, "pair", "{a: 1, b: 1, c: 2}", two, "{disk: {get: 2ms}}", nil)
	expect(t, "reading two files", r.of(t, p, 1, "c").Fetch, 2*2*ms+disk(3*MB))
}

// A container's word takes a while to get to its node, which delays what it
// announces but not its end. What it does after its last output delays those who
// wait for its end, not those who wait for its output.
func TestWordsOfContainersAndTheirCleanUp(t *testing.T) {
	for _, test := range []struct {
		control, overrides string
		want               engine.Time
	}{
		{"dataflower", "{container: {notify: 1ms}}", 1 * ms}, // for b's input
		{"workersp", "{container: {notify: 1ms}}", 1 * ms},
		{"dataflower", "{container: {cleanup: 30ms}}", 30 * ms}, // of b, whose end is its result, as it has no output
		// The end of a triggers b, whose input has come before.
		{"workersp", "{container: {cleanup: 30ms}}", 30*ms + message - stream(1024*1024) + 30*ms},
		{"dataflower", "{container: {start: 3ms}}", 2 * 3 * ms},
		{"workersp", "{container: {start: 3ms}}", 2 * 3 * ms},
	} {
		scheduler := placed(test.control, "pipe", "two", "{a: 1, b: 2}")
		_, r := single(t, "two.yaml", scheduler, two, "{}")
		_, slow := single(t, "two.yaml", scheduler, two, test.overrides)
		expect(t, test.control+", "+test.overrides, last(slow)-last(r), test.want)
	}
}
