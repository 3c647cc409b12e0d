package sim

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/chain"
)

// store is the remote store: operations take their time, and if it has only
// so many servers, wait for one. Transfers are the network's.
type store struct {
	servers int // 0: any number
	busy    engine.Time
	up      bool
	// individually: operations must be told apart, as they may have to wait
	// for a server or for the store to come back. Otherwise those that begin
	// together are one event.
	individually bool

	occupied int
	waiting  fifo[uint32] // requests
}

// request is an operation on the store under way. Either a task waits for it,
// or an engine does.
type request struct {
	time engine.Time // what it takes, from a server's start on it

	// task, its generation and how it goes on.
	task       uint32
	generation uint32
	stage      stage
	bytes      int64 // of the key that is fetched

	// The engine's.
	engine      bool
	node        engine.NodeID
	incarnation uint32
	event       engine.Event
	begun       engine.Time
}

// request performs an operation on the store.
func (w *world) request(r request) {
	at := w.requests.Take()
	*w.requests.At(at) = r
	s := &w.store
	if !s.up || s.servers > 0 && s.occupied == s.servers {
		s.waiting.push(at)
		return
	}
	w.perform(at)
}

// perform begins an operation. It keeps a server busy for a while; the answer
// comes when all of its time is over.
func (w *world) perform(at uint32) {
	s := &w.store
	time := w.requests.At(at).time
	if s.servers > 0 {
		s.occupied++
		w.after(s.busy, event{kind: evServer})
		time = max(time, s.busy)
	}
	w.after(time, event{kind: evOperation, a: at})
}

// serverFree begins the operation that has waited for longest.
func (w *world) serverFree() {
	w.store.occupied--
	w.performWaiting()
}

func (w *world) performWaiting() {
	s := &w.store
	for s.up && s.waiting.len() > 0 && (s.servers == 0 || s.occupied < s.servers) {
		w.perform(s.waiting.pop())
	}
}

func (w *world) operationDone(at uint32) {
	r := *w.requests.At(at)
	w.requests.Give(at)
	switch {
	case r.engine:
		w.recordWait(&r.event.Subject, chain.Sync, r.begun, w.now)
		if w.nodes[r.node].incarnation == r.incarnation {
			w.tell(r.node, &r.event)
		}
	case w.tasks.At(r.task).generation == r.generation:
		w.tasks.At(r.task).operations--
		if r.stage == stageGet {
			w.transfer(r.task, getFromStore, r.bytes, 0)
		} else {
			w.resume(r.task, r.stage)
		}
	}
}

// document performs a database operation that an engine waits for.
func (w *world) document(id engine.NodeID, e *engine.Effect) {
	w.request(request{
		time: w.cost.documents[e.Document], engine: true, node: id, incarnation: w.nodes[id].incarnation, begun: w.now,
		event: engine.Event{Kind: engine.EventDocument, Document: e.Document, Message: e.Message},
	})
}
