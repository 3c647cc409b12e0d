package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/harness"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/services/memory"
	"github.com/flowtwin/flowtwin/emu/sockettest"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// carry moves data of known sizes, and then waits: meanwhile all of it is where
// it was put.
const carry = `
name: carry
functions:
  first: {compute: 10ms, outputs: {x: 2MB}}
  second: {inputs: [first.x], compute: 10ms, outputs: {y: 1MB}}
  third: {inputs: [second.y], compute: 10ms, outputs: {z: 500kB}}
  last: {inputs: [third.z], compute: 700ms}
`

const carrying = `
name: carrying
workflows: [carry.yaml]
cluster: {workers: 2}
load: {clients: 1, limit: 1}
schedulers:
  - {name: mastersp, control: mastersp, data: remote, placement: explicit, table: {carry: {first: 1, second: 1, third: 2, last: 2}}}
  - {name: faasflow, control: workersp, data: faastore, placement: explicit, table: {carry: {first: 1, second: 1, third: 2, last: 2}}}
  - {name: dataflower, control: dataflower, data: pipe, placement: explicit, table: {carry: {first: 1, second: 1, third: 2, last: 2}}}
profile: ideal
`

// kept keeps the records of a trial.
type kept struct{ invocations []record.Invocation }

func (k *kept) Invocation(i *record.Invocation) { k.invocations = append(k.invocations, *i) }
func (k *kept) Task(*record.Task)               {}
func (k *kept) WantsTasks() bool                { return false }

// watched is a cluster at which somebody looks while a trial is on.
type watched struct {
	*cluster
	look func(*cluster)
	stop chan struct{}
	done sync.WaitGroup
}

// Begin implements harness.Cluster.
func (w *watched) Begin(c *clock.Clock) error {
	w.done.Go(func() {
		for {
			select {
			case <-w.stop:
				return
			case <-time.After(20 * time.Millisecond):
				w.look(w.cluster)
			}
		}
	})
	return w.cluster.Begin(c)
}

// End implements harness.Cluster.
func (w *watched) End() error {
	close(w.stop)
	w.done.Wait()
	return w.cluster.End()
}

// watch runs a trial of each scheduler, and has somebody look at it.
func watch(t *testing.T, look func(point int, c *cluster)) []record.Invocation {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "carry.yaml"), []byte(carry), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := scenarios.Parse("test.yaml", []byte(carrying), dir, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := &Options{Work: function.Work{Compute: function.Sleep}}
	k := &kept{}
	for point := range plan.Points {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := harness.Run(ctx, plan.Trial(point, 0), k, func(ctx context.Context, s *scenarios.Trial, to agent.Observer) (harness.Cluster, error) {
			c, err := start(ctx, o, s, to)
			if err != nil {
				return nil, err
			}
			return &watched{cluster: c.(*cluster), look: func(c *cluster) { look(point, c) }, stop: make(chan struct{})}, nil
		}, func(text string) { t.Error(text) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return k.invocations
}

// held is what services have held at most, in bytes.
type held struct{ store, memory, broker int64 }

func (h *held) count(ctx context.Context, c *cluster) error {
	database, err := c.servers.direct.Database(ctx, c.servers.name)
	if err != nil {
		return err
	}
	usage, err := database.Usage(ctx)
	if err != nil {
		return err
	}
	h.store = max(h.store, usage.External)
	var all int64
	for _, m := range c.machines[scenarios.FirstWorker:] {
		s, err := memory.Open(ctx, memory.Options{Address: m.memory, Namespace: fmt.Sprintf("%s-%d", c.servers.name, m.id)})
		if err != nil {
			return err
		}
		defer s.Close()
		_, bytes, err := s.Usage(ctx)
		if err != nil {
			return err
		}
		all += bytes
	}
	h.memory = max(h.memory, all)
	if len(c.servers.brokers) == 0 {
		return nil
	}
	b, err := broker.Open(ctx, broker.Options{Brokers: c.servers.brokers})
	if err != nil {
		return err
	}
	defer b.Close()
	topics, err := b.Topics(ctx)
	if err != nil {
		return err
	}
	size, err := b.LogSize(ctx, topics...)
	h.broker = max(h.broker, size)
	return err
}

// The store carries the remote path's bytes, the broker what is streamed, the
// nodes' memories the local path's; the records say how much exactly, and the
// services agree. What is dropped when an invocation ends is there while its
// last function computes.
func TestServicesHoldWhatTheRecordsSay(t *testing.T) {
	want := []held{{store: 3_500_000}, {store: 1_000_000, memory: 2_500_000}, {broker: 1_000_000, memory: 2_500_000}}
	said := make([]held, len(want))
	invocations := watch(t, func(point int, c *cluster) {
		if err := said[point].count(t.Context(), c); err != nil {
			t.Error(err)
		}
	})
	for point, i := range invocations {
		w, s := want[point], said[point]
		if i.RemoteWritten != w.store+w.broker || i.LocalWritten != w.memory || i.LocalRead != w.memory {
			t.Errorf("%d: the records say %d B remote, %d B written to and %d B read from memory; want %+v", point, i.RemoteWritten, i.LocalWritten, i.LocalRead, w)
		}
		t.Logf("%d: the services hold %+v", point, s)
		// There are three puts.
		for name, of := range map[string][2]int64{"store": {s.store, w.store}, "memories": {s.memory, w.memory}, "broker": {s.broker, w.broker}} {
			if over := of[0] - of[1]; over < 0 || float64(over) > 0.02*float64(of[1])+3*1024 {
				t.Errorf("%d: the %s hold %d B, %d B were put there", point, name, of[0], of[1])
			}
		}
	}
}

// Every socket of this process, looked at while data move, is on loopback or in
// an emulated network.
func TestNobodyElseIsSpokenWith(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lists the sockets of a process")
	}
	listening := 0
	watch(t, func(_ int, c *cluster) {
		all, err := sockettest.Own()
		if err != nil {
			t.Error(err)
		}
		for _, s := range all {
			if s.Listens {
				listening++
			}
			if s.Foreign() {
				t.Error(s)
			}
		}
	})
	if listening == 0 {
		t.Error("no socket listens: this test does not see all")
	}
}
