package container

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/line"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/shape"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
	"github.com/flowtwin/flowtwin/scenarios"
)

// one posts a list and something large, and computes for long if it is asked to.
const one = `
name: one
functions:
  source:
    compute: 0s
    outputs: {big: 3MB}
  slow:
    compute: 1min
    inputs: [source.big]
    outputs: {list: {items: 3, size: 10}}
`

const alone = `
name: alone
workflows: [one.yaml]
cluster: {workers: 1}
load: {clients: 1, limit: 1}
schedulers: [dataflower]
profile: ideal
`

const (
	source = workflow.FunctionID(0)
	slow   = workflow.FunctionID(1)
)

// rig is a worker whose containers can be played with.
type rig struct {
	trial      *scenarios.Trial
	node       *node.Node
	containers *Containers
	watch      *watch
	kafka      *embedded.Kafka
}

// newRig starts a worker. What its containers send passes at a rate, in bytes
// per second; 0 is no limit.
func newRig(t testing.TB, launcher Launcher, rate float64) *rig {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	must(os.WriteFile(filepath.Join(dir, "one.yaml"), []byte(one), 0o644))
	plan, err := scenarios.Parse("alone.yaml", []byte(alone), dir, scenarios.Options{})
	must(err)
	r := &rig{trial: plan.Trial(0, 0), watch: &watch{}}
	for f, want := range map[workflow.FunctionID]string{source: "source", slow: "slow"} {
		if got := r.trial.Workflows[0].Functions[f].Name; got != want {
			t.Fatalf("function %d is %s, not %s", f, got, want)
		}
	}
	couch, err := embedded.StartCouchDB("admin", "secret")
	must(err)
	t.Cleanup(func() { couch.Close() })
	redis, err := embedded.StartRedis("")
	must(err)
	t.Cleanup(func() { redis.Close() })
	r.kafka, err = embedded.StartKafka()
	must(err)
	t.Cleanup(func() { r.kafka.Close() })
	s := access.Services{Name: "rig", CouchDB: couch.URL(), Redis: redis.Address(), Kafka: r.kafka.Brokers()}
	way, err := access.Open(t.Context(), r.trial, scenarios.FirstWorker, s, access.Options{Shared: true})
	must(err)
	t.Cleanup(func() { way.Close() })
	must(way.Seed(t.Context(), nil))
	link := shape.Link{}
	if rate > 0 {
		link.Out = []*shape.Bucket{shape.NewBucket(rate)}
	}
	relay, err := shape.NewRelay("token", link.Dial(services.Direct))
	must(err)
	t.Cleanup(func() { relay.Close() })
	work, err := function.WorkOf("sleep", nil)
	must(err)
	start := In(Config{Launcher: launcher, Services: s, Compute: "sleep", Relay: relay.Address(), Listen: "127.0.0.1:0"})
	r.node, err = node.New(node.Config{
		ID: scenarios.FirstWorker, Trial: r.trial, Listen: "127.0.0.1:0", Token: []byte("token"), Boot: 1, Access: way,
		Clock: clock.New(), Work: work, Observer: r.watch,
		Containers: func(n *node.Node) agent.Containers {
			r.containers = start(n).(*Containers)
			return r.containers
		},
	})
	must(err)
	t.Cleanup(func() { r.node.Close() })
	return r
}

// watch hears what goes wrong.
type watch struct {
	mu     sync.Mutex
	failed []string
}

func (w *watch) Failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, err.Error())
}

func (w *watch) heard() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.failed, "\n")
}

func (w *watch) Broken(err error)                                               { w.Failed(err) }
func (w *watch) Admitted(int64, engine.Invocation)                              {}
func (w *watch) Sent(*engine.Message)                                           {}
func (w *watch) Received(*engine.Message, engine.Time, engine.Time)             {}
func (w *watch) Waited(*engine.Subject, engine.Time, engine.Time)               {}
func (w *watch) Chosen(*chain.Choice, engine.Time, engine.Time, function.Bytes) {}
func (w *watch) Carried(engine.Invocation, function.Bytes)                      {}
func (w *watch) Started(engine.Time, engine.Invocation, bool)                   {}
func (w *watch) Ended(*agent.Report)                                            {}
func (w *watch) Killed(engine.Invocation)                                       {}
func (w *watch) Finished(engine.Time, engine.Invocation, engine.Outcome)        {}

// self starts the test binary.
func self(t testing.TB) Command {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command{name}
}

// instance is one of a function's, of an invocation that no engine knows.
func instance(f workflow.FunctionID) facts.Instance {
	return facts.Instance{Subject: engine.Subject{Invocation: engine.Invocation{Generation: 1}, Function: f}}
}

// start starts a container.
func (r *rig) start(t *testing.T, f workflow.FunctionID) *remote {
	t.Helper()
	i := instance(f)
	c, err := r.containers.Start(t.Context(), &i)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*remote)
}

// streaming is the task of source, which streams what it posts.
func streaming() *function.Task {
	return &function.Task{Instance: instance(source), Plan: engine.Plan{
		Sources: []engine.Source{}, Targets: []data.Target{data.Pipe}, Announce: true, Inline: -1,
	}}
}

// soon waits until something is so.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s, still not", what)
		}
	}
}

func isGone(p Process) func() bool {
	return func() bool {
		select {
		case <-p.Gone():
			return true
		default:
			return false
		}
	}
}

// A container that is stopped sends what its data unit has, and then it ends.
func TestAStoppedContainerSendsTheRest(t *testing.T) {
	r := newRig(t, self(t), 6e6)
	c := r.start(t, source)
	if end := c.Run(t.Context(), streaming()); end.Outcome != engine.Completed || end.Err != nil || end.Streamed != 3e6 {
		t.Fatalf("the task ended with %+v", end)
	}
	if isGone(c.process)() {
		t.Fatal("it has ended already")
	}
	began := time.Now()
	c.Close()
	soon(t, "it has ended", isGone(c.process))
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("3 MB at 6 MB/s were sent in %v", took)
	}
	b, err := broker.Open(t.Context(), broker.Options{Brokers: r.kafka.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	topics, err := b.Topics(t.Context())
	if err != nil || len(topics) != 1 {
		t.Fatalf("topics %v, %v", topics, err)
	}
	if size, err := b.LogSize(t.Context(), topics...); err != nil || size < 3e6 {
		t.Errorf("the broker has %d bytes, %v", size, err)
	}
	if heard := r.watch.heard(); heard != "" {
		t.Error(heard)
	}
}

// Of a container that crashes, what it has not sent is lost, and that is said.
func TestACrashedContainerIsLostWithItsUnsentData(t *testing.T) {
	r := newRig(t, self(t), 1e6)
	c := r.start(t, source)
	if end := c.Run(t.Context(), streaming()); end.Outcome != engine.Completed {
		t.Fatalf("the task ended with %+v", end)
	}
	if r.node.Crash(0, source) {
		t.Error("a container that runs nothing is crashed")
	}
	if err := c.process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.Lost()
	soon(t, "the loss is told", func() bool { return strings.Contains(r.watch.heard(), "its container is gone") })
	if end := c.Run(t.Context(), streaming()); end.Outcome != engine.Completed || end.Streamed != 0 { // The zero value.
		t.Errorf("a task that is given to it ends with %+v", end)
	}
}

// A container that runs a function can be crashed by its name. What waits for
// the task learns that it is lost.
func TestCrashKillsWhatRunsAFunction(t *testing.T) {
	r := newRig(t, self(t), 0)
	c := r.start(t, slow)
	ended := make(chan function.Result)
	go func() { ended <- c.Run(t.Context(), r.computing(t)) }()
	soon(t, "it runs", c.running)
	if r.node.Crash(0, source) || !r.node.Crash(0, slow) {
		t.Error("another one is crashed")
	}
	<-c.Lost()
	<-ended
	soon(t, "it has ended", isGone(c.process))
}

// waiting is the task of slow, whose input is somewhere.
func waiting(from engine.Source) *function.Task {
	return &function.Task{Instance: instance(slow), Plan: engine.Plan{
		Sources: []engine.Source{from}, Targets: []data.Target{data.Memory}, Announce: true, Inline: -1,
	}, Posted: func(int32, uint32) {}}
}

// computing is the task of slow when its input is there.
func (r *rig) computing(t *testing.T) *function.Task {
	t.Helper()
	key := function.Key{Invocation: instance(source).Invocation, Function: source}
	if err := r.node.Runtime.Memory.Put(t.Context(), &key, []byte("big")); err != nil {
		t.Fatal(err)
	}
	return waiting(engine.FromMemory)
}

// What runs in a container that is stopped is killed, wherever it is at the
// moment.
func TestAStoppedContainerEndsAtOnce(t *testing.T) {
	r := newRig(t, self(t), 0)
	for _, late := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		c := r.start(t, slow)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan function.Result)
		go func() { ended <- c.Run(ctx, r.computing(t)) }()
		time.Sleep(late)
		cancel()
		<-ended
		began := time.Now()
		c.Close()
		soon(t, "it has ended", isGone(c.process))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if heard := r.watch.heard(); heard != "" {
		t.Error(heard)
	}
}

// launch is a launcher that is a function.
type launch func(env map[string]string) Process

func (l launch) Launch(_ context.Context, _ uint64, _ *workflow.Function, env []string) (Process, error) {
	all := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		all[name] = value
	}
	return l(all), nil
}

// fake is a process that is none.
type fake struct {
	gone chan struct{}
	once sync.Once
}

func newFake() *fake { return &fake{gone: make(chan struct{})} }

func (f *fake) Gone() <-chan struct{} { return f.gone }
func (f *fake) Kill() error {
	f.once.Do(func() { close(f.gone) })
	return nil
}

// dials has a fake process say things to its agent.
func dials(t *testing.T, h line.Hello, say func(l *line.Line)) Launcher {
	return launch(func(env map[string]string) Process {
		f := newFake()
		go func() {
			conn, err := net.Dial("tcp", env[EnvAgent])
			if err != nil {
				return
			}
			go func() {
				<-f.gone
				conn.Close()
			}()
			if h.Token == "" {
				h.Token = env[EnvToken]
			}
			if h.Number == 0 {
				h.Number = 1<<32 | 1
			}
			l := line.New(conn)
			if l.Send(&h) == nil {
				say(l)
			}
		}()
		return f
	})
}

// What cannot be a container of this flowtwin is not one, and the error says why.
func TestContainersThatCannotBe(t *testing.T) {
	silent := func(*line.Line) {}
	refuses := func(l *line.Line) {
		var c command
		_ = l.Receive(&c)
		_ = l.Send(&report{Refused: "there is no space"})
	}
	ends := launch(func(map[string]string) Process {
		f := newFake()
		f.Kill()
		return f
	})
	known := line.Hello{Protocol: protocol, Version: version}
	for _, test := range []struct {
		name, want string
		launcher   Launcher
	}{
		{"it ends", "ended before it had reached its agent", ends},
		{"it speaks another version", `it speaks version 99 of "function container", this end version 1`, dials(t, line.Hello{Protocol: protocol, Version: 99}, silent)},
		{"it is something else", `it speaks version 1 of "node"`, dials(t, line.Hello{Protocol: "node", Version: 1}, silent)},
		{"it cannot get ready", "it cannot get ready: there is no space", dials(t, known, refuses)},
		{"it does not get ready", "it ended before it was ready", dials(t, known, func(l *line.Line) { l.Close() })},
		{"it does not know the token", "deadline exceeded", dials(t, line.Hello{Protocol: protocol, Version: version, Token: "guess"}, silent)},
		{"it has another's number", "deadline exceeded", dials(t, line.Hello{Protocol: protocol, Version: version, Number: 77}, silent)},
		{"there is no such program", "no such file", Command{filepath.Join(t.TempDir(), "nothing")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.launcher, 0)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			i := instance(source)
			if _, err := r.containers.Start(ctx, &i); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// Strangers on the agent's port learn nothing and do no harm.
func TestStrangersOnTheAgentsPort(t *testing.T) {
	r := newRig(t, self(t), 0)
	address := r.containers.listener.Addr().String()
	for name, text := range map[string][]byte{
		"nothing": nil, "http": []byte("GET / HTTP/1.0\r\n" + strings.Repeat("Accept: */*\r\n", 9)), "zeros": make([]byte, 1<<16), "a long message": append([]byte{0xfc, 0x7f, 0xff, 0xff, 0xff}, make([]byte, 1<<16)...),
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if text == nil {
			continue // Who says nothing is waited for, and keeps nobody waiting.
		}
		_, _ = conn.Write(text)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: it hears %d bytes, %v", name, n, err)
		}
	}
	c := r.start(t, source)
	if end := c.Run(t.Context(), streaming()); end.Outcome != engine.Completed || end.Streamed != 3e6 {
		t.Errorf("the task ended with %+v", end)
	}
}

// Who knows the token, and says what cannot be, is given up: the engine never
// hears of it.
func TestAContainerThatTalksNonsenseIsLost(t *testing.T) {
	key := function.Key{Invocation: instance(source).Invocation, Function: source}
	wrong := func(change func(*function.Key)) *function.Announcement {
		k := key
		change(&k)
		return &function.Announcement{Key: k, Way: data.Pipe}
	}
	for name, nonsense := range map[string]*report{
		"nothing":              {},
		"an unknown workflow":  {Announce: wrong(func(k *function.Key) { k.Invocation.Workflow = 7 })},
		"an unknown function":  {Announce: wrong(func(k *function.Key) { k.Function = 99 })},
		"a negative function":  {Announce: wrong(func(k *function.Key) { k.Function = -1 })},
		"an unknown output":    {Announce: wrong(func(k *function.Key) { k.Output = 5 })},
		"a deep path":          {Announce: wrong(func(k *function.Key) { k.Path = k.Path.Item(0, 2).Item(1, 2) })},
		"an item past the end": {Announce: wrong(func(k *function.Key) { k.Path = k.Path.Item(5, 2) })},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dials(t, line.Hello{Protocol: protocol, Version: version}, func(l *line.Line) {
				var c command
				if l.Receive(&c) == nil && l.Send(&report{Ready: true}) == nil {
					_ = l.Send(nonsense)
				}
			}), 0)
			c := r.start(t, source)
			<-c.Lost()
			soon(t, "it is gone", isGone(c.process))
			if heard := r.watch.heard(); !strings.Contains(heard, "is given up") {
				t.Errorf("heard %q", heard)
			}
		})
	}
}

// stubborn is a connection that bytes come from, and that takes what is written.
type stubborn struct {
	net.Conn
	from io.Reader
}

func (s *stubborn) Read(b []byte) (int, error)      { return s.from.Read(b) }
func (s *stubborn) Write(b []byte) (int, error)     { return len(b), nil }
func (s *stubborn) Close() error                    { return nil }
func (s *stubborn) SetReadDeadline(time.Time) error { return nil }

// said is the form of messages, one after the other.
func said(t testing.TB, messages ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := gob.NewEncoder(&b)
	for _, m := range messages {
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Whatever a container says, the agent survives it.
func FuzzAgent(f *testing.F) {
	key := function.Key{Invocation: instance(source).Invocation, Function: source}
	f.Add(said(f, &line.Hello{Protocol: protocol, Version: version, Token: "token", Number: 1}), false)
	f.Add(said(f, &report{Ready: true}, &report{Announce: &function.Announcement{Key: key, Way: data.Pipe, Body: []byte("{}")}}), true)
	f.Add(said(f, &report{Posted: &posted{0, 3}}, &report{Handed: &key.Invocation}, &report{Sent: &key.Invocation}, &report{Lost: &lost{key.Invocation, "no"}}), true)
	f.Add(said(f, &report{Wanted: &wanted{1, key, true}}, &report{Wanted: &wanted{2, key, false}}, &report{Result: &result{Error: "no"}}), true)
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"), false)
	r := newRig(f, Command{"/nothing"}, 0)
	f.Fuzz(func(t *testing.T, b []byte, known bool) {
		conn := &stubborn{from: bytes.NewReader(b)}
		if !known {
			r.containers.welcome(conn)
			return
		}
		c := &remote{
			Line: line.New(conn), all: r.containers, process: newFake(), function: source, results: make(chan *result, 1),
			lost: make(chan struct{}), unsent: map[engine.Invocation]int{}, task: waiting(engine.FromDisk),
		}
		c.listen()
	})
}

// Whatever an agent says, the container survives it.
func FuzzContainer(f *testing.F) {
	task := streaming()
	f.Add(said(f, &command{Run: &run{task.Instance, task.Plan, 0}}, &command{Stop: true}))
	task = waiting(engine.FromDisk)
	f.Add(said(f, &command{Run: &run{task.Instance, task.Plan, 0}}, &command{Stored: &stored{Request: 1, Missing: true}}, &command{Stop: true}))
	f.Add(said(f, &command{Stored: &stored{Request: 7, Payload: []byte("x")}}, &command{Setup: &Setup{Bundle: &scenarios.Bundle{Name: "x"}}}))
	r := newRig(f, Command{"/nothing"}, 0)
	real := r.node.Runtime
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s := &server{Line: line.New(&stubborn{from: bytes.NewReader(b)}), clock: clock.New(), over: make(chan struct{}), answers: map[uint64]chan *stored{}}
		s.runtime = function.New(function.Runtime{
			Workflows: real.Workflows, Rules: real.Rules, Facts: real.Facts, Store: empty{}, Guarded: empty{}, Memory: empty{}, Journal: real.Journal,
			Compute: func(context.Context, engine.Time) {}, Now: s.clock.Now, Sink: s,
		})
		s.unit = function.NewUnit(ctx, nowhere{}, false, func(function.Announcement) {}, func(engine.Invocation, error) {})
		_ = s.serve(ctx, cancel)
	})
}

// empty is a store that has nothing.
type empty struct{}

func (empty) Put(context.Context, *function.Key, []byte) error { return nil }
func (empty) Get(context.Context, *function.Key) ([]byte, error) {
	return nil, function.ErrMissing
}

// nowhere is a broker that sends nothing on.
type nowhere struct{}

func (nowhere) Send(context.Context, *function.Key, []byte, func([]byte)) error { return nil }
