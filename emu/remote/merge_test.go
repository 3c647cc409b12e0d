package remote

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/chain"
)

// listener is an observer that keeps what it is told. Tasks are named by the slot
// of their invocation.
type listener struct {
	mu     sync.Mutex
	heard  []string
	killed []uint32
	broken []string
}

func (l *listener) hear(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, text)
}

func (l *listener) Failed(err error) { l.hear(err.Error()) }
func (l *listener) Started(_ engine.Time, i engine.Invocation, _ bool) {
	l.hear(fmt.Sprintf("started %d", i.Slot))
}
func (l *listener) Ended(r *agent.Report) { l.hear(fmt.Sprintf("ended %d", r.Invocation.Slot)) }
func (l *listener) Killed(i engine.Invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.killed = append(l.killed, i.Slot)
}
func (l *listener) Broken(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = append(l.broken, err.Error())
}
func (l *listener) Admitted(int64, engine.Invocation)                              {}
func (l *listener) Sent(*engine.Message)                                           {}
func (l *listener) Received(*engine.Message, engine.Time, engine.Time)             {}
func (l *listener) Waited(*engine.Subject, engine.Time, engine.Time)               {}
func (l *listener) Chosen(*chain.Choice, engine.Time, engine.Time, function.Bytes) {}
func (l *listener) Carried(engine.Invocation, function.Bytes)                      {}
func (l *listener) Finished(engine.Time, engine.Invocation, engine.Outcome)        {}

// teller is a node that tells what it has seen bit by bit.
type teller struct {
	stream *stream
	// seen is all that it sees in the test, told how much of that it has told.
	seen   []observation
	told   int
	frozen bool
	ended  bool
	froze  bool // at some time
}

// tell tells the next n observations. Its clock stands just before the one after.
func (n *teller) tell(count int) {
	next := said{Seen: n.seen[n.told : n.told+count], Mark: math.MaxInt64}
	if n.told += count; n.told < len(n.seen) {
		next.Mark = n.seen[n.told].Stamp - 1
	}
	n.stream.take(&next)
}

// name is what an observer hears of an observation.
func name(o *observation) string {
	switch {
	case o.Started != nil:
		return fmt.Sprintf("started %d", o.Started.Invocation.Slot)
	case o.Ended != nil:
		return fmt.Sprintf("ended %d", o.Ended.Report.Invocation.Slot)
	}
	return o.Failed
}

// However late and in whatever portions nodes tell what they have seen: all of
// it is passed on, once, in the order in which it happened. A node that stands
// still holds nobody up, and what it tells later keeps its own order. Of one that
// ends, what it was running is told as killed, and why it has ended, unless that
// was to be.
func TestWhatNodesTellIsPutIntoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &listener{}
		m := NewMerger(l)
		nodes := make([]*teller, rapid.IntRange(1, 4).Draw(t, "nodes"))
		for i := range nodes {
			nodes[i] = &teller{stream: m.add(func() {})}
		}
		// What happens, one after the other. Tasks start on a node and end there.
		running := make([][]uint32, len(nodes))
		for stamp := range int64(rapid.IntRange(0, 40).Draw(t, "observations")) {
			at := rapid.IntRange(0, len(nodes)-1).Draw(t, "at")
			o := observation{Stamp: 10 + stamp}
			switch kind := rapid.IntRange(0, 2).Draw(t, "kind"); {
			case kind == 0:
				o.Started = &started{Invocation: engine.Invocation{Slot: uint32(stamp)}}
				running[at] = append(running[at], uint32(stamp))
			case kind == 1 && len(running[at]) > 0:
				o.Ended = &ended{}
				o.Ended.Report.Invocation.Slot, running[at] = running[at][0], running[at][1:]
			default:
				o.Failed = fmt.Sprint(stamp)
			}
			nodes[at].seen = append(nodes[at].seen, o)
		}
		var broken int
		for range 200 {
			n := nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, "node")]
			switch what := rapid.IntRange(0, 40).Draw(t, "what"); {
			case n.ended:
			case what == 0 && !n.frozen:
				n.frozen, n.froze = true, true
				n.stream.freeze(true)
			case what <= 3 && n.frozen:
				n.frozen = false
				n.stream.freeze(false)
			case what == 4:
				n.ended = true
				var why error
				if rapid.Bool().Draw(t, "broken") {
					why = errors.New("it has crashed")
					broken++
				}
				n.stream.end(why)
			case !n.frozen:
				n.tell(rapid.IntRange(0, len(n.seen)-n.told).Draw(t, "portion"))
			}
		}
		for _, n := range nodes {
			if !n.ended { // Whoever stands still goes on in the end.
				n.stream.freeze(false)
				n.tell(len(n.seen) - n.told)
			}
		}
		m.Close()

		var want, ordered []string
		var all []observation
		var killed []uint32
		late := map[string]bool{}
		for _, n := range nodes {
			open := map[uint32]bool{}
			last := -1
			for i := range n.seen[:n.told] {
				o := &n.seen[i]
				all = append(all, *o)
				late[name(o)] = n.froze
				switch {
				case o.Started != nil:
					open[o.Started.Invocation.Slot] = true
				case o.Ended != nil:
					delete(open, o.Ended.Report.Invocation.Slot)
				}
				at := slices.Index(l.heard, name(o))
				if at <= last {
					t.Fatalf("%s is told at position %d, what the node has seen before at %d: %v", name(o), at, last, l.heard)
				}
				last = at
			}
			if n.ended {
				for slot := range open {
					killed = append(killed, slot)
				}
			}
		}
		slices.SortFunc(all, func(a, b observation) int { return int(a.Stamp - b.Stamp) })
		for i := range all {
			if !late[name(&all[i])] {
				want = append(want, name(&all[i]))
			}
		}
		for _, text := range l.heard {
			if !late[text] {
				ordered = append(ordered, text)
			}
		}
		if !slices.Equal(ordered, want) || len(l.heard) != len(all) {
			t.Fatalf("%d of %d are told, those of nodes that never stood still as\n%v, want\n%v", len(l.heard), len(all), ordered, want)
		}
		slices.Sort(killed)
		slices.Sort(l.killed)
		if !slices.Equal(l.killed, killed) || len(l.broken) != broken {
			t.Fatalf("told as killed: %v, want %v; broken %v, want %d", l.killed, killed, l.broken, broken)
		}
	})
}

// A node that has nothing to tell is asked, so that what others have told does not
// wait for it.
func TestWhoHasNothingToTellIsAsked(t *testing.T) {
	l := &listener{}
	m := NewMerger(l)
	asked := make(chan bool, 100)
	speaks, listens := m.add(func() {}), m.add(func() { asked <- true })
	speaks.take(&said{Seen: []observation{{Stamp: 7, Failed: "news"}}, Mark: 7})
	<-asked
	select {
	case <-asked:
		t.Error("it is asked again before it has answered")
	case <-time.After(20 * patience):
	}
	listens.take(&said{Mark: 8})
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		heard := slices.Clone(l.heard)
		l.mu.Unlock()
		if slices.Equal(heard, []string{"news"}) {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("told %v", heard)
		}
	}
	m.Close()
}
