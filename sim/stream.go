package sim

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// A container has two units: the function logic unit runs tasks, the data
// logic unit sends what they hand to it to the broker, chunk by chunk, while
// the function goes on with the next task. The nodes that read a datum fetch
// its chunks from the broker as they come in.

// stream is a datum on its way through the broker.
type stream struct {
	generation uint32 // odd while in use
	invocation engine.Invocation
	function   workflow.FunctionID
	output     int32
	path       workflow.Path
	node       engine.NodeID
	unit       uint32 // that sends it; none when it has sent all
	class      classID
	bytes      int64
	chunks     int32
	sent       int32  // chunks that have left the container
	stored     int32  // chunks that the broker has
	readers    uint32 // first of its prefetches
	next       uint32 // of the same invocation
}

// unit is the data logic unit of a container.
type unit struct {
	queue   fifo[uint32] // streams, that being sent among them
	sending bool
	// orphan: its container has gone; it sends what it has and goes too.
	orphan bool
}

// prefetch is a stream's way from the broker to a node that reads it.
type prefetch struct {
	stream  uint32
	node    engine.NodeID
	chunk   int32 // the next, or the one under way
	busy    bool  // one is under way
	done    bool
	next    uint32   // of the same stream
	waiting []waiter // tasks that read it while it is coming
}

// waiter is a task, if it is still of the generation.
type waiter struct{ task, generation uint32 }

// What owns a job is a task, or else is told by one of these bits.
const (
	ofStream   uint32 = 1 << 31
	ofPrefetch uint32 = 1 << 30
)

// chunkBytes is the size of a chunk.
func (w *world) chunkBytes(s *stream, chunk int32) int64 {
	return min(w.cost.chunk, s.bytes-int64(chunk)*w.cost.chunk)
}

// bytesOf is what the first so many chunks hold.
func (w *world) bytesOf(s *stream, chunks int32) int64 {
	return min(int64(chunks)*w.cost.chunk, s.bytes)
}

// handOver gives an output of a task to its container's data unit.
func (w *world) handOver(at uint32, output int32, path *workflow.Path, bytes int64) {
	t := w.tasks.At(at)
	n := &w.nodes[t.node]
	id := w.streams.Take()
	s := w.streams.At(id)
	*s = stream{
		generation: s.generation + 1, invocation: t.subject.Invocation, function: t.subject.Function, output: output, path: *path,
		node: t.node, unit: w.unitOf(n, t.container.Index), class: n.send[w.capOf(&t.subject)], bytes: bytes,
		chunks: int32(max(1, (bytes+w.cost.chunk-1)/w.cost.chunk)), readers: none, next: none,
	}
	t.streamed += bytes
	if i := w.invocation(t.subject.Invocation); i != nil {
		s.next, i.streams = i.streams, id
	}
	w.units.At(s.unit).queue.push(id)
	w.sendChunk(s.unit)
}

// unitOf returns the data unit of a container.
func (w *world) unitOf(n *node, container uint32) uint32 {
	for int(container) >= len(n.units) {
		n.units = append(n.units, none)
	}
	if n.units[container] == none {
		at := w.units.Take()
		*w.units.At(at) = unit{queue: w.units.At(at).queue}
		n.units[container] = at
	}
	return n.units[container]
}

// sendChunk has a data unit send its next chunk, if it is not sending: of the
// stream that was there first, or of each in turn.
func (w *world) sendChunk(at uint32) {
	u := w.units.At(at)
	if u.sending || u.queue.len() == 0 {
		if u.orphan && !u.sending {
			w.units.Give(at)
		}
		return
	}
	u.sending = true
	id := *u.queue.peek()
	s := w.streams.At(id)
	w.flow(s.class, &job{task: id | ofStream, kind: chunkToBroker}, float64(w.chunkBytes(s, s.sent)))
}

// flow starts a flow of a class.
func (w *world) flow(class classID, j *job, bytes float64) {
	c := &w.network.classes[class]
	if c.single != nil {
		c.single.start(w.now, j, bytes, 1)
		w.touch(c.single)
		return
	}
	w.network.start(w.now, class, j, bytes)
	w.touchDomain(c.domain)
}

// chunkSent goes on when a chunk has left its container.
func (w *world) chunkSent(id uint32) {
	s := w.streams.At(id)
	at := s.unit
	u := w.units.At(at)
	u.sending = false
	s.sent++
	switch {
	case s.sent == s.chunks:
		s.unit = none
		u.queue.drop()
	case !w.cost.fifo:
		u.queue.push(u.queue.pop())
	}
	if w.cost.append > 0 {
		w.after(w.cost.append, event{kind: evChunk, a: id, b: uint64(s.generation)})
	} else {
		w.chunkStored(id)
	}
	w.sendChunk(at)
}

// chunkStored goes on when the broker has a chunk: with the first the datum is
// announced, and those who wait for it fetch it.
func (w *world) chunkStored(id uint32) {
	s := w.streams.At(id)
	s.stored++
	for at := s.readers; at != none; at = w.prefetches.At(at).next {
		w.fetchChunk(at)
	}
	if s.stored == 1 {
		subject := engine.Subject{Invocation: s.invocation, Function: s.function, Path: s.path}
		w.announce(s.node, &subject, s.output, data.Pipe, uint64(s.generation)<<32|uint64(id))
	}
}

// startPrefetch begins to bring a datum to a node.
func (w *world) startPrefetch(id engine.NodeID, e *engine.Effect) {
	from := uint32(e.Handle)
	s := w.streams.At(from)
	if s.generation != uint32(e.Handle>>32) {
		return // Its invocation has ended meanwhile.
	}
	at := w.prefetches.Take()
	p := w.prefetches.At(at)
	*p = prefetch{stream: from, node: id, next: s.readers, waiting: p.waiting[:0]}
	s.readers = at
	if w.cost.consumer > 0 {
		p.busy = true
		w.after(w.cost.consumer, event{kind: evConsumer, a: at, b: uint64(s.generation)<<32 | uint64(from)})
		return
	}
	w.fetchChunk(at)
}

// fetchChunk fetches the next chunk, if the broker has it.
func (w *world) fetchChunk(at uint32) {
	p := w.prefetches.At(at)
	s := w.streams.At(p.stream)
	if p.busy || p.done || p.chunk >= s.stored {
		return
	}
	p.busy = true
	if w.cost.brokerGet > 0 {
		w.after(w.cost.brokerGet, event{kind: evBrokerGet, a: at, b: uint64(s.generation)<<32 | uint64(p.stream)})
		return
	}
	w.flow(w.nodes[p.node].receive, &job{task: at | ofPrefetch, kind: chunkFromBroker}, float64(w.chunkBytes(s, p.chunk)))
}

// prefetchGoesOn goes on with a prefetch when a delay is over: its consumer is
// set up, or with get the broker is ready to send a chunk.
func (w *world) prefetchGoesOn(e *event, get bool) {
	s := w.streams.At(uint32(e.b))
	if s.generation != uint32(e.b>>32) {
		return
	}
	p := w.prefetches.At(e.a)
	switch {
	case p.done:
	case get:
		w.flow(w.nodes[p.node].receive, &job{task: e.a | ofPrefetch, kind: chunkFromBroker}, float64(w.chunkBytes(s, p.chunk)))
	default:
		p.busy = false
		w.fetchChunk(e.a)
	}
}

// chunkFetched goes on when a chunk has come to a node.
func (w *world) chunkFetched(at uint32) {
	p := w.prefetches.At(at)
	s := w.streams.At(p.stream)
	p.busy = false
	if p.chunk++; p.chunk < s.chunks {
		w.fetchChunk(at)
		return
	}
	p.done = true
	for _, waits := range p.waiting {
		if w.tasks.At(waits.task).generation == waits.generation {
			w.transfer(waits.task, getFromDisk, s.bytes, 0)
		}
	}
	p.waiting = p.waiting[:0]
	w.tell(p.node, &engine.Event{
		Kind: engine.EventArrived, Number: int64(s.output),
		Message: engine.Message{Subject: engine.Subject{Invocation: s.invocation, Function: s.function, Path: s.path}},
	})
}

// awaitStream has a task wait for the rest of a datum that it reads while it
// is still coming. It reports false if there is nothing to wait for.
func (w *world) awaitStream(at uint32, d *datum) bool {
	t := w.tasks.At(at)
	i := w.invocation(t.subject.Invocation)
	if i == nil {
		return false
	}
	p := w.prefetchOf(i, t, d)
	if p == none || w.prefetches.At(p).done {
		return false
	}
	f := w.prefetches.At(p)
	f.waiting = append(f.waiting, waiter{at, t.generation})
	return true
}

// prefetchOf returns what brings, or has brought, a datum to the node of a task
// that reads it, or none.
func (w *world) prefetchOf(i *invocation, t *task, d *datum) uint32 {
	for id := i.streams; id != none; id = w.streams.At(id).next {
		s := w.streams.At(id)
		if s.function != d.function || s.output != d.output || s.path != d.path || s.invocation.Attempt != t.subject.Invocation.Attempt {
			continue
		}
		for p := s.readers; p != none; p = w.prefetches.At(p).next {
			if w.prefetches.At(p).node == t.node {
				return p
			}
		}
	}
	return none
}

// announce tells an engine that a datum can be announced, when the container's
// word has come to its node.
func (w *world) announce(node engine.NodeID, s *engine.Subject, output int32, way data.Target, handle uint64) {
	e := engine.Event{Kind: engine.EventPosted, Number: int64(output), Message: engine.Message{Subject: *s, Way: way, Handle: handle}}
	if w.cost.notify == 0 {
		w.tell(node, &e)
		return
	}
	at := w.notices.Take()
	*w.notices.At(at) = e
	w.after(w.cost.notify, event{kind: evNotice, node: uint16(node), a: at, b: uint64(w.nodes[node].incarnation)})
}

// noticed hands an engine the word of a container.
func (w *world) noticed(node engine.NodeID, at, incarnation uint32) {
	e := *w.notices.At(at)
	w.notices.Give(at)
	if w.nodes[node].incarnation == incarnation {
		w.tell(node, &e)
	}
}

// dropStreams takes the streams of an invocation off the links, as far as one
// node has to do with them: nobody waits for them any more.
func (w *world) dropStreams(i *invocation, id engine.NodeID, all bool) {
	for at := i.streams; at != none; {
		s := w.streams.At(at)
		next := s.next
		if all || s.node == id {
			w.stopSending(at)
		}
		for p := s.readers; p != none; {
			f := w.prefetches.At(p)
			if all || f.node == id {
				w.stopFetching(p)
			}
			after := f.next
			if all {
				i.record.RemoteRead += w.bytesOf(s, f.chunk)
				w.prefetches.Give(p)
			}
			p = after
		}
		if all {
			i.record.RemoteWritten += w.bytesOf(s, s.sent)
			s.generation++
			w.streams.Give(at)
		}
		at = next
	}
	if all {
		i.streams = none
	}
}

// stopSending takes a stream away from its data unit.
func (w *world) stopSending(at uint32) {
	s := w.streams.At(at)
	if s.unit == none {
		return
	}
	id := s.unit
	u := w.units.At(id)
	s.unit = none
	if u.sending && *u.queue.peek() == at {
		u.sending = false
		w.cancelFlow(s.class, at|ofStream)
	}
	u.queue.deleteFunc(func(other uint32) bool { return other == at })
	w.sendChunk(id)
}

// stopFetching gives up a prefetch. Tasks that are left to end although they
// wait for it go on without.
func (w *world) stopFetching(at uint32) {
	f := w.prefetches.At(at)
	if f.done {
		return
	}
	if f.busy {
		w.cancelFlow(w.nodes[f.node].receive, at|ofPrefetch)
	}
	f.done, f.busy = true, true // so that nothing begins again
	for _, waits := range f.waiting {
		if w.tasks.At(waits.task).generation == waits.generation {
			w.fetched(waits.task, 1)
		}
	}
	f.waiting = f.waiting[:0]
}

// cancelFlow takes the flows of a task, or of a stream or prefetch, off a
// class.
func (w *world) cancelFlow(class classID, owner uint32) {
	if single := w.network.classes[class].single; single != nil {
		single.cancel(w.now, owner, 1)
		w.touch(single)
		return
	}
	w.network.cancel(w.now, class, owner)
	w.touchDomain(w.network.classes[class].domain)
}

// loseUnit loses the data unit of a container that has gone without a warning,
// and returns the invocations whose data it had.
func (w *world) loseUnit(n *node, container uint32) []engine.Invocation {
	if int(container) >= len(n.units) || n.units[container] == none {
		return nil
	}
	at := n.units[container]
	n.units[container] = none
	u := w.units.At(at)
	u.orphan = true
	var lost []engine.Invocation
	for u.queue.len() > 0 {
		id := *u.queue.peek()
		if i := w.streams.At(id).invocation; !slices.Contains(lost, i) {
			lost = append(lost, i)
		}
		last := u.queue.len() == 1
		w.stopSending(id)
		if last {
			break // It has gone.
		}
	}
	if len(lost) == 0 {
		w.units.Give(at)
	}
	return lost
}

// leaveUnit lets the data unit of a container that was stopped send what it
// has.
func (w *world) leaveUnit(n *node, container uint32) {
	if int(container) < len(n.units) && n.units[container] != none {
		at := n.units[container]
		n.units[container] = none
		w.units.At(at).orphan = true
		w.sendChunk(at)
	}
}
