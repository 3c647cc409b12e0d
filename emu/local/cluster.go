package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/peer"
	"github.com/flowtwin/flowtwin/emu/records"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

// cluster is the emulated machines of a trial.
type cluster struct {
	trial     *scenarios.Trial
	clock     *clock.Clock
	collector *records.Collector
	servers   *servers
	nodes     []*node
}

// node is one machine.
type node struct {
	id     engine.NodeID
	mesh   *peer.Mesh
	agent  *agent.Agent
	inputs *replay.Writer // nil if they are not recorded

	containers *containers
	stopUnits  context.CancelFunc
}

// start brings up a cluster. If it fails, nothing is left of it.
func start(ctx context.Context, o *Options, t *scenarios.Trial, collector *records.Collector) (c *cluster, err error) {
	c = &cluster{trial: t, clock: clock.New(), collector: collector}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if c.servers, err = startServers(ctx, o, t); err != nil {
		return c, err
	}
	compute := function.Sleep
	if o.Spin {
		compute = function.Spin
	}
	var pacer *pace.Pacer // nil without pacing
	if o.Pace {
		pacer = pace.New(t.Profile)
		c.servers.hold = pacer.Upload
	}
	token := make([]byte, 32)
	_, _ = rand.Read(token) // Never fails.
	addresses := map[engine.NodeID]string{}
	for id := range engine.NodeID(len(t.Cluster.Workers)) + scenarios.FirstWorker {
		n := &node{id: id}
		c.nodes = append(c.nodes, n)
		system, err := engine.NewSystem(t.Workflows, t.Cluster.Engine(), t.Scheduler, t.Profile.Rules())
		if err != nil {
			return c, err
		}
		n.mesh, err = peer.Listen(peer.Config{
			Self: id, Token: token, Boot: 1, Detect: detect(t),
			Receive: func(from engine.NodeID, message []byte) { n.agent.Receive(from, message) },
			Lost:    func(p engine.NodeID) { n.agent.Tell(&engine.Event{Kind: engine.EventPeerLost, Peer: p}) },
			Back:    func(p engine.NodeID) { n.agent.Tell(&engine.Event{Kind: engine.EventPeerBack, Peer: p}) },
		}, "127.0.0.1:0")
		if err != nil {
			return c, err
		}
		addresses[id] = n.mesh.Addr()
		access, err := c.servers.access(ctx, id)
		if err != nil {
			return c, err
		}
		f := facts.New(t)
		runtime := function.New(function.Runtime{
			Workflows: t.Workflows, Rules: &system.Rules, Facts: f,
			Store: objects{access}, Guarded: guarded{access}, Memory: local{access}, Journal: access,
			Lookups: t.Profile.Store.Lookups, Compute: compute, Now: c.clock.Now,
		})
		n.containers = &containers{runtime: runtime, facts: f, access: access}
		n.containers.ctx, n.stopUnits = context.WithCancel(context.Background())
		config := agent.Config{
			Node: id, System: system, Now: c.clock.Now, Send: n.mesh.Send,
			Containers: n.containers, Runtime: runtime, Facts: f, Documents: access,
			Release: access.release, Observer: collector,
		}
		if o.Record != "" {
			if n.inputs, err = c.record(o.Record, id); err != nil {
				return c, err
			}
			config.Journal = n.inputs
		}
		if access.sink != nil {
			runtime.Sink, config.Data = access.sink, streamed{access.sink, access}
		}
		if pacer != nil {
			pacer.Runtime(runtime)
			pacer.Agent(&config)
		}
		n.agent = agent.New(config)
		n.containers.agent = n.agent
	}
	for _, n := range c.nodes {
		n.mesh.Connect(addresses)
	}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, n := range c.nodes {
		if err := n.mesh.Ready(ready); err != nil {
			return c, err
		}
	}
	return c, nil
}

// record makes the file that the inputs of a node's engine go to.
func (c *cluster) record(dir string, id engine.NodeID) (*replay.Writer, error) {
	e := c.trial.Cluster.Engine()
	name := filepath.Join(dir, replay.FileName(c.trial.Point, c.trial.Number, &e, id, 0))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return replay.NewWriter(file, replay.Head{Point: c.trial.Point, Trial: c.trial.Number, Node: id})
}

// detect is how long a peer may be silent before it counts as lost.
func detect(t *scenarios.Trial) time.Duration {
	if d := time.Duration(t.Profile.Invocation.Detect); d > 0 {
		return d
	}
	return 5 * time.Second
}

// ask asks the gateway for an invocation.
func (c *cluster) ask(w engine.WorkflowID, number int64, client int, intended, sent engine.Time) {
	c.collector.Ask(w, number, client, intended, sent)
	c.nodes[scenarios.GatewayNode].agent.Arrive(w, number)
}

// settle waits until all nodes have forgotten the invocations that have ended,
// for a while.
func (c *cluster) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for ctx.Err() == nil && !c.quiet() {
		time.Sleep(time.Millisecond)
	}
}

func (c *cluster) quiet() bool {
	for _, n := range c.nodes {
		if !n.agent.Quiet() {
			return false
		}
	}
	return true
}

// stop ends everything that start has begun.
func (c *cluster) stop() error {
	for _, n := range c.nodes {
		if n.agent != nil {
			n.agent.Close()
		}
	}
	for _, n := range c.nodes {
		if n.containers != nil {
			n.stopUnits()
			n.containers.wait()
		}
	}
	for _, n := range c.nodes {
		if n.mesh != nil {
			n.mesh.Close()
		}
	}
	var errs []error
	for _, n := range c.nodes {
		if n.inputs != nil {
			errs = append(errs, n.inputs.Close())
		}
	}
	if c.servers != nil {
		errs = append(errs, c.servers.stop())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ending a trial: %w", err)
	}
	return nil
}
