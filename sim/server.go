package sim

import "github.com/flowtwin/flowtwin/engine"

// server is one resource that its jobs share: a processor, the bandwidth of a
// memory or of a link that alone limits its flows. Jobs have demands; as long
// as these fit the capacity every job goes at full speed, beyond that all are
// slowed down alike.
type server struct {
	sharing
	capacity float64 // demand that can be met
	limit    float64 // speed of a job that is not slowed down
	demand   float64
	jobs     int
	changed  bool        // speed is not that of the demand yet
	armed    engine.Time // when the event for the next end is due
	seq      uint32
}

// newServer returns a server. For a link, capacity is in bytes per ns, every
// demand is 1 and limit is the most that one flow can get; for a processor
// capacity is in cores, demands are in cores, and limit is 1.
func newServer(capacity, limit float64) server {
	return server{capacity: capacity, limit: limit, armed: never}
}

// reckon sets the speed that the demand allows.
func (s *server) reckon() {
	if s.jobs == 0 {
		s.demand, s.speed = 0, 0
		return
	}
	s.speed = min(s.limit, s.capacity/s.demand)
}

// change brings the clock up, before the demand or the capacity changes. The
// new speed is found when time goes on, so once for all changes of an instant.
func (s *server) change(now engine.Time) {
	if now > s.updated {
		if s.changed {
			s.reckon()
		}
		s.clock += s.speed * float64(now-s.updated)
		s.updated = now
	}
	s.changed = true
}

// start adds a job at time now, and returns what tells its entry from those of
// earlier jobs with the same number.
func (s *server) start(now engine.Time, job uint32, work, demand float64) (seq uint32) {
	s.change(now)
	seq = s.seq
	s.add(job, work, seq)
	s.seq++
	s.jobs++
	s.demand += demand
	return seq
}

// leave takes the demand of a job that has ended, or was cancelled, off the
// server. The entry of a cancelled job stays until the clock reaches it, or no
// job is left.
func (s *server) leave(now engine.Time, demand float64) {
	s.change(now)
	s.demand -= demand
	if s.jobs--; s.jobs == 0 {
		s.heap = s.heap[:0]
	}
}

// resize changes the capacity, at time now.
func (s *server) resize(now engine.Time, capacity float64) {
	s.change(now)
	s.capacity = capacity
}

// rearm returns the time for which an event must be scheduled, or false if
// one that is scheduled already will do. An event that comes too early is
// harmless.
func (s *server) rearm() (engine.Time, bool) {
	if s.changed {
		s.changed = false
		s.reckon()
	}
	if next := s.next(); next < s.armed {
		s.armed = next
		return next, true
	}
	return 0, false
}

// fired takes note that a scheduled event has come, and brings the clock up.
func (s *server) fired(now engine.Time) {
	if s.armed <= now {
		s.armed = never
	}
	s.change(now)
}
