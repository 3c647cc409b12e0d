package sim

import (
	"fmt"
	"math"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
)

// BenchmarkSharing measures what the end of a flow costs, when another one
// takes its place, with a number of flows under way: on one link, and on a
// mesh in which eight sources send to eight destinations. What one would write
// first looks at every flow at every event.
func BenchmarkSharing(b *testing.B) {
	for _, topology := range []struct {
		name  string
		build func() *network
	}{
		{"one-link", oneLink},
		{"mesh=8x8", mesh},
	} {
		for _, flows := range []int{10, 1000} {
			b.Run(fmt.Sprintf("%s/flows=%d", topology.name, flows), func(b *testing.B) {
				shareFlows(b, topology.build(), flows)
			})
		}
	}
}

// oneLink is the way to a store: eight workers, one narrow link.
func oneLink() *network {
	n := &network{}
	store := n.addLink(0.125)
	for range 8 {
		n.addClass(math.Inf(1), n.addLink(0.125), store)
	}
	n.connect(true)
	return n
}

// mesh lets every one of eight nodes send to every other, over links of
// different widths.
func mesh() *network {
	n := &network{}
	var out, in [8]linkID
	for i := range out {
		out[i], in[i] = n.addLink(0.1+0.01*float64(i)), n.addLink(0.12-0.005*float64(i))
	}
	for _, from := range out {
		for _, to := range in {
			n.addClass(math.Inf(1), from, to)
		}
	}
	n.connect(false)
	return n
}

func shareFlows(b *testing.B, n *network, flows int) {
	now := engine.Time(0)
	g := gaps(1)
	single := n.classes[0].single
	start := func(task uint32) {
		class := classID(uint64(g.next()) % uint64(len(n.classes)))
		j, bytes := job{task: task}, float64(1000+g.next()%1_000_000)
		if single != nil {
			single.start(now, &j, bytes, 1)
		} else {
			n.start(now, class, &j, bytes)
		}
	}
	for task := range flows {
		start(uint32(task))
	}
	ended := 0
	b.ReportAllocs()
	b.ResetTimer()
	for ended < b.N {
		if single != nil {
			now, _ = single.rearm()
			single.fired(now)
			for single.due() {
				j := single.take()
				single.leave(1)
				start(j.task)
				ended++
			}
			continue
		}
		now, _ = n.rearm(now, 0)
		n.fired(now, 0)
		for j, class, ok := n.due(now, 0); ok; j, class, ok = n.due(now, 0) {
			n.leave(now, class)
			start(j.task)
			ended++
		}
	}
}
