package sim

import (
	"container/heap"
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
)

// BenchmarkQueue measures the event queue by the hold model: with a number of
// events pending, take the next and schedule another. The baseline is what one
// would write first: container/heap, with a closure for each event.
func BenchmarkQueue(b *testing.B) {
	for _, pending := range []int{1, 1000, 100000} {
		b.Run(fmt.Sprintf("kernel/pending=%d", pending), func(b *testing.B) { holdKernel(b, pending) })
		b.Run(fmt.Sprintf("containerheap/pending=%d", pending), func(b *testing.B) { holdContainerHeap(b, pending) })
	}
}

// gaps are the delays of the hold model: a multiplicative generator will do.
type gaps uint64

func (g *gaps) next() engine.Time {
	*g = *g*6364136223846793005 + 1442695040888963407
	return engine.Time(*g>>44) + 1
}

func holdKernel(b *testing.B, pending int) {
	var q queue
	g := gaps(1)
	for range pending {
		q.push(event{at: g.next(), kind: evTask})
	}
	handled := uint32(0)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		e := q.pop()
		handled += e.a
		q.push(event{at: e.at + g.next(), kind: e.kind, a: 1})
	}
	if b.N > pending && handled == 0 {
		b.Fatal("no event was handled")
	}
}

type closureEvent struct {
	at  engine.Time
	seq uint64
	do  func()
}

type closureHeap []closureEvent

func (h closureHeap) Len() int { return len(h) }
func (h closureHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h closureHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *closureHeap) Push(x any)   { *h = append(*h, x.(closureEvent)) }
func (h *closureHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}

func holdContainerHeap(b *testing.B, pending int) {
	h := &closureHeap{}
	g := gaps(1)
	seq, handled := uint64(0), uint32(0)
	schedule := func(at engine.Time, a uint32) {
		seq++
		heap.Push(h, closureEvent{at, seq, func() { handled += a }})
	}
	for range pending {
		schedule(g.next(), 0)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		e := heap.Pop(h).(closureEvent)
		e.do()
		schedule(e.at+g.next(), 1)
	}
	if b.N > pending && handled == 0 {
		b.Fatal("no event was handled")
	}
}
