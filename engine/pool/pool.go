// Package pool keeps the containers of one function on one node.
//
// A container serves one task at a time and is kept for a while when it has
// none. The one used last is used first, so that in times of little load the
// others grow old and are stopped, the one idle for longest first. Who waits
// for a container, and what a start costs, is not decided here.
package pool

import "math"

// Rules are the same for all pools of a platform.
type Rules struct {
	// KeepAlive is how long an idle container is kept, in ns. 0 keeps it for
	// ever.
	KeepAlive int64
	// CheckEvery is the grid on which idle containers are looked through, in
	// ns. 0 looks just in time.
	CheckEvery int64
	// CapOffByOne allows one container more than the cap, because the
	// FaaSFlow artefact refuses only when there are more than the cap.
	CapOffByOne bool
	// DeadlockAtCap: being refused a container at the cap leaves the pool
	// locked for good, because the artefact returns without giving back its
	// lock.
	DeadlockAtCap bool
}

// Pool is the containers of one function. The zero Pool is empty.
type Pool struct {
	idle     []idle // ordered by since
	starting int32
	total    int32 // idle, starting and busy
	locked   bool
}

type idle struct {
	container uint32
	since     int64
}

// Take hands out the idle container that was used last.
func (p *Pool) Take() (container uint32, ok bool) {
	if len(p.idle) == 0 || p.locked {
		return 0, false
	}
	last := len(p.idle) - 1
	container = p.idle[last].container
	p.idle = p.idle[:last]
	return container, true
}

// Count returns how many containers there are: idle ones, those being started,
// and all, with those that are busy.
func (p *Pool) Count() (idle, starting, all int) {
	return len(p.idle), int(p.starting), int(p.total)
}

// Locked reports whether the pool is locked up for good (see
// Rules.DeadlockAtCap).
func (p *Pool) Locked() bool { return p.locked }

// Idle reports whether Take would succeed.
func (p *Pool) Idle() bool { return len(p.idle) > 0 && !p.locked }

// Give puts back a container at time now.
func (p *Pool) Give(container uint32, now int64) {
	p.idle = append(p.idle, idle{container, now})
}

// Room reports whether another container may be started under the cap (0: no
// cap). With Rules.DeadlockAtCap, asking at the cap locks the pool.
func (p *Pool) Room(cap int, r *Rules) bool {
	if p.locked {
		return false
	}
	if int(p.total) < r.Limit(cap) {
		return true
	}
	p.locked = r.DeadlockAtCap
	return false
}

// Limit is how many containers there can be under a cap (0: no cap).
func (r *Rules) Limit(cap int) int {
	switch {
	case cap == 0:
		return math.MaxInt
	case r.CapOffByOne && cap < math.MaxInt:
		return cap + 1
	default:
		return cap
	}
}

// Start counts a container whose start has been asked for.
func (p *Pool) Start() { p.starting++; p.total++ }

// Up counts a container that has come up; it is busy until given back.
func (p *Pool) Up() { p.starting-- }

// Starting is the number of containers being started.
func (p *Pool) Starting() int { return int(p.starting) }

// Gone counts a container that is no more. wasStarting tells one that never
// came up.
func (p *Pool) Gone(wasStarting bool) {
	p.total--
	if wasStarting {
		p.starting--
	}
}

// Remove takes an idle container out of the pool, and reports whether it was
// there.
func (p *Pool) Remove(container uint32) bool {
	for i := range p.idle {
		if p.idle[i].container == container {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return true
		}
	}
	return false
}

// Expire takes out one container that has been idle for KeepAlive by now, and
// counts it as gone. When there is none it returns the time at which to look
// again (0: not before another container is given back).
func (p *Pool) Expire(now int64, r *Rules) (container uint32, expired bool, next int64) {
	if len(p.idle) == 0 || r.KeepAlive == 0 {
		return 0, false, 0
	}
	oldest := p.idle[0]
	if due := r.Expiry(oldest.since); now < due {
		return 0, false, due
	}
	p.idle = append(p.idle[:0], p.idle[1:]...)
	p.total--
	return oldest.container, true, 0
}

// Expiry returns when a container that has been idle since a time is stopped,
// if it stays idle.
func (r *Rules) Expiry(since int64) int64 {
	due := since + r.KeepAlive
	if r.CheckEvery <= 1 {
		return due
	}
	return (due + r.CheckEvery - 1) / r.CheckEvery * r.CheckEvery
}
