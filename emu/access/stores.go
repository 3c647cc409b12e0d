package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/engine"
)

// Objects is the remote store, with an object for each datum.
func (a *Access) Objects() function.Store { return objects{a} }

// Guarded is the remote store, with one document for all data of an attempt.
func (a *Access) Guarded() function.Store { return guarded{a} }

// Memory is the node's memory; nil where there is none.
func (a *Access) Memory() function.Store {
	if a.memory == nil {
		return nil
	}
	return local{a}
}

// Forget drops a datum from the node's memory.
func (a *Access) Forget(ctx context.Context, k *function.Key) error {
	_, err := a.memory.Delete(ctx, a.key(k))
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
type objects struct{ *Access }

// Put implements function.Store.
func (o objects) Put(ctx context.Context, k *function.Key, payload []byte) error {
	ctx, done := o.reach(ctx, o.store)
	defer done()
	return within(ctx, named(o.database.Put(ctx, o.key(k), payload)))
}

// Get implements function.Store.
func (o objects) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	ctx, done := o.reach(ctx, o.store)
	defer done()
	payload, err := o.database.Get(ctx, o.key(k))
	return payload, within(ctx, named(err))
}

// guarded is the store with one document for all data of an attempt.
type guarded struct{ *Access }

// Put implements function.Store.
func (g guarded) Put(ctx context.Context, k *function.Key, payload []byte) error {
	ctx, done := g.reach(ctx, g.store)
	defer done()
	return within(ctx, named(g.database.PutGuarded(ctx, g.key(k), payload)))
}

// Get implements function.Store.
func (g guarded) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	ctx, done := g.reach(ctx, g.store)
	defer done()
	payload, err := g.database.GetGuarded(ctx, g.key(k))
	return payload, within(ctx, named(err))
}

// local is the node's memory.
type local struct{ *Access }

// Put implements function.Store.
func (l local) Put(ctx context.Context, k *function.Key, payload []byte) error {
	key := l.key(k)
	if !l.shared {
		l.mu.Lock()
		l.kept[key.Invocation] = append(l.kept[key.Invocation], key)
		l.mu.Unlock()
	}
	return l.memory.Put(ctx, key, payload)
}

// Get implements function.Store.
func (l local) Get(ctx context.Context, k *function.Key) ([]byte, error) {
	payload, err := l.memory.Get(ctx, l.key(k))
	return payload, named(err)
}

// Log implements function.Journal.
func (a *Access) Log(ctx context.Context, k *function.Key) error {
	ctx, done := a.reach(ctx, a.store)
	defer done()
	key := a.key(k)
	return within(ctx, a.database.AddDocument(ctx, map[string]string{"phase": "edge", "request_id": key.Invocation, "key": key.Name()}))
}

// SaveList implements function.Journal: the document is read, for what it has,
// and written.
func (a *Access) SaveList(ctx context.Context, s *engine.Subject, items uint32) error {
	ctx, done := a.reach(ctx, a.store)
	defer done()
	id := listID(s)
	revision, err := a.database.GetDocument(ctx, id, nil)
	if err == nil || errors.Is(err, services.ErrNotFound) {
		_, err = a.database.PutDocument(ctx, id, revision, map[string]uint32{"items": items})
	}
	return within(ctx, err)
}

func listID(s *engine.Subject) string {
	return services.Prefix(function.Owner(s.Invocation)) + fmt.Sprintf("list-%d-%s", s.Function, function.Indices(s.Path))
}

// Perform implements agent.Documents.
func (a *Access) Perform(ctx context.Context, kind engine.DocumentKind, s *engine.Subject, items uint32) error {
	ctx, done := a.reach(ctx, a.store)
	defer done()
	var err error
	switch kind {
	case engine.DocumentPlacement:
		_, err = a.database.GetDocument(ctx, placementID(s.Invocation.Workflow, s.Function), nil)
	case engine.DocumentAddresses:
		_, err = a.database.GetDocument(ctx, addressesID, nil)
	case engine.DocumentRequest:
		_, err = a.database.PutDocument(ctx, services.Prefix(function.Owner(s.Invocation))+"request", "", map[string]string{})
		if errors.Is(err, store.ErrConflict) { // It was made, and the answer was lost.
			err = nil
		}
	case engine.DocumentTiming:
		f := &a.trial.Workflows[s.Invocation.Workflow].Functions[s.Function]
		err = a.database.AddDocument(ctx, map[string]string{"phase": "all", "request_id": function.Owner(s.Invocation), "function_name": f.Name})
	case engine.DocumentList:
		// What is asked for may have been saved under another instance's name:
		// the look-up costs the same, and the length is known.
		if _, err = a.database.GetDocument(ctx, listID(s), nil); errors.Is(err, services.ErrNotFound) {
			err = nil
		}
	}
	return within(ctx, err)
}
