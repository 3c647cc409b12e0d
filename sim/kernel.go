package sim

import (
	"math/bits"

	"github.com/flowtwin/flowtwin/engine"
)

// event is something that will happen. What it is about depends on its kind:
// a and b are indices into the world's tables.
type event struct {
	at   engine.Time
	seq  uint64 // insertion order, which breaks ties
	kind eventKind
	node uint16
	a    uint32
	b    uint64
}

// before orders events by time, then insertion. Both are never negative, so
// the pair compares as one 128-bit number: without a branch that the
// processor would mispredict.
func (e *event) before(o *event) bool {
	_, borrow := bits.Sub64(e.seq, o.seq, 0)
	_, borrow = bits.Sub64(uint64(e.at), uint64(o.at), borrow)
	return borrow != 0
}

// queue is a 4-ary heap of events. After a pop the root is left empty for the
// next push, which saves a sift when one event causes another, as most do.
type queue struct {
	heap []event
	hole bool
	seq  uint64
}

// len is the number of events.
func (q *queue) len() int {
	if q.hole {
		return len(q.heap) - 1
	}
	return len(q.heap)
}

// push adds an event.
func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq
	if q.hole {
		q.hole = false
		q.down(e)
		return
	}
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// next returns the time of the next event, or never.
func (q *queue) next() engine.Time {
	if !q.hole {
		if len(q.heap) == 0 {
			return never
		}
		return q.heap[0].at
	}
	least := never
	for i := 1; i < min(5, len(q.heap)); i++ {
		least = min(least, q.heap[i].at)
	}
	return least
}

// pop removes the next event.
func (q *queue) pop() event {
	q.fill()
	e := q.heap[0]
	q.hole = true
	return e
}

// fill closes the hole with the last event.
func (q *queue) fill() {
	if !q.hole {
		return
	}
	q.hole = false
	last := len(q.heap) - 1
	e := q.heap[last]
	q.heap = q.heap[:last]
	if last > 0 {
		q.down(e)
	}
}

// down places an event at the root and lets it sink.
func (q *queue) down(e event) {
	h := q.heap
	n := len(h)
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for child := first + 1; child < min(first+4, n); child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if !h[least].before(&e) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
}
