package sim_test

import (
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

// The constants of the profile ideal. The timelines below are sums of these
// and of what the workflow files in testdata say; nothing in them was taken
// from the program.
const (
	ms engine.Time = 1e6

	message   = 100 * engine.Microsecond
	operation = 1 * ms // of the store
	coldStart = 100 * ms
	linkRate  = 125_000_000   // bytes per s, each way
	memRate   = 1_000_000_000 // bytes per s, of a node's memory, and of its disk
	chunk     = 256 * 1024    // bytes that are streamed at a time

	KB = 1000
	MB = 1000 * KB
)

// transfer is the time of b bytes at a rate in bytes/s: ceil(b·10⁹/r) ns.
func transfer(bytes, rate engine.Time) engine.Time { return (bytes*engine.Second + rate - 1) / rate }

// link and memory are transfers that have the link or the memory to
// themselves.
func link(bytes engine.Time) engine.Time   { return transfer(bytes, linkRate) }
func memory(bytes engine.Time) engine.Time { return transfer(bytes, memRate) }

// disk is a read of data that were streamed.
func disk(bytes engine.Time) engine.Time { return transfer(bytes, memRate) }

// stream is the time from the post of an output until its last byte is on
// another node, if nothing else is sent: the first chunk goes to the broker, the
// node hears of it, and fetches all; the later chunks are at the broker by then,
// as they leave the one link as fast as they pass the other.
func stream(bytes engine.Time) engine.Time { return link(min(chunk, bytes)) + message + link(bytes) }

// moment is when a task was triggered, taken up, and done.
type moment struct{ queued, started, ended engine.Time }

// timeline is a hand-made timeline of the first invocation, and of one that
// arrives when all containers are there.
type timeline struct {
	tasks map[string]moment
	// ended is when the gateway knows.
	ended engine.Time
}

const scenario = `
name: timelines
workflows: [%s.yaml]
cluster: {workers: 2}
load: {arrivals: constant, rate: 1/min, limit: 1}
schedulers: [{name: scheme, control: %s, placement: explicit, data: %s, table: {%s: %s}}]
profile: ideal
overrides: %s
`

func TestTimelines(t *testing.T) {
	for _, test := range []struct {
		workflow, control, data, table, overrides string
		want                                      func() timeline
	}{
		{"chain", "mastersp", "remote", "{a: 1, b: 2, c: 2}", "{}", chainMasterSP},
		{"chain", "workersp", "faastore", "{a: 1, b: 2, c: 2}", "{}", chainWorkerSP},
		{"diamond", "mastersp", "remote", "{a: 1, b: 1, c: 2, d: 2}", "{}", diamondMasterSP},
		{"diamond", "workersp", "faastore", "{a: 1, b: 1, c: 2, d: 2}", "{}", diamondWorkerSP},
		{"foreach", "mastersp", "remote", "{split: 1, work: 1, merge: 2}", "{}", foreachMasterSP},
		{"foreach", "workersp", "faastore", "{split: 1, work: 1, merge: 2}", "{}", foreachWorkerSP},

		{"chain", "dataflower", "pipe", "{a: 1, b: 2, c: 2}", "{}", chainDataFlower},
		{"inline", "dataflower", "pipe", "{a: 1, b: 2, c: 1}", "{}", inlineDataFlower},
		{"early", "dataflower", "pipe", "{a: 1, b: 2}", "{}", earlyDataFlower},
		{"diamond", "dataflower", "pipe", "{a: 1, b: 1, c: 2, d: 2}", "{}", diamondDataFlower},
		{"foreach", "dataflower", "pipe", "{split: 1, work: 2, merge: 1}", "{broker: {fifo_unit: true}}", foreachDataFlower},
		{"chain", "workersp", "pipe", "{a: 1, b: 2, c: 2}", "{}", chainWorkerSPPipe},
		{"chain", "mastersp", "pipe", "{a: 1, b: 2, c: 2}", "{}", chainMasterSPPipe},
		{"early", "workersp", "pipe", "{a: 1, b: 2}", "{}", earlyWorkerSPPipe},
		{"chain", "dataflower", "remote", "{a: 1, b: 2, c: 2}", "{}", chainDataFlowerRemote},
		{"chain", "dataflower", "faastore", "{a: 1, b: 2, c: 2}", "{}", chainDataFlowerFaaStore},
	} {
		t.Run(test.workflow+"/"+test.control+"+"+test.data, func(t *testing.T) {
			p := plan(t, fmt.Sprintf(scenario, test.workflow, test.control, test.data, test.workflow, test.table, test.overrides))
			got := simulate(t, p, 0)
			want := test.want()
			for name, m := range want.tasks {
				task := got.task(t, p, name)
				if have := (moment{task.Queued, task.Started, task.Ended}); have != m {
					t.Errorf("%s: queued, started and ended at %v ns, by hand at %v ns", name, have, m)
				}
			}
			if len(want.tasks) != len(got.tasks) {
				t.Errorf("%d tasks ran, by hand it is %d", len(got.tasks), len(want.tasks))
			}
			if got.invocations[0].Ended != want.ended {
				t.Errorf("the gateway knows at %d ns, by hand at %d ns", got.invocations[0].Ended, want.ended)
			}
			if got.invocations[0].Phases[record.Compute] == 0 {
				t.Error("no time was spent computing")
			}
		})
	}
}

// Under MasterSP every trigger goes gateway or worker → master → worker, and
// all data go through the store.
func chainMasterSP() timeline {
	a := moment{queued: message + message} // gateway → master → worker-1
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + operation + link(1*MB)
	b := moment{queued: a.ended + message + message} // worker-1 → master → worker-2
	b.started = b.queued + coldStart
	b.ended = b.started + operation + link(1*MB) + 30*ms + operation + link(2*MB)
	c := moment{queued: b.ended + message + message}
	c.started = c.queued + coldStart
	c.ended = c.started + operation + link(2*MB) + 10*ms + operation + link(500*KB)
	return timeline{
		tasks: map[string]moment{"a": a, "b": b, "c": c},
		ended: c.ended + message + message, // worker-2 → master → gateway
	}
}

// Under WorkerSP with FaaStore, a's output goes through the store, as b is on
// another worker; b's stays in memory; c's is a result, which goes to the
// store. The end is answered along the calls: worker-2 → worker-1 → gateway.
func chainWorkerSP() timeline {
	a := moment{queued: message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + operation + link(1*MB)
	b := moment{queued: a.ended + message}
	b.started = b.queued + coldStart
	b.ended = b.started + operation + link(1*MB) + 30*ms + memory(2*MB)
	c := moment{queued: b.ended} // on the same worker: no message
	c.started = c.queued + coldStart
	c.ended = c.started + memory(2*MB) + 10*ms + operation + link(500*KB)
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message + message}
}

// b and c fetch a's output at the same time, so that they share the storage
// node's link. c ends last and triggers d, which fetches 2 and 3 MB at the
// same time: they share until the smaller is through.
func diamondMasterSP() timeline {
	a := moment{queued: message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + operation + link(1*MB)
	b := moment{queued: a.ended + message + message}
	b.started = b.queued + coldStart
	fetched := b.started + operation + link(1*MB+1*MB) // both at half the rate
	b.ended = fetched + 30*ms + operation + link(2*MB)
	c := moment{queued: b.queued, started: b.started}
	c.ended = fetched + 50*ms + operation + link(3*MB)
	d := moment{queued: c.ended + message + message}
	d.started = d.queued + coldStart
	d.ended = d.started + operation + link(2*MB+3*MB) + 10*ms // the link is busy until both are through
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c, "d": d}, ended: d.ended + message + message}
}

// a has consumers on both workers, so its output is put into the store and
// then into memory. b's goes to the store (d is elsewhere), c's to memory.
// c is called by a's worker, and d runs as part of that call.
func diamondWorkerSP() timeline {
	a := moment{queued: message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + operation + link(1*MB) + memory(1*MB)
	b := moment{queued: a.ended}
	b.started = b.queued + coldStart
	b.ended = b.started + memory(1*MB) + 30*ms + operation + link(2*MB)
	c := moment{queued: a.ended + message}
	c.started = c.queued + coldStart
	c.ended = c.started + operation + link(1*MB) + 50*ms + memory(3*MB)
	d := moment{queued: c.ended} // b's trigger arrived earlier
	d.started = d.queued + coldStart
	fromStore, fromMemory := operation+link(2*MB), memory(3*MB) // in parallel
	d.ended = d.started + max(fromStore, fromMemory) + 10*ms
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c, "d": d}, ended: d.ended + message + message}
}

// The items of the list are put one after the other, each an operation; the
// instances fetch theirs at the same time and share the link.
func foreachMasterSP() timeline {
	split := moment{queued: message + message}
	split.started = split.queued + coldStart
	split.ended = split.started + 20*ms + operation + link(1*MB) + operation + link(3*MB)
	first := moment{queued: split.ended + message + message}
	first.started = first.queued + coldStart
	second := moment{queued: first.queued, started: first.started}
	begun := first.started + operation
	first.ended = begun + link(1*MB+1*MB) + 30*ms + operation + link(500*KB)
	second.ended = begun + link(1*MB+3*MB) + 30*ms + operation + link(1500*KB)
	merge := moment{queued: second.ended + message + message}
	merge.started = merge.queued + coldStart
	merge.ended = merge.started + operation + link(500*KB+1500*KB) + 10*ms
	return timeline{
		tasks: map[string]moment{"split": split, "work[0/2]": first, "work[1/2]": second, "merge": merge},
		ended: merge.ended + message + message,
	}
}

// The items stay in the worker's memory, whose bandwidth the instances share;
// merge is elsewhere, so the parts go through the store.
func foreachWorkerSP() timeline {
	split := moment{queued: message}
	split.started = split.queued + coldStart
	split.ended = split.started + 20*ms + memory(1*MB) + memory(3*MB)
	first := moment{queued: split.ended}
	first.started = first.queued + coldStart
	second := moment{queued: first.queued, started: first.started}
	firstPuts := first.started + memory(1*MB+1*MB) + 30*ms + operation
	secondPuts := second.started + memory(1*MB+3*MB) + 30*ms + operation
	// The first upload is alone until the second begins; from then on both have
	// half the link, which is busy until all bytes are through.
	alone := (secondPuts - firstPuts) * linkRate / engine.Second // bytes
	first.ended = secondPuts + link(2*(500*KB-alone))
	second.ended = firstPuts + link(500*KB+1500*KB)
	merge := moment{queued: second.ended + message}
	merge.started = merge.queued + coldStart
	merge.ended = merge.started + operation + link(500*KB+1500*KB) + 10*ms
	return timeline{
		tasks: map[string]moment{"split": split, "work[0/2]": first, "work[1/2]": second, "merge": merge},
		ended: merge.ended + message + message,
	}
}

// Under DataFlower the gateway informs both workers, hears from both, and passes
// the input on: three messages. a's output is streamed, b's stays in memory, and
// so does c's, a result; the gateway hears of it when it is there.
func chainDataFlower() timeline {
	a := moment{queued: message + message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms // What is left to the data unit costs a no time.
	b := moment{queued: a.ended + stream(1*MB)}
	b.started = b.queued + coldStart
	b.ended = b.started + disk(1*MB) + 30*ms + memory(2*MB)
	c := moment{queued: b.ended}
	c.started = c.queued + coldStart
	c.ended = c.started + memory(2*MB) + 10*ms + memory(500*KB)
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message}
}

// 16 KiB travel in the message that announces them; a byte more is streamed, in
// one chunk. c has no output, so its end is its result.
func inlineDataFlower() timeline {
	a := moment{queued: message + message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms
	b := moment{queued: a.ended + message}
	b.started = b.queued + coldStart
	b.ended = b.started + 30*ms // There is nothing to fetch.
	c := moment{queued: b.ended + link(16385) + message + link(16385)}
	c.started = c.queued + coldStart
	c.ended = c.started + disk(16385) + 10*ms
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message}
}

// a posts after a tenth of its time, and b runs while a does. b posts its result
// after half of its time, puts it into memory, and goes on; the gateway hears of
// it long before b ends.
func earlyDataFlower() timeline {
	a := moment{queued: message + message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 200*ms
	b := moment{queued: a.started + 20*ms + stream(1*MB)}
	b.started = b.queued + coldStart
	posted := b.started + disk(1*MB) + 150*ms + memory(1*MB)
	b.ended = posted + 150*ms
	return timeline{tasks: map[string]moment{"a": a, "b": b}, ended: posted + message}
}

// a's output is put into memory for b and streamed to c's worker; that b has it
// depends on nothing else. b's output is streamed to d's worker, where c's is put
// into memory later.
func diamondDataFlower() timeline {
	a := moment{queued: message + message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + memory(1*MB)
	b := moment{queued: a.ended}
	b.started = b.queued + coldStart
	b.ended = b.started + memory(1*MB) + 30*ms
	c := moment{queued: a.ended + stream(1*MB)}
	c.started = c.queued + coldStart
	c.ended = c.started + disk(1*MB) + 50*ms + memory(3*MB)
	d := moment{queued: max(c.ended, b.ended+stream(2*MB))}
	d.started = d.queued + coldStart
	d.ended = d.started + max(disk(2*MB), memory(3*MB)) + 10*ms // in parallel
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c, "d": d}, ended: d.ended + message}
}

// With the data unit of the artefact, which sends one item after the other, the
// second begins when the first has left, and is fetched when the first has been.
// Each instance runs when its item is there. Their containers have a data unit
// each, and the first has long sent its part when the second ends.
func foreachDataFlower() timeline {
	split := moment{queued: message + message + message}
	split.started = split.queued + coldStart
	split.ended = split.started + 20*ms
	first := moment{queued: split.ended + stream(1*MB)}
	first.started = first.queued + coldStart
	first.ended = first.started + disk(1*MB) + 30*ms
	second := moment{queued: split.ended + link(1*MB) + stream(3*MB)}
	second.started = second.queued + coldStart
	second.ended = second.started + disk(3*MB) + 30*ms
	merge := moment{queued: second.ended + stream(1500*KB)}
	merge.started = merge.queued + coldStart
	merge.ended = merge.started + disk(500*KB+1500*KB) + 10*ms
	return timeline{
		tasks: map[string]moment{"split": split, "work[0/2]": first, "work[1/2]": second, "merge": merge},
		ended: merge.ended + message,
	}
}

// WorkerSP triggers b by a's end, a message later; but b's input comes later
// still, and b is queued when it is there. The end is answered along the calls.
func chainWorkerSPPipe() timeline {
	a := moment{queued: message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms
	b := moment{queued: max(a.ended+message, a.ended+stream(1*MB))}
	b.started = b.queued + coldStart
	b.ended = b.started + disk(1*MB) + 30*ms + memory(2*MB)
	c := moment{queued: b.ended}
	c.started = c.queued + coldStart
	c.ended = c.started + memory(2*MB) + 10*ms + memory(500*KB)
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message + message}
}

// The same with the master between: c is triggered through it, although it is on
// b's worker, and its input waits there.
func chainMasterSPPipe() timeline {
	a := moment{queued: message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms
	b := moment{queued: max(a.ended+message+message, a.ended+stream(1*MB))}
	b.started = b.queued + coldStart
	b.ended = b.started + disk(1*MB) + 30*ms + memory(2*MB)
	c := moment{queued: b.ended + message + message}
	c.started = c.queued + coldStart
	c.ended = c.started + memory(2*MB) + 10*ms + memory(500*KB)
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message + message}
}

// Where control does not follow data, b's input is on its disk long before a ends
// and triggers it, and the gateway waits for b's end.
func earlyWorkerSPPipe() timeline {
	a := moment{queued: message}
	a.started = a.queued + coldStart
	a.ended = a.started + 200*ms
	b := moment{queued: max(a.ended+message, a.started+20*ms+stream(1*MB))}
	b.started = b.queued + coldStart
	b.ended = b.started + disk(1*MB) + 150*ms + memory(1*MB) + 150*ms
	return timeline{tasks: map[string]moment{"a": a, "b": b}, ended: b.ended + message + message}
}

// Through the store, a function has put its output before it ends; it is
// announced then. c's node needs no message.
func chainDataFlowerRemote() timeline {
	a := moment{queued: message + message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + operation + link(1*MB)
	b := moment{queued: a.ended + message}
	b.started = b.queued + coldStart
	b.ended = b.started + operation + link(1*MB) + 30*ms + operation + link(2*MB)
	c := moment{queued: b.ended}
	c.started = c.queued + coldStart
	c.ended = c.started + operation + link(2*MB) + 10*ms + operation + link(500*KB)
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message}
}

// b's output stays in memory for c; a's, and c's result, go through the store.
func chainDataFlowerFaaStore() timeline {
	a := moment{queued: message + message + message}
	a.started = a.queued + coldStart
	a.ended = a.started + 20*ms + operation + link(1*MB)
	b := moment{queued: a.ended + message}
	b.started = b.queued + coldStart
	b.ended = b.started + operation + link(1*MB) + 30*ms + memory(2*MB)
	c := moment{queued: b.ended}
	c.started = c.queued + coldStart
	c.ended = c.started + memory(2*MB) + 10*ms + operation + link(500*KB)
	return timeline{tasks: map[string]moment{"a": a, "b": b, "c": c}, ended: c.ended + message}
}
