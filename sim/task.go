package sim

import (
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
)

// task is an instance of a function that runs in a container, or a switch
// that is being evaluated: it fetches its inputs, all in parallel; computes;
// and puts its outputs when they are posted, one after the other, while its
// computing stands still.
type task struct {
	generation  uint32 // odd while alive
	incarnation uint32 // of the node
	node        engine.NodeID
	container   engine.ContainerID
	isSwitch    bool
	cold        bool
	atHand      bool
	try         uint16
	call        int32
	subject     engine.Subject
	function    *workflow.Function
	plan        engine.Plan

	queued, started engine.Time
	held            engine.Time  // of the wait
	cause           engine.Cause // of the trigger
	mark            engine.Time  // when the phase that is under way began
	fetch, compute  engine.Time
	put             engine.Time

	// When the upload under way began, how long those took that the store
	// refused, and how many these were.
	uploading, retry engine.Time
	conflicts        int32

	keys []key // that it fetches
	left int32 // of them
	// coming are those of the keys, at the same places, that may not be all
	// there when they are fetched.
	coming []datum
	work   engine.Time
	done   engine.Time // of the work

	// The output that is being put: its position among the function's, the
	// item of a list, and how many items there are.
	output      int
	item, items uint32
	bytes       int64
	revision    uint32

	streamed int64 // bytes that it has left to its container's data unit

	operations int32 // of the store that it waits for
	dataLost   bool  // an input was gone
}

func (t *task) alive() bool { return t.generation&1 != 0 }

// stage says what a task does next when a delay is over.
type stage uint8

const (
	stageStarted   stage = iota // the container has begun
	stageLookup                 // it is known which inputs are in memory
	stageMissing                // missing inputs have been looked for
	stageGetAll                 // the store is ready to send all inputs
	stageGet                    // the store is ready to send one
	stageMemoryGet              // the memory is ready to send
	stageFetchLog               // the fetch of a key has been logged
	stageComputed               // a stretch of work is done
	stagePutLog                 // the put of a key has been logged
	stageListRead               // the document for the list was read
	stageListWrite              // the list is saved
	stageRevision               // the guarding revision is known
	stagePut                    // the store is ready to receive
	stageMemoryPut              // the memory is ready to receive
	stageLost                   // an input was found to be gone
	stageDisk                   // the disk is ready to send
	stageCleanup                // the container has cleaned up
)

// jobKind says what a job is for.
type jobKind uint8

const (
	getFromStore jobKind = iota
	getFromMemory
	putToStore
	putToMemory
	getFromDisk
	chunkToBroker
	chunkFromBroker
	computing
)

// newTask makes a task on a node of what its engine asks for.
func (w *world) newTask(id engine.NodeID, e *engine.Effect) uint32 {
	at := w.tasks.Take()
	t := w.tasks.At(at)
	*t = task{generation: t.generation + 1, keys: t.keys, coming: t.coming[:0]}
	t.incarnation, t.node, t.call = w.nodes[id].incarnation, id, e.Call
	t.subject, t.plan, t.function = e.Subject, e.Plan, w.function(&e.Subject)
	t.started, t.mark = w.now, w.now
	return at
}

// runTask starts a function instance in a container.
func (w *world) runTask(id engine.NodeID, n *node, e *engine.Effect) {
	at := w.newTask(id, e)
	t := w.tasks.At(at)
	t.container, t.cold, t.try, t.queued = e.Container, e.Cold, e.Try, e.Since
	t.held, t.cause, t.atHand = e.Held, e.Cause, e.AtHand
	n.running[e.Container.Index] = at
	if i := w.invocation(e.Invocation); i != nil {
		i.taskStarts(w.now, e.Invocation.Attempt, e.Cold)
		i.running++
		if w.announces && w.uncertain[e.Invocation.Workflow] {
			i.begun = append(i.begun, instance{e.Function, e.Path})
		}
	}
	if w.cost.start > 0 {
		w.delay(at, w.cost.start, stageStarted)
		return
	}
	w.lookup(at)
}

// evaluate starts the evaluation of a switch: it fetches its inputs.
func (w *world) evaluate(id engine.NodeID, e *engine.Effect) {
	at := w.newTask(id, e)
	t := w.tasks.At(at)
	t.isSwitch, t.queued, t.cause = true, w.now, e.Cause
	w.lookup(at)
}

// delay has a task go on at a stage later.
func (w *world) delay(at uint32, time engine.Time, s stage) {
	w.after(time, event{kind: evTask, a: at, b: uint64(w.tasks.At(at).generation)<<8 | uint64(s)})
}

// operate has a task go on when the store has performed an operation.
func (w *world) operate(at uint32, time engine.Time, s stage, bytes int64) {
	w.tasks.At(at).operations++
	w.request(request{time: time, task: at, generation: w.tasks.At(at).generation, stage: s, bytes: bytes})
}

// resume goes on with a task.
func (w *world) resume(at uint32, s stage) {
	switch s {
	case stageStarted:
		w.lookup(at)
	case stageLookup:
		w.fetchAll(at)
	case stageMissing, stageFetchLog:
		w.fetched(at, 1)
	case stageMemoryGet:
		w.transferAll(at, engine.FromMemory, getFromMemory, 0)
	case stageComputed:
		w.stretchDone(at)
	case stagePutLog:
		w.putLogged(at)
	case stageListRead:
		w.operate(at, w.cost.logging, stageListWrite, 0)
	case stageListWrite:
		w.listSaved(at)
	case stageRevision:
		w.revisionKnown(at)
	case stagePut:
		w.transfer(at, putToStore, w.tasks.At(at).bytes, 0)
	case stageMemoryPut:
		w.transfer(at, putToMemory, w.tasks.At(at).bytes, 0)
	case stageLost:
		w.endTask(at, engine.DataLost)
	case stageDisk:
		w.readDisk(at)
	case stageCleanup:
		w.endTask(at, engine.Completed)
	}
}

// Fetching.

// key is one datum that a task fetches.
type key struct {
	source engine.Source
	bytes  int64
}

// lookup begins to fetch: it finds out what is to be fetched from where.
func (w *world) lookup(at uint32) {
	w.findKeys(at)
	if n := len(w.tasks.At(at).keys); n > 0 && w.cost.lookup > 0 {
		w.delay(at, w.cost.lookup*engine.Time(n), stageLookup)
		return
	}
	w.fetchAll(at)
}

// findKeys lists the keys that a task fetches.
func (w *world) findKeys(at uint32) {
	t := w.tasks.At(at)
	t.keys = t.keys[:0]
	id := t.subject.Invocation
	wf := w.workflowOf(id)
	f := t.function
	for i := range f.Inputs {
		in := &f.Inputs[i]
		if in.From == workflow.GlobalInput {
			t.keys = append(t.keys, key{source: t.plan.Sources[i], bytes: in.Size})
			continue
		}
		from := &wf.Functions[in.From]
		producer := t.subject.Path.Outer(wf.Scopes[from.Scope].Depth)
		switch in.Access {
		case workflow.AccessSame:
			w.addKey(t, i, &producer, &producer)
		case workflow.AccessItem:
			item := t.subject.Path.Outer(wf.ItemLevel(t.subject.Function, *in) + 1)
			w.addKey(t, i, &producer, &item)
		case workflow.AccessAllItems:
			n := w.items(id, in.From, in.Output, &producer)
			for item := range n {
				path := producer.Item(item, n)
				w.addKey(t, i, &producer, &path)
			}
		case workflow.AccessGather:
			over := wf.Scopes[from.Scope].Over
			n := w.items(id, over.Function, over.Output, &t.subject.Path)
			for item := range n {
				path := t.subject.Path.Item(item, n)
				w.addKey(t, i, &path, &path)
			}
		}
	}
}

// addKey adds what input i of a task reads from one instance of its producer;
// path is the producer's, with the item of a list. What a switch skipped is
// looked for in vain: a reader cannot know before it looks.
func (w *world) addKey(t *task, i int, producer, path *workflow.Path) {
	id := t.subject.Invocation
	in := &t.function.Inputs[i]
	k := key{source: t.plan.Sources[i], bytes: w.size(id, in.From, in.Output, path)}
	if w.announces {
		w.addAnnounced(t, &k, in, producer, path)
		return
	}
	if w.uncertain[id.Workflow] {
		var ran *chain.Task
		if invocation := w.invocation(id); invocation != nil {
			ran = invocation.chain.Ran(in.From, producer)
		}
		if ran == nil {
			k = key{source: engine.FromNowhere}
		} else if k.source == engine.FromMemory && w.memoryLost(ran.Node, ran.Ended) {
			t.dataLost = true
		}
	}
	t.keys = append(t.keys, k)
}

// addAnnounced is addKey where data are announced. What came inline is there
// already; of what was never posted a reader knows as well.
func (w *world) addAnnounced(t *task, k *key, in *workflow.Input, producer, path *workflow.Path) {
	i := w.invocation(t.subject.Invocation)
	d := datum{in.From, in.Output, *path}
	switch {
	case k.bytes <= t.plan.Inline && k.source != engine.FromStore:
		return
	case i != nil && w.uncertain[t.subject.Invocation.Workflow] && !slices.Contains(i.begun, instance{in.From, *producer}):
		return
	case i != nil && w.cost.race && t.subject.Path.Depth() > 0 && !w.heardOf(i, t, k.source, &d):
		return
	case i != nil && k.source == engine.FromMemory && slices.Contains(i.spilled, d):
		k.source = engine.FromDisk
	case i != nil && k.source == engine.FromMemory && len(w.faults) > 0:
		if p := i.chain.LatestPost(in.From, in.Output, path); p != nil && w.memoryLost(p.Node, p.At) {
			t.dataLost = true
		}
	}
	if k.source == engine.FromDisk && (w.cost.early || w.cost.race) {
		for len(t.coming) < len(t.keys) {
			t.coming = append(t.coming, datum{})
		}
		t.coming = append(t.coming, d)
	}
	t.keys = append(t.keys, *k)
}

// heardOf reports whether the node of a task that has overtaken some of its
// inputs knows of one: it was posted, and if it is streamed, the node has begun
// to fetch it.
func (w *world) heardOf(i *invocation, t *task, source engine.Source, d *datum) bool {
	if source == engine.FromDisk {
		return w.prefetchOf(i, t, d) != none
	}
	return i.chain.LatestPost(d.function, d.output, &d.path) != nil
}

// spill notes that a datum has gone from memory to disk.
func (w *world) spill(e *engine.Effect) {
	if i := w.invocation(e.Invocation); i != nil {
		i.spilled = append(i.spilled, datum{e.Function, int32(e.Number), e.Path})
	}
}

// size draws the size of one output, or of an item of a list, whose path then
// has a level more than the function's.
func (w *world) size(i engine.Invocation, f workflow.FunctionID, output int32, path *workflow.Path) int64 {
	d := &w.workflowOf(i).Functions[f].Outputs[output].Size
	if at := int(path.Last().Index); d.Shape == workflow.ShapeByItem && at < len(d.Values) {
		return int64(d.Values[at]) // Common, and worth a short cut.
	}
	return int64(w.output(d, draw.Size, i, f, output, path))
}

// items draws the length of a list.
func (w *world) items(i engine.Invocation, f workflow.FunctionID, output int32, path *workflow.Path) uint32 {
	d := &w.workflowOf(i).Functions[f].Outputs[output].Items
	return uint32(w.output(d, draw.Items, i, f, output, path))
}

// output draws a whole number that describes an output.
func (w *world) output(d *workflow.Distribution, p draw.Purpose, i engine.Invocation, f workflow.FunctionID, output int32, path *workflow.Path) float64 {
	if d.Fixed() {
		return math.Round(d.Quantile(0.5, path.Last().Index))
	}
	about := w.subject(&engine.Subject{Invocation: i, Function: f}, 0)
	about.Output = output
	return math.Round(w.draws.Value(d, p, about, *path))
}

// fetchAll starts to fetch all inputs of a task.
func (w *world) fetchAll(at uint32) {
	t := w.tasks.At(at)
	t.left = int32(len(t.keys))
	if t.left == 0 {
		w.allFetched(at)
		return
	}
	var keys [4]int32
	for i := range t.keys {
		keys[t.keys[i].source]++
	}
	if n := keys[engine.FromNowhere]; n > 0 {
		w.lookInVain(at, n)
	}
	switch {
	case keys[engine.FromStore] == 0:
	case w.store.individually:
		for i := range w.tasks.At(at).keys {
			if k := w.tasks.At(at).keys[i]; k.source == engine.FromStore {
				w.operate(at, w.cost.get, stageGet, k.bytes)
			}
		}
	default:
		w.transferAll(at, engine.FromStore, getFromStore, w.cost.get)
	}
	switch {
	case keys[engine.FromMemory] == 0:
	case w.cost.memoryGet > 0:
		w.delay(at, w.cost.memoryGet, stageMemoryGet)
	default:
		w.transferAll(at, engine.FromMemory, getFromMemory, 0)
	}
	switch n := keys[engine.FromDisk]; {
	case n == 0:
	case w.cost.disk > 0:
		w.delay(at, w.cost.disk*engine.Time(n), stageDisk)
	default:
		w.readDisk(at)
	}
}

// readDisk reads what was prefetched, one datum after the other. What is still
// coming is read when it is there.
func (w *world) readDisk(at uint32) {
	t := w.tasks.At(at)
	data, bytes := int32(0), int64(0)
	for i := range t.keys {
		k := &t.keys[i]
		if k.source == engine.FromDisk && !(i < len(t.coming) && w.awaitStream(at, &t.coming[i])) {
			data, bytes = data+1, bytes+k.bytes
		}
	}
	if data > 0 {
		t.left -= data - 1
		w.transfer(at, getFromDisk, bytes, 0)
	}
}

// lookInVain looks for keys that are not there.
func (w *world) lookInVain(at uint32, keys int32) {
	time := w.cost.missing * engine.Time(w.cost.lookups)
	if w.store.individually || w.tasks.At(at).plan.Logged {
		for range keys {
			w.operate(at, time, stageMissing, 0)
		}
		return
	}
	w.tasks.At(at).left -= keys - 1
	w.delay(at, time, stageMissing)
}

// transferAll starts the transfers of all keys that come from one place, when
// a delay is over.
func (w *world) transferAll(at uint32, from engine.Source, kind jobKind, delay engine.Time) {
	for i := range w.tasks.At(at).keys {
		k := &w.tasks.At(at).keys[i]
		if k.source == from {
			w.transfer(at, kind, k.bytes, delay)
		}
	}
}

// keyFetched counts a key that has been transferred, once that is logged.
func (w *world) keyFetched(at uint32) {
	if w.tasks.At(at).plan.Logged {
		w.operate(at, w.cost.logging, stageFetchLog, 0)
		return
	}
	w.fetched(at, 1)
}

func (w *world) fetched(at uint32, keys int32) {
	t := w.tasks.At(at)
	if t.left -= keys; t.left == 0 {
		w.allFetched(at)
	}
}

func (w *world) allFetched(at uint32) {
	t := w.tasks.At(at)
	t.fetch = w.now - t.mark
	t.mark = w.now
	if t.dataLost {
		// As below, the end takes an event of its own.
		w.delay(at, 0, stageLost)
		return
	}
	if t.isSwitch {
		// The answer takes an event of its own, as engines must not be called
		// while they are being obeyed.
		w.delay(at, 0, stageComputed)
		return
	}
	if d := &t.function.Compute; d.Fixed() {
		t.work = nanoseconds(d.Quantile(0.5, t.subject.Path.Last().Index))
	} else {
		t.work = nanoseconds(w.draws.Value(d, draw.ComputeTime, w.subject(&t.subject, t.try), t.subject.Path))
	}
	t.work = w.throttled(t.work, t.function.CPU)
	w.stretch(at)
}

// Computing.

// throttled is how long work takes a container with less than a core that gets
// its share at the begin of each period: at full speed for a while, then not
// at all.
func (w *world) throttled(work engine.Time, cores float64) engine.Time {
	period := w.cost.period
	if period == 0 || cores <= 0 || cores >= 1 || work == 0 {
		return work
	}
	busy := float64(work) * cores // on a core of its own
	share := float64(period) * cores
	full := math.Ceil(busy/share) - 1
	return engine.Time(full)*period + nanoseconds(busy-full*share)
}

// stretch computes up to the point where the next output is posted.
func (w *world) stretch(at uint32) {
	t := w.tasks.At(at)
	f := t.function
	until := t.work
	if t.output < len(f.Outputs) {
		if at := f.Outputs[w.posting(t)].PostedAt; at < 1 {
			until = nanoseconds(float64(t.work) * at)
		}
	}
	work := until - t.done
	t.done = until
	t.mark = w.now
	if f.CPU == 0 || work == 0 {
		w.delay(at, work, stageComputed)
		return
	}
	p := w.nodes[t.node].processor
	p.start(w.now, &job{task: at, kind: computing}, float64(work), f.CPU)
	w.touch(p)
}

// posting returns the index of the output that a task posts next: outputs are
// posted in the order of PostedAt.
func (w *world) posting(t *task) int {
	if order := w.loads[t.subject.Invocation.Workflow].postingOrder; order != nil && order[t.subject.Function] != nil {
		return int(order[t.subject.Function][t.output])
	}
	return t.output
}

func (w *world) stretchDone(at uint32) {
	t := w.tasks.At(at)
	if t.isSwitch {
		w.switched(at)
		return
	}
	t.compute += w.now - t.mark
	t.mark = w.now
	if t.output < len(t.function.Outputs) {
		w.post(at)
		return
	}
	w.cleanUp(at)
}

// cleanUp lets the container clean up, which is the last that a task does.
func (w *world) cleanUp(at uint32) {
	if w.cost.cleanup > 0 {
		w.delay(at, w.cost.cleanup, stageCleanup)
		return
	}
	w.endTask(at, engine.Completed)
}

// Putting.

// post begins to put an output.
func (w *world) post(at uint32) {
	t := w.tasks.At(at)
	output := w.posting(t)
	o := &t.function.Outputs[output]
	t.item, t.items = 0, 1
	if o.List {
		t.items = w.items(t.subject.Invocation, t.subject.Function, int32(output), &t.subject.Path)
		w.tell(t.node, &engine.Event{
			Kind: engine.EventItems, Container: t.container, Number: int64(output),
			Message: engine.Message{Subject: t.subject, Items: t.items},
		})
		if w.system.Rules.ListDocuments {
			w.operate(at, w.cost.revision, stageListRead, 0)
			return
		}
	}
	w.logPut(at)
}

func (w *world) listSaved(at uint32) {
	if i := w.invocation(w.tasks.At(at).subject.Invocation); i != nil {
		i.revision++
	}
	w.logPut(at)
}

// logPut logs the keys of an output, if the platform does that. The artefact
// does it before it starts the clock of the put, so it counts as the
// function's own time.
func (w *world) logPut(at uint32) {
	t := w.tasks.At(at)
	if t.plan.Logged && t.items > 0 {
		w.operate(at, w.cost.logging*engine.Time(t.items), stagePutLog, 0)
		return
	}
	w.putLogged(at)
}

func (w *world) putLogged(at uint32) {
	t := w.tasks.At(at)
	t.compute += w.now - t.mark
	t.mark = w.now
	if t.items == 0 && t.plan.Announce { // That a list is empty may be all that is waited for.
		w.recordPost(t, int32(w.posting(t)), &t.subject.Path, 0)
	}
	w.putItem(at)
}

// putItem puts the next item of an output: into the store first, then into
// memory; then the container's data unit gets it. What is small enough is only
// announced.
func (w *world) putItem(at uint32) {
	t := w.tasks.At(at)
	for t.item < t.items {
		output := w.posting(t)
		path := t.subject.Path
		if t.function.Outputs[output].List {
			path = path.Item(t.item, t.items)
		}
		t.bytes = w.size(t.subject.Invocation, t.subject.Function, int32(output), &path)
		switch target := t.plan.Targets[output]; {
		case target&data.Store != 0:
			w.putIntoStore(at)
			return
		case t.plan.Announce && t.bytes <= t.plan.Inline:
			w.posted(at, int32(output), &path, data.Inline)
		case target&data.Memory != 0:
			w.putIntoMemory(at)
			return
		default:
			w.posted(at, int32(output), &path, target)
		}
		t.item++
	}
	t.put += w.now - t.mark
	t.mark = w.now
	t.output++
	if t.done == t.work && t.output == len(t.function.Outputs) {
		w.cleanUp(at)
		return
	}
	w.stretch(at)
}

// posted notes that an item has been put where the function has to put it, and
// lets it go on its way.
func (w *world) posted(at uint32, output int32, path *workflow.Path, way data.Target) {
	t := w.tasks.At(at)
	if !t.plan.Announce {
		return
	}
	w.recordPost(t, output, path, way)
	if way&data.Pipe != 0 {
		w.handOver(at, output, path, t.bytes)
	}
	if way &^= data.Pipe; way != 0 {
		subject := engine.Subject{Invocation: t.subject.Invocation, Function: t.subject.Function, Path: *path}
		w.announce(t.node, &subject, output, way, 0)
	}
}

func (w *world) putIntoStore(at uint32) {
	t := w.tasks.At(at)
	t.uploading = w.now
	switch {
	case t.plan.Guarded:
		w.operate(at, w.cost.revision, stageRevision, 0)
	case !w.store.individually:
		w.transfer(at, putToStore, t.bytes, w.cost.put)
	default:
		w.operate(at, w.cost.put, stagePut, 0)
	}
}

// revisionKnown notes the revision that an upload is based on.
func (w *world) revisionKnown(at uint32) {
	t := w.tasks.At(at)
	if i := w.invocation(t.subject.Invocation); i != nil {
		t.revision = i.revision
	}
	w.operate(at, w.cost.put, stagePut, 0)
}

// uploaded commits an object, unless the document that guards it has changed
// since: then all is sent again.
func (w *world) uploaded(at uint32) {
	t := w.tasks.At(at)
	i := w.invocation(t.subject.Invocation)
	if t.plan.Guarded && i != nil {
		if t.revision != i.revision {
			i.record.Conflicts++
			i.record.ResentBytes += t.bytes
			t.conflicts++
			t.retry += w.now - t.uploading
			w.putIntoStore(at)
			return
		}
		i.revision++
	}
	if i != nil {
		i.record.RemoteWritten += t.bytes
	}
	if t.plan.Targets[w.posting(t)]&data.Memory != 0 {
		w.putIntoMemory(at)
		return
	}
	w.itemPut(at)
}

func (w *world) putIntoMemory(at uint32) {
	if w.cost.memoryPut > 0 {
		w.delay(at, w.cost.memoryPut, stageMemoryPut)
		return
	}
	w.transfer(at, putToMemory, w.tasks.At(at).bytes, 0)
}

// itemPut goes on after an item that took time to put.
func (w *world) itemPut(at uint32) {
	t := w.tasks.At(at)
	output := w.posting(t)
	path := t.subject.Path
	if t.function.Outputs[output].List {
		path = path.Item(t.item, t.items)
	}
	w.posted(at, int32(output), &path, t.plan.Targets[output])
	t.item++
	w.putItem(at)
}

// Ending.

// endTask reports the end of a task.
func (w *world) endTask(at uint32, o engine.Outcome) {
	t := w.tasks.At(at)
	if t.isSwitch { // Only an input can have been lost.
		w.retire(at)
		return
	}
	w.nodes[t.node].running[t.container.Index] = none
	if i := w.invocation(t.subject.Invocation); i != nil {
		w.recordTask(i, t, o)
	}
	e := engine.Event{Kind: engine.EventTaskEnded, Outcome: o, Container: t.container, Number: t.streamed}
	to := t.node
	w.retire(at)
	w.tell(to, &e)
}

// branch draws the branch that a switch takes.
func (w *world) branch(s *engine.Subject) int {
	return w.function(s).Choose(w.draws.Uniform(draw.Branch, w.subject(s, 0), s.Path))
}

// switched reports the branch that a switch takes.
func (w *world) switched(at uint32) {
	t := w.tasks.At(at)
	branch := w.branch(&t.subject)
	w.recordWait(&t.subject, chain.Sync, t.queued, w.now)
	if i := w.invocation(t.subject.Invocation); i != nil {
		i.chain.Chosen(chain.Choice{Subject: t.subject, Branch: branch, Node: t.node, Cause: t.cause})
	}
	e := engine.Event{
		Kind: engine.EventSwitched, Number: int64(branch),
		Message: engine.Message{Subject: t.subject, Call: t.call},
	}
	to := t.node
	w.retire(at)
	w.tell(to, &e)
}

func (w *world) retire(at uint32) {
	t := w.tasks.At(at)
	t.generation++
	w.tasks.Give(at)
	if !t.isSwitch {
		w.taskGone(t.subject.Invocation)
	}
}

// cancel ends a task without a word to anyone.
func (w *world) cancel(at uint32) {
	w.leaveAll(at)
	w.retire(at)
}

// leaveAll takes all jobs of a task off their resources.
func (w *world) leaveAll(at uint32) {
	n := &w.nodes[w.tasks.At(at).node]
	n.memory.cancel(w.now, at, 1)
	w.touch(n.memory)
	n.processor.cancel(w.now, at, w.tasks.At(at).function.CPU)
	w.touch(n.processor)
	n.disk.cancel(w.now, at, 1)
	w.touch(n.disk)
	w.cancelFlow(n.put[w.capOf(&w.tasks.At(at).subject)], at)
	w.cancelFlow(n.get, at)
}

// Jobs.

// transfer starts a flow for a task when a delay is over, which is that of
// all flows of its kind.
func (w *world) transfer(at uint32, kind jobKind, bytes int64, delay engine.Time) {
	n := &w.nodes[w.tasks.At(at).node]
	j := &job{task: at, kind: kind, bytes: bytes}
	class := n.get
	switch kind {
	case putToStore:
		class = n.put[w.capOf(&w.tasks.At(at).subject)]
	case getFromDisk:
		n.disk.start(w.now, j, float64(bytes), 1)
		w.touch(n.disk)
		return
	case getFromMemory, putToMemory:
		n.memory.start(w.now, j, float64(bytes), 1)
		w.touch(n.memory)
		return
	}
	c := &w.network.classes[class]
	switch single := c.single; {
	case single != nil && delay > 0:
		single.startAfter(w.now, delay, j, float64(bytes))
		w.touch(single)
	case single != nil:
		single.start(w.now, j, float64(bytes), 1)
		w.touch(single)
	case delay > 0:
		w.network.startAfter(w.now, delay, class, j, float64(bytes))
		w.touchDomain(c.domain)
	default:
		w.network.start(w.now, class, j, float64(bytes))
		w.touchDomain(c.domain)
	}
}

// domainDue ends the flows of a domain that are due.
func (w *world) domainDue(domain int32) {
	w.network.fired(w.now, domain)
	for {
		j, class, ok := w.network.due(w.now, domain)
		if !ok {
			break
		}
		w.network.leave(w.now, class)
		w.endJob(&j)
	}
	w.touchDomain(domain)
}

// serverDue ends the jobs of a server that are due.
func (w *world) serverDue(s *server) {
	s.fired(w.now)
	for s.due() {
		j := s.take()
		demand := 1.0
		if j.kind == computing {
			demand = w.tasks.At(j.task).function.CPU
		}
		s.leave(demand)
		w.endJob(&j)
	}
	w.touch(s)
}

// endJob goes on with the task whose job has ended.
func (w *world) endJob(j *job) {
	switch j.kind {
	case computing:
		w.stretchDone(j.task)
		return
	case chunkToBroker:
		w.chunkSent(j.task &^ ofStream)
		return
	case chunkFromBroker:
		w.chunkFetched(j.task &^ ofPrefetch)
		return
	}
	i := w.invocation(w.tasks.At(j.task).subject.Invocation)
	switch j.kind {
	case getFromStore:
		if i != nil {
			i.record.RemoteRead += j.bytes
		}
		w.keyFetched(j.task)
	case getFromMemory:
		if i != nil {
			i.record.LocalRead += j.bytes
		}
		w.keyFetched(j.task)
	case getFromDisk:
		w.keyFetched(j.task)
	case putToStore:
		w.uploaded(j.task)
	case putToMemory:
		if i != nil {
			i.record.LocalWritten += j.bytes
		}
		w.itemPut(j.task)
	}
}
