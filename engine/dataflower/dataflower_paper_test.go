package dataflower_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/dataflower"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// These tests are claims of the DataFlower paper (ASPLOS'24), and facts about
// its artefact (FaaSFlow v2.0 and main), one test each.

const ms = engine.Millisecond

// run is a run to be made: one invocation, unless it says otherwise, of a
// workflow whose functions are on the given workers, counted from 0.
type run struct {
	text    string
	place   map[string]int
	workers int             // 2 if it does not say
	data    engine.DataRule // Pipe if it does not say
	rules   engine.Rules
	arrive  []engine.Time // at 0 if it does not say
	set     func(*enginetest.Driver)
}

func (r run) play(t rapid.TB) *enginetest.Driver {
	t.Helper()
	w, err := enginetest.Workflow("flow", r.text)
	if err != nil {
		t.Fatal(err)
	}
	if r.data == nil {
		r.data = enginetest.Pipe{}
	}
	if r.arrive == nil {
		r.arrive = []engine.Time{0}
	}
	s := engine.Scheduler{Control: dataflower.Scheme{}, Data: r.data, Placement: placement.Explicit{"flow": r.place}}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(cmp.Or(r.workers, 2)), s, r.rules)
	if err != nil {
		t.Fatal(err)
	}
	d := enginetest.NewDriver(system)
	if r.set != nil {
		r.set(d)
	}
	for _, at := range r.arrive {
		d.Arrive(at, 0)
	}
	if err := d.Run(100_000); err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Ended {
		if e.Outcome != engine.Completed {
			t.Fatalf("invocation %d has come to %+v", e.Number, e)
		}
	}
	if len(d.Ended) != len(r.arrive) {
		t.Fatalf("%d of %d invocations have ended", len(d.Ended), len(r.arrive))
	}
	return d
}

// when returns the times, in ms, at which a trace tells of something: an event
// "node event", or an effect "node → effect".
func when(d *enginetest.Driver, what string) []int {
	var times []int
	at, node := 0, ""
	for line := range strings.Lines(d.Trace.String()) {
		text := ""
		if before, effect, is := strings.Cut(line, "→ "); is && strings.TrimSpace(before) == "" {
			text = node + " → " + effect
		} else {
			fmt.Sscanf(line, "%d ms %s", &at, &node)
			_, event, _ := strings.Cut(line, node)
			text = node + " " + strings.TrimSpace(event)
		}
		if strings.HasPrefix(text, what) {
			times = append(times, at)
		}
	}
	return times
}

// happens makes sure that something happens at these times, in ms, and at no
// others.
func happens(t *testing.T, d *enginetest.Driver, what string, want ...int) {
	t.Helper()
	if got := when(d, what); !slices.Equal(got, want) {
		t.Errorf("%q is at %v ms, want %v\n%s", what, got, want, d.Trace.String())
	}
}

// forEachData checks a claim of every data rule.
func forEachData(t *testing.T, check func(*testing.T, engine.DataRule)) {
	for name, rule := range map[string]engine.DataRule{"pipe": enginetest.Pipe{}, "remote": enginetest.Remote{}, "memory": enginetest.Memory{}} {
		t.Run(name, func(t *testing.T) { check(t, rule) })
	}
}

// Paper, abstract: control-flow orchestration triggers functions late. Artefact,
// container store, post: each output is announced when it is posted, whatever
// else its function has to do. Nothing here waits for the end of a.
func TestAnOutputIsOnItsWayBeforeItsProducerEnds(t *testing.T) {
	forEachData(t, func(t *testing.T, rule engine.DataRule) {
		for _, posted := range []int{0, 10, 50, 99} { // % of 1000 ms
			for b, there := range []string{"on the same worker", "on another worker"} {
				d := run{
					text:  fmt.Sprintf("a 1000ms posted=%v\nb 20ms reads=a", float64(posted)/100),
					place: map[string]int{"a": 0, "b": b}, data: rule,
				}.play(t)
				// A container is up at 103: three messages, and its start.
				at := 103 + 10*posted
				if b == 1 {
					at++ // a message
				}
				if _, pipes := rule.(enginetest.Pipe); pipes && b == 1 {
					at += 1 + 2 // the first chunk is at the broker, the last is fetched
				}
				what := fmt.Sprintf("worker-%d → start container %d for b", b+1, 1-b)
				happens(t, d, what, at)
				if a := d.Runs[0]; len(when(d, what)) == 1 && (a.End == 0 || at >= 1103) {
					t.Errorf("%s, posted at %d %%: b's container starts at %d ms, a ends at 1103 ms", there, posted, at)
				}
			}
		}
	})
}

// Artefact, worker proxy: a block runs when its last input is there, though all
// of its producers may run on.
func TestAFunctionRunsWhenItsDataAreThereThoughItsProducersRunOn(t *testing.T) {
	forEachData(t, func(t *testing.T, rule engine.DataRule) {
		d := run{
			text: `
a 500ms posted=0.1
b 900ms posted=0.2
c 20ms reads=a,b`,
			place: map[string]int{"a": 0, "b": 1, "c": 1}, data: rule,
		}.play(t)
		happens(t, d, "worker-2 → start container 1 for c", 103+180) // b's own datum is the last
		for _, r := range d.Runs[:2] {
			if c := d.Runs[2]; c.End == 0 || r.End < c.End {
				t.Errorf("%v ended before c did", r.Subject)
			}
		}
	})
}

// Artefact, prefetcher: a function starts only when the whole file is there, not
// with its first chunk. That it does is an extension, off by default.
func TestAFunctionStartsWithTheLastByte(t *testing.T) {
	for _, early := range []bool{false, true} {
		d := run{
			text: "a 10ms\nb 20ms reads=a", place: map[string]int{"a": 0, "b": 1}, rules: engine.Rules{EarlyStart: early},
			set: func(d *enginetest.Driver) { d.PrefetchTime = func() engine.Time { return 40 * ms } },
		}.play(t)
		happens(t, d, "worker-2 data a", 115)
		happens(t, d, "worker-2 arrived a", 155)
		at := 155
		if early {
			at = 115
		}
		happens(t, d, "worker-2 → start container 0 for b", at)
	}
}

// Artefact, worker proxy: a datum is forwarded once to each node with readers,
// however many of them there are; to those on the producer's node, not at all.
func TestOneMessageForEachDatumAndNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10).Draw(t, "functions")
		workers := rapid.IntRange(1, 4).Draw(t, "workers")
		rule := rapid.SampledFrom([]engine.DataRule{enginetest.Pipe{}, enginetest.Remote{}, enginetest.Memory{}}).Draw(t, "data")
		place, reads := map[string]int{}, make([]map[int]bool, n) // nodes that read an output
		lists := make([]int, n)
		text := ""
		for i := range n {
			place[fmt.Sprint("f", i)] = rapid.IntRange(0, workers-1).Draw(t, "worker")
			reads[i] = map[int]bool{}
			var from []string
			for p := range i {
				if rapid.IntRange(0, 2).Draw(t, "reads") == 0 {
					from = append(from, fmt.Sprint("f", p))
					if place[from[len(from)-1]] != place[fmt.Sprint("f", i)] {
						reads[p][place[fmt.Sprint("f", i)]] = true
					}
				}
			}
			text += fmt.Sprintf("f%d %dms posted=%v", i, rapid.IntRange(1, 9).Draw(t, "time"), float64(rapid.IntRange(0, 2).Draw(t, "posted"))/2)
			if len(from) > 0 {
				text += " reads=" + strings.Join(from, ",")
			}
			if lists[i] = 1; rapid.Bool().Draw(t, "list") {
				lists[i] = rapid.IntRange(1, 5).Draw(t, "items")
				text += fmt.Sprint(" list=", lists[i])
			}
			text += "\n"
		}
		want := 0
		for i := range n {
			want += lists[i] * len(reads[i])
		}
		d := run{text: text, workers: workers, place: place, data: rule}.play(t)
		if got := d.Sent[engine.MessageData]; got != want {
			t.Errorf("%d data were announced, want %d\n%s%v\n%s", got, want, text, place, d.Trace.String())
		}
	})
}

// Artefact, workersp.py: a datum for an input that has one is ignored. So the
// first of several producers wins, as for mosaic in the recognizer.
func TestTheFirstDatumWins(t *testing.T) {
	for _, fast := range []string{"left", "right"} {
		times := map[string]int{"left": 300, "right": 300}
		times[fast] = 10
		d := run{
			text: fmt.Sprintf(`
start 5ms
left %dms reads=start
right %dms reads=start
join 5ms after=left,right first
end 400ms reads=join`, times["left"], times["right"]),
			place: map[string]int{"start": 0, "left": 0, "right": 0, "join": 0, "end": 0},
		}.play(t)
		// start is up at 103 and posts at 108; the fast one is up at 208.
		happens(t, d, "worker-1 → start container 3 for join", 218)
		if runs := len(d.Runs); runs != 5 {
			t.Errorf("%d tasks have run, want each of five once", runs)
		}
	}
}

// Paper, abstract: no function waits for the completion of another. Artefact,
// gateway: the first message with a result completes the request. What runs
// then is left to end.
func TestNobodyWaitsForCompletion(t *testing.T) {
	forEachData(t, func(t *testing.T, rule engine.DataRule) {
		d := run{
			text: "a 5000ms posted=0.01\nb 5000ms reads=a posted=0.01\nc 10ms reads=b", place: map[string]int{"a": 0, "b": 0, "c": 0}, data: rule,
		}.play(t)
		// 3 messages, three starts, 50 ms each for the first two; c; the result.
		if want := (3 + 100 + 50 + 100 + 50 + 100 + 10 + 1) * ms; d.Ended[0].At != want {
			t.Errorf("the invocation has ended at %d ns, want %d\n%s", d.Ended[0].At, want, d.Trace.String())
		}
		for _, r := range d.Runs {
			if r.End == 0 || r.Outcome != engine.Completed {
				t.Errorf("%v was not left to end", r.Subject)
			}
		}
		happens(t, d, "worker-1 task-ended in container 0", 5103)
	})
}

// Artefact, block.py: the result is posted before the work directory is removed
// and the call returns, so the client has its answer 6 to 15 ms before the last
// function's recorded end.
func TestTheResultComesBeforeTheCleanUp(t *testing.T) {
	d := run{text: "a 100ms posted=0.9", place: map[string]int{"a": 0}}.play(t)
	happens(t, d, "worker-1 → send result a to gateway", 193)
	happens(t, d, "gateway → finish flow#0.1 completed", 194)
	happens(t, d, "worker-1 task-ended in container 0", 203)
}

// Artefact, block.py: hold = max(0, B / (0.8 × 50 MiB/s × cores) − exec_time).
// With the artefact's sizes and recorded mean times this holds back svd's start
// for 1.99 s, video's split for 1.83 s and upload for 1.65 s, wordcount's start
// for 0.39 s, recognizer's upload for 0.27 s, and nobody else.
func TestContainersThatPostFasterThanTheySendAreHeldBack(t *testing.T) {
	for _, test := range []struct {
		function string
		bytes    int64
		cores    float64
		time     float64 // s
		want     float64 // s
	}{
		{"svd start", 16 * 1_048_786, 0.2, 0.0132, 1.99},
		{"svd compute", 3_051_837, 0.1, 1.146, 0},
		{"svd merge", 0, 0.2, 2.426, 0},
		{"video upload", 21_800_000, 0.2, 0.950, 1.65},
		{"video split", 4 * 5_460_000, 0.2, 0.774, 1.83},
		{"video transcode", 250_000, 0.5, 0.743, 0},
		{"wordcount start", 3_383_449, 0.2, 0.0150, 0.39},
		{"wordcount count", 123_962, 0.2, 0.119, 0},
		{"recognizer upload", 2_285_881, 0.2, 0.0033, 0.27},
	} {
		t.Run(test.function, func(t *testing.T) {
			// containers counts those that two invocations take, the second of
			// which comes so long after the first has ended.
			containers := func(rate float64, gap engine.Time) int {
				time := engine.Time(test.time * 1e9)
				d := run{
					text: "f 1ms", place: map[string]int{"f": 0}, rules: engine.Rules{Pressure: engine.Pressure{Rate: rate, Least: 5 * ms}},
					arrive: []engine.Time{0, 100*ms + time + gap},
					set: func(d *enginetest.Driver) {
						d.System.Workflows[0].Functions[0].CPU = test.cores
						d.ComputeTime = func(*engine.Effect) engine.Time { return time }
						d.Backlog = func(*engine.Effect) int64 { return test.bytes }
					},
				}.play(t)
				return strings.Count(d.Trace.String(), "→ start container")
			}
			const rate = 0.8 * 50 * (1 << 20)
			want := engine.Time(test.want * 1e9)
			if got := containers(rate, want+6*ms); got != 1 {
				t.Errorf("%v s after the end there are %d containers, want the first to be free again", test.want+0.006, got)
			}
			if want == 0 {
				return
			}
			if got := containers(rate, want-6*ms); got != 2 {
				t.Errorf("%v s after the end there are %d containers, want a second one, as the first is held back", test.want-0.006, got)
			}
			if got := containers(0, want-6*ms); got != 1 {
				t.Errorf("with the rule off there are %d containers, want 1", got)
			}
		})
	}
}

// Artefact, gateway.py: every node that will take part is told of the request,
// all at a time, and no one else; when all have answered, the input goes to
// those who read it.
func TestAllNodesAreInformedBeforeTheInputIsPassedOn(t *testing.T) {
	d := run{
		text: "a 10ms\nb 10ms\nc 10ms reads=a,b", workers: 4, place: map[string]int{"a": 0, "b": 1, "c": 3},
		rules: engine.Rules{RequestDocument: true},
		set: func(d *enginetest.Driver) {
			d.MessageTime = func(e *engine.Effect) engine.Time {
				if e.Message.Kind == engine.MessageInformed && e.From == d.System.Cluster.Workers[3] {
					return 30 * ms
				}
				return ms
			}
		},
	}.play(t)
	happens(t, d, "gateway → document request", 0)
	for _, worker := range []int{1, 2, 4} {
		happens(t, d, fmt.Sprintf("gateway → send inform a to worker-%d", worker), 2) // when the document is made
	}
	happens(t, d, "worker-3 ")
	happens(t, d, "gateway → send trigger", 2+1+30, 2+1+30)
}

// Artefact: there is no master. The gateway informs, passes on the input and
// hears of results; workers tell each other all the rest.
func TestNothingIsSentThroughAMaster(t *testing.T) {
	forEachData(t, func(t *testing.T, rule engine.DataRule) {
		d := run{
			text: `
a 10ms list=3
b 10ms foreach=a reads=a
c 10ms merge reads=b
d switch after=c reads=c e:1 f:0
e 10ms reads=c
f 10ms reads=c
g 10ms reads=e,f`,
			place: map[string]int{"a": 0, "b": 1, "c": 0, "d": 0, "e": 1, "f": 0, "g": 1}, data: rule,
		}.play(t)
		allowed := map[string][]string{
			"from": {"inform", "trigger a", "release"},
			"to":   {"informed", "result g", "dead f"}, // so that it does not wait for what is skipped
		}
		for line := range strings.Lines(d.Trace.String()) {
			_, message, sends := strings.Cut(line, "→ send ")
			event := strings.Fields(line)
			switch {
			case strings.HasSuffix(line, " to storage\n"), strings.HasPrefix(strings.Join(event, " "), "storage"):
				t.Error(line)
			case sends && strings.HasSuffix(line, " to gateway\n"):
				if !slices.ContainsFunc(allowed["to"], func(a string) bool { return strings.HasPrefix(message, a) }) {
					t.Error(line)
				}
			case strings.HasSuffix(line, " from gateway\n"):
				if !slices.ContainsFunc(allowed["from"], func(a string) bool { return strings.HasPrefix(strings.Join(event[3:], " "), a) }) {
					t.Error(line)
				}
			}
		}
	})
}

// slowThird makes the third datum that is fetched take long.
func slowThird(d *enginetest.Driver) {
	fetched := 0
	d.PrefetchTime = func() engine.Time {
		if fetched++; fetched == 3 {
			return 70 * ms
		}
		return 2 * ms
	}
}

// Artefact, workersp.py: every item of a FOREACH fires an instance at once.
func TestEachItemTriggersItsInstance(t *testing.T) {
	d := run{
		text: "a 10ms list=4\nb 10ms foreach=a reads=a\nc 10ms merge reads=b", place: map[string]int{"a": 0, "b": 1, "c": 1}, set: slowThird,
	}.play(t)
	// a posts at 113; the first chunk and the message take 2 ms, fetching 2.
	for item, at := range []int{117, 117, 185, 117} {
		happens(t, d, fmt.Sprintf("worker-2 arrived a[%d/4]", item), at)
		happens(t, d, fmt.Sprintf("worker-2 → start container %d for b[%d/4]", []int{0, 1, 3, 2}[item], item), at)
	}
}

// Artefact, workersp.py: an instance of a FOREACH runs with whatever other
// inputs have arrived by then; without this quirk it waits for them.
func TestAForeachIsARaceInTheArtefact(t *testing.T) {
	for _, race := range []bool{false, true} {
		d := run{
			text: "first 10ms\na 10ms list=2 reads=first\nb 10ms foreach=a after=a reads=a,first", place: map[string]int{"first": 0, "a": 0, "b": 1},
			rules: engine.Rules{ForeachRace: race},
			set: func(d *enginetest.Driver) {
				fetched := 0
				d.PrefetchTime = func() engine.Time {
					if fetched++; fetched == 1 {
						return 300 * ms
					}
					return 2 * ms
				}
			},
		}.play(t)
		// first posts at 113, which is announced at 115; a posts 110 ms later.
		at := map[bool]int{false: 115 + 300, true: 115 + 110 + 2}[race]
		happens(t, d, "worker-2 → start container 0 for b[0/2]", at)
		happens(t, d, "worker-2 → start container 1 for b[1/2]", at)
	}
}

// Artefact, block.py: VIRTUAL.CNT is posted when the code of the FOREACH block
// has ended, so a merge cannot run before that.
func TestAMergeWaitsForTheCountInTheArtefact(t *testing.T) {
	for _, atEnd := range []bool{false, true} {
		d := run{
			text: "a 1000ms list=2 posted=0.1\nb 10ms foreach=a reads=a\nc 10ms merge reads=b", place: map[string]int{"a": 0, "b": 1, "c": 1},
			rules: engine.Rules{CountAtEnd: atEnd},
		}.play(t)
		// Items are posted at 203, there at 207; b is up at 307.
		at := map[bool]int{false: 317, true: 103 + 1000 + 1}[atEnd]
		happens(t, d, "worker-2 → start container 2 for c", at)
	}
}

// Artefact, workersp.py: a timer fires every 0.5 ms, each time at most one
// datum is matched with its readers.
func TestDataAreMatchedOneAtATick(t *testing.T) {
	d := run{
		text: "a 10ms list=4\nb 10ms foreach=a reads=a", place: map[string]int{"a": 0, "b": 1}, rules: engine.Rules{MatchTick: 10 * ms},
	}.play(t)
	happens(t, d, "worker-2 arrived a", 117, 117, 117, 117)
	for item := range 4 {
		happens(t, d, fmt.Sprintf("worker-2 → start container %d for b[%d/4]", item, item), 120+10*item)
	}
}

// Artefact, flow_monitor.py: what is in a node's memory is dropped with its last
// reader there, and moved to disk when it has been there for 100 s.
func TestMemoryIsGivenBackWithTheLastReader(t *testing.T) {
	const text = "a 10ms\nb 20ms reads=a\nc 300ms reads=a\nd 10ms reads=a\nend 900ms reads=b,c,d"
	d := run{
		text: text, place: map[string]int{"a": 0, "b": 0, "c": 0, "d": 1, "end": 1}, rules: engine.Rules{MemoryLifetime: 100 * engine.Second},
	}.play(t)
	happens(t, d, "worker-1 → drop a output 0", 113+100+300)
	d = run{
		text: text, place: map[string]int{"a": 0, "b": 0, "c": 0, "d": 1, "end": 1}, rules: engine.Rules{MemoryLifetime: 200 * ms},
	}.play(t)
	happens(t, d, "worker-1 → spill a output 0", 113+200)
	happens(t, d, "worker-1 → drop a output 0", 113+100+300)
}

// The artefact fails with a KeyError beyond three workers; here placement and
// protocol know no such limit.
func TestAnyNumberOfWorkers(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 4, 64} {
		place := map[string]int{}
		text, reads := "", []string{}
		for i := range 64 {
			name := fmt.Sprint("f", i)
			place[name], reads = i%workers, append(reads, name)
			text += name + " 10ms\n"
		}
		place["end"] = 0
		d := run{text: text + "end 1ms reads=" + strings.Join(reads, ","), workers: workers, place: place}.play(t)
		if len(d.Runs) != 65 || d.Sent[engine.MessageInform] != workers {
			t.Errorf("%d workers: %d tasks have run, %d nodes were informed", workers, len(d.Runs), d.Sent[engine.MessageInform])
		}
	}
}

// What the gateway's release says of an invocation that has completed: what has
// not begun never does.
func TestWhatHasNotBegunByTheEndNeverDoes(t *testing.T) {
	d := run{
		text: `
start 5ms
quick 10ms reads=start
slow 10ms cap=1 reads=start
join 5ms after=quick,slow first`,
		place:  map[string]int{"start": 0, "quick": 0, "slow": 1, "join": 0},
		arrive: []engine.Time{0, 1 * ms},
		set: func(d *enginetest.Driver) {
			mean := d.ComputeTime
			d.ComputeTime = func(e *engine.Effect) engine.Time {
				if d.System.Workflows[0].Functions[e.Function].Name == "slow" {
					return 2000 * ms
				}
				return mean(e)
			}
		},
	}.play(t)
	began := map[string]int{}
	for _, r := range d.Runs {
		began[d.System.Workflows[0].Functions[r.Subject.Function].Name]++
	}
	// The cap lets one of two begin; when it has ended, nobody wants the other.
	if want := map[string]int{"start": 2, "quick": 2, "slow": 1, "join": 2}; !maps.Equal(began, want) {
		t.Errorf("%v have begun, want %v", began, want)
	}
}
