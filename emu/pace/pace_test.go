package pace_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

const ms = units.Millisecond

// slow is a platform on which each operation takes a time of its own.
func slow() *profile.Profile {
	return &profile.Profile{
		Engine: profile.Engine{Event: 1 * ms, Receive: 2 * ms, Send: 4 * ms, Probe: 8 * ms, Document: 16 * ms},
		Store: profile.Store{
			Get: 20 * ms, Put: 30 * ms, Missing: 40 * ms, Stream: 1_000_000,
			Documents: profile.Documents{Placement: 21 * ms, Addresses: 22 * ms, Timing: 23 * ms, List: 24 * ms, Request: 25 * ms, Revision: 26 * ms, Log: 27 * ms},
		},
		Memory:    profile.Memory{Get: 31 * ms, Put: 32 * ms, Lookup: 5 * ms},
		Broker:    profile.Broker{Chunk: 1000, Append: 10 * ms, Get: 2 * ms, ConsumerSetup: 20 * ms},
		Disk:      profile.Disk{Get: 33 * ms},
		Container: profile.Container{Start: 34 * ms, Cleanup: 35 * ms},
	}
}

// platform answers all that is asked at once, or as late as it is told to.
type platform struct {
	late    time.Duration
	payload []byte
	err     error
}

func (p *platform) answer() error { time.Sleep(p.late); return p.err }

func (p *platform) Put(context.Context, *function.Key, []byte) error { return p.answer() }
func (p *platform) Get(context.Context, *function.Key) ([]byte, error) {
	return p.payload, p.answer()
}
func (p *platform) Read(context.Context, *function.Key) ([]byte, error) {
	return p.payload, p.answer()
}
func (p *platform) Inline(*function.Key) ([]byte, bool)                             { return nil, false }
func (p *platform) Log(context.Context, *function.Key) error                        { return p.answer() }
func (p *platform) SaveList(context.Context, *engine.Subject, uint32) error         { return p.answer() }
func (p *platform) Keep(*function.Key, []byte)                                      {}
func (p *platform) Spill(context.Context, *function.Key) error                      { return p.answer() }
func (p *platform) Drop(context.Context, *function.Key) error                       { return p.answer() }
func (p *platform) Start(context.Context, *facts.Instance) (agent.Container, error) { return p, p.err }
func (p *platform) Lost() <-chan struct{}                                           { return nil }
func (p *platform) Close()                                                          {}
func (p *platform) Prefetch(context.Context, *function.Key, []byte) (int64, error) {
	return 2500, p.answer()
}
func (p *platform) Perform(context.Context, engine.DocumentKind, *engine.Subject, uint32) error {
	return p.answer()
}

// Run runs from 100 to 200 ms, by its own clock.
func (p *platform) Run(context.Context, *function.Task) function.Result {
	return function.Result{Outcome: engine.Completed, Started: 100e6, Ended: 200e6, Fetch: 10e6}
}

// paced returns a platform's parts at the pace of a profile.
func paced(p *profile.Profile, on *platform) (*function.Runtime, *agent.Config) {
	r := &function.Runtime{Store: on, Guarded: on, Memory: on, Sink: on, Journal: on}
	c := &agent.Config{Containers: on, Documents: on, Data: on}
	pacer := pace.New(p)
	pacer.Runtime(r)
	pacer.Agent(c)
	return r, c
}

// tries is how often something may be late, as others may use the machine.
const tries = 5

// within checks that something takes a time, and not much more.
func within(t *testing.T, what string, want units.Duration, do func()) {
	t.Helper()
	var took units.Duration
	for range tries {
		began := time.Now()
		do()
		if took = units.Duration(time.Since(began)); took < want+15*ms {
			break
		}
	}
	if took < want || took > want+15*ms {
		t.Errorf("%s took %s, want %s", what, took, want)
	}
}

func TestOperationsTakeTheTimeOfTheirConstants(t *testing.T) {
	ctx, k, s := context.Background(), &function.Key{}, &engine.Subject{}
	payload := make([]byte, 10_000) // 10 ms at 1 MB/s
	on := &platform{payload: payload}
	r, c := paced(slow(), on)
	within(t, "getting from the store", 30*ms, func() { _, _ = r.Store.Get(ctx, k) })
	within(t, "putting into the store", 40*ms, func() { _ = r.Store.Put(ctx, k, payload) })
	within(t, "getting from the guarded store", 30*ms, func() { _, _ = r.Guarded.Get(ctx, k) })
	within(t, "putting into it", 66*ms, func() { _ = r.Guarded.Put(ctx, k, payload) })
	within(t, "getting from memory", 31*ms, func() { _, _ = r.Memory.Get(ctx, k) })
	within(t, "putting into memory", 32*ms, func() { _ = r.Memory.Put(ctx, k, payload) })
	within(t, "looking for three inputs", 15*ms, func() { r.Looked(ctx, 3) })
	within(t, "logging a key", 27*ms, func() { _ = r.Journal.Log(ctx, k) })
	within(t, "saving a list", 53*ms, func() { _ = r.Journal.SaveList(ctx, s, 2) })
	within(t, "reading from disk", 33*ms, func() { _, _ = r.Sink.Read(ctx, k) })
	for kind, want := range map[engine.DocumentKind]units.Duration{
		engine.DocumentPlacement: 21 * ms, engine.DocumentAddresses: 22 * ms, engine.DocumentTiming: 23 * ms, engine.DocumentList: 24 * ms, engine.DocumentRequest: 25 * ms,
	} {
		within(t, kind.String(), want, func() { _ = c.Documents.Perform(ctx, kind, s, 0) })
	}
	// Three chunks: set up, append, and three times asked for.
	within(t, "prefetching", 36*ms, func() { _, _ = c.Data.Prefetch(ctx, k, nil) })
	on.err = function.ErrMissing
	within(t, "looking in vain", 40*ms, func() {
		if _, err := r.Store.Get(ctx, k); !errors.Is(err, function.ErrMissing) {
			t.Errorf("what is missing is %v", err)
		}
	})
}

// A constant is a floor: what is slower than that by itself is not held any
// longer.
func TestWhatIsSlowIsNotHeld(t *testing.T) {
	r, c := paced(slow(), &platform{late: 70 * time.Millisecond})
	within(t, "getting from a slow store", 70*ms, func() { _, _ = r.Store.Get(context.Background(), &function.Key{}) })
	within(t, "a slow look-up", 70*ms, func() {
		_ = c.Documents.Perform(context.Background(), engine.DocumentPlacement, &engine.Subject{}, 0)
	})
}

// Who is no longer waited for does not wait.
func TestWaitsEndWithTheirContext(t *testing.T) {
	p := slow()
	p.Store.Get = units.Hour
	r, _ := paced(p, &platform{})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	within(t, "giving up", 10*ms, func() { _, _ = r.Store.Get(ctx, &function.Key{}) })
}

// The time until a container has begun is a part of the task, and of its fetch,
// as in the simulator; cleaning up is a part of the task.
func TestContainersBeginAndEndSlowly(t *testing.T) {
	_, c := paced(slow(), &platform{})
	one, err := c.Containers.Start(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var result function.Result
	within(t, "a task that takes no time", 69*ms, func() { result = one.Run(context.Background(), nil) })
	began, cleaned := 100*ms-units.Duration(result.Started), units.Duration(result.Ended)-200*ms
	if began < 34*ms || cleaned < 35*ms || result.Fetch != 10e6+int64(began) {
		t.Errorf("it was given the task %s before it began, ended %s after and fetched for %d ns", began, cleaned, result.Fetch)
	}
}

// An engine is busy as in the simulator: its own event or a message, and more
// for each message and each operation on the database that it asks for.
func TestEnginesAreBusyAsInTheSimulator(t *testing.T) {
	_, c := paced(slow(), &platform{})
	deliver := func(kind engine.MessageKind) *engine.Event {
		return &engine.Event{Kind: engine.EventDeliver, Message: engine.Message{Kind: kind}}
	}
	send, save, run := engine.Effect{Kind: engine.EffectSend}, engine.Effect{Kind: engine.EffectDocument}, engine.Effect{Kind: engine.EffectRun}
	for _, c := range []struct {
		name string
		busy engine.Time
		want units.Duration
	}{
		{"the end of a task", c.Pace.Service(&engine.Event{Kind: engine.EventTaskEnded}, nil), 1 * ms},
		{"a task that ended and triggers two", c.Pace.Service(&engine.Event{Kind: engine.EventTaskEnded}, []engine.Effect{send, run, send}), 9 * ms},
		{"a list that is posted", c.Pace.Service(&engine.Event{Kind: engine.EventItems}, nil), 0},
		{"a message that has something saved", c.Pace.Service(deliver(engine.MessageTrigger), []engine.Effect{save}), 18 * ms},
		{"a probe, which includes the answer", c.Pace.Service(deliver(engine.MessageProbe), []engine.Effect{send}), 8 * ms},
	} {
		if units.Duration(c.busy) != c.want {
			t.Errorf("%s keeps it busy for %s, want %s", c.name, units.Duration(c.busy), c.want)
		}
	}
}

// With two servers, six operations that keep one busy for 20 ms each begin in
// three rounds; the answer of the last comes when its own time is over.
func TestOperationsWaitForAServer(t *testing.T) {
	p := &profile.Profile{Store: profile.Store{Get: 30 * ms, Servers: 2, Busy: 20 * ms}}
	var took []units.Duration
	within(t, "all six", 70*ms, func() {
		r, _ := paced(p, &platform{})
		took = make([]units.Duration, 6)
		began := time.Now()
		var all sync.WaitGroup
		for i := range took {
			all.Go(func() {
				_, _ = r.Store.Get(context.Background(), &function.Key{})
				took[i] = units.Duration(time.Since(began))
			})
		}
		all.Wait()
	})
	slices.Sort(took)
	for i, want := range []units.Duration{30 * ms, 30 * ms, 50 * ms, 50 * ms, 70 * ms, 70 * ms} {
		if took[i] < want {
			t.Errorf("answer %d came after %s, want %s", i, took[i], want)
		}
	}
}

// An object is committed when the last of its bytes is there, and these are held
// back: of two uploads into one document that overlap the later is refused, even
// if the server itself is quick.
func TestUploadsThatOverlapConflict(t *testing.T) {
	ctx := context.Background()
	server, err := embedded.StartCouchDB("flowtwin", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	pacer := pace.New(&profile.Profile{Store: profile.Store{Put: 100 * ms, Stream: 1_000_000}})
	s, err := store.Open(ctx, store.Options{URL: server.URL(), Hold: pacer.Upload})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := s.Database(ctx, "test")
	if err != nil {
		t.Fatal(err)
	}
	key := func(output string) services.Key {
		return services.Key{Invocation: "one", Function: "f", Output: output}
	}
	payload := bytes.Repeat([]byte("ab"), 25_000) // 50 ms at 1 MB/s
	var first, second error
	var both sync.WaitGroup
	both.Go(func() {
		within(t, "the first upload", 150*ms, func() { first = db.PutGuarded(ctx, key("a"), payload) })
	})
	both.Go(func() {
		time.Sleep(70 * time.Millisecond) // By itself, the first would be long over.
		second = db.PutGuarded(ctx, key("b"), payload)
	})
	both.Wait()
	if first != nil || !errors.Is(second, store.ErrConflict) {
		t.Errorf("the first upload: %v; the second: %v, want a conflict", first, second)
	}
	if got, err := db.GetGuarded(ctx, key("a")); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
