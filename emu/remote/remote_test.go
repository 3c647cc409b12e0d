package remote_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/harness"
	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/remote"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

const light = `
name: light
functions:
  split:
    compute: 2ms
    global_inputs: [5kB]
    outputs: {parts: {items: {uniform: [2, 4]}, size: {uniform: [100, 5kB]}}}
  work: {foreach: split.parts, inputs: [split.parts], compute: {exponential: 3ms}, outputs: {done: {size: {uniform: [100, 5kB]}}}}
  gather: {merge: true, inputs: [work.done], compute: 1ms, outputs: {all: 2kB}}
`

const scenario = `
name: remote
workflows: [light.yaml]
cluster: {workers: 3}
load: %s
schedulers: [mastersp, faasflow, dataflower]
timeout: 8s
profile: ideal
overrides: {invocation: {attempts: 8, task_retries: 3, detect: 1s}}
faults: %s
`

func parse(t testing.TB, load, faults string) *scenarios.Plan {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "light.yaml"), []byte(light), 0o644); err != nil {
		t.Fatal(err)
	}
	plan, err := scenarios.Parse("test.yaml", fmt.Appendf(nil, scenario, load, faults), dir, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func builtin(b *scenarios.Bundle) (*scenarios.Trial, error) { return b.Trial(nil) }

func inProcess(*remote.Begin) (func(*node.Node) agent.Containers, error) { return node.InProcess, nil }

const token = "token"

// machine is a node that its harness knows by its port only.
type machine struct {
	id            engine.NodeID
	listen, serve string // addresses: for its peers, for the harness
	boot          uint64
	redis         *embedded.Redis
	remote        *remote.Node
	kill          context.CancelFunc
	ended         chan error
	inputs        []*file
}

// file is one in memory.
type file struct{ bytes.Buffer }

// address is one of the loopback interface that nobody listens at.
func address(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// begin starts the process that a machine is, as far as that is one.
func (m *machine) begin() error {
	listener, err := net.Listen("tcp", m.serve)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.kill, m.ended = cancel, make(chan error, 1)
	go func() {
		m.ended <- remote.Serve(ctx, listener, remote.Config{Token: token, Plan: builtin, Containers: inProcess, Patience: 10 * time.Second})
	}()
	m.remote, err = remote.Dial(ctx, fmt.Sprintf("node %d", m.id), m.serve, token)
	return err
}

// cluster is a harness.Cluster of such machines. Their link has no limit.
type cluster struct {
	t        testing.TB
	trial    *scenarios.Trial
	services access.Services
	merger   *remote.Merger
	machines []*machine
	start    int64
	stop     []func() error
}

func newCluster(t testing.TB) *cluster { return &cluster{t: t} }

// up is a harness.Start.
func (c *cluster) up(ctx context.Context, trial *scenarios.Trial, o agent.Observer) (harness.Cluster, error) {
	c.trial, c.merger = trial, remote.NewMerger(o)
	couch, err := embedded.StartCouchDB("admin", "secret")
	if err != nil {
		return nil, err
	}
	kafka, err := embedded.StartKafka()
	if err != nil {
		return nil, err
	}
	c.stop = append(c.stop, couch.Close, kafka.Close)
	c.services = access.Services{Name: "trial", CouchDB: couch.URL()}
	if trial.Streams() {
		c.services.Kafka = kafka.Brokers()
	}
	seeder, err := access.Open(ctx, trial, scenarios.StorageNode, c.services, access.Options{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(seeder.Seed(ctx, nil), seeder.Close()); err != nil {
		return nil, err
	}
	for id := range engine.NodeID(len(trial.Cluster.Workers)) + scenarios.FirstWorker {
		m := &machine{id: id, listen: address(c.t), serve: address(c.t)}
		if m.redis, err = embedded.StartRedis(""); err != nil {
			return nil, err
		}
		c.machines = append(c.machines, m)
		if err := errors.Join(m.begin(), c.join(ctx, m)); err != nil {
			return nil, err
		}
	}
	for _, m := range c.machines {
		if err := m.remote.Connect(ctx, c.addresses()); err != nil {
			return nil, err
		}
	}
	for _, m := range c.machines {
		if err := m.remote.Ready(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *cluster) addresses() map[engine.NodeID]string {
	all := map[engine.NodeID]string{}
	for _, m := range c.machines {
		all[m.id] = m.listen
	}
	return all
}

// join makes a machine part of the trial.
func (c *cluster) join(ctx context.Context, m *machine) error {
	m.boot++
	m.inputs = append(m.inputs, &file{})
	b := &remote.Begin{Bundle: c.trial.Bundle(), ID: m.id, Listen: m.listen, Boot: m.boot, Services: c.services, Compute: "sleep"}
	b.Services.Redis = m.redis.Address()
	return m.remote.Begin(ctx, b, c.merger, m.inputs[len(m.inputs)-1])
}

func (c *cluster) Begin(timer *clock.Clock) error {
	timer.Restart()
	c.start = timer.Start()
	for _, m := range c.machines {
		if err := m.remote.Start(context.Background(), c.start); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) Arrive(w engine.WorkflowID, number int64) {
	_ = c.machines[scenarios.GatewayNode].remote.Arrive(w, number)
}

func (c *cluster) Quiet() bool {
	for _, m := range c.machines {
		if m.remote == nil {
			continue
		}
		if quiet, err := m.remote.Quiet(context.Background()); err == nil && !quiet {
			return false
		}
	}
	return true
}

func (c *cluster) Lost() <-chan error { return nil }

func (c *cluster) End() error {
	var errs []error
	for _, m := range c.machines {
		if m.remote != nil {
			errs = append(errs, m.remote.End(context.Background()))
			m.remote.Close()
			errs = append(errs, <-m.ended)
		}
		errs = append(errs, m.redis.Close())
	}
	c.merger.Close()
	for _, stop := range c.stop {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

func (c *cluster) Kill(id engine.NodeID) error {
	m := c.machines[id]
	m.remote.Doom()
	m.kill()
	<-m.ended
	m.remote.Bury()
	m.remote = nil
	m.redis.Empty()
	return nil
}

func (c *cluster) Restart(id engine.NodeID) error {
	m, ctx := c.machines[id], context.Background()
	if err := errors.Join(m.begin(), c.join(ctx, m)); err != nil {
		return err
	}
	return errors.Join(m.remote.Start(ctx, c.start), m.remote.Connect(ctx, c.addresses()))
}

func (c *cluster) Part(a, b engine.NodeID, apart bool) error {
	var errs []error
	for _, way := range [...][2]engine.NodeID{{a, b}, {b, a}} {
		if m := c.machines[way[0]]; m.remote != nil {
			errs = append(errs, m.remote.Part(context.Background(), way[1], "", apart))
		}
	}
	return errors.Join(errs...)
}

func (c *cluster) Crash(w engine.WorkflowID, f workflow.FunctionID) error {
	for _, m := range c.machines {
		if m.remote == nil {
			continue
		}
		if found, err := m.remote.Crash(context.Background(), w, f); err != nil || found {
			return err
		}
	}
	return nil
}

var errNo = errors.New("these nodes cannot do that")

func (c *cluster) Freeze(engine.NodeID, bool) error  { return errNo }
func (c *cluster) Slow(engine.NodeID, float64) error { return errNo }
func (c *cluster) StopStore(bool) error              { return errNo }
func (c *cluster) LoseMemory(engine.NodeID) error    { return errNo }

type kept []record.Invocation

func (k *kept) Invocation(i *record.Invocation) { *k = append(*k, *i) }
func (k *kept) Task(*record.Task)               {}
func (k *kept) WantsTasks() bool                { return false }

// run runs a trial.
func run(t *testing.T, trial *scenarios.Trial, start harness.Start) kept {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var k kept
	if err := harness.Run(ctx, trial, &k, start, func(text string) { t.Log(text) }); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(k, func(a, b record.Invocation) int { return cmp.Compare(a.Number, b.Number) })
	return k
}

// Nodes that the harness reaches through connections only do, and tell, what
// nodes in its own process do.
func TestNodesDoTheSameByThemselves(t *testing.T) {
	plan := parse(t, "{clients: 1, limit: 5}", "[]")
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			before := runtime.NumGoroutine()
			w, err := local.New(t.Context(), local.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var want kept
			if err := w.Run(t.Context(), plan.Trial(point, 0), &want); err != nil {
				t.Fatal(err)
			}
			got := run(t, plan.Trial(point, 0), newCluster(t).up)
			if len(got) != 5 || len(want) != 5 {
				t.Fatalf("%d and %d invocations, want 5", len(got), len(want))
			}
			for n := range want {
				g, w := &got[n], &want[n]
				for _, one := range []struct {
					what      string
					got, want any
				}{
					{"number", g.Number, w.Number}, {"outcome", g.Outcome, w.Outcome}, {"tasks", g.Tasks, w.Tasks}, {"messages", g.Messages, w.Messages},
					{"remote read", g.RemoteRead, w.RemoteRead}, {"remote written", g.RemoteWritten, w.RemoteWritten},
					{"local read", g.LocalRead, w.LocalRead}, {"local written", g.LocalWritten, w.LocalWritten},
				} {
					if one.got != one.want {
						t.Errorf("invocation %d: %s %v, in one process %v", n, one.what, one.got, one.want)
					}
				}
			}
			for until := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(until) {
					stacks := make([]byte, 1<<20)
					t.Fatalf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
				}
			}
		})
	}
}

// Nodes are killed, come back, and are cut off: every invocation ends, and what
// each engine was told can be replayed, in each of its lives.
func TestNodesComeAndGo(t *testing.T) {
	plan := parse(t, "{arrivals: constant, rate: 30/s, limit: 60}", `
  - {at: 200ms, kill: worker-1, for: 200ms}
  - {at: 300ms, crash_function: "light:work"}
  - {at: 500ms, partition: worker-2, for: 100ms}
  - {at: 700ms, partition: worker-2, from: [gateway], for: 1500ms}
  - {at: 1200ms, kill: worker-3, for: 50ms}`)
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			c := newCluster(t)
			trial := plan.Trial(point, 0)
			got := run(t, trial, c.up)
			completed := 0
			for n := range got {
				if got[n].Number != int64(n) {
					t.Fatalf("invocation %d is recorded as number %d", n, got[n].Number)
				}
				if got[n].Outcome == engine.Completed {
					completed++
				}
			}
			if len(got) != 60 || completed < 57 {
				t.Errorf("%d of 60 ended, %d completed", len(got), completed)
			}
			lives, steps := 0, 0
			for _, m := range c.machines {
				for _, inputs := range m.inputs {
					r, err := replay.NewReader(inputs)
					if err != nil {
						t.Fatalf("node %d: %v", m.id, err)
					}
					system, err := engine.NewSystem(trial.Workflows, trial.Cluster.Engine(), trial.Scheduler, trial.Profile.Rules())
					if err != nil {
						t.Fatal(err)
					}
					result, err := replay.Play(system, r)
					if err != nil {
						t.Errorf("node %d: %v", m.id, err)
					}
					lives, steps = lives+1, steps+result.Steps
				}
			}
			if lives != 5+2 || steps < 60 {
				t.Errorf("%d lives with %d steps, want 7", lives, steps)
			}
		})
	}
}

// A node that ends by itself ends the trial, with the reason.
func TestANodeThatEndsByItselfEndsTheTrial(t *testing.T) {
	plan := parse(t, "{arrivals: constant, rate: 50/s, limit: 500}", "[]")
	c := newCluster(t)
	time.AfterFunc(500*time.Millisecond, func() { c.machines[scenarios.FirstWorker].kill() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var k kept
	err := harness.Run(ctx, plan.Trial(0, 0), &k, c.up, nil)
	if err == nil || !strings.Contains(err.Error(), "node 2 has ended, and not because of a fault") {
		t.Errorf("error %v", err)
	}
}

// serve starts a node without a harness.
func serve(t *testing.T, patience time.Duration) (at string, ended <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		result <- remote.Serve(t.Context(), listener, remote.Config{Token: token, Plan: builtin, Containers: inProcess, Patience: patience})
	}()
	return listener.Addr().String(), result
}

// soon returns what a node ends with.
func soon(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("the node does not end")
		return nil
	}
}

func TestNodesEndWithTheirHarness(t *testing.T) {
	t.Run("it never comes", func(t *testing.T) {
		_, ended := serve(t, 50*time.Millisecond)
		if err := soon(t, ended); err == nil || err.Error() != "no harness has come within 50ms" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("it takes leave", func(t *testing.T) {
		at, ended := serve(t, time.Minute)
		n, err := remote.Dial(t.Context(), "node 0", at, token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Quiet(t.Context()); err == nil || err.Error() != "node 0: there is no trial under way" {
			t.Errorf("error %v", err)
		}
		n.Close()
		if err := soon(t, ended); err != nil {
			t.Errorf("error %v", err)
		}
		if _, err := n.Quiet(t.Context()); err == nil || !strings.Contains(err.Error(), "node 0 is gone") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("it is another's", func(t *testing.T) {
		at, ended := serve(t, 300*time.Millisecond)
		n, err := remote.Dial(t.Context(), "node 0", at, "guess")
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if _, err := n.Quiet(t.Context()); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("error %v", err)
		}
		if err := soon(t, ended); err == nil || !strings.Contains(err.Error(), "no harness has come") {
			t.Errorf("error %v", err)
		}
	})
}

// Strangers on the port of a node do no harm, and keep its harness from nothing.
func TestStrangersOnANodesPort(t *testing.T) {
	at, _ := serve(t, time.Minute)
	for _, text := range []string{"", "GET / HTTP/1.0\r\n" + strings.Repeat("Accept: */*\r\n", 9), "\xfc\x7f\xff\xff\xff" + strings.Repeat("\x00", 1<<16)} {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if text == "" {
			continue // Who says nothing is waited for, beside others.
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("of %d bytes, it hears %d, %v", len(text), n, err)
		}
	}
	n, err := remote.Dial(t.Context(), "node 0", at, token)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := n.Quiet(ctx); err == nil || err.Error() != "node 0: there is no trial under way" {
		t.Errorf("error %v", err)
	}
	// There is one harness.
	if conn, err := net.Dial("tcp", at); err == nil {
		conn.Close()
		t.Error("the node still listens")
	}
}

var _ harness.Cluster = (*cluster)(nil)
