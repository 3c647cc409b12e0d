package wire

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

func drawMessage(t *rapid.T) engine.Message {
	node := rapid.Int32Range(-1, 1<<30)
	m := engine.Message{
		Kind: engine.MessageKind(rapid.Byte().Draw(t, "kind")), From: engine.NodeID(node.Draw(t, "from")), To: engine.NodeID(node.Draw(t, "to")),
		Call: rapid.Int32().Draw(t, "call"), Items: rapid.Uint32().Draw(t, "items"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "lost") {
		m.Lost = append(m.Lost, engine.NodeID(node.Draw(t, "node")))
	}
	m.Invocation = engine.Invocation{
		Workflow: engine.WorkflowID(rapid.Uint16().Draw(t, "workflow")), Attempt: rapid.Uint16().Draw(t, "attempt"),
		Slot: rapid.Uint32().Draw(t, "slot"), Generation: rapid.Uint32().Draw(t, "generation"), Epoch: rapid.Uint32().Draw(t, "epoch"),
	}
	m.Function = workflow.FunctionID(rapid.Int32().Draw(t, "function"))
	for range rapid.IntRange(0, workflow.MaxNesting).Draw(t, "depth") {
		m.Path = m.Path.Item(rapid.Uint32().Draw(t, "index"), rapid.Uint32().Draw(t, "of"))
	}
	return m
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := engine.Event{
			Kind: engine.EventKind(rapid.Byte().Draw(t, "event")), Outcome: engine.Outcome(rapid.Byte().Draw(t, "outcome")),
			Document: engine.DocumentKind(rapid.Byte().Draw(t, "document")), Peer: engine.NodeID(rapid.Int32().Draw(t, "peer")),
			Container: engine.ContainerID{Index: rapid.Uint32().Draw(t, "container"), Generation: rapid.Uint32().Draw(t, "of")},
			Timer:     engine.Timer{Kind: engine.TimerKind(rapid.Byte().Draw(t, "timer")), Index: rapid.Uint32().Draw(t, "at")},
			Number:    rapid.Int64().Draw(t, "number"), Message: drawMessage(t),
		}
		b := AppendEvent(nil, &e)
		r := NewReader(b)
		if got := r.Event(); !reflect.DeepEqual(got, e) || r.End() != nil {
			t.Fatalf("%+v became %+v (%v)", e, got, r.End())
		}
		for n := range b {
			if short := NewReader(b[:n]); true {
				if short.Event(); short.Err() == nil {
					t.Fatalf("%d of %d bytes were enough", n, len(b))
				}
			}
		}
	})
}

// Effects are only compared, so what must hold is that no two are alike.
func TestEveryFieldOfAnEffectShowsInItsForm(t *testing.T) {
	effects := []engine.Effect{
		{}, {Kind: 1}, {Outcome: 1}, {Document: 1}, {Cold: true}, {Try: 1}, {Container: engine.ContainerID{Index: 1}},
		{Container: engine.ContainerID{Generation: 1}}, {Timer: engine.Timer{Kind: 1}}, {Timer: engine.Timer{Index: 1}}, {At: 1}, {Since: 1}, {Number: 1},
		{Plan: engine.Plan{Sources: []engine.Source{0}}}, {Plan: engine.Plan{Sources: []engine.Source{1}}}, {Plan: engine.Plan{Targets: []data.Target{0}}}, {Plan: engine.Plan{Targets: []data.Target{1}}},
		{Plan: engine.Plan{Announce: true}}, {Plan: engine.Plan{Inline: 1}}, {Held: 1}, {AtHand: true}, {Cause: engine.Cause{Function: 1}}, {Cause: engine.Cause{Output: 1}},
		{Cause: engine.Cause{Item: workflow.Level{Index: 1}}}, {Cause: engine.Cause{Item: workflow.Level{Of: 1}}},
		{Message: engine.Message{Way: 1}}, {Message: engine.Message{Handle: 1}},
		{Plan: engine.Plan{Guarded: true}}, {Plan: engine.Plan{Logged: true}}, {Message: engine.Message{Items: 1}},
	}
	seen := map[string]int{}
	for i := range effects {
		form := string(AppendEffect(nil, &effects[i]))
		if j, known := seen[form]; known {
			t.Errorf("effects %d and %d have the same form", j, i)
		}
		seen[form] = i
	}
	fields := reflect.TypeFor[engine.Effect]().NumField() + reflect.TypeFor[engine.Plan]().NumField()
	if fields != 15+6 {
		t.Errorf("an effect and its plan have %d fields by now: write the new one, and raise Version", fields)
	}
}

func TestCheckKnowsWhatAnEngineWouldNotSurvive(t *testing.T) {
	s := &engine.System{Workflows: []*workflow.Workflow{{Functions: make([]workflow.Function, 2), Scopes: make([]workflow.Scope, 1)}}, Cluster: enginetest.Cluster(2)}
	good := engine.Message{From: 1, To: 2, Subject: engine.Subject{Function: 1, Path: workflow.Path{}.Item(1, 2)}}
	if err := Check(s, &good); err != nil {
		t.Errorf("a message that is right: %v", err)
	}
	for name, spoil := range map[string]func(*engine.Message){
		"from nobody":             func(m *engine.Message) { m.From = engine.NoNode },
		"to a node too far":       func(m *engine.Message) { m.To = 4 },
		"of another workflow":     func(m *engine.Message) { m.Invocation.Workflow = 1 },
		"of another function":     func(m *engine.Message) { m.Function = 2 },
		"of no function":          func(m *engine.Message) { m.Function = -1 },
		"a slot beyond reason":    func(m *engine.Message) { m.Invocation.Slot = 1 << 30 },
		"an epoch beyond reason":  func(m *engine.Message) { m.Invocation.Epoch = 1 << 30 },
		"a list beyond reason":    func(m *engine.Message) { m.Items = 1 << 30 },
		"an item past its list":   func(m *engine.Message) { m.Path = workflow.Path{}.Item(2, 2) },
		"a lost node there isn't": func(m *engine.Message) { m.Lost = []engine.NodeID{9} },
		"an output there isn't":   func(m *engine.Message) { m.Kind, m.Call = engine.MessageData, 5 },
		"a datum too deep": func(m *engine.Message) {
			m.Kind, m.Path = engine.MessageData, workflow.Path{}.Item(0, 2).Item(0, 2)
		},
		"a suspect there isn't": func(m *engine.Message) { m.Kind, m.Items = engine.MessageSuspect, 9 },
	} {
		m := good
		if spoil(&m); Check(s, &m) == nil {
			t.Errorf("%s: it passes", name)
		}
	}
}

func FuzzReader(f *testing.F) {
	m := engine.Message{Kind: engine.MessageRun, From: 1, To: 2, Lost: []engine.NodeID{3}, Subject: engine.Subject{Path: workflow.Path{}.Item(3, 8)}}
	f.Add(AppendMessage(nil, &m))
	f.Add(AppendEvent(nil, &engine.Event{Kind: engine.EventDeliver, Message: m}))
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(data)
		if m := r.Message(); r.End() == nil {
			again := NewReader(AppendMessage(nil, &m))
			if got := again.Message(); !reflect.DeepEqual(got, m) || again.End() != nil {
				t.Fatalf("%+v became %+v", m, got)
			}
		}
		r = NewReader(data)
		r.Event()
		_ = r.End()
	})
}
