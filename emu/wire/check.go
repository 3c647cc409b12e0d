package wire

import (
	"fmt"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
)

// Most of what an engine can be told without being made to allocate without
// bounds. No run comes near.
const (
	maxSlots  = 1 << 24
	maxEpochs = 1 << 20
	maxIndex  = 1 << 24
	maxItems  = 1 << 24
)

// Check returns an error if a message cannot be one of the system's: an
// engine would not survive it.
func Check(s *engine.System, m *engine.Message) error {
	nodes := engine.NodeID(s.Cluster.Nodes())
	there := func(n engine.NodeID) bool { return n >= 0 && n < nodes }
	i := &m.Invocation
	switch {
	case !there(m.From) || !there(m.To):
		return fmt.Errorf("it is from node %d to node %d, of %d", m.From, m.To, nodes)
	case int(i.Workflow) >= len(s.Workflows):
		return fmt.Errorf("it is about workflow %d of %d", i.Workflow, len(s.Workflows))
	case i.Slot >= maxSlots || i.Epoch >= maxEpochs || m.Items >= maxItems:
		return fmt.Errorf("it has a number beyond reason")
	case slices.ContainsFunc(m.Lost, func(n engine.NodeID) bool { return !there(n) }):
		return fmt.Errorf("it names nodes that there are not")
	}
	if (m.Kind == engine.MessageSuspect || m.Kind == engine.MessageTrust) && !there(engine.NodeID(m.Items)) {
		return fmt.Errorf("it names a node that there is not")
	}
	w := s.Workflows[i.Workflow]
	if m.Function < 0 || int(m.Function) >= len(w.Functions) {
		return fmt.Errorf("it is about function %d of %d", m.Function, len(w.Functions))
	}
	if outputs := len(w.Functions[m.Function].Outputs); (m.Kind == engine.MessageData || m.Kind == engine.MessageItems || m.Kind == engine.MessageCount) &&
		(m.Call < 0 || int(m.Call) >= outputs) {
		return fmt.Errorf("it is about output %d of %d", m.Call, outputs)
	}
	// A datum's path has the levels of its function, and one more for an item.
	if depth := w.Scopes[w.Functions[m.Function].Scope].Depth; m.Kind == engine.MessageData && m.Path.Depth() != depth && m.Path.Depth() != depth+1 {
		return fmt.Errorf("it is about a datum at depth %d, its function is at %d", m.Path.Depth(), depth)
	}
	for l := range m.Path.Depth() {
		if level := m.Path.Level(l); level.Index >= level.Of || level.Of >= maxItems {
			return fmt.Errorf("it is about item %d of %d", level.Index, level.Of)
		}
	}
	return nil
}
