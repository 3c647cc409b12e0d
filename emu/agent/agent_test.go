package agent

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
)

type remote struct{}

func (remote) Targets(w *workflow.Workflow, _, _ []int32) []data.Target { return data.Remote(w) }

func system(t *testing.T) *engine.System {
	t.Helper()
	w, err := workflow.New("flow", []workflow.Function{{Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	scheduler := engine.Scheduler{Name: "test", Control: workersp.Scheme{}, Placement: placement.Spread{}, Data: remote{}}
	s, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(1), scheduler, engine.Rules{Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch counts what is begun and what has become of it.
type watch struct {
	mu              sync.Mutex
	killed, started int
	broken          chan error
}

func (w *watch) Broken(err error) { w.broken <- err }
func (w *watch) Killed(engine.Invocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killed++
}
func (w *watch) Started(engine.Time, engine.Invocation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started++
}
func (w *watch) Failed(error)                                                   {}
func (w *watch) Admitted(int64, engine.Invocation)                              {}
func (w *watch) Sent(*engine.Message)                                           {}
func (w *watch) Received(*engine.Message, engine.Time, engine.Time)             {}
func (w *watch) Waited(*engine.Subject, engine.Time, engine.Time)               {}
func (w *watch) Chosen(*chain.Choice, engine.Time, engine.Time, function.Bytes) {}
func (w *watch) Carried(engine.Invocation, function.Bytes)                      {}
func (w *watch) Ended(*Report)                                                  {}
func (w *watch) Finished(engine.Time, engine.Invocation, engine.Outcome)        {}

// An engine that does not survive what it is told takes nobody with it: that it is
// of no use any more is said, with the reason, and nobody waits for it.
func TestAnEngineThatPanics(t *testing.T) {
	w := &watch{broken: make(chan error, 1)}
	a := New(Config{System: system(t), Now: func() engine.Time { return 0 }, Observer: w})
	defer a.Close()
	a.Arrive(99, 1) // There is no such workflow.
	select {
	case err := <-w.broken:
		if text := err.Error(); !strings.Contains(text, "node 0: its engine has panicked") || !strings.Contains(text, "engine.(*Node)") {
			t.Errorf("error %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody is told")
	}
	if !a.Quiet() {
		t.Error("it has something under way")
	}
}

// crashing are containers that are lost before they take up a task.
type crashing struct{ lost chan struct{} }

func (c crashing) Start(context.Context, *facts.Instance) (Container, error) { return c, nil }
func (c crashing) Run(context.Context, *function.Task) function.Result       { return function.Result{} }
func (c crashing) Lost() <-chan struct{}                                     { return c.lost }
func (c crashing) Close()                                                    {}

// A task that the engine gives to a container which is no more, as it does not know
// yet, is told as killed: nobody waits for it.
func TestATaskForAContainerThatIsGone(t *testing.T) {
	for range 50 {
		w := &watch{broken: make(chan error, 1)}
		lost := make(chan struct{})
		close(lost)
		a := New(Config{System: system(t), Now: func() engine.Time { return 0 }, Observer: w, Containers: crashing{lost}})
		id := engine.ContainerID{Index: 1, Generation: 1}
		done := make(chan bool)
		a.inbox.push(item{do: func(time.Time) {
			e := engine.Effect{Kind: engine.EffectStart, Container: id}
			a.start(&e)
			e.Kind = engine.EffectRun
			a.runTask(0, &e)
			close(done)
		}})
		<-done
		for until := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Microsecond) {
			w.mu.Lock()
			started, killed := w.started, w.killed
			w.mu.Unlock()
			if started == 1 && (killed == 1 || time.Now().After(until)) {
				if killed != 1 {
					t.Fatalf("%d tasks were started, %d killed", started, killed)
				}
				break
			}
		}
		a.Close()
	}
}
