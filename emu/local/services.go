package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/services/memory"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/emu/shape"
	"github.com/flowtwin/flowtwin/emu/sink"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// servers are the services of a trial.
type servers struct {
	trial *scenarios.Trial
	// name is the trial's own, so that it shares a real server with nobody.
	name     string
	options  *Options
	couch    *embedded.CouchDB // nil if there is a real one
	couchURL string
	// direct is the harness's own way to the store, which no link limits.
	direct   *store.Server
	database *store.Database
	links    links
	// hold holds back uploads, if that is paced.
	hold  func(ctx context.Context, began time.Time, bytes int)
	nodes []*access
	redis []*embedded.Redis
	// The broker, where data are streamed.
	kafka   *embedded.Kafka // nil if there is a real one
	brokers []string
	topics  topics
}

// links are the buckets of all nodes.
type links struct {
	out, in       []*shape.Bucket // by node, nil without a limit
	capOut, capIn *shape.Bucket
}

func newLinks(t *scenarios.Trial) links {
	c := &t.Cluster
	var l links
	for _, m := range append([]scenarios.Machine{c.Gateway, c.Storage}, c.Workers...) {
		rate := m.Link
		if rate == units.Unlimited {
			rate = t.Profile.Network.Link
		}
		l.out, l.in = append(l.out, bucket(float64(rate))), append(l.in, bucket(float64(rate)))
	}
	l.capOut, l.capIn = bucket(float64(c.StorageCap)*scenarios.PayloadShare), bucket(float64(c.StorageCap)*scenarios.PayloadShare)
	return l
}

// bucket returns nil for a rate without limit.
func bucket(rate float64) *shape.Bucket {
	if rate == float64(units.Unlimited) {
		return nil
	}
	return shape.NewBucket(rate)
}

// toStorage is what connections from a node to the services of the storage
// node pass.
func (l *links) toStorage(from engine.NodeID) shape.Link {
	const storage = scenarios.StorageNode
	if from == storage {
		return shape.Link{} // They leave it by no link.
	}
	return shape.Link{
		Out: limits(l.out[from], l.in[storage], l.capIn),
		In:  limits(l.in[from], l.out[storage], l.capOut),
	}
}

func limits(all ...*shape.Bucket) []*shape.Bucket {
	var set []*shape.Bucket
	for _, b := range all {
		if b != nil {
			set = append(set, b)
		}
	}
	return set
}

// startServers starts or finds the services of a trial. If it fails, stop is
// to be called nevertheless.
func startServers(ctx context.Context, o *Options, t *scenarios.Trial) (*servers, error) {
	id := make([]byte, 6)
	_, _ = rand.Read(id) // Never fails.
	s := &servers{trial: t, name: "flowtwin-" + hex.EncodeToString(id), options: o, couchURL: o.CouchDB, links: newLinks(t)}
	var err error
	if o.CouchDB == "" {
		if s.couch, err = embedded.StartCouchDB("flowtwin", rand.Text()); err != nil {
			return s, err
		}
		s.couchURL = s.couch.URL()
	}
	if s.direct, err = store.Open(ctx, store.Options{URL: s.couchURL}); err != nil {
		return s, err
	}
	if s.database, err = s.direct.Database(ctx, s.name); err != nil {
		return s, err
	}
	if t.Streams() {
		if s.brokers = o.Kafka; len(o.Kafka) == 0 {
			if s.kafka, err = embedded.StartKafka(); err != nil {
				return s, err
			}
			s.brokers = s.kafka.Brokers()
		}
	}
	return s, s.seed(ctx)
}

// seed writes what is there before any invocation: global inputs, unless the
// platform never uploads them, and the documents that engines look up.
func (s *servers) seed(ctx context.Context) error {
	rules := s.trial.Profile.Rules()
	for i, w := range s.trial.Workflows {
		for f := range w.Functions {
			for at, in := range w.Functions[f].Inputs {
				if in.From != workflow.GlobalInput || rules.MissingGlobalInputs {
					continue
				}
				k := function.GlobalInput(engine.WorkflowID(i), workflow.FunctionID(f), at)
				if err := s.database.Put(ctx, s.key(&k), function.Payload(in.Size, &k)); err != nil {
					return err
				}
			}
			if rules.PlacementQuery {
				if _, err := s.database.PutDocument(ctx, placementID(engine.WorkflowID(i), workflow.FunctionID(f)), "", map[string]string{"function": w.Functions[f].Name}); err != nil {
					return err
				}
			}
		}
	}
	_, err := s.database.PutDocument(ctx, addressesID, "", map[string]int{"workers": len(s.trial.Cluster.Workers)})
	return err
}

const addressesID = "addresses"

func placementID(w engine.WorkflowID, f workflow.FunctionID) string {
	return fmt.Sprintf("placement-%d-%d", w, f)
}

// key is what the services call a datum.
func (s *servers) key(k *function.Key) services.Key {
	f := &s.trial.Workflows[k.Invocation.Workflow].Functions[k.Function]
	key := services.Key{Invocation: k.Owner(), Function: f.Name, Path: function.Indices(k.Path)}
	if k.Output < 0 {
		key.Output = "input-" + strconv.Itoa(int(-k.Output))
	} else {
		key.Output = f.Outputs[k.Output].Name
	}
	return key
}

// stop ends the services and removes what the trial has left in those that
// stay.
func (s *servers) stop() error {
	// The context of a run that was interrupted is of no use here.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	for _, a := range s.nodes {
		errs = append(errs, a.stop(ctx))
	}
	for _, r := range s.redis {
		errs = append(errs, r.Close())
	}
	if s.kafka != nil {
		errs = append(errs, s.kafka.Close())
	}
	if s.database != nil && s.couch == nil {
		errs = append(errs, s.direct.DeleteDatabase(ctx, s.name))
	}
	if s.direct != nil {
		errs = append(errs, s.direct.Close())
	}
	if s.couch != nil {
		errs = append(errs, s.couch.Close())
	}
	return errors.Join(errs...)
}

// access is a node's way to the services.
type access struct {
	servers  *servers
	id       engine.NodeID
	store    *store.Server
	database *store.Database
	memory   *memory.Store  // nil on nodes that are no workers
	broker   *broker.Broker // nil where nothing is streamed
	sink     *sink.Sink     // the same

	mu     sync.Mutex
	kept   map[string][]services.Key // in memory, by attempt
	topics []string                  // of the node's containers
}

// access connects a node with the services.
func (s *servers) access(ctx context.Context, id engine.NodeID) (*access, error) {
	a := &access{servers: s, id: id, kept: map[string][]services.Key{}}
	s.nodes = append(s.nodes, a)
	link := s.links.toStorage(id)
	var err error
	if a.store, err = store.Open(ctx, store.Options{URL: s.couchURL, Dial: link.Dial(services.Direct), Hold: s.hold}); err != nil {
		return nil, err
	}
	if a.database, err = a.store.Database(ctx, s.name); err != nil {
		return nil, err
	}
	if len(s.brokers) > 0 {
		if err := a.stream(ctx, link); err != nil {
			return nil, err
		}
	}
	if id < scenarios.FirstWorker {
		return a, nil
	}
	address := s.options.Redis
	if address == "" {
		r, err := embedded.StartRedis()
		if err != nil {
			return nil, err
		}
		s.redis = append(s.redis, r)
		address = r.Address()
	}
	const connections = 256
	a.memory, err = memory.Open(ctx, memory.Options{Address: address, Namespace: fmt.Sprintf("%s-%d", s.name, id), Connections: connections})
	return a, err
}

// stream connects a node with the broker.
func (a *access) stream(ctx context.Context, link shape.Link) (err error) {
	a.broker, err = broker.Open(ctx, broker.Options{
		Brokers: a.servers.brokers, Chunk: int(a.servers.trial.Profile.Broker.Chunk), Dial: link.Dial(services.Direct),
	})
	if err != nil {
		return err
	}
	a.sink, err = sink.New("", a.id)
	return err
}

func (a *access) stop(ctx context.Context) error {
	var errs []error
	if a.sink != nil {
		errs = append(errs, a.sink.Close())
	}
	if a.broker != nil {
		if a.servers.kafka == nil {
			errs = append(errs, a.broker.DeleteTopics(ctx, a.topics...))
		}
		errs = append(errs, a.broker.Close())
	}
	if a.memory != nil {
		if a.servers.options.Redis != "" {
			_, err := a.memory.Clear(ctx)
			errs = append(errs, err)
		}
		errs = append(errs, a.memory.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// release drops the data of an attempt: the gateway those in the store, each
// node those in its memory.
func (a *access) release(ctx context.Context, i engine.Invocation) error {
	owner := function.Owner(i)
	if a.sink != nil {
		if err := a.sink.Release(i); err != nil {
			return err
		}
	}
	if a.id == scenarios.GatewayNode {
		if _, err := a.servers.database.DeleteInvocation(ctx, owner); err != nil {
			return err
		}
	}
	a.mu.Lock()
	keys := a.kept[owner]
	delete(a.kept, owner)
	a.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	_, err := a.memory.Delete(ctx, keys...)
	return err
}

// named gives the errors of services the names that functions ask for.
func named(err error) error {
	switch {
	case errors.Is(err, services.ErrNotFound):
		return fmt.Errorf("%w: %w", function.ErrMissing, err)
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("%w: %w", function.ErrConflict, err)
	default:
		return err
	}
}

// objects is the store with an object for each datum.
type objects struct{ *access }

// Put implements function.Store.
func (o objects) Put(ctx context.Context, k *function.Key, payload []byte) error {
	return named(o.database.Put(ctx, o.servers.key(k), payload))
}

// Get implements function.Store.
func (o objects) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	payload, err := o.database.Get(ctx, o.servers.key(k))
	return payload, named(err)
}

// guarded is the store with one document for all data of an attempt.
type guarded struct{ *access }

// Put implements function.Store.
func (g guarded) Put(ctx context.Context, k *function.Key, payload []byte) error {
	return named(g.database.PutGuarded(ctx, g.servers.key(k), payload))
}

// Get implements function.Store.
func (g guarded) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	payload, err := g.database.GetGuarded(ctx, g.servers.key(k))
	return payload, named(err)
}

// local is the node's memory.
type local struct{ *access }

// Put implements function.Store.
func (l local) Put(ctx context.Context, k *function.Key, payload []byte) error {
	key := l.servers.key(k)
	l.mu.Lock()
	l.kept[key.Invocation] = append(l.kept[key.Invocation], key)
	l.mu.Unlock()
	return l.memory.Put(ctx, key, payload)
}

// Get implements function.Store.
func (l local) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	payload, err := l.memory.Get(ctx, l.servers.key(k))
	return payload, named(err)
}

// delete forgets one datum.
func (l local) delete(ctx context.Context, k *function.Key) error {
	_, err := l.memory.Delete(ctx, l.servers.key(k))
	return err
}

// Log implements function.Journal.
func (a *access) Log(ctx context.Context, k *function.Key) error {
	key := a.servers.key(k)
	return a.database.AddDocument(ctx, map[string]string{"phase": "edge", "request_id": key.Invocation, "key": key.Name()})
}

// SaveList implements function.Journal: the document is read, for what it has,
// and written.
func (a *access) SaveList(ctx context.Context, s *engine.Subject, items uint32) error {
	id := listID(s)
	revision, err := a.database.GetDocument(ctx, id, nil)
	if err == nil || errors.Is(err, services.ErrNotFound) {
		_, err = a.database.PutDocument(ctx, id, revision, map[string]uint32{"items": items})
	}
	return err
}

func listID(s *engine.Subject) string {
	return services.Prefix(function.Owner(s.Invocation)) + fmt.Sprintf("list-%d-%s", s.Function, function.Indices(s.Path))
}

// Perform implements agent.Documents.
func (a *access) Perform(ctx context.Context, kind engine.DocumentKind, s *engine.Subject, items uint32) error {
	var err error
	switch kind {
	case engine.DocumentPlacement:
		_, err = a.database.GetDocument(ctx, placementID(s.Invocation.Workflow, s.Function), nil)
	case engine.DocumentAddresses:
		_, err = a.database.GetDocument(ctx, addressesID, nil)
	case engine.DocumentRequest:
		_, err = a.database.PutDocument(ctx, services.Prefix(function.Owner(s.Invocation))+"request", "", map[string]string{})
	case engine.DocumentTiming:
		f := &a.servers.trial.Workflows[s.Invocation.Workflow].Functions[s.Function]
		err = a.database.AddDocument(ctx, map[string]string{"phase": "all", "request_id": function.Owner(s.Invocation), "function_name": f.Name})
	case engine.DocumentList:
		// What is asked for may have been saved under another instance's name:
		// the look-up costs the same, and the length is known.
		if _, err = a.database.GetDocument(ctx, listID(s), nil); errors.Is(err, services.ErrNotFound) {
			err = nil
		}
	}
	return err
}
