//go:build invariants

package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// direct is a scheme for one machine that runs the first function only, and
// takes no notice of data.
type direct struct{ *Node }

func (direct) DataDriven()                                            {}
func (direct) New(n *Node) Control                                    { return direct{n} }
func (direct) Participants(*System, *Deployment, WorkflowID) []NodeID { return nil }
func (direct) Forget(WorkflowID, uint32)                              {}
func (direct) Targets(w *workflow.Workflow, _, _ []int32) []data.Target {
	return make([]data.Target, len(w.Functions))
}
func (d direct) Handle(e Event) {
	switch e.Kind {
	case EventArrive:
		d.Run(e.Subject, 0, Cause{})
	case EventTaskEnded:
		d.Complete(e.Invocation)
	}
}

// Each invariant is broken once, and found out after the next event.
func TestInvariantsCanBeBroken(t *testing.T) {
	for _, test := range []struct {
		name   string
		breaks func(*Node)
		want   string
	}{
		{"nothing is broken", func(*Node) {}, ""},
		{"a task is in no queue", func(n *Node) { n.dequeue(2) }, "of 3 tasks, 1 are queued and 1 running"},
		{"a queue counts wrong", func(n *Node) { n.worker.all.At(0).queued++ }, "the queue of pool 0 holds 2 tasks and counts 3"},
		{"a task is lost", func(n *Node) { n.slots[0][2].tasks = none }, "3 tasks are there, 2 are used"},
		{"a task is not in its container", func(n *Node) { n.worker.containers.At(0).state = containerIdle }, "is not in its container"},
		{"a task outlives its invocation", func(n *Node) { n.slots[0][0].open = false }, "has ended and has tasks"},
		{"a container is counted twice", func(n *Node) { n.worker.all.At(0).Start() }, "pool 0 counts {idle:0 starting:1 all:2}, there are {idle:0 starting:0 all:1}"},
		{"the cap is exceeded", func(n *Node) { n.system.Workflows[0].Functions[0].MaxContainers = -1 }, "pool 0 has 1 containers under a cap of -1"},
		{"a task waits for nothing", func(n *Node) { n.system.Workflows[0].Functions[0].MaxContainers = 2 }, "pool 0 leaves 2 tasks waiting, with 0 idle of 1 containers, 0 starting"},
		{"a place is free that is in use", func(n *Node) { n.worker.containers.Give(0) }, "1 containers are there, but 0 places are taken"},
		{"an attempt is of an unknown deployment", func(n *Node) { n.deployments[0] = nil }, "is open under deployment 0"},
		{"a message waits for a known deployment", func(n *Node) { n.early = make([]Message, 1) }, "a trigger is held back for deployment 0, which is known"},
		{"an invocation is in no list", func(n *Node) { n.gateway.workflows[0].unlink(&n.gateway.workflows[0].waiting, 1) }, "of 3 slots, 2 are alive and 0 free"},
		{"an invocation is in the wrong list", func(n *Node) { n.gateway.workflows[0].slots[1].finished = true }, "the list of invocations is broken"},
		{"a deadline is forgotten", func(n *Node) { n.gateway.workflows[0].armed = false }, "workflow 0 has no deadline timer"},
		{"nobody misses a lost node", func(n *Node) { n.gateway.lost = []NodeID{0} }, "node 0: lost is true, and the reports say otherwise"},
		{"a container is held back for no time", func(n *Node) {
			n.Step(20, Event{Kind: EventTaskEnded, Outcome: Completed, Container: ContainerID{0, 1}, Number: 1000}, &Effects{})
			n.worker.containers.At(0).until = 20
		}, "container 0 is held back from 20 to 20"},
		{"a datum outlives its invocation", func(n *Node) { n.slots[0][1].open = false }, "has ended and keeps data"},
		{"a datum has no readers", func(n *Node) { n.sink.data[0].readers = 0 }, "is kept for 0 readers"},
		{"a datum is another invocation's", func(n *Node) { n.slots[0][0].kept, n.slots[0][1].kept = n.slots[0][1].kept, none }, "the list of the data of 0.0.1.0 is broken"},
		{"a datum is lost", func(n *Node) { n.slots[0][1].kept = n.sink.data[1].sibling }, "of 2 places for data, 1 are taken and 0 free"},
		{"a place for data is free that is in use", func(n *Node) { n.sink.free = append(n.sink.free, 0) }, "the list of the data of 0.1.1.0 is broken"},
		{"data are out of order", func(n *Node) { n.sink.data[0].until = 1000 }, "the order of the data is broken"},
		{"a datum is in no order", func(n *Node) { n.unlinkKept(1) }, "of 2 data that are kept, 1 are listed and 0 spilled"},
		{"nobody looks at the memory", func(n *Node) { n.sink.armed = false }, "there are data in memory and no timer"},
		{"nobody matches data", func(n *Node) { n.unmatched = make([]Event, 1) }, "1 data are unmatched, and there is no timer"},
		{"time goes back", func(n *Node) { n.now = 21 }, "time went back from 21 to 20"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := workflow.New("flow", []workflow.Function{
				{Name: "f", MaxContainers: 1, Outputs: []workflow.Output{{Name: "x"}, {Name: "y"}}},
				{Name: "g", Inputs: []workflow.Input{{From: 0}, {From: 0, Output: 1}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			cluster := Cluster{Workers: []NodeID{0}, Capacity: make([]placement.Worker, 1)}
			s, err := NewSystem([]*workflow.Workflow{w}, cluster, Scheduler{Control: direct{}, Data: direct{}, Placement: placement.Spread{}}, Rules{Timeout: 100, MemoryLifetime: 50, Pressure: Pressure{Rate: 1e9}})
			if err != nil {
				t.Fatal(err)
			}
			n, effects := NewNode(0, s), &Effects{}
			for range 3 { // one runs, two wait
				n.Step(0, Event{Kind: EventArrive}, effects)
			}
			n.Step(10, Event{Kind: EventContainerUp, Container: ContainerID{0, 1}}, effects)
			for output := range int64(2) {
				posted := Event{Kind: EventPosted, Number: output}
				posted.Invocation, posted.Way = n.gateway.workflows[0].slots[1].invocation, data.Memory
				n.Step(10+Time(output), posted, effects)
			}
			defer func() {
				found := ""
				if p := recover(); p != nil {
					found = fmt.Sprint(p)
				}
				if test.want == "" && found != "" || !strings.Contains(found, test.want) {
					t.Errorf("found %q, want %q", found, test.want)
				}
			}()
			test.breaks(n)
			n.Step(20, Event{Kind: EventTimer, Timer: Timer{Kind: TimerOfScheme}}, effects)
		})
	}
}
