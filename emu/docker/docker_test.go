package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/faults"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
	"github.com/flowtwin/flowtwin/emu/docker/sibling"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/harness"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/sockettest"
	"github.com/flowtwin/flowtwin/engine"
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

// Containers of a function of half a core are limited to half of that.
const leaving = `
name: leaving
workflows: [leave.yaml]
cluster: {workers: 1, storage: {cap: 50MB/s}}
load: {clients: 1, limit: 2}
schedulers: [mastersp]
profile: ideal
overrides: {container: {egress: 8MB/s}}
`

const leave = `
name: leave
functions:
  leave: {compute: 10ms, cpu: 0.5, outputs: {x: 3MB}}
  stay: {inputs: [leave.x], compute: 10ms}
`

// All of it shares a cluster, so that this takes a minute at most.
func TestOnEngine(t *testing.T) {
	engine := daemontest.Connect(t)
	w, err := New(t.Context(), Options{
		Compute: "sleep", Images: imagestest.Build(t, engine), NoPull: true, Warn: func(text string) { t.Error(text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Run("services count what the records say", func(t *testing.T) { servicesCount(t, w) })
	t.Run("nothing is left of trials but the cluster", func(t *testing.T) { nothingLeft(t, w) })
	t.Run("the storage node is held to its cap", func(t *testing.T) { capHolds(t, w) })
	t.Run("what a container sends is limited", func(t *testing.T) { egressHolds(t, w) })
	t.Run("nobody else is listened for or spoken with", func(t *testing.T) { onlyEmulated(t, w) })
	t.Run("nothing is left of the cluster", func(t *testing.T) {
		id := w.cluster.id
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		left, err := sweep.Find(t.Context(), engine, sweep.Which{Cluster: id})
		if err != nil || len(left) > 0 {
			t.Errorf("there are still %v, %v", left, err)
		}
	})
}

func planOf(t *testing.T, text string) *scenarios.Plan {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"carry.yaml": carry, "leave.yaml": leave, "busy.yaml": busy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := scenarios.Parse("test.yaml", []byte(text), dir, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// kept keeps the records of a trial.
type kept struct{ invocations []record.Invocation }

func (k *kept) Invocation(i *record.Invocation) { k.invocations = append(k.invocations, *i) }
func (k *kept) Task(*record.Task)               {}
func (k *kept) WantsTasks() bool                { return false }

// moment is when in a trial somebody looks.
type moment int

const (
	before moment = iota // its load
	during
	after // it, when all has been forgotten
)

// watched is a trial at which somebody looks while it is on, again and again.
type watched struct {
	*trial
	look func(*trial, moment)
	stop chan struct{}
	done sync.WaitGroup
}

// Begin implements harness.Cluster.
func (w *watched) Begin(c *clock.Clock) error {
	w.look(w.trial, before)
	if err := w.trial.Begin(c); err != nil {
		return err
	}
	w.done.Go(func() {
		for {
			select {
			case <-w.stop:
				return
			case <-time.After(20 * time.Millisecond):
				w.look(w.trial, during)
			}
		}
	})
	return nil
}

// End implements harness.Cluster.
func (w *watched) End() error {
	close(w.stop)
	w.done.Wait()
	w.look(w.trial, after)
	return w.trial.End()
}

// watch runs the first trial of a point, and has somebody look at it: before its
// load, during it, and before its end.
func watch(t *testing.T, w *World, plan *scenarios.Plan, point int, look func(*trial, moment)) []record.Invocation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	k := &kept{}
	err := harness.Run(ctx, plan.Trial(point, 0), k, func(ctx context.Context, s *scenarios.Trial, o agent.Observer) (harness.Cluster, error) {
		c, err := w.up(ctx, len(s.Cluster.Workers), s.EverStreams())
		if err != nil {
			return nil, err
		}
		one, err := c.begin(ctx, s, o)
		if err != nil {
			return nil, err
		}
		return &watched{trial: one, look: look, stop: make(chan struct{})}, nil
	}, w.options.Warn)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range k.invocations {
		if i.Outcome != engine.Completed {
			t.Fatalf("an invocation ended as %s", i.Outcome)
		}
	}
	return k.invocations
}

// counters are what the services say of themselves, in bytes.
type counters struct {
	store, broker       int64 // what they hold
	memoryIn, memoryOut int64 // what they have received and sent
}

// count asks all services of a trial. What they hold is the most that they have
// ever held, as data are dropped when an invocation ends. Memories, which count
// what passes, are asked before and after only, as their answers count as well.
func (c *counters) count(t *testing.T, one *trial, when moment) {
	ctx := t.Context()
	database, err := one.direct.Database(ctx, one.name)
	if err != nil {
		t.Error(err)
		return
	}
	usage, err := database.Usage(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	c.store = max(c.store, usage.External)
	if one.trial.Streams() {
		b, err := broker.Open(ctx, broker.Options{Brokers: one.brokers()})
		if err != nil {
			t.Error(err)
			return
		}
		defer b.Close()
		topics, err := b.Topics(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		size, err := b.LogSize(ctx, topics...)
		if err != nil {
			t.Error(err)
			return
		}
		c.broker = max(c.broker, size)
	}
	if when == during {
		return
	}
	c.memoryIn, c.memoryOut = 0, 0
	for _, m := range one.machines[scenarios.FirstWorker:] {
		usage, err := m.remote.Usage(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		c.memoryIn, c.memoryOut = c.memoryIn+usage.Received, c.memoryOut+usage.Sent
	}
}

// The store carries the remote path's bytes, Kafka what is streamed, Redis the
// local path's; the records say how much exactly, and the services agree.
func servicesCount(t *testing.T, w *World) {
	plan := planOf(t, carrying)
	for point, want := range []struct {
		store, memory, broker int64 // posted bytes × copies
		puts, gets, streamed  int   // operations of the memory, and of the broker
	}{
		{store: 3_500_000},
		{store: 1_000_000, memory: 2_500_000, puts: 2, gets: 2},
		{memory: 2_500_000, puts: 2, gets: 2, broker: 1_000_000, streamed: 1},
	} {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			var first, now counters
			got := watch(t, w, plan, point, func(one *trial, when moment) {
				now.count(t, one, when)
				if when == before {
					first = now
				}
			})[0]
			if got.RemoteWritten != want.store+want.broker || got.LocalWritten != want.memory || got.LocalRead != want.memory {
				t.Errorf("the records say %d B remote, %d B written to and %d B read from memory; want %d, %d, %d",
					got.RemoteWritten, got.LocalWritten, got.LocalRead, want.store+want.broker, want.memory, want.memory)
			}
			// Two workers are asked, and look for an invocation's objects to drop
			// them: operations too.
			const others = 12
			for _, c := range []struct {
				what       string
				said, want int64
				operations int
			}{
				{"the store holds", now.store - first.store, want.store, 3},
				{"the broker's log has", now.broker - first.broker, want.broker, want.streamed},
				{"Redis has received", now.memoryIn - first.memoryIn, want.memory, want.puts + want.gets + others},
				{"Redis has sent", now.memoryOut - first.memoryOut, want.memory, want.puts + want.gets + others},
			} {
				t.Logf("%s %d B, %d B were put there", c.what, c.said, c.want)
				if over := c.said - c.want; over < 0 || float64(over) > 0.02*float64(c.want)+1024*float64(c.operations) {
					t.Errorf("%s %d B, %d B were put there", c.what, c.said, c.want)
				}
			}
		})
	}
}

// Trials share the containers of the cluster, and find the services empty.
func nothingLeft(t *testing.T, w *World) {
	plan := planOf(t, carrying)
	before := containers(t, w, "")
	for point := range plan.Points {
		watch(t, w, plan, point, func(*trial, moment) {})
		if after := containers(t, w, ""); !slices.Equal(before, after) {
			t.Errorf("the containers of the cluster were %d, now they are %d, and not the same", len(before), len(after))
		}
	}
	servicesAreEmpty(t, w, plan)
}

// servicesAreEmpty checks that nothing of earlier trials is left in the services
// of a cluster, nor any function container. It plays a trial on it.
func servicesAreEmpty(t *testing.T, w *World, plan *scenarios.Plan) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) { // An engine with much to do takes its time.
		left := containers(t, w, sibling.Function)
		if len(left) == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d function containers are left", len(left))
		}
	}
	c := w.cluster
	b, err := broker.Open(t.Context(), broker.Options{Brokers: c.brokers()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	// Kafka drops topics in its own time.
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		topics, err := b.Topics(t.Context())
		if err == nil && len(topics) == 0 {
			break
		}
		if err != nil || time.Since(began) > 10*time.Second {
			t.Fatalf("Kafka has the topics %v, %v", topics, err)
		}
	}
	watch(t, w, plan, 0, func(one *trial, _ moment) {
		databases, err := one.direct.Databases(t.Context())
		databases = slices.DeleteFunc(databases, func(name string) bool { return name == one.name || strings.HasPrefix(name, "_") })
		if err != nil || len(databases) > 0 {
			t.Errorf("the store has databases of earlier trials: %v, %v", databases, err)
		}
	})
	for _, m := range c.machines[scenarios.FirstWorker:] {
		within(t, processOf(t, w, m), func() error {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", redisPort))
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "DBSIZE\r\n"); err != nil {
				return err
			}
			if said, err := bufio.NewReader(conn).ReadString('\n'); err != nil || said != ":0\r\n" {
				return fmt.Errorf("asked how many objects it has, Redis of node %d says %q, %w", m.id, said, err)
			}
			return nil
		})
	}
}

func containers(t *testing.T, w *World, role string) []string {
	t.Helper()
	labels := map[string]string{sweep.LabelCluster: w.cluster.id}
	if role != "" {
		labels[sibling.LabelRole] = role
	}
	ids, err := faults.Labelled(t.Context(), w.engine, labels)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

// processOf is the process of a machine's agent.
func processOf(t *testing.T, w *World, m *machine) int {
	t.Helper()
	one, err := w.engine.ContainerInspect(t.Context(), m.node.GetContainerID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", one.State.Pid)); err != nil {
		t.Skipf("the engine's containers are not processes of this machine that this user may look at: %v", err)
	}
	return one.State.Pid
}

// within does something in the network of a process.
func within(t *testing.T, process int, what func() error) {
	t.Helper()
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // The thread ends with this goroutine: it is of no use elsewhere.
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process))
		if err == nil {
			defer file.Close()
			if err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err == nil {
				err = what()
			}
		}
		failed <- err
	}()
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// The cap is measured before the first trial that has it, and the manifest says
// what came out.
func capHolds(t *testing.T, w *World) {
	plan := planOf(t, leaving)
	const name, tries = "storage cap 50MB/s", 5
	want := 50 * scenarios.PayloadShare
	for try := 1; ; try++ { // Others may keep the machine busy.
		w.mu.Lock()
		delete(w.measured, name)
		warn := w.options.Warn
		w.options.Warn = nil
		w.mu.Unlock()
		watch(t, w, plan, 0, func(*trial, moment) {})
		w.options.Warn = warn
		text := w.Measured()[name]
		var in, out float64
		if _, err := fmt.Sscanf(text, "%f MB/s of payload in, %f out", &in, &out); err != nil {
			t.Fatalf("%q: %v; measured were %v", text, err, w.Measured())
		}
		t.Log(text)
		if max(in, out) > 1.02*want {
			t.Errorf("the cap lets more through: %s", text)
		}
		if min(in, out) >= 0.98*want || try == tries {
			if try == tries {
				t.Errorf("after %d measurements: %s", tries, text)
			}
			return
		}
	}
}

// A container of half a core sends with half of what the profile gives a core,
// from an address of its own.
func egressHolds(t *testing.T, w *World) {
	var from []string
	own := func(one *trial, _ moment) {
		all, err := sockettest.Beside(processOf(t, w, one.cluster.machines[scenarios.StorageNode]))
		if err != nil {
			t.Error(err)
			return
		}
		for _, s := range all {
			if s.Local.Port() == couchPort && !s.Listens {
				from = append(from, s.Remote.Addr().String())
			}
		}
	}
	limited := watch(t, w, planOf(t, leaving), 0, own)
	if address := w.cluster.at(256).String(); !slices.Contains(from, address) {
		slices.Sort(from)
		t.Errorf("the store was spoken with from %v, never from the container's %s", slices.Compact(from), address)
	}
	free := watch(t, w, planOf(t, strings.ReplaceAll(leaving, "overrides", "# overrides")), 0, func(*trial, moment) {})
	want := 3e6 / (4e6 * scenarios.PayloadShare)
	slow, fast := seconds(limited[1].PutTime), seconds(free[1].PutTime)
	t.Logf("putting 3 MB takes %.3f s with the limit, %.3f s without; %.3f s by hand", slow, fast, want)
	if slow < 0.95*want || slow > 1.5*want || fast > slow/2 {
		t.Errorf("putting 3 MB takes %.3f s with the limit, %.3f s without; by hand it is %.3f s", slow, fast, want)
	}
}

func seconds(t engine.Time) float64 { return math.Round(float64(t)/1e6) / 1e3 }

// Every socket of every pod and of the harness, looked at while data move, is on
// loopback or in 198.18.0.0/15.
func onlyEmulated(t *testing.T, w *World) {
	plan := planOf(t, carrying)
	seen := map[string]bool{}
	look := func(one *trial, _ moment) {
		all, err := sockettest.Own()
		if err != nil {
			t.Error(err)
		}
		for _, m := range one.machines {
			some, err := sockettest.Beside(processOf(t, w, m))
			if err != nil {
				t.Error(err)
			}
			all = append(all, some...)
		}
		for _, s := range all {
			if s.Listens {
				seen[fmt.Sprint(s.Local.Port())] = true
			}
			if s.Foreign() {
				t.Errorf("%s", s)
			}
		}
	}
	watch(t, w, plan, 2, look)
	for _, port := range []int{meshPort, redisPort, couchPort, images.KafkaPort} {
		if !seen[fmt.Sprint(port)] {
			t.Errorf("no socket listens on port %d: this test does not see all", port)
		}
	}
	// And there is no way out of a pod.
	within(t, processOf(t, w, w.cluster.machines[scenarios.FirstWorker]), func() error {
		d := net.Dialer{Timeout: time.Second}
		conn, err := d.Dial("tcp", "192.0.2.1:80")
		if err == nil {
			conn.Close()
			return fmt.Errorf("a pod can reach %s", conn.RemoteAddr())
		}
		return nil
	})
}
