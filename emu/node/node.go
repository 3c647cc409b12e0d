// Package node is one machine of an emulated cluster: an agent, its mesh of
// peers, its way to the services and its function containers, put together for
// one trial. Where it runs (in the harness's own process or in a container of
// its own) makes no difference to it.
package node

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/peer"
	"github.com/flowtwin/flowtwin/emu/sink"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Config says what a node is.
type Config struct {
	ID    engine.NodeID
	Trial *scenarios.Trial
	// Listen is the address that its peers reach it at.
	Listen string
	// Token is the cluster's. Boot is another number each time the node begins
	// with an empty memory; above 1, it has been restarted.
	Token []byte
	Boot  uint64
	// Access is the node's way to the services. Who made it closes it.
	Access *access.Access
	Clock  *clock.Clock
	// Work is what functions and switches do.
	Work function.Work
	// Returns: see [function.Runtime].
	Returns bool
	// Pacer, if set, makes the node as slow as a platform that is to be played.
	Pacer    *pace.Pacer
	Observer agent.Observer
	// Journal, if set, keeps the inputs of the engine.
	Journal agent.Journal
	// Containers makes what starts the node's containers. Elsewhere: they are
	// processes of their own, so that only switches need their bodies here.
	Containers func(*Node) agent.Containers
	Elsewhere  bool
}

// Node is a machine that runs.
type Node struct {
	Config
	Facts   *facts.Facts
	Runtime *function.Runtime

	mesh       *peer.Mesh
	agent      *agent.Agent
	sink       *sink.Sink // nil where nothing is streamed
	containers agent.Containers
}

// New starts a node, which has yet to be connected with its peers.
func New(c Config) (n *Node, err error) {
	n = &Node{Config: c, Facts: facts.New(c.Trial)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	t := c.Trial
	system, err := engine.NewSystem(t.Workflows, t.Cluster.Engine(), t.Scheduler, t.Profile.Rules())
	if err != nil {
		return nil, err
	}
	n.mesh, err = peer.Listen(peer.Config{
		Self: c.ID, Token: c.Token, Boot: c.Boot, Detect: Detect(t),
		Receive: func(from engine.NodeID, message []byte) { n.agent.Receive(from, message) },
		Lost:    func(p engine.NodeID) { n.agent.Tell(&engine.Event{Kind: engine.EventPeerLost, Peer: p}) },
		Back:    func(p engine.NodeID) { n.agent.Tell(&engine.Event{Kind: engine.EventPeerBack, Peer: p}) },
	}, c.Listen)
	if err != nil {
		return nil, err
	}
	bound, err := function.Bind(context.Background(), c.Work.Bodies, t.Workflows, func(w engine.WorkflowID, f workflow.FunctionID) bool {
		return !c.Elsewhere || t.Workflows[w].Functions[f].Kind == workflow.Switch
	})
	if err != nil {
		return nil, err
	}
	a := c.Access
	n.Runtime = function.New(function.Runtime{
		Workflows: t.Workflows, Rules: &system.Rules, Facts: n.Facts,
		Store: a.Objects(), Guarded: a.Guarded(), Memory: a.Memory(), Journal: a,
		Lookups: t.Profile.Store.Lookups, Compute: c.Work.Compute, Bodies: bound, Returns: c.Returns, Now: c.Clock.Now,
	})
	config := agent.Config{
		Node: c.ID, System: system, Restarted: c.Boot > 1, Now: c.Clock.Now, Send: n.mesh.Send,
		Runtime: n.Runtime, Documents: a, Release: n.release, Observer: c.Observer, Journal: c.Journal,
	}
	if a.Streams() {
		if n.sink, err = sink.New("", c.ID); err != nil {
			return nil, err
		}
		n.Runtime.Sink, config.Data = n.sink, streamed{n.sink, a}
	}
	if n.containers = c.Containers(n); n.containers != nil {
		config.Containers = n.containers
	}
	if c.Pacer != nil {
		c.Pacer.Runtime(n.Runtime)
		c.Pacer.Agent(&config)
	}
	n.agent = agent.New(config)
	return n, nil
}

// Detect is how long a peer may be silent before it counts as lost.
func Detect(t *scenarios.Trial) time.Duration {
	if d := time.Duration(t.Profile.Invocation.Detect); d > 0 {
		return d
	}
	return 5 * time.Second
}

// Address is where the node's peers reach it.
func (n *Node) Address() string { return n.mesh.Addr() }

// Connect begins to connect the node with its peers.
func (n *Node) Connect(addresses map[engine.NodeID]string) { n.mesh.Connect(addresses) }

// Ready waits until it is connected with all.
func (n *Node) Ready(ctx context.Context) error { return n.mesh.Ready(ctx) }

// Arrive asks for an invocation. The node must be the gateway.
func (n *Node) Arrive(w engine.WorkflowID, number int64) { n.agent.Arrive(w, number) }

// Quiet reports whether nothing is under way on the node.
func (n *Node) Quiet() bool { return n.agent.Quiet() }

// Announce and Lost take the word of a container's data unit.
func (n *Node) Announce(a function.Announcement) { n.agent.Announce(a) }

// Lost says that the output of an attempt cannot be sent.
func (n *Node) Lost(i engine.Invocation, err error) { n.agent.Lost(i, err) }

// Inline returns a datum that has come to the node in a control message, Stored
// one that has come onto its disk, when all of it is there: for containers in
// processes of their own. The error is function.ErrMissing if there is none.
func (n *Node) Inline(_ context.Context, k *function.Key) ([]byte, error) {
	if n.sink != nil {
		if payload, ok := n.sink.Inline(k); ok {
			return payload, nil
		}
	}
	return nil, function.ErrMissing
}

// Stored returns a datum on the node's disk; see Inline.
func (n *Node) Stored(ctx context.Context, k *function.Key) ([]byte, error) {
	if n.sink == nil {
		return nil, function.ErrMissing
	}
	return n.sink.Read(ctx, k)
}

// Crash kills a container that runs a function, and reports whether there was
// one.
func (n *Node) Crash(w engine.WorkflowID, f workflow.FunctionID) bool {
	c, ok := n.containers.(interface {
		Crash(engine.WorkflowID, workflow.FunctionID) bool
	})
	return ok && c.Crash(w, f)
}

// Freeze makes the node stand still, or go on: its engine handles nothing, and
// nothing is heard of it. What sleeps sleeps on.
func (n *Node) Freeze(still bool) {
	n.mesh.Freeze(still)
	n.agent.Freeze(still)
}

// Cut keeps the node apart from a peer, Mend ends that.
func (n *Node) Cut(p engine.NodeID) { n.mesh.Cut(p) }

// Mend lets the node reach a peer again.
func (n *Node) Mend(p engine.NodeID) { n.mesh.Mend(p) }

// Close ends all that goes on in the node.
func (n *Node) Close() error {
	if n.agent != nil {
		n.agent.Close()
	}
	if c, ok := n.containers.(io.Closer); ok {
		_ = c.Close() // It has nothing to say.
	}
	if n.mesh != nil {
		n.mesh.Close()
	}
	if n.sink != nil {
		return n.sink.Close()
	}
	return nil
}

// release drops the data of an attempt that are for this node to drop.
func (n *Node) release(ctx context.Context, i engine.Invocation) error {
	if n.sink != nil {
		if err := n.sink.Release(i); err != nil {
			return err
		}
	}
	return n.Access.Release(ctx, i)
}

// streamed is where streamed data arrive on a node.
type streamed struct {
	*sink.Sink
	access *access.Access
}

// Prefetch implements agent.Data.
func (s streamed) Prefetch(ctx context.Context, k *function.Key, where []byte) (int64, error) {
	return s.Write(k, func(to io.Writer) error { return s.access.Fetch(ctx, k, where, to) })
}

// Spill implements agent.Data.
func (s streamed) Spill(ctx context.Context, k *function.Key) error {
	payload, err := s.access.Memory().Get(ctx, k)
	if errors.Is(err, function.ErrMissing) {
		return nil // It has been dropped meanwhile.
	}
	if err != nil {
		return err
	}
	if _, err := s.Write(k, func(to io.Writer) error {
		_, err := to.Write(payload)
		return err
	}); err != nil {
		return err
	}
	return s.access.Forget(ctx, k)
}

// Drop implements agent.Data.
func (s streamed) Drop(ctx context.Context, k *function.Key) error {
	return errors.Join(s.Sink.Drop(k), s.access.Forget(ctx, k))
}
