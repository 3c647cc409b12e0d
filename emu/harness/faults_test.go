package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// A cluster of a gateway (0), a storage node (1) and three workers (2, 3, 4).
const machines = 5

// cluster keeps what faults have made of it, and says so as one line a call. It
// refuses what no cluster is asked.
type cluster struct {
	calls []string
	up    [machines]bool
	still [machines]bool
	slow  [machines]float64
	apart map[[2]engine.NodeID]bool
	// stopped: the store stands still.
	stopped bool
	fail    string // the call that fails
}

func newCluster() *cluster {
	c := &cluster{apart: map[[2]engine.NodeID]bool{}}
	for n := range machines {
		c.up[n], c.slow[n] = true, 1
	}
	return c
}

func (c *cluster) did(wrong bool, format string, a ...any) error {
	call := fmt.Sprintf(format, a...)
	c.calls = append(c.calls, call)
	switch {
	case call == c.fail:
		return errors.New("it cannot")
	case wrong:
		return fmt.Errorf("%s: no cluster can do that now", call)
	}
	return nil
}

func (c *cluster) Kill(n engine.NodeID) error {
	wrong := !c.up[n]
	c.up[n], c.still[n] = false, false
	return c.did(wrong, "kill %d", n)
}

func (c *cluster) Restart(n engine.NodeID) error {
	wrong := c.up[n]
	c.up[n], c.slow[n] = true, 1
	for pair := range c.apart {
		if pair[0] == n { // It comes back without what it knew.
			delete(c.apart, pair)
		}
	}
	return c.did(wrong, "restart %d", n)
}

func (c *cluster) Freeze(n engine.NodeID, still bool) error {
	wrong := !c.up[n] || c.still[n] == still
	c.still[n] = still
	return c.did(wrong, "freeze %d %v", n, still)
}

func (c *cluster) Part(a, b engine.NodeID, apart bool) error {
	for _, way := range [...][2]engine.NodeID{{a, b}, {b, a}} {
		if !c.up[way[0]] {
			continue
		}
		if apart {
			c.apart[way] = true
		} else {
			delete(c.apart, way)
		}
	}
	return c.did(false, "part %d %d %v", a, b, apart)
}

func (c *cluster) Slow(n engine.NodeID, factor float64) error {
	c.slow[n] = factor
	return c.did(!c.up[n], "slow %d %g", n, factor)
}

func (c *cluster) StopStore(stopped bool) error {
	c.stopped = stopped
	return c.did(false, "stop store %v", stopped)
}

func (c *cluster) LoseMemory(n engine.NodeID) error { return c.did(!c.up[n], "lose memory %d", n) }

func (c *cluster) Crash(w engine.WorkflowID, f workflow.FunctionID) error {
	return c.did(false, "crash %d:%d", w, f)
}

// Faults of these tests. Times are in seconds; for 0 they last to the end.
func fault(kind scenarios.FaultKind, at, lasts engine.Time, n engine.NodeID) scenarios.Fault {
	return scenarios.Fault{Kind: kind, At: at * engine.Second, For: lasts * engine.Second, Node: n, Factor: 10}
}

func from(f scenarios.Fault, peers ...engine.NodeID) scenarios.Fault {
	f.Peers = peers
	return f
}

func by(f scenarios.Fault, factor float64) scenarios.Fault {
	f.Factor = factor
	return f
}

// played is what a cluster is asked to do, one after the other.
func played(t *testing.T, faults ...scenarios.Fault) []string {
	t.Helper()
	c := newCluster()
	p := newPlayer(c, faults, machines)
	for _, next := range schedule(faults) {
		if err := p.make(next); err != nil {
			t.Error(err)
		}
	}
	return c.calls
}

func TestFaultsBeginAndEnd(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults []scenarios.Fault
		want   string
	}{
		{"a kill", []scenarios.Fault{fault(scenarios.Kill, 1, 1, 2)}, "kill 2, restart 2"},
		{"a kill for good", []scenarios.Fault{fault(scenarios.Kill, 1, 0, 2)}, "kill 2"},
		{"a pause", []scenarios.Fault{fault(scenarios.Pause, 1, 1, 2)}, "freeze 2 true, freeze 2 false"},
		{"a partition from all", []scenarios.Fault{fault(scenarios.Partition, 1, 0, 2)}, "part 2 0 true, part 2 1 true, part 2 3 true, part 2 4 true"},
		{"a partition from one", []scenarios.Fault{from(fault(scenarios.Partition, 1, 1, 2), 1)}, "part 2 1 true, part 2 1 false"},
		{"a slow link", []scenarios.Fault{fault(scenarios.SlowLink, 1, 1, 2)}, "slow 2 10, slow 2 1"},
		{"a store that stops", []scenarios.Fault{fault(scenarios.StopService, 1, 1, 1)}, "stop store true, stop store false"},
		{"a memory that is lost", []scenarios.Fault{fault(scenarios.StopService, 1, 1, 3)}, "lose memory 3"},
		{"a crash", []scenarios.Fault{{Kind: scenarios.CrashFunction, At: 1, Workflow: 0, Function: 4}}, "crash 0:4"},

		// Of two faults of one kind, the node recovers from the one that ends last.
		{"two kills", []scenarios.Fault{fault(scenarios.Kill, 1, 4, 2), fault(scenarios.Kill, 2, 1, 2)}, "kill 2, restart 2"},
		{"two pauses", []scenarios.Fault{fault(scenarios.Pause, 1, 2, 2), fault(scenarios.Pause, 2, 5, 2)}, "freeze 2 true, freeze 2 false"},
		{"two stops", []scenarios.Fault{fault(scenarios.StopService, 1, 2, 1), fault(scenarios.StopService, 2, 5, 1)}, "stop store true, stop store true, stop store false"},
		{"two slow links", []scenarios.Fault{by(fault(scenarios.SlowLink, 1, 5, 2), 4), by(fault(scenarios.SlowLink, 2, 1, 2), 8)}, "slow 2 4, slow 2 8, slow 2 4, slow 2 1"},
		{"two partitions from the same node", []scenarios.Fault{from(fault(scenarios.Partition, 1, 5, 2), 3), from(fault(scenarios.Partition, 2, 1, 3), 2)},
			"part 2 3 true, part 3 2 true, part 2 3 false"},
		{"two partitions from others", []scenarios.Fault{from(fault(scenarios.Partition, 1, 5, 2), 3), from(fault(scenarios.Partition, 2, 1, 2), 4)},
			"part 2 3 true, part 2 4 true, part 2 4 false, part 2 3 false"},

		// A node comes back under what it is under by then, a pause from before
		// aside.
		{"killed while it stands still", []scenarios.Fault{fault(scenarios.Pause, 1, 9, 2), fault(scenarios.Kill, 2, 2, 2)}, "freeze 2 true, kill 2, restart 2"},
		{"to stand still while it is down", []scenarios.Fault{fault(scenarios.Kill, 1, 4, 2), fault(scenarios.Pause, 2, 9, 2)}, "kill 2, restart 2, freeze 2 true, freeze 2 false"},
		{"killed with a slow link", []scenarios.Fault{fault(scenarios.SlowLink, 1, 9, 2), fault(scenarios.Kill, 2, 2, 2)}, "slow 2 10, kill 2, restart 2, slow 2 10, slow 2 1"},
		{"killed, and the link gets slow", []scenarios.Fault{fault(scenarios.Kill, 1, 4, 2), fault(scenarios.SlowLink, 2, 9, 2)}, "kill 2, restart 2, slow 2 10, slow 2 1"},
		{"killed while it is cut off", []scenarios.Fault{from(fault(scenarios.Partition, 1, 9, 2), 3), fault(scenarios.Kill, 2, 2, 2)},
			"part 2 3 true, kill 2, restart 2, part 2 3 true, part 2 3 false"},
		{"cut off until it is killed", []scenarios.Fault{from(fault(scenarios.Partition, 1, 2, 2), 3), fault(scenarios.Kill, 2, 4, 2)},
			"part 2 3 true, kill 2, part 2 3 false, restart 2"},
		{"memory lost while it is down", []scenarios.Fault{fault(scenarios.Kill, 1, 4, 2), fault(scenarios.StopService, 2, 9, 2)}, "kill 2, restart 2"},

		// What begins comes before what ends.
		{"one pause after the other", []scenarios.Fault{fault(scenarios.Pause, 1, 2, 2), fault(scenarios.Pause, 3, 2, 2)}, "freeze 2 true, freeze 2 false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(played(t, test.faults...), ", "); got != test.want {
				t.Errorf("the cluster was asked for\n%s, want\n%s", got, test.want)
			}
		})
	}
}

// Whatever overlaps: no cluster is asked for what it cannot do, nodes are at any
// time under what the active faults say, and under nothing when all have ended.
func TestFaultsMayOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		faults := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) scenarios.Fault {
			f := scenarios.Fault{
				Kind: scenarios.FaultKind(rapid.IntRange(0, 4).Draw(t, "kind")), Node: engine.NodeID(rapid.IntRange(2, 4).Draw(t, "node")),
				At: rapid.Int64Range(0, 12).Draw(t, "at"), For: rapid.Int64Range(1, 8).Draw(t, "for"), Factor: float64(rapid.IntRange(2, 9).Draw(t, "factor")),
			}
			switch {
			case f.Kind == scenarios.StopService && rapid.Bool().Draw(t, "store"):
				f.Node = scenarios.StorageNode
			case f.Kind == scenarios.Partition && rapid.Bool().Draw(t, "some"):
				f.Peers = []engine.NodeID{engine.NodeID(rapid.IntRange(0, 4).Draw(t, "peer"))}
			}
			return f
		}), 0, 12).Draw(t, "faults")
		c := newCluster()
		p := newPlayer(c, faults, machines)
		all := schedule(faults)
		for i, next := range all {
			if err := p.make(next); err != nil {
				t.Fatalf("%v\nafter %v", err, c.calls)
			}
			if i+1 < len(all) && all[i+1].at == next.at {
				continue // More happens at the same time.
			}
			active := func(kind scenarios.FaultKind, n engine.NodeID) bool {
				return slices.ContainsFunc(faults, func(f scenarios.Fault) bool {
					return f.Kind == kind && f.Node == n && f.At <= next.at && next.at < f.At+f.For
				})
			}
			for n := range engine.NodeID(machines) {
				if c.up[n] == active(scenarios.Kill, n) {
					t.Fatalf("at %d node %d is up: %v, after %v", next.at, n, c.up[n], c.calls)
				}
				if c.up[n] && (c.slow[n] > 1) != active(scenarios.SlowLink, n) {
					t.Fatalf("at %d the link of node %d is slowed down by %g, after %v", next.at, n, c.slow[n], c.calls)
				}
				if c.still[n] && !active(scenarios.Pause, n) {
					t.Fatalf("at %d node %d stands still, after %v", next.at, n, c.calls)
				}
				for other := range engine.NodeID(machines) {
					want := n != other && slices.ContainsFunc(faults, func(f scenarios.Fault) bool {
						return f.Kind == scenarios.Partition && f.At <= next.at && next.at < f.At+f.For && (f.Node == n && f.Cuts(other) || f.Node == other && f.Cuts(n))
					})
					if c.up[n] && c.apart[[2]engine.NodeID{n, other}] != want {
						t.Fatalf("at %d nodes %d and %d are apart: %v, after %v", next.at, n, other, !want, c.calls)
					}
				}
			}
			if c.stopped != active(scenarios.StopService, scenarios.StorageNode) {
				t.Fatalf("at %d the store stands still: %v, after %v", next.at, c.stopped, c.calls)
			}
		}
	})
}

// Faults come when they are due, and an error says which could not be made.
func TestFaultsComeWhenTheyAreDue(t *testing.T) {
	timer := clock.New()
	timer.Restart()
	c := newCluster()
	c.fail = "restart 2"
	at := func(ms engine.Time) engine.Time { return ms * engine.Second / 1000 }
	p := newPlayer(c, []scenarios.Fault{{Kind: scenarios.Kill, Node: 2, At: at(20), For: at(30)}, {Kind: scenarios.Kill, Node: 3, At: at(80)}}, machines)
	err := p.play(t.Context(), timer.Now)
	if now := time.Duration(timer.Now()); err == nil || !strings.Contains(err.Error(), "the fault that is due after 50ms cannot be made: it cannot") || now < 50*time.Millisecond {
		t.Errorf("error %v after %v", err, now)
	}
	if got := strings.Join(c.calls, ", "); got != "kill 2, restart 2" {
		t.Errorf("the cluster was asked for %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	c = newCluster()
	p = newPlayer(c, []scenarios.Fault{{Kind: scenarios.Kill, Node: 2, At: timer.Now() + at(60_000)}}, machines)
	if err := p.play(ctx, timer.Now); err != nil || len(c.calls) > 0 {
		t.Errorf("an interrupted schedule ends with %v, after %v", err, c.calls)
	}
}
