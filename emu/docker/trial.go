package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/docker/faults"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/sibling"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/probe"
	"github.com/flowtwin/flowtwin/emu/remote"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/emu/shape/htb"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// trial is a cluster's part in a trial. It implements harness.Cluster.
type trial struct {
	*cluster
	ctx      context.Context
	trial    *scenarios.Trial
	name     string
	merger   *remote.Merger
	machines []*machine // of the trial
	boots    map[engine.NodeID]uint64
	// still are the nodes that a fault makes stand still, with what they are to
	// do when they go on.
	still   map[engine.NodeID][]func() error
	stopped bool // the services of the storage node do
	inputs  []io.Closer
	start   int64
	seeder  *access.Access
	direct  *store.Server
}

// begin makes the cluster play a trial.
func (c *cluster) begin(ctx context.Context, s *scenarios.Trial, o agent.Observer) (_ *trial, err error) {
	id := make([]byte, 6)
	_, _ = rand.Read(id) // Never fails.
	t := &trial{
		cluster: c, ctx: ctx, trial: s, name: "flowtwin-" + hex.EncodeToString(id), merger: remote.NewMerger(o),
		machines: c.machines[:int(scenarios.FirstWorker)+len(s.Cluster.Workers)], boots: map[engine.NodeID]uint64{}, still: map[engine.NodeID][]func() error{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.End())
		}
	}()
	if t.direct, err = store.Open(ctx, store.Options{URL: c.storeURL()}); err != nil {
		return nil, err
	}
	// What is there before any invocation is not held up by limits.
	if t.seeder, err = access.Open(ctx, s, scenarios.StorageNode, t.services(), access.Options{}); err != nil {
		return nil, err
	}
	if err := t.seeder.Seed(ctx, t.world.work.Bodies); err != nil {
		return nil, err
	}
	var starts parallel
	for _, m := range t.machines {
		b, inputs, err := t.prepare(m)
		if err != nil {
			return nil, err
		}
		starts.do(func() error { return m.remote.Begin(ctx, b, t.merger, inputs) })
	}
	if err := starts.wait(); err != nil {
		return nil, err
	}
	starts = parallel{}
	for _, m := range t.machines {
		starts.do(func() error { return m.remote.Connect(ctx, t.addresses()) })
	}
	if err := starts.wait(); err != nil {
		return nil, err
	}
	for _, m := range t.machines {
		starts.do(func() error { return m.remote.Ready(ctx) })
	}
	if err := starts.wait(); err != nil {
		return nil, err
	}
	return t, t.measure()
}

// addresses are where the nodes reach each other.
func (t *trial) addresses() map[engine.NodeID]string {
	all := map[engine.NodeID]string{}
	for _, m := range t.machines {
		all[m.id] = m.mesh()
	}
	return all
}

func (m *machine) mesh() string { return fmt.Sprintf("%s:%d", m.address, meshPort) }

// prepare says what a machine is to be in the trial, for the first time or
// again.
func (t *trial) prepare(m *machine) (*remote.Begin, io.Writer, error) {
	t.boots[m.id]++
	b := &remote.Begin{
		Bundle: t.trial.Bundle(), ID: m.id, Listen: m.mesh(), Boot: t.boots[m.id],
		Compute: t.world.options.Compute, Pace: t.world.options.Pace, Returns: t.world.options.Returned != nil,
		Services: t.services(), Limits: t.limits(m.id),
	}
	if m.id == scenarios.StorageNode && t.trial.Cluster.StorageCap > 0 {
		b.Probed = fmt.Sprintf("%s:%d", m.address, probePort)
	}
	if m.id >= scenarios.FirstWorker {
		b.Services.Redis = fmt.Sprintf("127.0.0.1:%d", redisPort)
		labels, err := sweep.Labels(t.id, int(m.id))
		if err != nil {
			return nil, nil, err
		}
		b.Functions = remote.Functions{
			Image: t.world.images[images.Node].Name, Pod: m.node.GetContainerID(), Labels: labels,
			Memory: int64(t.trial.Profile.Container.Memory),
		}
		if egress := t.trial.Profile.Container.Egress; egress != units.Unlimited {
			b.Functions.Egress = float64(egress)
			worker := int(m.id - scenarios.FirstWorker)
			b.Functions.Addresses, b.Functions.Count = t.at(256*(worker+1)).String(), eachAddresses
		}
	}
	if t.world.options.Record == "" {
		return b, nil, nil
	}
	file, err := replay.Create(t.world.options.Record, t.trial, m.id, int(b.Boot)-1)
	if err != nil {
		return nil, nil, err
	}
	t.inputs = append(t.inputs, file)
	return b, file, nil
}

// services are those of the storage node.
func (t *trial) services() access.Services {
	s := access.Services{Name: t.name, CouchDB: t.storeURL()}
	if t.trial.Streams() {
		s.Kafka = t.brokers()
	}
	return s
}

// limits are what the traffic of a node is held to.
func (t *trial) limits(id engine.NodeID) htb.Limits {
	c := &t.trial.Cluster
	machine := c.Gateway
	switch {
	case id == scenarios.StorageNode:
		machine = c.Storage
	case id >= scenarios.FirstWorker:
		machine = c.Workers[id-scenarios.FirstWorker]
	}
	link := machine.Link
	if link == units.Unlimited {
		link = t.trial.Profile.Network.Link
	}
	l := htb.Limits{ControlPorts: []uint16{meshPort, harnessPort}}
	if link != units.Unlimited {
		// A link is what gets through, of payload; the kernel counts frames.
		l.LinkOut = float64(link) / scenarios.PayloadShare
		l.LinkIn = l.LinkOut
	}
	if id == scenarios.StorageNode && c.StorageCap > 0 {
		l.ServicesOut, l.ServicesIn = float64(c.StorageCap), float64(c.StorageCap)
		l.ServicePorts = []uint16{couchPort, images.KafkaPort, probePort}
	}
	return l
}

// measure measures what the cap of the storage node lets through, once for
// each cap.
func (t *trial) measure() error {
	limit := t.trial.Cluster.StorageCap
	if limit == 0 || len(t.machines) <= int(scenarios.FirstWorker) {
		return nil
	}
	name := "storage cap " + limit.String()
	t.world.mu.Lock()
	_, known := t.world.measured[name]
	t.world.mu.Unlock()
	if known {
		return nil
	}
	const duration = 500 * time.Millisecond
	worker := t.machines[scenarios.FirstWorker].remote
	address := fmt.Sprintf("%s:%d", t.machines[scenarios.StorageNode].address, probePort)
	rates := map[probe.Direction]float64{}
	for _, d := range [...]probe.Direction{probe.Out, probe.In} {
		var err error
		if rates[d], err = worker.Measure(t.ctx, remote.Probe{Address: address, Direction: d, Duration: duration}); err != nil {
			return fmt.Errorf("the storage node's bandwidth cannot be measured: %w", err)
		}
	}
	want := float64(limit) * scenarios.PayloadShare
	text := fmt.Sprintf("%.2f MB/s of payload in, %.2f out; %.2f wanted", rates[probe.Out]/1e6, rates[probe.In]/1e6, want/1e6)
	t.world.note(name, text)
	const tolerance = 0.02
	if worst := max(math.Abs(rates[probe.Out]/want-1), math.Abs(rates[probe.In]/want-1)); worst > tolerance && t.world.options.Warn != nil {
		t.world.options.Warn(fmt.Sprintf("the %s does not hold to %.0f %%: %s", name, tolerance*100, text))
	}
	return nil
}

// Begin implements harness.Cluster.
func (t *trial) Begin(timer *clock.Clock) error {
	timer.Restart()
	t.start = timer.Start()
	var starts parallel
	for _, m := range t.machines {
		starts.do(func() error { return m.remote.Start(t.ctx, t.start) })
	}
	return starts.wait()
}

// Arrive implements harness.Cluster.
func (t *trial) Arrive(w engine.WorkflowID, number int64) {
	_ = t.machines[scenarios.GatewayNode].remote.Arrive(w, number) // If it is gone, the trial ends with that.
}

// Quiet implements harness.Cluster.
func (t *trial) Quiet() bool {
	for _, m := range t.machines {
		if m.remote == nil || t.isStill(m.id) {
			continue
		}
		if quiet, err := m.remote.Quiet(t.ctx); err == nil && !quiet {
			return false
		}
	}
	return true
}

// Lost implements harness.Cluster.
func (t *trial) Lost() <-chan error { return t.watch.Lost() }

// End implements harness.Cluster. What faults have made stand still goes on
// first, so that it can be ended.
func (t *trial) End() error {
	patience := endTime
	if t.ctx.Err() != nil { // The cluster is about to be removed.
		patience = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t.ctx = ctx // That of a run that was interrupted is of no use here.
	var thaws []error
	for id := range t.still {
		thaws = append(thaws, t.Freeze(id, false))
	}
	if t.stopped {
		thaws = append(thaws, t.StopStore(false))
	}
	var ends parallel
	for _, m := range t.machines {
		if m.remote != nil && t.boots[m.id] > 0 {
			ends.do(func() error { return m.remote.End(ctx) })
		}
	}
	errs := append(thaws, ends.wait())
	t.merger.Close()
	for _, file := range t.inputs {
		errs = append(errs, file.Close())
	}
	if t.seeder != nil {
		errs = append(errs, t.seeder.Sweep(ctx), t.direct.DeleteDatabase(ctx, t.name), t.seeder.Close())
	}
	if t.direct != nil {
		errs = append(errs, t.direct.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ending a trial: %w", err)
	}
	return nil
}

// containersOf are all containers of a machine, or those in a role.
func (t *trial) containersOf(id engine.NodeID, role string) ([]string, error) {
	labels := map[string]string{sweep.LabelCluster: t.id, sweep.LabelNode: fmt.Sprint(id)}
	if role != "" {
		labels[sibling.LabelRole] = role
	}
	return faults.Labelled(t.ctx, t.world.engine, labels)
}

// Kill implements harness.Faults.
func (t *trial) Kill(id engine.NodeID) error {
	m := t.machines[id]
	ids := []string{m.node.GetContainerID()}
	if m.redis != nil {
		ids = append(ids, m.redis.GetContainerID())
	}
	t.watch.Expect(ids...)
	m.remote.Doom()
	if err := faults.Kill(t.ctx, t.world.engine, ids...); err != nil {
		return err
	}
	m.remote.Bury()
	m.remote = nil
	delete(t.still, id)
	functions, err := t.containersOf(id, sibling.Function)
	return errors.Join(err, faults.Remove(t.ctx, t.world.engine, functions...))
}

// Restart implements harness.Faults.
func (t *trial) Restart(id engine.NodeID) error {
	m := t.machines[id]
	if err := t.revive(t.ctx, m); err != nil {
		return err
	}
	b, inputs, err := t.prepare(m)
	if err != nil {
		return err
	}
	if err := m.remote.Begin(t.ctx, b, t.merger, inputs); err != nil {
		return err
	}
	return errors.Join(m.remote.Start(t.ctx, t.start), m.remote.Connect(t.ctx, t.addresses()))
}

// isStill reports whether a node stands still.
func (t *trial) isStill(id engine.NodeID) bool {
	_, still := t.still[id]
	return still
}

// do has a node do something, as soon as it can.
func (t *trial) do(id engine.NodeID, what func(*remote.Node) error) error {
	m := t.machines[id]
	switch {
	case m.remote == nil:
		return nil
	case t.isStill(id):
		t.still[id] = append(t.still[id], func() error { return what(m.remote) })
		return nil
	}
	return what(m.remote)
}

// Freeze implements harness.Faults.
func (t *trial) Freeze(id engine.NodeID, still bool) error {
	m := t.machines[id]
	node := m.node.GetContainerID()
	if still {
		t.still[id] = nil
		m.remote.Freeze(true)
		// First the node, which then starts no more containers.
		if err := faults.Freeze(t.ctx, t.world.engine, true, node); err != nil {
			return err
		}
	}
	all, err := t.containersOf(id, "")
	if err != nil {
		return err
	}
	if err := faults.Freeze(t.ctx, t.world.engine, still, all...); err != nil || still {
		return err
	}
	m.remote.Freeze(false)
	waiting := t.still[id]
	delete(t.still, id)
	var errs []error
	for _, do := range waiting {
		errs = append(errs, do())
	}
	return errors.Join(errs...)
}

// Part implements harness.Faults.
func (t *trial) Part(a, b engine.NodeID, apart bool) error {
	var errs []error
	for _, way := range [...][2]engine.NodeID{{a, b}, {b, a}} {
		to := t.machines[way[1]]
		errs = append(errs, t.do(way[0], func(n *remote.Node) error { return n.Part(t.ctx, to.id, to.address.String(), apart) }))
	}
	return errors.Join(errs...)
}

// Slow implements harness.Faults.
func (t *trial) Slow(id engine.NodeID, factor float64) error {
	return t.do(id, func(n *remote.Node) error { return n.Slow(t.ctx, factor) })
}

// StopStore implements harness.Faults.
func (t *trial) StopStore(stopped bool) error {
	t.stopped = stopped
	ids := []string{t.couch.GetContainerID()}
	if t.kafka != nil {
		ids = append(ids, t.kafka.GetContainerID())
	}
	return faults.Freeze(t.ctx, t.world.engine, stopped, ids...)
}

// LoseMemory implements harness.Faults.
func (t *trial) LoseMemory(id engine.NodeID) error {
	redis := t.machines[id].redis.GetContainerID()
	t.watch.Expect(redis)
	if err := faults.Kill(t.ctx, t.world.engine, redis); err != nil {
		return err
	}
	return faults.Start(t.ctx, t.world.engine, redis)
}

// Crash implements harness.Faults.
func (t *trial) Crash(w engine.WorkflowID, f workflow.FunctionID) error {
	for _, m := range t.machines {
		if m.remote == nil || t.isStill(m.id) {
			continue
		}
		if found, err := m.remote.Crash(t.ctx, w, f); err != nil || found {
			return err
		}
	}
	return nil
}
