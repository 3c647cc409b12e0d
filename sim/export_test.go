package sim

import (
	"context"

	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// QueueUse is what a trial demands of the event queue.
type QueueUse struct {
	Events  int // that were pushed and popped
	Pending int // how many waited at a time, at most
}

// MeasureQueue runs a trial to see what it demands of the event queue.
func MeasureQueue(t *scenarios.Trial, r record.Recorder) (QueueUse, error) {
	w, err := newWorld(t, r, false)
	if err != nil {
		return QueueUse{}, err
	}
	if err := w.run(context.Background()); err != nil {
		return QueueUse{}, err
	}
	return QueueUse{Events: int(w.queue.seq), Pending: cap(w.queue.heap)}, nil
}

// Move has a bare queue move a number of events, with so many pending.
func (u QueueUse) Move(events int) {
	var q queue
	g := gaps(1)
	for range u.Pending {
		q.push(event{at: g.next()})
	}
	for range events {
		e := q.pop()
		q.push(event{at: e.at + g.next(), kind: e.kind})
	}
}
