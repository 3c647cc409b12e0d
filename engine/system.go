package engine

import (
	"fmt"
	"slices"

	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/inbox"
	"github.com/flowtwin/flowtwin/engine/joins"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Cluster says which node plays which role.
type Cluster struct {
	// Gateway takes in invocations and reports their end.
	Gateway NodeID
	// Storage is the machine of the remote store. The master of MasterSP runs
	// there too, as in the artefact.
	Storage NodeID
	// Workers run functions; what a placer is told of each is in Capacity.
	Workers  []NodeID
	Capacity []placement.Worker
}

// Nodes is the number of nodes.
func (c *Cluster) Nodes() int {
	n := max(c.Gateway, c.Storage)
	for _, w := range c.Workers {
		n = max(n, w)
	}
	return int(n) + 1
}

// Scheduler is three choices.
type Scheduler struct {
	Name      string
	Control   Scheme
	Placement placement.Placer
	Data      DataRule
}

// Scheme is a way of triggering functions.
type Scheme interface {
	// New returns the part of the scheme that runs on one node.
	New(n *Node) Control
	// Participants returns the nodes, apart from the gateway, that come to
	// know of an invocation of the workflow. They are told when it ends.
	Participants(s *System, d *Deployment, w WorkflowID) []NodeID
}

// Evaluator is a Scheme that decides where switches are evaluated, wherever
// the placement puts them.
type Evaluator interface {
	// EvaluatesAt returns the node for the switch f. node is where its
	// predecessors are.
	EvaluatesAt(c *Cluster, w *workflow.Workflow, f workflow.FunctionID, node []NodeID) NodeID
}

// DataDriven is a Scheme whose functions are triggered by their data: all
// outputs are announced to the nodes that read them.
type DataDriven interface {
	DataDriven()
}

// Control is one node's part of a scheme. It acts by calling methods of its
// Node, never by blocking.
type Control interface {
	// Handle is given every event that is about the scheme: arrivals (on the
	// gateway), messages of current invocations, ended tasks, evaluated
	// switches, documents, lists that were posted and the scheme's own timers.
	Handle(e Event)
	// Forget drops what the scheme knows of the occupant of a slot.
	Forget(w WorkflowID, slot uint32)
}

// Streaming is a DataRule that streams outputs to those who read them.
type Streaming interface {
	Streams()
}

// DataRule says where each function's outputs are put.
type DataRule interface {
	// Targets returns a target for each function, given its group and its
	// worker.
	Targets(w *workflow.Workflow, group, worker []int32) []data.Target
}

// System is what all nodes of a cluster agree on. Nodes of one run may share
// it, but only within one goroutine.
type System struct {
	Workflows []*workflow.Workflow
	Cluster   Cluster
	Scheduler Scheduler
	Rules     Rules
	// Layouts are those of the workflows' joins.
	Layouts []*joins.Layout
	// Inboxes are the layouts of what functions wait for; nil if outputs are
	// not announced.
	Inboxes []*inbox.Layout

	deployments []*Deployment
}

// NewSystem places the workflows on the workers. The error says why the
// placement is impossible.
func NewSystem(workflows []*workflow.Workflow, c Cluster, s Scheduler, r Rules) (*System, error) {
	if len(c.Workers) == 0 {
		return nil, fmt.Errorf("the cluster has no workers")
	}
	if len(c.Capacity) != len(c.Workers) {
		return nil, fmt.Errorf("the cluster has %d workers, but the capacity of %d", len(c.Workers), len(c.Capacity))
	}
	system := &System{Workflows: workflows, Cluster: c, Scheduler: s, Rules: r}
	_, driven := s.Control.(DataDriven)
	_, streams := s.Data.(Streaming)
	for _, w := range workflows {
		system.Layouts = append(system.Layouts, joins.NewLayout(w))
		if driven || streams {
			options := inbox.Options{Race: driven && r.ForeachRace, Counts: driven && r.CountAtEnd}
			system.Inboxes = append(system.Inboxes, inbox.NewLayout(w, options))
		}
	}
	if _, err := system.deploy(nil); err != nil {
		return nil, err
	}
	return system, nil
}

// Deployment is the placement of all workflows over the workers that are not
// lost, and what follows from it.
type Deployment struct {
	Placement placement.Placement
	lost      []NodeID
	workers   []NodeID
	node      [][]NodeID
	sources   [][]Source
	firstIn   [][]int32       // where a function's sources begin
	targets   [][]data.Target // by output
	firstOut  [][]int32       // where a function's outputs begin
	readers   [][][]NodeID    // by output: the nodes that read it, in order
	streams   bool
	// participants of each workflow
	participants [][]NodeID
}

// Deployment returns the placement over all workers.
func (s *System) Deployment() *Deployment { return s.deployments[0] }

// deploy returns the deployment over the workers that are not lost. lost is
// sorted.
func (s *System) deploy(lost []NodeID) (*Deployment, error) {
	for _, d := range s.deployments {
		if slices.Equal(d.lost, lost) {
			return d, nil
		}
	}
	var alive []NodeID
	var capacity []placement.Worker
	for i, w := range s.Cluster.Workers {
		if !slices.Contains(lost, w) {
			alive = append(alive, w)
			capacity = append(capacity, s.Cluster.Capacity[i])
		}
	}
	if len(alive) == 0 {
		return nil, fmt.Errorf("no worker is left")
	}
	p, err := s.Scheduler.Placement.Place(s.Workflows, capacity)
	if err == nil {
		err = s.checkPlacement(&p, len(alive))
	}
	switch {
	case err != nil && len(lost) == 0:
		return nil, fmt.Errorf("placing functions on %d workers: %w", len(alive), err)
	case err != nil:
		p = s.displace(alive)
	}
	d := &Deployment{Placement: p, lost: slices.Clone(lost), workers: alive}
	_, d.streams = s.Scheduler.Data.(Streaming)
	for i, w := range s.Workflows {
		node := make([]NodeID, len(w.Functions))
		for f := range node {
			node[f] = alive[p.Worker[i][f]]
		}
		targets := slices.Clone(s.Scheduler.Data.Targets(w, p.Group[i], p.Worker[i]))
		if e, moves := s.Scheduler.Control.(Evaluator); moves {
			s.moveSwitches(w, node, targets, e)
		}
		d.node = append(d.node, node)
		if s.Inboxes != nil {
			d.findReaders(WorkflowID(i), w)
		}
		d.route(WorkflowID(i), w, targets)
		d.locate(WorkflowID(i), w, &s.Rules)
	}
	s.deployments = append(s.deployments, d)
	for i := range s.Workflows {
		d.participants = append(d.participants, s.Scheduler.Control.Participants(s, d, WorkflowID(i)))
	}
	return d, nil
}

// displace keeps the placement over all workers, and moves what is on one that
// is lost to the next that is not. It is for placers that cannot do with fewer
// workers, such as a table.
func (s *System) displace(alive []NodeID) placement.Placement {
	all := s.deployments[0].Placement
	instead := make([]int32, len(s.Cluster.Workers))
	for i := range s.Cluster.Workers {
		for at := i; ; at = (at + 1) % len(s.Cluster.Workers) {
			if k := slices.Index(alive, s.Cluster.Workers[at]); k >= 0 {
				instead[i] = int32(k)
				break
			}
		}
	}
	p := placement.Placement{Group: all.Group}
	for _, before := range all.Worker {
		after := make([]int32, len(before))
		for f := range before {
			after[f] = instead[before[f]]
		}
		p.Worker = append(p.Worker, after)
	}
	return p
}

// checkPlacement makes sure that a placer has decided on everything.
func (s *System) checkPlacement(p *placement.Placement, workers int) error {
	if len(p.Worker) != len(s.Workflows) || len(p.Group) != len(s.Workflows) {
		return fmt.Errorf("there are %d workflows, the placement is for %d", len(s.Workflows), len(p.Worker))
	}
	for i, w := range s.Workflows {
		if len(p.Worker[i]) != len(w.Functions) || len(p.Group[i]) != len(w.Functions) {
			return fmt.Errorf("%s has %d functions, the placement is for %d", w.Name, len(w.Functions), len(p.Worker[i]))
		}
		for f, at := range p.Worker[i] {
			if at < 0 || int(at) >= workers {
				return fmt.Errorf("%s of %s is placed on worker %d", w.Functions[f].Name, w.Name, at)
			}
		}
	}
	return nil
}

// moveSwitches puts switches where they are evaluated. What they read there
// must be in the store, which the data rule could not know.
func (s *System) moveSwitches(w *workflow.Workflow, node []NodeID, targets []data.Target, e Evaluator) {
	for _, f := range w.Order {
		if w.Functions[f].Kind != workflow.Switch {
			continue
		}
		node[f] = e.EvaluatesAt(&s.Cluster, w, f, node)
		for _, in := range w.Functions[f].Inputs {
			if in.From != workflow.GlobalInput && node[in.From] != node[f] && targets[in.From]&data.Pipe == 0 {
				targets[in.From] |= data.Store
			}
		}
	}
}

// outputs numbers the outputs of a workflow: those of function f begin at
// first[f].
func outputs(w *workflow.Workflow) (first []int32) {
	first = make([]int32, len(w.Functions)+1)
	for f := range w.Functions {
		first[f+1] = first[f] + int32(len(w.Functions[f].Outputs))
	}
	return first
}

// findReaders finds the nodes that read each output.
func (d *Deployment) findReaders(id WorkflowID, w *workflow.Workflow) {
	first := outputs(w)
	readers := make([][]NodeID, first[len(w.Functions)])
	for f := range w.Functions {
		for _, in := range w.Functions[f].Inputs {
			if in.From == workflow.GlobalInput {
				continue
			}
			at := &readers[first[in.From]+in.Output]
			if k, known := slices.BinarySearch(*at, d.node[id][f]); !known {
				*at = slices.Insert(*at, k, d.node[id][f])
			}
		}
	}
	d.readers = append(d.readers, readers)
}

// route decides where each output goes, given the rule for its function. What
// is streamed is kept in memory for readers nearby, as is a result that nobody
// reads.
func (d *Deployment) route(id WorkflowID, w *workflow.Workflow, rule []data.Target) {
	first := outputs(w)
	targets := make([]data.Target, first[len(w.Functions)])
	for f := range w.Functions {
		for o := first[f]; o < first[f+1]; o++ {
			targets[o] = rule[f]
			if rule[f]&data.Pipe == 0 {
				continue
			}
			targets[o] &^= data.Pipe
			for _, reader := range d.readers[id][o] {
				if reader == d.node[id][f] {
					targets[o] |= data.Memory
				} else {
					targets[o] |= data.Pipe
				}
			}
			if len(d.readers[id][o]) == 0 {
				targets[o] |= data.Memory
			}
		}
	}
	d.firstOut, d.targets = append(d.firstOut, first), append(d.targets, targets)
}

// target returns where an output goes.
func (d *Deployment) target(w WorkflowID, f workflow.FunctionID, output int32) data.Target {
	return d.targets[w][d.firstOut[w][f]+output]
}

// Readers returns the nodes that read an output, in order. Only where outputs
// are announced.
func (d *Deployment) Readers(w WorkflowID, f workflow.FunctionID, output int32) []NodeID {
	return d.readers[w][d.firstOut[w][f]+output]
}

// locate finds where each function finds its inputs.
func (d *Deployment) locate(id WorkflowID, w *workflow.Workflow, r *Rules) {
	first := make([]int32, len(w.Functions)+1)
	var sources []Source
	for f := range w.Functions {
		for _, in := range w.Functions[f].Inputs {
			source := FromStore
			switch {
			case in.From == workflow.GlobalInput:
				if r.MissingGlobalInputs {
					source = FromNowhere
				}
			case d.node[id][f] == d.node[id][in.From] && d.target(id, in.From, in.Output)&data.Memory != 0:
				source = FromMemory
			case d.target(id, in.From, in.Output)&data.Pipe != 0:
				source = FromDisk
			}
			sources = append(sources, source)
		}
		first[f+1] = int32(len(sources))
	}
	d.sources = append(d.sources, sources)
	d.firstIn = append(d.firstIn, first)
}

// Workers are the workers that functions may be placed on.
func (d *Deployment) Workers() []NodeID { return d.workers }

// Node returns where a function runs, or a switch is evaluated.
func (d *Deployment) Node(w WorkflowID, f workflow.FunctionID) NodeID { return d.node[w][f] }

// plan makes the plan for a task.
func (d *Deployment) plan(p *Plan, s *Subject, r *Rules) {
	w, f := s.Invocation.Workflow, s.Function
	first := d.firstIn[w]
	p.Sources = d.sources[w][first[f]:first[f+1]]
	p.Targets = d.targets[w][d.firstOut[w][f]:d.firstOut[w][f+1]]
	p.Guarded, p.Logged, p.Announce, p.Inline = r.OneDocumentPerRequest, r.LogDocuments, d.readers != nil, -1
	if r.Inline > 0 && d.streams {
		p.Inline = r.Inline
	}
}

// Participants are the nodes, apart from the gateway, that come to know of an
// invocation of the workflow.
func (d *Deployment) Participants(w WorkflowID) []NodeID { return d.participants[w] }

// PlacedOn lists the nodes that run functions of a workflow, in order.
func (d *Deployment) PlacedOn(w WorkflowID) []NodeID {
	nodes := slices.Clone(d.node[w])
	slices.Sort(nodes)
	return slices.Clip(slices.Compact(nodes))
}
