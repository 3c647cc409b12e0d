package agent

import (
	"time"

	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/engine"
)

// A node that is paced keeps the times at which things would happen if nobody
// ever overslept: when the engine has done with an event, when a message is
// there. What one sleeper is late is made good by the next, so it does not add
// up along a chain of messages.

// occupy waits until the engine has done with an event that came at a given
// time and keeps it busy for a while. It reports false if the agent is closed
// meanwhile.
func (a *Agent) occupy(busy engine.Time, came time.Time) bool {
	if a.free.Before(came) {
		a.free = came
	}
	a.free = a.free.Add(time.Duration(busy))
	return clock.Sleep(a.ctx, int64(time.Until(a.free)))
}

// overslept is how long ago the engine has done with the event whose effects
// happen now.
func (a *Agent) overslept() engine.Time {
	if a.Pace.Service == nil {
		return 0
	}
	return int64(time.Since(a.free))
}

// deliver has the loop take a message that was sent at a given time, when it
// has been under way for long enough.
func (a *Agent) deliver(sent engine.Time, take func(came time.Time)) {
	if a.messages == nil {
		a.inbox.push(item{do: take})
		return
	}
	// Whatever the sender's clock says, it has been sent by now.
	left := min(sent+a.Pace.Message-a.Now(), a.Pace.Message)
	a.messages.push(item{do: take, came: time.Now().Add(time.Duration(max(left, 0)))})
}

// hold passes on what is under way, when its time has come. All of it takes the
// same time, so nothing is overtaken.
func (a *Agent) hold(way *inbox) {
	var batch []item
	for {
		var ok bool
		if batch, ok = way.take(batch); !ok {
			return
		}
		for i := range batch {
			if !clock.Sleep(a.ctx, int64(time.Until(batch[i].came))) {
				return
			}
			a.inbox.push(batch[i])
		}
		clear(batch)
	}
}
