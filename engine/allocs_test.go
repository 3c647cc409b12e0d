//go:build !invariants

// Looking through the state of a node, as builds with the tag do, allocates.

package engine_test

import (
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Workflows as enginetest.Workflow reads them.
const wordcount = `
start 20ms list=8
count 120ms foreach=start reads=start
merge 50ms merge reads=count`

const diamond = `
a 10ms
b 10ms reads=a
c 10ms reads=a
d 10ms reads=b,c`

const choice = `
a 10ms list=3
b switch after=a left:1 right:0
left 10ms
right 10ms
c 10ms after=left,right reads=a
each 10ms foreach=a reads=a
pick switch after=each odd:0 even:1
odd 10ms
even 10ms
both 10ms merge after=odd,even`

// immediate is a world in which nothing takes time and the driver allocates
// nothing.
type immediate struct {
	nodes   []*engine.Node
	w       *workflow.Workflow
	events  []at
	effects engine.Effects
	steps   int
	ended   int
}

type at struct {
	node  engine.NodeID
	event engine.Event
}

func newImmediate(tb testing.TB, s engine.Scheme, text string) *immediate {
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		tb.Fatal(err)
	}
	scheduler := engine.Scheduler{Control: s, Data: enginetest.Memory{}, Placement: placement.Spread{}}
	if _, driven := s.(engine.DataDriven); driven {
		scheduler.Data = enginetest.Pipe{}
	}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(3), scheduler, engine.Rules{Timeout: 60 * engine.Second})
	if err != nil {
		tb.Fatal(err)
	}
	run := &immediate{w: w}
	for id := range engine.NodeID(5) {
		run.nodes = append(run.nodes, engine.NewNode(id, system))
	}
	return run
}

func (r *immediate) tell(node engine.NodeID, e engine.Event) {
	r.events = append(r.events, at{node, e})
}

// invoke lets one invocation run to its end.
func (r *immediate) invoke() {
	r.tell(0, engine.Event{Kind: engine.EventArrive})
	for i := 0; i < len(r.events); i++ {
		id := r.events[i].node
		r.nodes[id].Step(0, r.events[i].event, &r.effects)
		r.steps++
		for j := range r.effects.List {
			r.apply(id, &r.effects.List[j])
		}
		r.effects.Reset()
	}
	r.events = r.events[:0]
}

func (r *immediate) apply(id engine.NodeID, e *engine.Effect) {
	switch e.Kind {
	case engine.EffectSend:
		r.tell(e.To, engine.Event{Kind: engine.EventDeliver, Message: e.Message})
	case engine.EffectStart:
		r.tell(id, engine.Event{Kind: engine.EventContainerUp, Container: e.Container})
	case engine.EffectEvaluate:
		r.tell(id, engine.Event{Kind: engine.EventSwitched, Message: e.Message})
	case engine.EffectPrefetch:
		r.tell(id, engine.Event{Kind: engine.EventArrived, Number: e.Number, Message: e.Message})
	case engine.EffectRun:
		for i, o := range r.w.Functions[e.Function].Outputs {
			n := uint32(0)
			if o.List {
				n = uint32(o.Items.Mean())
				items := engine.Message{Items: n, Subject: e.Subject}
				r.tell(id, engine.Event{Kind: engine.EventItems, Container: e.Container, Number: int64(i), Message: items})
			}
			if e.Plan.Announce {
				r.post(id, e, int64(i), n)
			}
		}
		r.tell(id, engine.Event{Kind: engine.EventTaskEnded, Container: e.Container})
	case engine.EffectFinish:
		r.ended++
	}
}

// Once slots, tasks, containers and counters are there, handling events
// allocates nothing.
func TestStepAllocatesNothing(t *testing.T) {
	for _, s := range schemes {
		for _, flow := range []struct{ name, text string }{{"wordcount", wordcount}, {"diamond", diamond}, {"choice", choice}} {
			t.Run(s.name+"/"+flow.name, func(t *testing.T) {
				run := newImmediate(t, s.scheme, flow.text)
				for range 10 {
					run.invoke()
				}
				if n := testing.AllocsPerRun(100, run.invoke); n != 0 {
					t.Errorf("an invocation allocates %v times", n)
				}
				if run.ended != 111 { // AllocsPerRun runs it once more
					t.Errorf("%d invocations have ended", run.ended)
				}
			})
		}
	}
}

// post announces an output, or each item of a list.
func (r *immediate) post(id engine.NodeID, e *engine.Effect, output int64, items uint32) {
	posted := engine.Event{Kind: engine.EventPosted, Number: output, Message: engine.Message{Subject: e.Subject}}
	for item := range max(items, 1) {
		if items > 0 {
			posted.Path = e.Path.Item(item, items)
		}
		for _, way := range []data.Target{data.Memory, data.Pipe} {
			if posted.Way = e.Plan.Targets[output] & way; posted.Way != 0 {
				r.tell(id, posted)
			}
		}
	}
}

func BenchmarkStep(b *testing.B) {
	for _, s := range schemes {
		b.Run(s.name, func(b *testing.B) {
			run := newImmediate(b, s.scheme, wordcount)
			b.ReportAllocs()
			for run.steps < b.N {
				run.invoke()
			}
		})
	}
}
