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
	// since[a] is the deployment under which node a was last taken back.
	since []uint32
}

// admissions are the invocations of one workflow. Those that a client waits
// for are listed in the order of their arrival, which is also that of their
// deadlines. Those that go on although their client has given up are overdue.
type admissions struct {
	slots            []admission
	free             []uint32
	waiting, overdue list
	armed            bool // a deadline timer is set
}

type list struct{ first, last uint32 }

type admission struct {
	invocation     Invocation
	arrived        Time
	previous, next uint32
	alive          bool
	finished       bool // its end has been reported
}

func newGateway(s *System) *gateway {
	nodes := s.Cluster.Nodes()
	g := &gateway{workflows: make([]admissions, len(s.Workflows)), reports: make([][]bool, nodes), since: make([]uint32, nodes)}
	for i := range g.workflows {
		g.workflows[i].waiting, g.workflows[i].overdue = list{none, none}, list{none, none}
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
	a.link(&a.waiting, at)
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
	if s.finished {
		a.unlink(&a.overdue, i.Slot)
	} else {
		a.unlink(&a.waiting, i.Slot)
		n.reportEnd(s, o)
	}
	n.release(s.invocation, o == Completed)
	s.alive = false
	a.free = append(a.free, i.Slot)
}

func (n *Node) reportEnd(s *admission, o Outcome) {
	e := n.effects.add(EffectFinish)
	e.Invocation, e.Outcome = s.invocation, o
	s.finished = true
}

func (a *admissions) link(l *list, at uint32) {
	s := &a.slots[at]
	s.previous, s.next = l.last, none
	if l.last != none {
		a.slots[l.last].next = at
	} else {
		l.first = at
	}
	l.last = at
}

func (a *admissions) unlink(l *list, at uint32) {
	s := &a.slots[at]
	if s.previous != none {
		a.slots[s.previous].next = s.next
	} else {
		l.first = s.next
	}
	if s.next != none {
		a.slots[s.next].previous = s.previous
	} else {
		l.last = s.previous
	}
	s.previous, s.next = none, none
}

// release tells everyone who may know of an attempt that it has ended, also
// those who count as lost: they may be alive, and in reach of the gateway.
func (n *Node) release(i Invocation, well bool) {
	release := Message{Kind: MessageRelease, Subject: Subject{Invocation: i}}
	if well {
		release.Items = completed
	}
	if d := n.deployments[i.Epoch]; d != nil {
		for _, to := range d.participants[i.Workflow] {
			if to != n.id {
				release.To = to
				n.Send(release)
			}
		}
	}
	if n.current(i, false) {
		n.forget(i, well)
	}
}

func (n *Node) armDeadline(w WorkflowID) {
	a := &n.gateway.workflows[w]
	if n.system.Rules.Timeout > 0 && !a.armed && a.waiting.first != none {
		a.armed = true
		n.SetTimer(Timer{TimerDeadline, uint32(w)}, a.slots[a.waiting.first].arrived+n.system.Rules.Timeout)
	}
}

// deadline ends the invocations of a workflow that have taken too long.
func (n *Node) deadline(w WorkflowID) {
	a := &n.gateway.workflows[w]
	a.armed = false
	for at := a.waiting.first; at != none; at = a.waiting.first {
		s := &a.slots[at]
		if s.arrived+n.system.Rules.Timeout > n.now {
			break
		}
		if n.system.Rules.RunOnAfterTimeout {
			a.unlink(&a.waiting, at)
			n.reportEnd(s, TimedOut)
			a.link(&a.overdue, at)
			continue
		}
		n.finish(s.invocation, TimedOut)
	}
	n.armDeadline(w)
}

// report takes note that a node says of a peer that it is out of reach, or
// within reach again, and which deployment it has last heard of. A peer is
// lost when anyone who is not lost says so.
//
// Who has yet to hear that a peer was taken back cannot say that it is lost
// again: the report may be of the last loss. Whoever still misses a peer that
// a deployment includes says so once more when hearing of it, so nothing is
// overlooked.
func (n *Node) report(from, peer NodeID, lost bool, heard uint32) {
	g := n.gateway
	if !slices.Contains(n.system.Cluster.Workers, peer) ||
		lost && (heard < g.since[peer] || slices.Contains(g.lost, from)) {
		return
	}
	g.reports[peer][from] = lost
	was, is := slices.Contains(g.lost, peer), slices.Contains(g.reports[peer], true)
	if was == is {
		if is && !lost && from == n.id { // What it was told meanwhile may not have come through.
			n.Send(Message{Kind: MessageReset, To: peer, Items: g.epoch})
		}
		return
	}
	g.lost = slices.Clone(g.lost)
	if is {
		g.lost = append(g.lost, peer)
		slices.Sort(g.lost)
		for about := range g.reports {
			g.reports[about][peer] = false
		}
	}
	// Back are the peer, or those who were lost only to the peer.
	var back []NodeID
	g.lost = slices.DeleteFunc(g.lost, func(id NodeID) bool {
		if slices.Contains(g.reports[id], true) {
			return false
		}
		back = append(back, id)
		return true
	})
	n.redeploy()
	for _, id := range back {
		g.since[id] = g.epoch
		n.Send(Message{Kind: MessageReset, To: id, Items: g.epoch})
	}
	if is {
		n.restart(peer)
	}
}

// redeploy announces a placement over the workers that are left.
func (n *Node) redeploy() {
	g := n.gateway
	g.epoch++
	n.deployments = append(n.deployments, nil)
	d, err := n.system.deploy(g.lost)
	if err != nil {
		return // No worker is left.
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
		for _, l := range []list{a.waiting, a.overdue} {
			for at, next := l.first, none; at != none; at = next {
				s := &a.slots[at]
				next = s.next
				if n.needs(s.invocation, lost) {
					n.giveUp(s.invocation, true)
				}
			}
		}
	}
}

// needs reports whether an attempt cannot go on without a worker.
func (n *Node) needs(i Invocation, worker NodeID) bool {
	d := n.deployments[i.Epoch]
	if n.system.Rules.ProbeAllWorkers && slices.Contains(d.workers, worker) {
		return true // Its answer is waited for.
	}
	return slices.Contains(d.participants[i.Workflow], worker)
}

// giveUp ends an attempt that cannot be completed, and begins another if that
// makes sense and the rules allow it.
func (n *Node) giveUp(i Invocation, again bool) {
	s := &n.gateway.workflows[i.Workflow].slots[i.Slot]
	if !again || int(i.Attempt)+1 >= n.system.Rules.Attempts {
		n.finish(i, Failed)
		return
	}
	n.release(i, false)
	s.invocation.Attempt++
	n.begin(s)
}
