package sim

import (
	"math/bits"
	"slices"

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

// before orders events by time, then insertion.
func (e *event) before(o *event) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// precedes is 1 if e comes before o, else 0: both fields compared as one
// 128-bit number, without a branch, which the processor could not predict.
func (e *event) precedes(o *event) uint64 {
	_, borrow := bits.Sub64(e.seq, o.seq, 0)
	_, borrow = bits.Sub64(uint64(e.at), uint64(o.at), borrow)
	return borrow
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
	if len(q.heap) == cap(q.heap) {
		q.heap = slices.Grow(q.heap, len(q.heap)+1)
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
	i := 0
	for {
		first := 4*i + 1
		if first+3 >= len(h) {
			break
		}
		// All four children are there. The least is found by arithmetic.
		c := (*[4]event)(h[first : first+4])
		left, right := c[1].precedes(&c[0]), 2+c[3].precedes(&c[2])
		least := left + (right-left)*c[right&3].precedes(&c[left&1])
		if !c[least&3].before(&e) {
			h[i] = e
			return
		}
		h[i] = c[least&3]
		i = first + int(least)
	}
	for first := 4*i + 1; first < len(h); first = 4*i + 1 {
		least := first
		for child := first + 1; child < len(h); child++ {
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
