// Package enginetest drives an engine through a small run and writes down what
// happens, for tests whose golden files are protocol traces that one can read.
//
// Its world is as simple as can be: a message takes 1 ms, a container starts
// in 100 ms, a function takes its mean compute time, data take no time.
package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Workflow reads a workflow from lines such as
//
//	start 20ms list=3
//	count 50ms foreach=start reads=start
//	merge 10ms merge reads=count
//	choose switch after=merge left:1 right:0
//	left 5ms
//	right end
//
// A function with reads= reads the (only) output of those named, and thereby
// comes after them, unless it says after=.
func Workflow(name, text string) (*workflow.Workflow, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	number := map[string]workflow.FunctionID{}
	for i, line := range lines {
		number[strings.Fields(line)[0]] = workflow.FunctionID(i)
	}
	functions := make([]workflow.Function, len(lines))
	for i, line := range lines {
		words := strings.Fields(line)
		f := &functions[i]
		f.Name = words[0]
		output := workflow.Output{Name: "out", Size: workflow.Constant(1000), PostedAt: 1}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			branch, probability, isBranch := strings.Cut(word, ":")
			switch {
			case isBranch:
				p, _ := strconv.ParseFloat(probability, 64)
				f.Branches = append(f.Branches, workflow.Branch{
					Name: branch, To: []workflow.FunctionID{number[branch]}, Probability: p,
				})
			case key == "switch":
				f.Kind = workflow.Switch
			case key == "end":
				f.Kind = workflow.End
			case key == "merge":
				f.Merge = true
			case key == "cap":
				f.MaxContainers, _ = strconv.Atoi(value)
			case key == "list":
				n, _ := strconv.Atoi(value)
				output.List, output.Items = true, workflow.Constant(float64(n))
			case key == "foreach":
				f.Foreach = &workflow.OutputRef{Function: number[value]}
			case key == "after":
				for _, p := range strings.Split(value, ",") {
					f.After = append(f.After, number[p])
				}
			case key == "reads":
				for _, p := range strings.Split(value, ",") {
					f.Inputs = append(f.Inputs, workflow.Input{From: number[p]})
				}
			case strings.HasSuffix(word, "ms"):
				ms, err := strconv.Atoi(strings.TrimSuffix(word, "ms"))
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", i+1, err)
				}
				f.Compute = workflow.Constant(float64(ms) * float64(engine.Millisecond))
			default:
				return nil, fmt.Errorf("line %d: what is %q?", i+1, word)
			}
		}
		if f.Kind == workflow.Task {
			f.Outputs = []workflow.Output{output}
		}
	}
	return workflow.New(name, functions)
}

// Cluster returns a cluster of a gateway, a storage node and workers.
func Cluster(workers int) engine.Cluster {
	c := engine.Cluster{Gateway: 0, Storage: 1}
	for i := range workers {
		c.Workers = append(c.Workers, engine.NodeID(2+i))
	}
	c.Capacity = make([]placement.Worker, workers)
	return c
}

// Driver drives the nodes of a system.
type Driver struct {
	System *engine.System
	Nodes  []*engine.Node
	Now    engine.Time
	// Trace is what has happened so far.
	Trace strings.Builder
	// Quiet keeps Trace empty.
	Quiet bool
	// Branch chooses the branch of a switch; by default the most probable.
	Branch func(engine.Subject) int
	// Outcome decides how a task ends; by default well.
	Outcome func(engine.Subject) engine.Outcome
	// Check is called after every step.
	Check func()

	Finished []engine.Outcome
	pending  []pending
	running  map[place]engine.Subject
	down     map[engine.NodeID]bool
	seq      int
}

type place struct {
	node      engine.NodeID
	container engine.ContainerID
}

type pending struct {
	at    engine.Time
	seq   int
	to    engine.NodeID
	event engine.Event
	what  func() // if set, happens instead of the event
}

// NewDriver returns a driver of fresh nodes.
func NewDriver(s *engine.System) *Driver {
	d := &Driver{System: s, running: map[place]engine.Subject{}, down: map[engine.NodeID]bool{}}
	for id := range engine.NodeID(s.Cluster.Nodes()) {
		d.Nodes = append(d.Nodes, engine.NewNode(id, s))
	}
	return d
}

// Tell schedules an event.
func (d *Driver) Tell(at engine.Time, to engine.NodeID, e engine.Event) {
	d.seq++
	d.pending = append(d.pending, pending{at: at, seq: d.seq, to: to, event: e})
}

// Do schedules anything else.
func (d *Driver) Do(at engine.Time, what func()) {
	d.seq++
	d.pending = append(d.pending, pending{at: at, seq: d.seq, what: what})
}

// Arrive schedules an invocation.
func (d *Driver) Arrive(at engine.Time, w engine.WorkflowID) {
	e := engine.Event{Kind: engine.EventArrive}
	e.Invocation.Workflow = w
	d.Tell(at, d.System.Cluster.Gateway, e)
}

// Kill loses a node with all it knows. Its peers notice 5 ms later, or when it
// comes back without its memory after downtime, if that is above 0.
func (d *Driver) Kill(at engine.Time, id engine.NodeID, downtime engine.Time) {
	d.Do(at, func() {
		d.down[id] = true
		d.pending = slices.DeleteFunc(d.pending, func(p pending) bool {
			return p.to == id && p.what == nil && p.event.Kind != engine.EventDeliver
		})
		maps.DeleteFunc(d.running, func(p place, _ engine.Subject) bool { return p.node == id })
	})
	notice := at + 5*engine.Millisecond
	if downtime > 0 {
		notice = min(notice, at+downtime)
	}
	d.tellPeers(notice, id, engine.EventPeerLost)
	if downtime > 0 {
		d.Do(at+downtime, func() {
			d.down[id] = false
			d.Nodes[id] = engine.NewNode(id, d.System)
		})
		d.tellPeers(at+downtime, id, engine.EventPeerBack)
	}
}

func (d *Driver) tellPeers(at engine.Time, id engine.NodeID, kind engine.EventKind) {
	for to := range engine.NodeID(len(d.Nodes)) {
		if to != id {
			d.Tell(at, to, engine.Event{Kind: kind, Peer: id})
		}
	}
}

// Run handles events until none is left, or until the limit of steps, which
// it reports as an error.
func (d *Driver) Run(limit int) error {
	var effects engine.Effects
	for range limit {
		if len(d.pending) == 0 {
			return nil
		}
		first := 0
		for i, p := range d.pending {
			if q := d.pending[first]; p.at < q.at || p.at == q.at && p.seq < q.seq {
				first = i
			}
		}
		p := d.pending[first]
		d.pending = slices.Delete(d.pending, first, first+1)
		d.Now = p.at
		if p.what != nil {
			p.what()
			continue
		}
		if d.down[p.to] {
			continue
		}
		d.step(p, &effects)
		if d.Check != nil {
			d.Check()
		}
	}
	return fmt.Errorf("still not done after %d steps", limit)
}

func (d *Driver) step(p pending, effects *engine.Effects) {
	if p.event.Kind == engine.EventTaskEnded {
		at := place{p.to, p.event.Container}
		if _, runs := d.running[at]; !runs {
			return // Its container was stopped.
		}
		delete(d.running, at)
	}
	d.Nodes[p.to].Step(d.Now, p.event, effects)
	if !d.Quiet {
		fmt.Fprintf(&d.Trace, "%4d ms  %-8s  %s\n", d.Now/engine.Millisecond, d.System.Cluster.NodeName(p.to), d.System.DescribeEvent(&p.event))
	}
	for i := range effects.List {
		e := &effects.List[i]
		if !d.Quiet && e.Kind != engine.EffectTimer {
			fmt.Fprintf(&d.Trace, "%21s→ %s\n", "", d.System.DescribeEffect(e))
		}
		d.apply(p.to, e)
	}
	effects.Reset()
}

func (d *Driver) apply(id engine.NodeID, e *engine.Effect) {
	switch e.Kind {
	case engine.EffectSend:
		d.Tell(d.Now+engine.Millisecond, e.To, engine.Event{Kind: engine.EventDeliver, Message: e.Message})
	case engine.EffectStart:
		d.Tell(d.Now+100*engine.Millisecond, id, engine.Event{Kind: engine.EventContainerUp, Container: e.Container})
	case engine.EffectStop:
		delete(d.running, place{id, e.Container})
	case engine.EffectRun:
		d.run(id, e)
	case engine.EffectEvaluate:
		back := engine.Event{Kind: engine.EventSwitched, Number: int64(d.branch(e.Subject)), Message: e.Message}
		d.Tell(d.Now, id, back)
	case engine.EffectDocument:
		d.Tell(d.Now+2*engine.Millisecond, id, engine.Event{Kind: engine.EventDocument, Document: e.Document, Message: e.Message})
	case engine.EffectTimer:
		d.Tell(e.At, id, engine.Event{Kind: engine.EventTimer, Timer: e.Timer})
	case engine.EffectFinish:
		d.Finished = append(d.Finished, e.Outcome)
	}
}

func (d *Driver) run(id engine.NodeID, e *engine.Effect) {
	function := &d.System.Workflows[e.Invocation.Workflow].Functions[e.Function]
	end := d.Now + engine.Time(function.Compute.Mean())
	d.running[place{id, e.Container}] = e.Subject
	outcome := engine.Completed
	if d.Outcome != nil {
		outcome = d.Outcome(e.Subject)
	}
	for output, o := range function.Outputs {
		if o.List && outcome == engine.Completed {
			d.Tell(end, id, engine.Event{
				Kind: engine.EventItems, Container: e.Container, Number: int64(output),
				Message: engine.Message{Items: uint32(o.Items.Mean()), Subject: e.Subject},
			})
		}
	}
	d.Tell(end, id, engine.Event{Kind: engine.EventTaskEnded, Container: e.Container, Outcome: outcome})
}

func (d *Driver) branch(s engine.Subject) int {
	if d.Branch != nil {
		return d.Branch(s)
	}
	best := 0
	branches := d.System.Workflows[s.Invocation.Workflow].Functions[s.Function].Branches
	for i, b := range branches {
		if b.Probability > branches[best].Probability {
			best = i
		}
	}
	return best
}
