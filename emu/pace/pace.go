package pace

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// Pacer holds what happens in a trial to the constants of a profile. The nodes
// of a trial share one, as far as they are in one process: the store's servers
// are counted there.
type Pacer struct {
	profile *profile.Profile
	servers *servers
}

// New returns a pacer for a profile, which must not be changed any more.
func New(p *profile.Profile) *Pacer {
	return &Pacer{p, newServers(p.Store.Servers, time.Duration(p.Store.Busy))}
}

// Agent paces an agent that is yet to be made: its engine, its messages, its
// containers and what it asks of the database and the broker.
func (p *Pacer) Agent(c *agent.Config) {
	c.Pace = agent.Pace{
		Service: p.service, Message: engine.Time(p.profile.Network.Message), Notice: engine.Time(p.profile.Container.Notify),
	}
	if c.Containers != nil {
		c.Containers = containers{p, c.Containers}
	}
	c.Documents = documents{p, c.Documents}
	if c.Data != nil {
		c.Data = data{c.Data, p}
	}
}

// Runtime paces the stores that the functions of a node use. None may run yet.
func (p *Pacer) Runtime(r *function.Runtime) {
	m := &p.profile.Memory
	r.Store = store{r.Store, p.objects(), p.servers}
	guarded := p.objects()
	guarded.put += p.profile.Store.Documents.Revision
	r.Guarded = store{r.Guarded, guarded, p.servers}
	r.Memory = store{r.Memory, &costs{get: m.Get, put: m.Put}, nil}
	r.Journal = journal{p, r.Journal}
	if r.Sink != nil {
		r.Sink = disk{r.Sink, p}
	}
	if each := engine.Time(m.Lookup); each > 0 {
		r.Looked = func(ctx context.Context, inputs int) { clock.Sleep(ctx, each*engine.Time(inputs)) }
	}
}

// service is how long an engine is busy with an event: as in the simulator.
func (p *Pacer) service(e *engine.Event, effects []engine.Effect) engine.Time {
	c := &p.profile.Engine
	busy := c.Event
	switch {
	case e.Kind == engine.EventItems:
		busy = 0 // It comes with the end of a task.
	case e.Kind == engine.EventDeliver && e.Message.Kind == engine.MessageProbe:
		return engine.Time(c.Probe)
	case e.Kind == engine.EventDeliver:
		busy = c.Receive
	}
	for i := range effects {
		switch effects[i].Kind {
		case engine.EffectSend:
			busy += c.Send
		case engine.EffectDocument:
			busy += c.Document
		}
	}
	return engine.Time(busy)
}

// floor holds back the answer of an operation that has begun at a given time
// until that is so long ago.
func floor(ctx context.Context, began time.Time, least units.Duration) {
	clock.Sleep(ctx, engine.Time(least)-int64(time.Since(began)))
}

// Stores.

// costs are what operations on a store take at least.
type costs struct {
	get, put, missing units.Duration
	stream            units.Bandwidth // most that one transfer gets
}

// read and write are what moving so many bytes takes at least.
func (c *costs) read(bytes int) units.Duration  { return c.get + c.transfer(bytes) }
func (c *costs) write(bytes int) units.Duration { return c.put + c.transfer(bytes) }

func (c *costs) transfer(bytes int) units.Duration {
	if c.stream == units.Unlimited {
		return 0
	}
	return units.Duration(math.Ceil(float64(bytes) * 1e9 / float64(c.stream)))
}

// Upload holds back the last bytes of an upload into the remote store, which has
// begun at a given time: an object is committed when all of it is there, and
// until then another may be first. To be passed to the store as its Hold.
func (p *Pacer) Upload(ctx context.Context, began time.Time, bytes int) {
	floor(ctx, began, p.objects().write(bytes))
}

// objects are the costs of the remote store.
func (p *Pacer) objects() *costs {
	s := &p.profile.Store
	return &costs{get: s.Get, put: s.Put, missing: s.Missing, stream: s.Stream}
}

// store is a store that is paced.
type store struct {
	function.Store
	costs   *costs
	servers *servers // nil: it has as many as are asked for
}

// Put implements function.Store. A put that is refused takes as long as any.
func (s store) Put(ctx context.Context, k *function.Key, payload []byte) error {
	began := s.servers.begin(ctx)
	err := s.Store.Put(ctx, k, payload)
	floor(ctx, began, s.costs.write(len(payload)))
	return err
}

// Get implements function.Store.
func (s store) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	began := s.servers.begin(ctx)
	payload, err := s.Store.Get(ctx, k)
	least := s.costs.read(len(payload))
	if errors.Is(err, function.ErrMissing) {
		least = s.costs.missing
	}
	floor(ctx, began, least)
	return payload, err
}

// journal takes as long as the platform's database.
type journal struct {
	pacer   *Pacer
	journal function.Journal
}

// Log implements function.Journal.
func (j journal) Log(ctx context.Context, k *function.Key) error {
	began := j.pacer.servers.begin(ctx)
	err := j.journal.Log(ctx, k)
	floor(ctx, began, j.pacer.profile.Store.Documents.Log)
	return err
}

// SaveList implements function.Journal. The document is read, and saved.
func (j journal) SaveList(ctx context.Context, s *engine.Subject, items uint32) error {
	began := j.pacer.servers.begin(ctx)
	err := j.journal.SaveList(ctx, s, items)
	d := &j.pacer.profile.Store.Documents
	floor(ctx, began, d.Revision+d.Log)
	return err
}

// documents take as long as the platform's database.
type documents struct {
	pacer     *Pacer
	documents agent.Documents
}

// Perform implements agent.Documents.
func (d documents) Perform(ctx context.Context, kind engine.DocumentKind, s *engine.Subject, items uint32) error {
	began := d.pacer.servers.begin(ctx)
	err := d.documents.Perform(ctx, kind, s, items)
	floor(ctx, began, d.least(kind))
	return err
}

func (d documents) least(kind engine.DocumentKind) units.Duration {
	c := &d.pacer.profile.Store.Documents
	switch kind {
	case engine.DocumentPlacement:
		return c.Placement
	case engine.DocumentAddresses:
		return c.Addresses
	case engine.DocumentTiming:
		return c.Timing
	case engine.DocumentList:
		return c.List
	case engine.DocumentRequest:
		return c.Request
	}
	return 0
}

// Streamed data.

// data arrive as late as over the platform's broker.
type data struct {
	agent.Data
	pacer *Pacer
}

// Prefetch implements agent.Data: a consumer is set up, and each chunk asked
// for once it has been appended.
func (d data) Prefetch(ctx context.Context, k *function.Key, where []byte) (int64, error) {
	began := time.Now()
	n, err := d.Data.Prefetch(ctx, k, where)
	b := &d.pacer.profile.Broker
	chunks := int64(1)
	if size := int64(b.Chunk); size > 0 {
		chunks = max(1, (n+size-1)/size)
	}
	floor(ctx, began, b.ConsumerSetup+b.Append+b.Get*units.Duration(chunks))
	return n, err
}

// disk is where they are read.
type disk struct {
	function.Sink
	pacer *Pacer
}

// Read implements function.Sink.
func (d disk) Read(ctx context.Context, k *function.Key) ([]byte, error) {
	began := time.Now()
	payload, err := d.Sink.Read(ctx, k)
	if !errors.Is(err, function.ErrMissing) {
		floor(ctx, began, d.pacer.profile.Disk.Get)
	}
	return payload, err
}

// Containers.

// containers are given tasks, and end them, as slowly as the platform's. How
// long they take to start is the back end's matter.
type containers struct {
	pacer      *Pacer
	containers agent.Containers
}

// Start implements agent.Containers.
func (c containers) Start(ctx context.Context, i *facts.Instance) (agent.Container, error) {
	one, err := c.containers.Start(ctx, i)
	if err != nil {
		return nil, err
	}
	return container{one, &c.pacer.profile.Container}, nil
}

type container struct {
	agent.Container
	constants *profile.Container
}

// Run implements agent.Container. As in the simulator, the time until the
// container has begun belongs to the fetch.
func (c container) Run(ctx context.Context, t *function.Task) function.Result {
	began := time.Now()
	clock.Sleep(ctx, engine.Time(c.constants.Start))
	waited := int64(time.Since(began))
	result := c.Container.Run(ctx, t)
	result.Started -= waited
	result.Fetch += waited
	if result.Outcome == engine.Completed {
		ended := time.Now()
		clock.Sleep(ctx, engine.Time(c.constants.Cleanup))
		result.Ended += int64(time.Since(ended))
	}
	return result
}
