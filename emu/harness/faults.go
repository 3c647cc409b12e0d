package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

// change is the begin or the end of a fault.
type change struct {
	at    engine.Time
	ends  int // 1 or 0
	fault int
}

// schedule lists what is to happen, in order: of what happens at the same
// time, what begins comes first, as in the simulator.
func schedule(faults []scenarios.Fault) []change {
	var all []change
	for i, f := range faults {
		all = append(all, change{f.At, 0, i})
		if f.For > 0 {
			all = append(all, change{f.At + f.For, 1, i})
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ends, b.ends)) })
	return all
}

// player makes the faults of a trial happen. What overlapping faults come to is
// what it is in the simulator (sim/fault.go).
type player struct {
	cluster Faults
	nodes   engine.NodeID
	faults  []scenarios.Fault
	active  []bool // by fault
	// What nodes are under: those that stand still, and by how much links are
	// slowed down.
	still map[engine.NodeID]bool
	slow  map[engine.NodeID]float64
}

func newPlayer(c Faults, faults []scenarios.Fault, nodes engine.NodeID) *player {
	return &player{
		cluster: c, nodes: nodes, faults: faults, active: make([]bool, len(faults)),
		still: map[engine.NodeID]bool{}, slow: map[engine.NodeID]float64{},
	}
}

// play makes all faults happen, until all have or ctx ends. The error says
// which could not be made.
func (p *player) play(ctx context.Context, now func() engine.Time) error {
	for _, next := range schedule(p.faults) {
		if !clock.Sleep(ctx, next.at-now()) {
			return nil
		}
		if err := p.make(next); err != nil && ctx.Err() == nil {
			return fmt.Errorf("the fault that is due after %v cannot be made: %w", time.Duration(next.at), err)
		}
	}
	return nil
}

func (p *player) make(c change) error {
	f := &p.faults[c.fault]
	if c.ends == 0 {
		down := p.down(f.Node)
		p.active[c.fault] = true
		return p.begin(f, down)
	}
	p.active[c.fault] = false
	return p.end(f)
}

func (p *player) begin(f *scenarios.Fault, down bool) error {
	n := f.Node
	switch f.Kind {
	case scenarios.Kill:
		p.still[n] = false
		if !down {
			return p.cluster.Kill(n)
		}
	case scenarios.Pause:
		was := p.still[n]
		p.still[n] = true
		if !down && !was {
			return p.cluster.Freeze(n, true)
		}
	case scenarios.Partition:
		return p.part(f, true)
	case scenarios.SlowLink:
		p.slow[n] = f.Factor
		if !down {
			return p.cluster.Slow(n, f.Factor)
		}
	case scenarios.StopService:
		switch {
		case n == scenarios.StorageNode:
			return p.cluster.StopStore(true)
		case !down:
			return p.cluster.LoseMemory(n)
		}
	case scenarios.CrashFunction:
		return p.cluster.Crash(engine.WorkflowID(f.Workflow), f.Function)
	}
	return nil
}

// end undoes a fault, unless another does the same: then that matters until
// it ends.
func (p *player) end(f *scenarios.Fault) error {
	n, same := f.Node, p.same(f)
	switch f.Kind {
	case scenarios.Partition:
		return p.part(f, false)
	case scenarios.SlowLink:
		p.slow[n] = 1
		if same != nil {
			p.slow[n] = same.Factor
		}
		if !p.down(n) {
			return p.cluster.Slow(n, p.slow[n])
		}
	case scenarios.Kill:
		if same == nil {
			return p.restart(n)
		}
	case scenarios.Pause:
		was := p.still[n]
		if same == nil {
			p.still[n] = false
		}
		if same == nil && was && !p.down(n) {
			return p.cluster.Freeze(n, false)
		}
	case scenarios.StopService: // The memory of a worker has been back all along.
		if same == nil && n == scenarios.StorageNode {
			return p.cluster.StopStore(false)
		}
	}
	return nil
}

// restart brings a node back, under what it is under by now: a pause from
// before it was killed is over.
func (p *player) restart(n engine.NodeID) error {
	errs := []error{p.cluster.Restart(n)}
	for i := range p.faults {
		if f := &p.faults[i]; p.active[i] && f.Kind == scenarios.Partition {
			errs = append(errs, p.part(f, true))
		}
	}
	if factor, ok := p.slow[n]; ok {
		errs = append(errs, p.cluster.Slow(n, factor))
	}
	if p.still[n] {
		errs = append(errs, p.cluster.Freeze(n, true))
	}
	return errors.Join(errs...)
}

// same returns another active fault of the same kind on the same node, the
// first of the schedule.
func (p *player) same(f *scenarios.Fault) *scenarios.Fault {
	for i := range p.faults {
		if a := &p.faults[i]; p.active[i] && a.Kind == f.Kind && a.Node == f.Node {
			return a
		}
	}
	return nil
}

// down reports whether a node has been killed.
func (p *player) down(n engine.NodeID) bool {
	return p.same(&scenarios.Fault{Kind: scenarios.Kill, Node: n}) != nil
}

// part makes a partition, or ends it between those that no other keeps apart.
func (p *player) part(f *scenarios.Fault, apart bool) error {
	var errs []error
	for n := range p.nodes {
		if n == f.Node || !f.Cuts(n) || !apart && p.parted(f.Node, n) {
			continue
		}
		errs = append(errs, p.cluster.Part(f.Node, n, apart))
	}
	return errors.Join(errs...)
}

// parted reports whether a partition keeps two nodes apart.
func (p *player) parted(a, b engine.NodeID) bool {
	for i := range p.faults {
		f := &p.faults[i]
		if p.active[i] && f.Kind == scenarios.Partition && (f.Node == a && f.Cuts(b) || f.Node == b && f.Cuts(a)) {
			return true
		}
	}
	return false
}
