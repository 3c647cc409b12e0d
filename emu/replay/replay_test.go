package replay

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

type nothing struct{ io.Writer }

func (nothing) Close() error { return nil }

type remote struct{}

func (remote) Targets(w *workflow.Workflow, _, _ []int32) []data.Target { return data.Remote(w) }

func system(t testing.TB) *engine.System {
	t.Helper()
	w, err := workflow.New("flow", []workflow.Function{{Name: "a"}, {Name: "b", After: []workflow.FunctionID{0}}})
	if err != nil {
		t.Fatal(err)
	}
	scheduler := engine.Scheduler{Name: "test", Control: workersp.Scheme{}, Placement: placement.Spread{}, Data: remote{}}
	s, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(2), scheduler, engine.Rules{Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record drives the gateway through the beginning of an invocation and a lost
// worker, and returns the file.
func record(t testing.TB) []byte {
	t.Helper()
	var file bytes.Buffer
	s := system(t)
	w, err := NewWriter(nothing{&file}, Head{Point: 3, Trial: 4, Node: s.Cluster.Gateway})
	if err != nil {
		t.Fatal(err)
	}
	node := engine.NewNode(s.Cluster.Gateway, s)
	var effects engine.Effects
	for i, e := range []engine.Event{
		{Kind: engine.EventArrive, Number: 7}, {Kind: engine.EventArrive, Number: 8}, {Kind: engine.EventPeerLost, Peer: s.Cluster.Workers[0]},
	} {
		effects.Reset()
		node.Step(engine.Time(i)*engine.Second, e, &effects)
		if len(effects.List) == 0 {
			t.Fatalf("event %d has no effects", i)
		}
		if err := w.Step(engine.Time(i)*engine.Second, &e, effects.List); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestTheSameEventsHaveTheSameEffects(t *testing.T) {
	r, err := NewReader(bytes.NewReader(record(t)))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Head{Point: 3, Trial: 4, Node: 0}); r.Head != want {
		t.Errorf("the head is %+v, want %+v", r.Head, want)
	}
	result, err := Play(system(t), r)
	if err != nil || result.Steps != 3 || result.Effects < 3 || result.Cut {
		t.Errorf("%+v, %v", result, err)
	}
}

// An engine with other rules asks for something else, and the step is named.
func TestAnotherEngineIsFoundOut(t *testing.T) {
	r, err := NewReader(bytes.NewReader(record(t)))
	if err != nil {
		t.Fatal(err)
	}
	s := system(t)
	s.Rules.Attempts = 1
	_, err = Play(s, r)
	var d *Difference
	if !errors.As(err, &d) || d.Step != 3 || !strings.Contains(err.Error(), "peer-lost worker-1") {
		t.Errorf("the error is %v", err)
	}
}

// A run that was killed leaves a file that ends anywhere: what is whole is
// played.
func TestAFileThatIsCutShortIsPlayedAsFarAsItGoes(t *testing.T) {
	whole := record(t)
	for n := range whole {
		r, err := NewReader(bytes.NewReader(whole[:n]))
		if err != nil {
			continue // Even the head is not there.
		}
		if result, err := Play(system(t), r); err != nil || result.Steps >= 3 {
			t.Fatalf("%d of %d bytes: %+v, %v", n, len(whole), result, err)
		}
	}
}

func TestEveryDamageIsFound(t *testing.T) {
	whole := record(t)
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1
		r, err := NewReader(bytes.NewReader(damaged))
		if err != nil {
			continue
		}
		if result, err := Play(system(t), r); err == nil && !result.Cut {
			t.Errorf("byte %d was changed, and nobody noticed", i)
		}
	}
}

func FuzzPlay(f *testing.F) {
	f.Add(record(f))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		_, _ = Play(system(t), r)
	})
}

// Events that pass all checksums, but were never told to any engine.
func FuzzEvents(f *testing.F) {
	f.Add(uint8(engine.EventSwitched), uint32(1), int64(5), uint8(0), int32(1))
	f.Fuzz(func(t *testing.T, kind uint8, index uint32, number int64, message uint8, function int32) {
		e := engine.Event{Kind: engine.EventKind(kind), Container: engine.ContainerID{Index: index}, Peer: engine.NodeID(number), Number: number}
		e.Timer.Index, e.Message.Kind, e.Function, e.Call = index, engine.MessageKind(message), workflow.FunctionID(function), int32(number)
		var file bytes.Buffer
		w, err := NewWriter(nothing{&file}, Head{Node: 2})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Step(0, &e, nil), w.Close()); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = Play(system(t), r)
	})
}

// Of a node that is killed, nobody closes the file: it has what the engine was told
// until a moment before.
func TestAFileThatNobodyClosesCanBePlayed(t *testing.T) {
	var file bytes.Buffer
	s := system(t)
	w, err := NewWriter(nothing{&file}, Head{Node: s.Cluster.Gateway})
	if err != nil {
		t.Fatal(err)
	}
	played := func() Result {
		t.Helper()
		r, err := NewReader(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		result, err := Play(s, r)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if got := played(); got != (Result{}) {
		t.Errorf("before the first step it has %+v", got)
	}
	node := engine.NewNode(s.Cluster.Gateway, s)
	var effects engine.Effects
	for n := range int64(20) {
		e := engine.Event{Kind: engine.EventArrive, Number: n}
		effects.Reset()
		now := n * flushEvery / 2
		node.Step(now, e, &effects)
		if err := w.Step(now, &e, effects.List); err != nil {
			t.Fatal(err)
		}
		if got := played(); int64(got.Steps) < n-1 || got.Cut {
			t.Errorf("after step %d it has %+v", n+1, got)
		}
	}
}
