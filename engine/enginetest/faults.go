package enginetest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
)

// link is the way from one node to another, and what the one knows of it.
type link struct {
	cuts    int // reasons why nothing comes through
	noticed bool
	changes int         // so that a notice can be found out of date
	back    int         // seq when it last came back after a loss that was noticed
	last    engine.Time // when the message sent last arrives
	held    []pending   // what waits for the way to come back
}

// send puts a message on its way.
func (d *Driver) send(id engine.NodeID, e *engine.Effect) {
	switch {
	case e.From != id:
		d.breach(id, e, "the message is from node %d", e.From)
		return
	case e.To < 0 || int(e.To) >= len(d.Nodes):
		d.breach(id, e, "there is no node %d", e.To)
		return
	}
	event := engine.Event{Kind: engine.EventDeliver, Message: e.Message}
	l := &d.links[id][e.To]
	l.last = max(l.last, d.Now+d.MessageTime(e))
	p := pending{at: l.last, to: e.To, incarnation: anyIncarnation, sent: d.seq, event: event}
	if id == e.To {
		p.incarnation = d.machines[id].incarnation
	} else {
		d.Sent[e.Message.Kind]++
	}
	d.push(p)
}

// comesThrough reports whether a message that is due arrives now. If the way
// is cut it waits until that is over, or until it is noticed, when it is lost.
func (d *Driver) comesThrough(p *pending) bool {
	l := &d.links[p.event.From][p.to]
	switch {
	case l.noticed && l.cuts > 0:
		return false
	case l.cuts > 0:
		l.held = append(l.held, *p)
		return false
	default:
		return p.sent >= l.back || !d.LoseInFlight()
	}
}

// sever cuts the way from one node to another.
func (d *Driver) sever(from, to engine.NodeID) {
	l := &d.links[from][to]
	if l.cuts++; l.cuts == 1 {
		d.watch(from, to)
	}
}

// watch has a node notice that a peer is out of reach, if that lasts.
func (d *Driver) watch(from, to engine.NodeID) {
	l := &d.links[from][to]
	l.changes++
	changes := l.changes
	d.Do(d.Now+d.Detect, func() {
		if l.changes == changes {
			d.notice(from, to)
		}
	})
}

func (d *Driver) notice(from, to engine.NodeID) {
	l := &d.links[from][to]
	if l.noticed {
		return
	}
	l.noticed, l.held = true, nil
	d.tell(0, from, engine.Event{Kind: engine.EventPeerLost, Peer: to})
}

// mend makes one reason to be cut go away.
func (d *Driver) mend(from, to engine.NodeID) {
	l := &d.links[from][to]
	if l.cuts--; l.cuts > 0 {
		return
	}
	l.changes++
	if l.noticed {
		l.noticed, l.back = false, d.seq
		d.tell(0, from, engine.Event{Kind: engine.EventPeerBack, Peer: to})
	}
	l.last = max(l.last, d.Now)
	for _, p := range l.held {
		p.at = d.Now
		d.push(p)
	}
	l.held = nil
}

func (d *Driver) peers(id engine.NodeID, what func(peer engine.NodeID)) {
	for peer := range engine.NodeID(len(d.Nodes)) {
		if peer != id {
			what(peer)
		}
	}
}

// Kill loses a node with all it knows. Its peers notice in time, or when it
// comes back without its memory after the downtime, if that is above 0.
func (d *Driver) Kill(at engine.Time, id engine.NodeID, downtime engine.Time) {
	d.Do(at, func() {
		m := &d.machines[id]
		if m.down {
			return
		}
		m.down, m.containers = true, nil
		d.forgetMemory(id)
		d.peers(id, func(peer engine.NodeID) { d.sever(peer, id) })
		if downtime > 0 {
			d.Do(d.Now+downtime, func() { d.restart(id) })
		}
	})
}

func (d *Driver) restart(id engine.NodeID) {
	d.boot(id, engine.RestartNode(id, d.System))
	d.peers(id, func(peer engine.NodeID) { d.notice(peer, id) })
	d.peers(id, func(peer engine.NodeID) { d.mend(peer, id) })
	d.peers(id, func(peer engine.NodeID) {
		if l := &d.links[id][peer]; l.cuts > 0 {
			l.noticed = false
			d.watch(id, peer)
		}
	})
}

// Cut lets no message pass between two nodes for a time, or for ever if that
// is 0. If it is short, messages are late; if it is noticed, they are lost.
func (d *Driver) Cut(at engine.Time, a, b engine.NodeID, length engine.Time) {
	d.Do(at, func() { d.sever(a, b); d.sever(b, a) })
	if length > 0 {
		d.Do(at+length, func() { d.mend(a, b); d.mend(b, a) })
	}
}

// LoseContainer lets one of a node's containers go, whatever it is doing.
func (d *Driver) LoseContainer(at engine.Time, id engine.NodeID, choose func(n int) int) {
	d.Do(at, func() {
		all := slices.SortedFunc(maps.Keys(d.machines[id].containers), func(a, b engine.ContainerID) int { return cmp.Compare(a.Index, b.Index) })
		if len(all) == 0 {
			return
		}
		which := all[choose(len(all))]
		if c := d.machines[id].containers[which]; !c.lost {
			c.lost = true
			d.tell(0, id, engine.Event{Kind: engine.EventContainerLost, Container: which})
		}
	})
}
