package sim

import (
	"cmp"
	"slices"
	"sort"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// controlRecord is a message, or an operation that an engine waited for. They
// are kept only where tasks are recorded.
type controlRecord struct {
	kind     controlKind
	attempt  uint16
	function workflow.FunctionID
	path     workflow.Path
	from, to engine.Time
	earlier  uint32 // of the invocation
}

type controlKind uint8

const (
	controlMessage controlKind = iota
	// controlProbe is a message that does not say which function it is for.
	controlProbe
	// controlSync is an operation on the database, or the evaluation of a
	// switch.
	controlSync
)

// traceControl notes what the control plane waits for, or will.
func (w *world) traceControl(s *engine.Subject, kind controlKind, from, to engine.Time) {
	if !w.traced {
		return
	}
	i := w.invocation(s.Invocation)
	if i == nil {
		return
	}
	at := w.controls.Take()
	*w.controls.At(at) = controlRecord{kind, s.Invocation.Attempt, s.Function, s.Path, from, to, i.control}
	i.control = at
}

// divideControl says of each stretch of control time on the chain of an
// invocation how much of it messages and operations took.
func (w *world) divideControl(i *invocation) {
	all := w.scratch[:0]
	for at := i.control; at != none; {
		c := w.controls.At(at)
		if c.attempt == i.id.Attempt {
			all = append(all, *c)
		}
		w.controls.Give(at)
		at = c.earlier
	}
	i.control, w.scratch = none, all
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b controlRecord) int { return cmp.Compare(a.to, b.to) })

	last := w.lastLink(i)
	if last.task == none {
		return
	}
	r := w.log.At(last.task)
	// The answers that tell the end pass by many functions.
	r.after = divide(all, last.until, i.record.Ended, func(*controlRecord) bool { return true })
	wf := w.workflowOf(i.id)
	for at := last.task; at != none; {
		r := w.log.At(at)
		before := w.trigger(i, at)
		from := i.record.Intended
		var p *taskRecord
		if before.task != none {
			p = w.log.At(before.task)
			from = before.until
		}
		if before.streamed {
			r.before = record.ControlTime{Transfer: r.queued - from}
			at = before.task
			continue
		}
		r.before = divide(all, from, r.queued, func(c *controlRecord) bool {
			return c.kind == controlProbe || wf.Functions[c.function].Kind != workflow.Task ||
				c.function == r.function && related(&c.path, &r.path) ||
				p != nil && c.function == p.function && related(&c.path, &p.path)
		})
		at = before.task
	}
}

// related reports whether one path is the other's, or leads to it.
func related(a, b *workflow.Path) bool {
	depth := min(a.Depth(), b.Depth())
	return a.Outer(depth) == b.Outer(depth)
}

// divide goes back through a stretch of time, from each thing that was waited
// for to what had ended last before it began. The records are in the order of
// their ends.
func divide(all []controlRecord, from, until engine.Time, concerns func(*controlRecord) bool) record.ControlTime {
	var c record.ControlTime
	for n := sort.Search(len(all), func(n int) bool { return all[n].to > until }) - 1; n >= 0 && all[n].to >= from; n-- {
		r := &all[n]
		if r.to > until || r.from < from || !concerns(r) {
			continue
		}
		if r.kind == controlSync {
			c.Sync += r.to - r.from
		} else {
			c.Message += r.to - r.from
		}
		until = r.from
	}
	return c
}
