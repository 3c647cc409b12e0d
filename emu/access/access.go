// Package access is the way of a node, or of a function container, to the
// services: it gives data and documents their names there, and offers what
// functions and agents ask for.
package access

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/services/memory"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Services say where the services of a trial are, as one node sees them.
type Services struct {
	// Name is the trial's own: nobody else uses it on the same servers.
	Name string
	// CouchDB is the URL of the store, with its administrator's name and
	// password.
	CouchDB string
	// Redis is the host and port of the node's memory; empty where there is
	// none.
	Redis string
	// Kafka are the hosts and ports of the brokers; none where nothing is
	// streamed.
	Kafka []string
}

// Access is connected with the services. It may be used by many goroutines.
type Access struct {
	trial    *scenarios.Trial
	services Services
	node     engine.NodeID
	store    *store.Server
	database *store.Database
	memory   *memory.Store  // nil where there is none
	broker   *broker.Broker // nil where nothing is streamed
	// shared: others put data into the memory as well, so that what an
	// attempt has there must be asked for.
	shared bool
	detect time.Duration

	mu     sync.Mutex
	kept   map[string][]services.Key // in memory, by attempt
	topics []string
}

// Options are the fine points of a connection.
type Options struct {
	// Store and Broker open the connections to them (nil: directly).
	Store, Broker services.Dial
	// Pacer, if set, holds uploads to its pace.
	Pacer *pace.Pacer
	// Shared: other processes put data into the node's memory as well.
	Shared bool
	// Detect, if set, is how long the services of the storage node may be out of
	// reach before what is under way there fails. Without it, that is for the
	// connections to say.
	Detect time.Duration
	// Unasked: others have found that the services are there. They may be out of
	// reach for the moment.
	Unasked bool
}

// Open connects a node, or one of its containers, with the services of a
// trial. An error says which does not answer.
func Open(ctx context.Context, t *scenarios.Trial, node engine.NodeID, s Services, o Options) (_ *Access, err error) {
	a := &Access{trial: t, services: s, node: node, shared: o.Shared, detect: o.Detect, kept: map[string][]services.Key{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	use := store.Options{URL: s.CouchDB, Dial: o.Store, Unasked: o.Unasked}
	if o.Pacer != nil {
		use.Hold = o.Pacer.Upload
	}
	if a.store, err = store.Open(ctx, use); err != nil {
		return nil, err
	}
	if o.Unasked {
		a.database = a.store.Existing(s.Name)
	} else if a.database, err = a.store.Database(ctx, s.Name); err != nil {
		return nil, err
	}
	if len(s.Kafka) > 0 {
		if a.broker, err = broker.Open(ctx, broker.Options{Brokers: s.Kafka, Chunk: int(t.Profile.Broker.Chunk), Dial: o.Broker, Unasked: o.Unasked}); err != nil {
			return nil, err
		}
	}
	if s.Redis != "" {
		const connections = 256
		// Nodes that share a server have keys of their own.
		namespace := fmt.Sprintf("%s-%d", s.Name, node)
		a.memory, err = memory.Open(ctx, memory.Options{Address: s.Redis, Namespace: namespace, Connections: connections, Unasked: o.Unasked})
	}
	return a, err
}

// Close ends the connections. What is in the services stays there.
func (a *Access) Close() error {
	var errs []error
	if a.broker != nil {
		errs = append(errs, a.broker.Close())
	}
	if a.memory != nil {
		errs = append(errs, a.memory.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// Clear removes what the node has left in services that stay: all it has in
// its memory, and its containers' topics.
func (a *Access) Clear(ctx context.Context) error {
	var errs []error
	if a.broker != nil {
		a.mu.Lock()
		topics := a.topics
		a.topics = nil
		a.mu.Unlock()
		errs = append(errs, a.broker.DeleteTopics(ctx, topics...))
	}
	return errors.Join(append(errs, a.Empty(ctx))...)
}

// MemoryTraffic returns the bytes that the server of the node's memory has
// received and sent since it was started, by its own count; counted is false
// where there is none, or it does not count.
func (a *Access) MemoryTraffic(ctx context.Context) (received, sent int64, counted bool, err error) {
	if a.memory == nil {
		return 0, 0, false, nil
	}
	return a.memory.Network(ctx)
}

// Empty removes all that the node has in its memory.
func (a *Access) Empty(ctx context.Context) error {
	if a.memory == nil {
		return nil
	}
	_, err := a.memory.Clear(ctx)
	return err
}

// Streams reports whether there is a broker.
func (a *Access) Streams() bool { return a.broker != nil }

// Key is what the services call a datum.
func (a *Access) key(k *function.Key) services.Key {
	f := &a.trial.Workflows[k.Invocation.Workflow].Functions[k.Function]
	key := services.Key{Invocation: k.Owner(), Function: f.Name, Path: function.Indices(k.Path)}
	if k.Output < 0 {
		key.Output = "input-" + strconv.Itoa(int(-k.Output))
	} else {
		key.Output = f.Outputs[k.Output].Name
	}
	return key
}

// Seed writes what is there before any invocation: global inputs, unless the
// platform never uploads them, and the documents that engines look up. real
// says what inputs really hold; nil stands for bytes of their size.
func (a *Access) Seed(ctx context.Context, real function.Bodies) error {
	rules := a.trial.Profile.Rules()
	for i, w := range a.trial.Workflows {
		for f := range w.Functions {
			for at, in := range w.Functions[f].Inputs {
				if in.From != workflow.GlobalInput || rules.MissingGlobalInputs {
					continue
				}
				k := function.GlobalInput(engine.WorkflowID(i), workflow.FunctionID(f), at)
				content, err := function.Content(real, w, &k)
				if err != nil {
					return err
				}
				if err := a.database.Put(ctx, a.key(&k), content); err != nil {
					return err
				}
			}
			if rules.PlacementQuery {
				if _, err := a.database.PutDocument(ctx, placementID(engine.WorkflowID(i), workflow.FunctionID(f)), "", map[string]string{"function": w.Functions[f].Name}); err != nil {
					return err
				}
			}
		}
	}
	_, err := a.database.PutDocument(ctx, addressesID, "", map[string]int{"workers": len(a.trial.Cluster.Workers)})
	return err
}

const addressesID = "addresses"

func placementID(w engine.WorkflowID, f workflow.FunctionID) string {
	return fmt.Sprintf("placement-%d-%d", w, f)
}

// Release drops the data of an attempt: the gateway those in the store, each
// node those in its memory.
func (a *Access) Release(ctx context.Context, i engine.Invocation) error {
	owner := function.Owner(i)
	if a.node == scenarios.GatewayNode {
		ctx, done := a.reach(ctx, a.store)
		defer done()
		if _, err := a.database.DeleteInvocation(ctx, owner); err != nil {
			return err
		}
	}
	if a.memory == nil {
		return nil
	}
	if a.shared {
		_, err := a.memory.DeleteInvocation(ctx, owner)
		return err
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
