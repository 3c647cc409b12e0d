package engine

import (
	"fmt"
	"slices"
	"strings"
)

// NodeName names a machine as traces and records do: gateway, storage,
// worker-1 and so on.
func (c *Cluster) NodeName(id NodeID) string {
	switch {
	case id == c.Gateway:
		return "gateway"
	case id == c.Storage:
		return "storage"
	default:
		return fmt.Sprintf("worker-%d", slices.Index(c.Workers, id)+1)
	}
}

// subject names an invocation, or an instance in it: "count[3/8]".
func (s *System) subject(x *Subject) string {
	return s.Workflows[x.Invocation.Workflow].Functions[x.Function].Name + x.Path.String()
}

func (s *System) invocation(i Invocation) string {
	name := fmt.Sprintf("%s#%d.%d", s.Workflows[i.Workflow].Name, i.Slot, i.Generation)
	if i.Attempt > 0 {
		name += fmt.Sprintf(" attempt %d", i.Attempt+1)
	}
	return name
}

func (s *System) message(m *Message) string {
	switch m.Kind {
	case MessageDeploy:
		lost := "none"
		if len(m.Lost) > 0 {
			names := make([]string, len(m.Lost))
			for i, n := range m.Lost {
				names[i] = s.Cluster.NodeName(n)
			}
			lost = strings.Join(names, " ")
		}
		return fmt.Sprintf("deploy epoch %d, lost: %s", m.Items, lost)
	case MessageReset:
		return fmt.Sprintf("reset epoch %d", m.Items)
	case MessageSuspect, MessageTrust:
		return m.Kind.String() + " " + s.Cluster.NodeName(NodeID(m.Items))
	case MessageRelease, MessageFailed, MessageDataLost:
		return m.Kind.String() + " " + s.invocation(m.Invocation)
	case MessageProbe, MessageProbed:
		return m.Kind.String()
	}
	text := m.Kind.String() + " " + s.subject(&m.Subject)
	if m.Kind == MessageData {
		return fmt.Sprintf("%s output %d, %s", text, m.Call, m.Way)
	}
	if m.Items > 0 {
		text += fmt.Sprintf(" ×%d", m.Items)
	}
	return text
}

// DescribeEvent says in a line what an event tells.
func (s *System) DescribeEvent(e *Event) string {
	switch e.Kind {
	case EventArrive:
		return "arrive " + s.Workflows[e.Invocation.Workflow].Name
	case EventDeliver:
		return s.message(&e.Message) + " from " + s.Cluster.NodeName(e.From)
	case EventContainerUp, EventContainerFailed, EventContainerLost:
		return fmt.Sprintf("%s %d", e.Kind, e.Container.Index)
	case EventTaskEnded:
		return fmt.Sprintf("task-ended in container %d, %s", e.Container.Index, e.Outcome)
	case EventItems:
		return fmt.Sprintf("items %s output %d: %d", s.subject(&e.Subject), e.Number, e.Items)
	case EventPosted:
		return fmt.Sprintf("posted %s output %d, %s", s.subject(&e.Subject), e.Number, e.Way)
	case EventArrived:
		return fmt.Sprintf("arrived %s output %d", s.subject(&e.Subject), e.Number)
	case EventDataLost:
		return "data-lost " + s.invocation(e.Invocation)
	case EventSwitched:
		branch := s.Workflows[e.Invocation.Workflow].Functions[e.Function].Branches[e.Number]
		return fmt.Sprintf("switched %s to branch %d %s", s.subject(&e.Subject), e.Number, branch.Name)
	case EventDocument:
		return fmt.Sprintf("document %s %s", e.Document, s.subject(&e.Subject))
	case EventTimer:
		return "timer " + e.Timer.String()
	default:
		return e.Kind.String() + " " + s.Cluster.NodeName(e.Peer)
	}
}

// DescribeEffect says in a line what an effect asks for.
func (s *System) DescribeEffect(e *Effect) string {
	switch e.Kind {
	case EffectAdmit:
		return "admit " + s.invocation(e.Invocation)
	case EffectSend:
		return "send " + s.message(&e.Message) + " to " + s.Cluster.NodeName(e.To)
	case EffectStart:
		return fmt.Sprintf("start container %d for %s", e.Container.Index, s.subject(&e.Subject))
	case EffectStop:
		return fmt.Sprintf("stop container %d", e.Container.Index)
	case EffectRun:
		return fmt.Sprintf("run %s in container %d%s", s.subject(&e.Subject), e.Container.Index, s.plan(e))
	case EffectEvaluate:
		return "evaluate " + s.subject(&e.Subject)
	case EffectPrefetch, EffectSpill, EffectDrop:
		return fmt.Sprintf("%s %s output %d", e.Kind, s.subject(&e.Subject), e.Number)
	case EffectDocument:
		return fmt.Sprintf("document %s %s", e.Document, s.subject(&e.Subject))
	case EffectTimer:
		return fmt.Sprintf("timer %s at %d ms", e.Timer, e.At/Millisecond)
	case EffectFinish:
		return fmt.Sprintf("finish %s %s", s.invocation(e.Invocation), e.Outcome)
	default:
		return "release " + s.invocation(e.Invocation)
	}
}

var sourceNames = [...]string{"store", "memory", "disk", "nowhere"}

// plan says where a task reads and writes.
func (s *System) plan(e *Effect) string {
	text := ""
	if len(e.Plan.Sources) > 0 {
		from := make([]string, len(e.Plan.Sources))
		for i, source := range e.Plan.Sources {
			from[i] = sourceNames[source]
		}
		text += ", from " + strings.Join(from, " ")
	}
	for i, target := range e.Plan.Targets {
		switch {
		case i == 0:
			text += ", to " + target.String()
		case target != e.Plan.Targets[i-1]:
			text += " " + target.String()
		}
	}
	return text
}
