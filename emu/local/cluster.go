package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/container"
	"github.com/flowtwin/flowtwin/emu/harness"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/shape"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// cluster is the emulated machines of a trial.
type cluster struct {
	options   *Options
	trial     *scenarios.Trial
	pacer     *pace.Pacer // nil without pacing
	clock     *clock.Clock
	observer  agent.Observer
	token     []byte
	servers   *servers
	machines  []*machine
	addresses map[engine.NodeID]string
}

// machine is a node and what it keeps when it is restarted.
type machine struct {
	id       engine.NodeID
	boot     uint64
	still    bool       // a fault makes it stand still
	node     *node.Node // nil while it has been killed
	access   *access.Access
	services access.Services
	inputs   *replay.Writer  // nil if they are not recorded
	redis    *embedded.Redis // nil if there is a real one, or none
	memory   string          // its address
	// gate is closed while the node stands still, storage while a partition keeps
	// it from the storage node.
	gate, storage *shape.Gate
	// relay is its containers' way to the storage node, if they are processes of
	// their own.
	relay *shape.Relay
}

// start brings up a cluster.
func start(ctx context.Context, o *Options, t *scenarios.Trial, observer agent.Observer) (_ harness.Cluster, err error) {
	c := &cluster{
		options: o, trial: t, clock: clock.New(), observer: observer, token: []byte(rand.Text()), addresses: map[engine.NodeID]string{},
	}
	if o.Pace {
		c.pacer = pace.New(t.Profile)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.End())
		}
	}()
	if c.servers, err = startServers(ctx, o, t); err != nil {
		return nil, err
	}
	for id := range engine.NodeID(len(t.Cluster.Workers)) + scenarios.FirstWorker {
		m := &machine{id: id, gate: shape.NewGate(c.servers.patience), storage: shape.NewGate(c.servers.patience)}
		c.machines = append(c.machines, m)
		if err := c.equip(ctx, m); err != nil {
			return nil, err
		}
		if err := c.boot(m, "127.0.0.1:0"); err != nil {
			return nil, err
		}
		c.addresses[id] = m.node.Address()
	}
	for _, m := range c.machines {
		m.node.Connect(c.addresses)
	}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, m := range c.machines {
		if err := m.node.Ready(ready); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// equip gives a machine its memory and its way to the services.
func (c *cluster) equip(ctx context.Context, m *machine) error {
	s := access.Services{Name: c.servers.name, CouchDB: c.servers.couchURL, Kafka: c.servers.brokers}
	if m.id >= scenarios.FirstWorker {
		if m.memory = c.options.Redis; m.memory == "" {
			redis, err := embedded.StartRedis("")
			if err != nil {
				return err
			}
			m.redis, m.memory = redis, redis.Address()
		}
		s.Redis = m.memory
	}
	dial := c.servers.dial(m)
	processes := len(c.options.Processes) > 0
	var err error
	if processes && m.id >= scenarios.FirstWorker {
		if m.relay, err = shape.NewRelay(string(c.token), dial); err != nil {
			return err
		}
	}
	m.access, err = access.Open(ctx, c.trial, m.id, s, access.Options{Store: dial, Broker: dial, Pacer: c.pacer, Shared: processes})
	m.services = s
	return err
}

// boot starts the node of a machine, for the first time or again.
func (c *cluster) boot(m *machine, listen string) error {
	m.boot++
	config := node.Config{
		ID: m.id, Trial: c.trial, Listen: listen, Token: c.token, Boot: m.boot, Access: m.access, Clock: c.clock,
		Work: c.options.Work, Returns: c.options.Returned != nil, Pacer: c.pacer, Observer: c.observer, Containers: node.InProcess,
	}
	if m.relay != nil {
		config.Elsewhere = true
		config.Containers = container.In(container.Config{
			Launcher: container.Command(c.options.Processes), Services: m.services, Compute: c.options.Work.Name, Pace: c.options.Pace,
			Returns: c.options.Returned != nil, Relay: m.relay.Address(), Listen: "127.0.0.1:0",
		})
	}
	var err error
	if c.options.Record != "" {
		if m.inputs, err = c.record(m); err != nil {
			return err
		}
		config.Journal = m.inputs
	}
	m.node, err = node.New(config)
	return err
}

// record makes the file that the inputs of a node's engine go to.
func (c *cluster) record(m *machine) (*replay.Writer, error) {
	restarts := int(m.boot) - 1
	file, err := replay.Create(c.options.Record, c.trial, m.id, restarts)
	if err != nil {
		return nil, err
	}
	return replay.NewWriter(file, replay.Head{Point: c.trial.Point, Trial: c.trial.Number, Node: m.id, Restarted: restarts > 0})
}

// Begin implements harness.Cluster.
func (c *cluster) Begin(start *clock.Clock) error {
	start.Restart()
	c.clock.StartAt(start.Start())
	return nil
}

// Arrive implements harness.Cluster.
func (c *cluster) Arrive(w engine.WorkflowID, number int64) {
	c.machines[scenarios.GatewayNode].node.Arrive(w, number)
}

// Quiet implements harness.Cluster.
func (c *cluster) Quiet() bool {
	for _, m := range c.machines {
		if m.node != nil && !m.still && !m.node.Quiet() {
			return false
		}
	}
	return true
}

// Lost implements harness.Cluster. What is lost here takes the harness along.
func (c *cluster) Lost() <-chan error { return nil }

// End implements harness.Cluster.
func (c *cluster) End() error {
	var errs []error
	if c.servers != nil {
		c.servers.gate.Set(true)
	}
	for _, m := range c.machines {
		m.gate.Set(true)
		m.storage.Set(true)
		errs = append(errs, m.halt())
	}
	for _, m := range c.machines {
		if m.access != nil {
			errs = append(errs, c.clear(m), m.access.Close())
		}
		if m.relay != nil {
			errs = append(errs, m.relay.Close())
		}
		if m.redis != nil {
			errs = append(errs, m.redis.Close())
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

// clear removes what a machine has left in services that stay.
func (c *cluster) clear(m *machine) error {
	if m.redis != nil && c.servers.kafka != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return m.access.Clear(ctx)
}

// halt ends all that goes on in a machine.
func (m *machine) halt() error {
	var errs []error
	if m.node != nil {
		errs = append(errs, m.node.Close())
		m.node = nil
	}
	if m.inputs != nil {
		errs = append(errs, m.inputs.Close())
		m.inputs = nil
	}
	return errors.Join(errs...)
}

// Kill implements harness.Faults.
func (c *cluster) Kill(id engine.NodeID) error {
	m := c.machines[id]
	m.still = false // Whatever stands still can be killed.
	m.gate.Set(true)
	return errors.Join(m.halt(), c.empty(m))
}

// empty empties the memory of a machine.
func (c *cluster) empty(m *machine) error {
	if m.redis != nil {
		m.redis.Empty()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return m.access.Empty(ctx)
}

// Restart implements harness.Faults.
func (c *cluster) Restart(id engine.NodeID) error {
	m := c.machines[id]
	if err := c.boot(m, c.addresses[id]); err != nil {
		return err
	}
	m.node.Connect(c.addresses)
	return nil
}

// Freeze implements harness.Faults.
func (c *cluster) Freeze(id engine.NodeID, still bool) error {
	m := c.machines[id]
	m.still = still
	m.gate.Set(!still)
	m.node.Freeze(still)
	return nil
}

// Part implements harness.Faults.
func (c *cluster) Part(a, b engine.NodeID, apart bool) error {
	for _, way := range [...][2]engine.NodeID{{a, b}, {b, a}} {
		from, to := c.machines[way[0]], way[1]
		if to == scenarios.StorageNode {
			from.storage.Set(!apart)
		}
		switch {
		case from.node == nil: // It reaches nobody as it is.
		case apart:
			from.node.Cut(to)
		default:
			from.node.Mend(to)
		}
	}
	return nil
}

// Slow implements harness.Faults.
func (c *cluster) Slow(id engine.NodeID, factor float64) error {
	c.servers.links.slow(id, factor)
	return nil
}

// StopStore implements harness.Faults.
func (c *cluster) StopStore(stopped bool) error {
	c.servers.gate.Set(!stopped)
	return nil
}

// LoseMemory implements harness.Faults. A server that is others' as well is
// only emptied.
func (c *cluster) LoseMemory(id engine.NodeID) error {
	m := c.machines[id]
	if m.redis == nil {
		return c.empty(m)
	}
	if err := m.redis.Close(); err != nil {
		return err
	}
	redis, err := embedded.StartRedis(m.memory)
	if err == nil {
		m.redis = redis
	}
	return err
}

// Crash implements harness.Faults.
func (c *cluster) Crash(w engine.WorkflowID, f workflow.FunctionID) error {
	for _, m := range c.machines {
		if m.node != nil && m.node.Crash(w, f) {
			break
		}
	}
	return nil
}
