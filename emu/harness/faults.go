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
	fault *scenarios.Fault
}

// schedule lists what is to happen, in order: of what happens at the same
// time, what begins comes first, as in the simulator.
func schedule(faults []scenarios.Fault) []change {
	var all []change
	for i := range faults {
		f := &faults[i]
		all = append(all, change{f.At, 0, f})
		if f.For > 0 {
			all = append(all, change{f.At + f.For, 1, f})
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ends, b.ends)) })
	return all
}

// player makes the faults of a trial happen.
type player struct {
	cluster Faults
	nodes   engine.NodeID
	active  []*scenarios.Fault
}

// play makes all faults happen, until all have or ctx ends. The error says
// which could not be made.
func (p *player) play(ctx context.Context, faults []scenarios.Fault, now func() engine.Time) error {
	for _, next := range schedule(faults) {
		if !clock.Sleep(ctx, next.at-now()) {
			return nil
		}
		var err error
		if next.ends == 0 {
			err = p.begin(next.fault)
		} else {
			err = p.end(next.fault)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("the fault that is due after %v cannot be made: %w", time.Duration(next.at), err)
		}
	}
	return nil
}

func (p *player) begin(f *scenarios.Fault) error {
	same := p.same(f)
	p.active = append(p.active, f)
	switch f.Kind {
	case scenarios.Kill:
		if same == nil {
			return p.cluster.Kill(f.Node)
		}
	case scenarios.Pause:
		if same == nil && !p.down(f.Node) {
			return p.cluster.Freeze(f.Node, true)
		}
	case scenarios.Partition:
		return p.part(f, true)
	case scenarios.SlowLink:
		return p.cluster.Slow(f.Node, f.Factor)
	case scenarios.StopService:
		if same == nil && !p.down(f.Node) {
			return p.cluster.StopService(f.Node, true)
		}
	case scenarios.CrashFunction:
		return p.cluster.Crash(engine.WorkflowID(f.Workflow), f.Function)
	}
	return nil
}

// end undoes a fault, unless another does the same: then that matters until
// it ends. A node that has been killed meanwhile comes back without its other
// troubles.
func (p *player) end(f *scenarios.Fault) error {
	p.active = slices.DeleteFunc(p.active, func(a *scenarios.Fault) bool { return a == f })
	same := p.same(f)
	switch {
	case f.Kind == scenarios.Partition:
		return p.part(f, false)
	case f.Kind == scenarios.SlowLink && same != nil:
		return p.cluster.Slow(f.Node, same.Factor)
	case same != nil:
	case f.Kind == scenarios.Kill:
		return p.restart(f.Node)
	case f.Kind == scenarios.SlowLink:
		return p.cluster.Slow(f.Node, 1)
	case p.down(f.Node): // There is nothing to undo.
	case f.Kind == scenarios.Pause:
		return p.cluster.Freeze(f.Node, false)
	case f.Kind == scenarios.StopService:
		return p.cluster.StopService(f.Node, false)
	}
	return nil
}

// restart brings a node back, with the other faults that it is still under.
func (p *player) restart(n engine.NodeID) error {
	errs := []error{p.cluster.Restart(n)}
	for _, f := range p.active {
		if f.Node == n {
			switch f.Kind {
			case scenarios.Pause:
				errs = append(errs, p.cluster.Freeze(n, true))
			case scenarios.SlowLink:
				errs = append(errs, p.cluster.Slow(n, f.Factor))
			case scenarios.StopService:
				errs = append(errs, p.cluster.StopService(n, true))
			}
		}
		if f.Kind == scenarios.Partition {
			errs = append(errs, p.part(f, true))
		}
	}
	return errors.Join(errs...)
}

// same returns an active fault of the same kind on the same node.
func (p *player) same(f *scenarios.Fault) *scenarios.Fault {
	for _, a := range p.active {
		if a.Kind == f.Kind && a.Node == f.Node {
			return a
		}
	}
	return nil
}

// down reports whether a node has been killed.
func (p *player) down(n engine.NodeID) bool {
	return slices.ContainsFunc(p.active, func(f *scenarios.Fault) bool { return f.Kind == scenarios.Kill && f.Node == n })
}

// part makes a partition, or ends it between those that no other keeps apart.
func (p *player) part(f *scenarios.Fault, apart bool) error {
	var errs []error
	for n := range p.nodes {
		if n == f.Node || !f.Cuts(n) || p.down(n) || p.down(f.Node) {
			continue
		}
		if !apart && slices.ContainsFunc(p.active, func(a *scenarios.Fault) bool {
			return a.Kind == scenarios.Partition && (a.Node == n && a.Cuts(f.Node) || a.Node == f.Node && a.Cuts(n))
		}) {
			continue
		}
		errs = append(errs, p.cluster.Part(f.Node, n, apart))
	}
	return errors.Join(errs...)
}
