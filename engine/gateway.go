package engine

import "slices"

// gateway is the part of a node that takes in invocations, watches their
// deadlines, begins them again when a node is lost, and reports their end.
type gateway struct {
	workflows []admissions
	epoch     uint32
	lost      []NodeID // sorted
	// reports[a][b]: node b says that node a is out of its reach.
	reports [][]bool
}

// admissions are the invocations of one workflow. Those alive form a list in
// the order of their arrival, which is also that of their deadlines.
type admissions struct {
	slots       []admission
	free        []uint32
	first, last int32
	armed       bool // a deadline timer is set
}

type admission struct {
	invocation     Invocation
	arrived        Time
	previous, next int32
	alive          bool
	finished       bool // its end has been reported
}

func newGateway(s *System) *gateway {
	g := &gateway{workflows: make([]admissions, len(s.Workflows)), reports: make([][]bool, s.Cluster.Nodes())}
	for i := range g.workflows {
		g.workflows[i].first, g.workflows[i].last = none, none
	}
	for i := range g.reports {
		g.reports[i] = make([]bool, s.Cluster.Nodes())
	}
	return g
}

// arrive admits an invocation and begins its first attempt.
func (n *Node) arrive(e Event) {
	a := &n.gateway.workflows[e.Invocation.Workflow]
	var at uint32
	if last := len(a.free) - 1; last >= 0 {
		at = a.free[last]
		a.free = a.free[:last]
	} else {
		at = uint32(len(a.slots))
		a.slots = append(a.slots, admission{invocation: Invocation{Workflow: e.Invocation.Workflow, Slot: at}})
	}
	s := &a.slots[at]
	s.invocation.Generation++
	s.invocation.Attempt = 0
	s.arrived, s.alive, s.finished = n.now, true, false
	s.previous, s.next = a.last, none
	if a.last != none {
		a.slots[a.last].next = int32(at)
	} else {
		a.first = int32(at)
	}
	a.last = int32(at)
	admit := n.effects.add(EffectAdmit)
	admit.Invocation, admit.Number = s.invocation, e.Number
	n.armDeadline(e.Invocation.Workflow)
	n.begin(s)
}

// begin starts an attempt under the deployment of the moment.
func (n *Node) begin(s *admission) {
	s.invocation.Epoch = n.gateway.epoch
	i := s.invocation
	n.current(i, true)
	if n.deployments[i.Epoch] == nil {
		n.finish(i, Failed) // No worker is left.
		return
	}
	n.control.Handle(Event{Kind: EventArrive, Message: Message{Subject: Subject{Invocation: i}}})
}

// Complete ends an invocation whose functions have all ended. Schemes call it
// on the gateway.
func (n *Node) Complete(i Invocation) { n.finish(i, Completed) }

// finish reports the end of an invocation and releases it everywhere.
func (n *Node) finish(i Invocation, o Outcome) {
	a := &n.gateway.workflows[i.Workflow]
	s := &a.slots[i.Slot]
	if !s.alive || s.invocation.Generation != i.Generation || s.invocation.Attempt != i.Attempt {
		return
	}
	if !s.finished {
		finish := n.effects.add(EffectFinish)
		finish.Invocation, finish.Outcome = s.invocation, o
	}
	n.release(s.invocation)
	s.alive = false
	a.unlink(int32(i.Slot))
	a.free = append(a.free, i.Slot)
}

func (a *admissions) unlink(at int32) {
	s := &a.slots[at]
	if s.previous != none {
		a.slots[s.previous].next = s.next
	} else if a.first == at {
		a.first = s.next
	}
	if s.next != none {
		a.slots[s.next].previous = s.previous
	} else if a.last == at {
		a.last = s.previous
	}
	s.previous, s.next = none, none
}

// release tells everyone who may know of an attempt that it has ended.
func (n *Node) release(i Invocation) {
	if d := n.deployments[i.Epoch]; d != nil {
		for _, to := range d.participants[i.Workflow] {
			if to != n.id && !slices.Contains(n.gateway.lost, to) {
				n.Send(Message{Kind: MessageRelease, To: to, Subject: Subject{Invocation: i}})
			}
		}
	}
	if n.current(i, false) {
		n.forget(i)
	}
}

func (n *Node) armDeadline(w WorkflowID) {
	a := &n.gateway.workflows[w]
	if n.system.Rules.Timeout > 0 && !a.armed && a.first != none {
		a.armed = true
		n.SetTimer(Timer{TimerDeadline, uint32(w)}, a.slots[a.first].arrived+n.system.Rules.Timeout)
	}
}

// deadline ends the invocations of a workflow that have taken too long.
func (n *Node) deadline(w WorkflowID) {
	a := &n.gateway.workflows[w]
	a.armed = false
	for a.first != none {
		s := &a.slots[a.first]
		if s.arrived+n.system.Rules.Timeout > n.now {
			break
		}
		if !n.system.Rules.RunOnAfterTimeout {
			n.finish(s.invocation, TimedOut)
			continue
		}
		s.finished = true
		finish := n.effects.add(EffectFinish)
		finish.Invocation, finish.Outcome = s.invocation, TimedOut
		a.unlink(a.first)
	}
	n.armDeadline(w)
}

// report takes note that a node says of a peer that it is out of reach, or
// within reach again. A peer is lost when anyone who is not lost says so.
func (n *Node) report(from, peer NodeID, lost bool) {
	g := n.gateway
	if lost && slices.Contains(g.lost, from) || !slices.Contains(n.system.Cluster.Workers, peer) {
		return
	}
	g.reports[peer][from] = lost
	was := slices.Contains(g.lost, peer)
	is := slices.Contains(g.reports[peer], true)
	if was == is {
		return
	}
	if is {
		g.lost = append(slices.Clone(g.lost), peer)
		slices.Sort(g.lost)
		for i := range g.reports {
			g.reports[i][peer] = false
		}
	} else {
		g.lost = slices.DeleteFunc(slices.Clone(g.lost), func(id NodeID) bool { return id == peer })
	}
	n.redeploy()
	if is {
		n.restart(peer)
	} else {
		n.Send(Message{Kind: MessageReset, To: peer, Items: g.epoch})
	}
}

// redeploy announces a placement over the workers that are left.
func (n *Node) redeploy() {
	g := n.gateway
	g.epoch++
	n.deployments = append(n.deployments, nil)
	d, err := n.system.deploy(g.lost)
	if len(g.lost) == len(n.system.Cluster.Workers) || err != nil {
		return
	}
	n.deployments[g.epoch] = d
	for to := range NodeID(n.system.Cluster.Nodes()) {
		if to != n.id && !slices.Contains(g.lost, to) {
			n.Send(Message{Kind: MessageDeploy, To: to, Items: g.epoch, Lost: g.lost})
		}
	}
}

// restart begins anew what a lost node took part in, as often as the rules
// allow.
func (n *Node) restart(lost NodeID) {
	for w := range n.gateway.workflows {
		a := &n.gateway.workflows[w]
		for at, next := a.first, none; at != none; at = next {
			s := &a.slots[at]
			next = s.next
			d := n.deployments[s.invocation.Epoch]
			if d == nil || !n.system.Rules.ProbeAllWorkers && !slices.Contains(d.participants[w], lost) {
				continue
			}
			n.giveUp(s.invocation, true)
		}
	}
}

// giveUp ends an attempt that cannot be completed, and begins another if that
// makes sense and the rules allow it.
func (n *Node) giveUp(i Invocation, again bool) {
	s := &n.gateway.workflows[i.Workflow].slots[i.Slot]
	if !again || int(i.Attempt)+1 >= n.system.Rules.Attempts {
		n.finish(i, Failed)
		return
	}
	n.release(i)
	s.invocation.Attempt++
	n.begin(s)
}
