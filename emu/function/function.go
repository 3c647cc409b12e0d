package function

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Store keeps data. It sees to it that what is read is what was written.
type Store interface {
	// Put keeps a payload. The error is ErrConflict if it was refused because
	// of another put at the same time: then it is sent again.
	Put(ctx context.Context, k *Key, payload []byte) error
	// Get returns a payload. The error is ErrMissing if there is none.
	Get(ctx context.Context, k *Key) ([]byte, error)
}

// Errors of stores.
var (
	ErrMissing  = errors.New("there is no such datum")
	ErrConflict = errors.New("another put was first")
)

// Sink is where streamed data arrive on a node.
type Sink interface {
	// Inline returns a datum that came in a control message.
	Inline(k *Key) ([]byte, bool)
	// Read returns one that was prefetched, when all of it is there. The error
	// is ErrMissing if there is none.
	Read(ctx context.Context, k *Key) ([]byte, error)
}

// Journal takes the documents that some platforms write about functions.
type Journal interface {
	// Log saves a document about a key that is fetched or put.
	Log(ctx context.Context, k *Key) error
	// SaveList saves the list that a foreach iterates over.
	SaveList(ctx context.Context, s *engine.Subject, items uint32) error
}

// Runtime is all that function instances on a node need.
type Runtime struct {
	Workflows []*workflow.Workflow
	Rules     *engine.Rules
	Facts     *facts.Facts
	// Store is the remote store with an object for each datum, Guarded the
	// same with one document for each invocation, Memory that of the node.
	Store, Guarded, Memory Store
	// Sink is where streamed data arrive; nil where none do.
	Sink    Sink
	Journal Journal
	// Lookups is how often a datum that is not there is looked for.
	Lookups int
	// Looked, if set, is called before inputs are fetched, and waits for as
	// long as it takes to see which of so many are in the node's memory.
	Looked  func(ctx context.Context, inputs int)
	Compute Compute
	// Bodies are what functions really do, by workflow and function, as Bind
	// finds them; nil where they only pass the time and post what is drawn.
	Bodies [][]bodies.Body
	// Returns has results hold what bodies post and no function reads: what the
	// workflow is run for.
	Returns bool
	Now     func() engine.Time

	optional [][]bool // by workflow and function: a switch may skip it
	// unread tells the outputs that no function reads, by workflow, function
	// and output.
	unread [][][]bool
}

// New completes a Runtime.
func New(r Runtime) *Runtime {
	for _, w := range r.Workflows {
		optional := make([]bool, len(w.Functions))
		for _, f := range w.Order {
			optional[f] = slices.ContainsFunc(w.Functions[f].After, func(p workflow.FunctionID) bool {
				return w.Functions[p].Kind == workflow.Switch || optional[p]
			})
		}
		r.optional = append(r.optional, optional)
		r.unread = append(r.unread, unread(w))
	}
	return &r
}

// unread tells the outputs of a workflow that none of its functions reads.
func unread(w *workflow.Workflow) [][]bool {
	all := make([][]bool, len(w.Functions))
	for f := range w.Functions {
		all[f] = slices.Repeat([]bool{true}, len(w.Functions[f].Outputs))
	}
	for f := range w.Functions {
		for _, in := range w.Functions[f].Inputs {
			if in.From != workflow.GlobalInput {
				all[in.From][in.Output] = false
			}
		}
		if over := w.Functions[f].Foreach; over != nil {
			all[over.Function][over.Output] = false
		}
	}
	return all
}

// Task is a function instance to be run.
type Task struct {
	facts.Instance
	Plan engine.Plan
	// Posted is told the length of each list, before it is put.
	Posted func(output int32, items uint32)
	// Announce is told of each output that can be announced, where the plan
	// asks for that, and Hand given those that are to be streamed.
	Announce func(Announcement)
	Hand     func(k Key, payload []byte)
}

// Result is what has become of a task.
type Result struct {
	Outcome engine.Outcome
	// Err says why it did not complete.
	Err error
	// Started, Fetched and so on are measured as results/record defines them.
	Started, Ended    engine.Time
	Fetch, Put, Retry engine.Time
	// Streamed is how many bytes were handed over to be streamed, Posts when
	// each output was posted, where that is announced.
	Streamed int64
	Posts    []Post
	// Returned is what no other function reads, if that was asked for.
	Returned []Returned
	Bytes
}

// Returned is an output that a workflow is run for, since none of its functions
// reads it: one payload, or the items of a list.
type Returned struct {
	Output int32
	Items  [][]byte
}

// Bytes counts what was moved.
type Bytes struct {
	RemoteRead, RemoteWritten, LocalRead, LocalWritten, Resent int64
	Conflicts                                                  int
}

// Add adds what else was moved.
func (b *Bytes) Add(o *Bytes) {
	b.RemoteRead += o.RemoteRead
	b.RemoteWritten += o.RemoteWritten
	b.LocalRead += o.LocalRead
	b.LocalWritten += o.LocalWritten
	b.Resent += o.Resent
	b.Conflicts += o.Conflicts
}

// Run runs a task. If ctx ends, the task has been killed and what is returned
// means nothing.
func (r *Runtime) Run(ctx context.Context, t *Task) Result {
	run := r.begin(t)
	run.result.Started = r.Now()
	run.result.Outcome, run.result.Err = run.all(ctx)
	run.result.Ended = r.Now()
	return run.result
}

// Choose evaluates a switch: it reads the inputs and returns the branch that is
// taken, and what was moved. A branch that is drawn does not depend on the
// inputs, so it is returned even with an error; one that a body is to choose is
// negative then.
func (r *Runtime) Choose(ctx context.Context, t *Task) (branch int, moved Bytes, err error) {
	run := r.begin(t)
	_, err = run.fetch(ctx)
	switch {
	case run.body == nil:
		branch = r.Facts.Branch(&t.Instance)
	case err == nil:
		branch, err = run.choose(ctx)
	default:
		branch = -1
	}
	return branch, run.result.Bytes, err
}

func (r *Runtime) begin(t *Task) *run {
	w := r.Workflows[t.Invocation.Workflow]
	run := &run{runtime: r, task: t, workflow: w, function: &w.Functions[t.Function]}
	if r.Bodies != nil {
		run.body = r.Bodies[t.Invocation.Workflow][t.Function]
	}
	return run
}

// run is a task that is running.
type run struct {
	runtime  *Runtime
	task     *Task
	workflow *workflow.Workflow
	function *workflow.Function
	body     bodies.Body // nil if there is none
	inputs   []input
	result   Result
}

func (r *run) all(ctx context.Context) (engine.Outcome, error) {
	if o, err := r.fetch(ctx); err != nil {
		return o, err
	}
	if r.body != nil {
		return r.compute(ctx)
	}
	work := r.runtime.Facts.Compute(&r.task.Instance)
	done := engine.Time(0)
	for _, output := range postingOrder(r.function) {
		until := work
		if at := r.function.Outputs[output].PostedAt; at < 1 {
			until = engine.Time(float64(work)*at + 0.5)
		}
		began := time.Now()
		data := r.make(output)
		r.runtime.Compute(ctx, until-done-int64(time.Since(began)))
		done = until
		if err := r.post(ctx, output, data); err != nil {
			return engine.Failed, err
		}
	}
	r.runtime.Compute(ctx, work-done)
	return engine.Completed, ctx.Err()
}

// postingOrder lists a function's outputs in the order in which they are
// posted.
func postingOrder(f *workflow.Function) []int32 {
	order := make([]int32, len(f.Outputs))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(f.Outputs[a].PostedAt, f.Outputs[b].PostedAt) })
	return order
}

// Fetching.

// input is a datum to be fetched.
type input struct {
	number int // among the inputs of the function
	key    Key
	source engine.Source
	// optional: what a switch skips is not there, and nobody misses it.
	optional bool
	// What was fetched, if there is a body to read it. It is nil for what is
	// not there.
	payload []byte
}

// fetch reads all inputs in parallel.
func (r *run) fetch(ctx context.Context) (engine.Outcome, error) {
	began := r.runtime.Now()
	r.inputs = r.reads()
	inputs := r.inputs
	if len(inputs) == 0 {
		return engine.Completed, ctx.Err()
	}
	if r.runtime.Looked != nil {
		r.runtime.Looked(ctx, len(inputs))
	}
	errs := make([]error, len(inputs))
	moved := make([]Bytes, len(inputs))
	var all sync.WaitGroup
	for i := range inputs {
		if i == len(inputs)-1 { // The last one needs no goroutine of its own.
			errs[i] = r.get(ctx, &inputs[i], &moved[i])
			break
		}
		all.Go(func() { errs[i] = r.get(ctx, &inputs[i], &moved[i]) })
	}
	all.Wait()
	for i := range moved {
		r.result.Bytes.Add(&moved[i])
	}
	r.result.Fetch = r.runtime.Now() - began
	outcome, err := engine.Completed, ctx.Err()
	for i := range errs {
		switch {
		case errs[i] == nil || ctx.Err() != nil:
		case errors.Is(errs[i], ErrMissing):
			return engine.DataLost, fmt.Errorf("input %s of %s: %w", inputs[i].key.Name(), r.function.Name, errs[i])
		default:
			outcome, err = engine.Failed, fmt.Errorf("input %s of %s: %w", inputs[i].key.Name(), r.function.Name, errs[i])
		}
	}
	return outcome, err
}

// reads lists what the task reads.
func (r *run) reads() []input {
	t, w := r.task, r.workflow
	var all []input
	for i := range r.function.Inputs {
		in := &r.function.Inputs[i]
		source := t.Plan.Sources[i]
		if in.From == workflow.GlobalInput {
			all = append(all, input{number: i, key: GlobalInput(t.Invocation.Workflow, t.Function, i), source: source, optional: source == engine.FromNowhere})
			continue
		}
		from := &w.Functions[in.From]
		producer := t.Path.Outer(w.Scopes[from.Scope].Depth)
		optional := r.runtime.optional[t.Invocation.Workflow][in.From]
		add := func(path workflow.Path) {
			all = append(all, input{number: i, key: Key{t.Invocation, in.From, in.Output, path}, source: source, optional: optional})
		}
		switch in.Access {
		case workflow.AccessSame:
			add(producer)
		case workflow.AccessItem:
			add(t.Path.Outer(w.ItemLevel(t.Function, *in) + 1))
		case workflow.AccessAllItems:
			n := r.items(in.From, in.Output, producer)
			for item := range n {
				add(producer.Item(item, n))
			}
		case workflow.AccessGather:
			over := w.Scopes[from.Scope].Over
			n := r.items(over.Function, over.Output, t.Path)
			for item := range n {
				add(t.Path.Item(item, n))
			}
		}
	}
	return all
}

// items returns the length of a list that another function has posted.
func (r *run) items(f workflow.FunctionID, output int32, path workflow.Path) uint32 {
	producer := facts.Instance{Subject: r.task.Subject, Number: r.task.Number}
	producer.Function, producer.Path = f, path
	return r.runtime.Facts.Items(&producer, output)
}

func (r *run) get(ctx context.Context, in *input, moved *Bytes) error {
	rt := r.runtime
	if r.task.Plan.Announce && rt.Sink != nil {
		if done, err := r.getStreamed(ctx, in, moved); done {
			return err
		}
	}
	store := rt.Store
	switch {
	case in.source == engine.FromMemory:
		store = rt.Memory
	case r.task.Plan.Guarded && in.key.Output >= 0:
		store = rt.Guarded
	}
	payload, err := store.Get(ctx, &in.key)
	if errors.Is(err, ErrMissing) && in.source == engine.FromMemory && rt.Sink != nil {
		payload, err = rt.Sink.Read(ctx, &in.key) // It may have been moved to disk.
	}
	if errors.Is(err, ErrMissing) && in.optional {
		// Who looks for it does not know that it never comes.
		for n := 1; n < rt.Lookups && errors.Is(err, ErrMissing); n++ {
			payload, err = store.Get(ctx, &in.key)
		}
		if errors.Is(err, ErrMissing) {
			return r.log(ctx, &in.key)
		}
	}
	if err != nil {
		return err
	}
	if in.source == engine.FromMemory {
		moved.LocalRead += int64(len(payload))
	} else {
		moved.RemoteRead += int64(len(payload))
	}
	r.keep(in, payload)
	return r.log(ctx, &in.key)
}

// keep keeps what was fetched for the body, if there is one.
func (r *run) keep(in *input, payload []byte) {
	if r.body == nil {
		return
	}
	if in.payload = payload; payload == nil {
		in.payload = []byte{} // It is there, and empty.
	}
}

// getStreamed gets what has come to the node past the store: inline, or onto
// the disk. It reports false for what is elsewhere.
func (r *run) getStreamed(ctx context.Context, in *input, moved *Bytes) (done bool, err error) {
	if in.key.Output < 0 {
		return false, nil
	}
	if payload, ok := r.runtime.Sink.Inline(&in.key); ok {
		r.keep(in, payload)
		return true, nil
	}
	if in.source != engine.FromDisk {
		return false, nil
	}
	payload, err := r.runtime.Sink.Read(ctx, &in.key)
	switch {
	case errors.Is(err, ErrMissing) && in.optional:
		return true, nil // It was never posted.
	case err != nil:
		return true, err
	}
	r.keep(in, payload)
	return true, r.log(ctx, &in.key)
}

// log saves a document about a key, on platforms that do.
func (r *run) log(ctx context.Context, k *Key) error {
	if !r.task.Plan.Logged {
		return nil
	}
	return r.runtime.Journal.Log(ctx, k)
}

// Putting.

// datum is what a function has written.
type datum struct {
	key     Key
	payload []byte
}

// make writes an output: one datum, or the items of a list.
func (r *run) make(output int32) []datum {
	data := make([]datum, r.fan(output))
	for i := range data {
		k := r.key(output, i, len(data))
		data[i] = datum{k, Payload(r.runtime.Facts.Size(&r.task.Instance, output, k.Path), &k)}
	}
	return data
}

// fan returns how many data an output is: the length of a list, or one.
func (r *run) fan(output int32) int {
	if !r.function.Outputs[output].List {
		return 1
	}
	return int(r.runtime.Facts.Items(&r.task.Instance, output))
}

// key names an output of the task, or an item of it if it is a list.
func (r *run) key(output int32, item, of int) Key {
	k := Key{r.task.Invocation, r.task.Function, output, r.task.Path}
	if r.function.Outputs[output].List {
		k.Path = k.Path.Item(uint32(item), uint32(of))
	}
	return k
}

// post puts an output, the items of a list one after the other.
func (r *run) post(ctx context.Context, output int32, data []datum) error {
	rt := r.runtime
	if r.function.Outputs[output].List {
		if ctx.Err() == nil {
			r.task.Posted(output, uint32(len(data)))
		}
		if rt.Rules.ListDocuments {
			if err := rt.Journal.SaveList(ctx, &r.task.Subject, uint32(len(data))); err != nil {
				return fmt.Errorf("the list of %s: %w", r.function.Name, err)
			}
		}
	}
	// The artefact logs before it starts the clock of the put, so that counts
	// as the function's own time.
	for i := range data {
		if err := r.log(ctx, &data[i].key); err != nil {
			return err
		}
	}
	began := rt.Now()
	before := r.result.Put
	defer func() { r.result.Put = before + rt.Now() - began }()
	target := r.task.Plan.Targets[output]
	if len(data) == 0 && r.task.Plan.Announce { // That a list is empty may be all that is waited for.
		k := Key{r.task.Invocation, r.task.Function, output, r.task.Path}
		r.result.Posts = append(r.result.Posts, Post{Key: k, At: began, Put: before})
	}
	for i := range data {
		if err := r.put(ctx, &data[i].key, data[i].payload, target); err != nil {
			return fmt.Errorf("output %s of %s: %w", data[i].key.Name(), r.function.Name, err)
		}
		r.announce(ctx, &data[i], target, before+rt.Now()-began)
	}
	return nil
}

// announce lets an output that has been put go on its way.
func (r *run) announce(ctx context.Context, d *datum, target data.Target, put engine.Time) {
	if !r.task.Plan.Announce || ctx.Err() != nil {
		return
	}
	body := []byte(nil)
	if r.inline(d.payload, target) {
		target, body = data.Inline, d.payload
	}
	r.result.Posts = append(r.result.Posts, Post{Key: d.key, Way: target, At: r.runtime.Now(), Put: put})
	if target&data.Pipe != 0 {
		r.result.Streamed += int64(len(d.payload))
		r.result.RemoteWritten += int64(len(d.payload))
		r.task.Hand(d.key, d.payload)
	}
	if way := target &^ data.Pipe; way != 0 {
		r.task.Announce(Announcement{Key: d.key, Way: way, Body: body})
	}
}

// inline reports whether an output is small enough to travel in control
// messages.
func (r *run) inline(payload []byte, target data.Target) bool {
	return r.task.Plan.Announce && target&data.Store == 0 && int64(len(payload)) <= r.task.Plan.Inline
}

// put puts a datum into the store and then the memory, as the plan says.
func (r *run) put(ctx context.Context, k *Key, payload []byte, target data.Target) error {
	if r.inline(payload, target) {
		return nil
	}
	size := int64(len(payload))
	if target&data.Store != 0 {
		store := r.runtime.Store
		if r.task.Plan.Guarded {
			store = r.runtime.Guarded
		}
		for {
			uploading := r.runtime.Now()
			err := store.Put(ctx, k, payload)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
				return err
			}
			r.result.Conflicts++
			r.result.Resent += size
			r.result.Retry += r.runtime.Now() - uploading
		}
		r.result.RemoteWritten += size
	}
	if target&data.Memory != 0 {
		if err := r.runtime.Memory.Put(ctx, k, payload); err != nil {
			return err
		}
		r.result.LocalWritten += size
	}
	return nil
}
