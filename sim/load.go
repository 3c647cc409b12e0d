package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/slab"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/load"
)

// workflowLoad is the load on one workflow, and what is precomputed for it.
type workflowLoad struct {
	plan     *load.Plan
	arrivals *load.Arrivals
	sent     int64
	clients  []client

	// asked are the invocations that the gateway has yet to admit.
	asked slab.Slab[arrival]

	// postingOrder lists the outputs of a function in the order they are
	// posted, where that is not the order of the file.
	postingOrder [][]int32
}

// client is one closed-loop client.
type client struct {
	sent  int64
	until engine.Time
}

// arrival is an invocation that a client has asked for.
type arrival struct {
	number int64
	client int32
	at     engine.Time
}

func newLoad(p *load.Plan, source draw.Source, index int, wf *workflow.Workflow) workflowLoad {
	l := workflowLoad{plan: p}
	if p.Clients == 0 {
		l.arrivals = p.Arrivals(source, uint64(index))
	}
	for f := range wf.Functions {
		outputs := wf.Functions[f].Outputs
		if !slices.IsSortedFunc(outputs, func(a, b workflow.Output) int { return cmp.Compare(a.PostedAt, b.PostedAt) }) {
			if l.postingOrder == nil {
				l.postingOrder = make([][]int32, len(wf.Functions))
			}
			order := make([]int32, len(outputs))
			for i := range order {
				order[i] = int32(i)
			}
			slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(outputs[a].PostedAt, outputs[b].PostedAt) })
			l.postingOrder[f] = order
		}
	}
	return l
}

// begin schedules the first arrivals of a workflow.
func (w *world) begin(index int) {
	l := &w.loads[index]
	if l.plan.Clients == 0 {
		w.sending++
		w.nextArrival(index)
		return
	}
	for c := range l.plan.Clients {
		start := l.plan.First + l.plan.Stagger*int64(c)
		l.clients = append(l.clients, client{until: start + min(l.plan.Until, never-start)})
		w.sending++
		w.queue.push(event{at: start, kind: evClient, a: uint32(index), b: uint64(c)})
	}
}

func (w *world) nextArrival(index int) {
	if at, ok := w.loads[index].arrivals.Next(); ok {
		w.queue.push(event{at: at, kind: evArrival, a: uint32(index)})
	} else {
		w.sending--
	}
}

// arrival sends an invocation of an open loop.
func (w *world) arrival(index int) {
	l := &w.loads[index]
	w.ask(index, arrival{number: l.sent, client: -1, at: w.now})
	l.sent++
	w.nextArrival(index)
}

// clientSends sends the next invocation of a client, unless it is done.
// Invocations are numbered so that the k-th of client c has the same number
// under every scheduler.
func (w *world) clientSends(index, c int) {
	l := &w.loads[index]
	client := &l.clients[c]
	if w.now >= client.until && client.sent >= l.plan.AtLeast || l.plan.Limit > 0 && l.sent >= l.plan.Limit {
		w.sending--
		return
	}
	w.ask(index, arrival{number: client.sent*int64(l.plan.Clients) + int64(c), client: int32(c), at: w.now})
	client.sent++
	l.sent++
}

// clientContinues lets a client whose invocation has ended send the next.
func (w *world) clientContinues(r *record.Invocation) {
	if r.Ended == r.Intended && w.loads[r.Workflow].plan.Limit == 0 {
		w.failed = fmt.Errorf("an invocation of %s takes no time at all, so its clients would never come to the end of their load: "+
			"give the load a limit", w.system.Workflows[r.Workflow].Name)
		return
	}
	w.after(0, event{kind: evClient, a: uint32(r.Workflow), b: uint64(r.Client)})
}

// ask asks the gateway for an invocation.
func (w *world) ask(index int, a arrival) {
	l := &w.loads[index]
	at := l.asked.Take()
	*l.asked.At(at) = a
	w.open++
	w.tell(scenarios.GatewayNode, &engine.Event{
		Kind: engine.EventArrive, Number: int64(at),
		Message: engine.Message{Subject: engine.Subject{Invocation: engine.Invocation{Workflow: engine.WorkflowID(index)}}},
	})
}

// takeArrival returns an invocation that the gateway admits.
func (l *workflowLoad) takeArrival(at uint32) arrival {
	l.asked.Give(at)
	return *l.asked.At(at)
}
