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
	fastest  float64 // speed of a job that is alone
	demand   float64
	stale    bool // speed is not that of the demand yet
	// coming are flows that begin a little later, in the order of their times.
	coming fifo[coming]

	touched bool        // its next event may have changed
	armed   engine.Time // when the event for the next end is due
	index   uint32      // in the world's list
}

// coming is a flow that begins at a time that is known: the store needs a
// moment before the first byte. It needs no event of its own, because until
// it can have ended it only slows others down.
type coming struct {
	at       engine.Time
	earliest engine.Time // it cannot have ended before
	work     float64
	job      job
}

// newServer returns a server. For a link, capacity is in bytes per ns, every
// demand is 1 and limit is the most that one flow can get; for a processor
// capacity is in cores, demands are in cores, and limit is 1.
func newServer(capacity, limit float64) *server {
	return &server{capacity: capacity, limit: limit, fastest: min(limit, capacity), armed: never}
}

// advance brings the server up to now: flows that were coming have begun, and
// the clock has gone on at the speed that the demand allows.
func (s *server) advance(now engine.Time) {
	if s.coming.len() > 0 {
		s.begin(now)
	}
	s.tick(now)
}

// tick brings the clock up to a time, at the speed that the demand allows.
func (s *server) tick(now engine.Time) {
	if now != s.updated {
		s.reckon()
		s.sharing.tick(now)
	}
}

// begin starts the flows that were coming, each at its time.
func (s *server) begin(now engine.Time) {
	for s.coming.len() > 0 && s.coming.peek().at <= now {
		c := s.coming.peek()
		s.tick(c.at)
		s.add(&c.job, c.work)
		s.coming.drop()
		s.demand++
		s.stale = true
	}
}

// reckon sets the speed that the demand allows. Of several changes at one
// instant only the last counts.
func (s *server) reckon() {
	if s.stale {
		s.stale = false
		s.speed = min(s.limit, s.capacity/s.demand)
		if len(s.heap) == 0 {
			s.demand, s.speed = 0, 0
		}
	}
}

// start adds a job at time now.
func (s *server) start(now engine.Time, j *job, work, demand float64) {
	s.advance(now)
	s.add(j, work)
	s.demand += demand
	s.stale = true
}

// startAfter adds a flow that begins when a delay is over. The delay is the
// same for all flows of a server. It returns the time for which an event must
// be scheduled, or false if one that is scheduled already will do.
func (s *server) startAfter(now, delay engine.Time, j *job, work float64) (engine.Time, bool) {
	at := now + delay
	earliest := s.earliest(at, work)
	s.coming.push(coming{at, earliest, work, *j})
	return s.arm(earliest)
}

// earliest returns a time before which a flow cannot have ended.
func (s *server) earliest(begins engine.Time, work float64) engine.Time {
	if s.fastest <= 0 {
		return begins
	}
	return later(begins, work/s.fastest)
}

// leave takes the demand of a job that is no more off the server, which has
// been brought up to now.
func (s *server) leave(demand float64) {
	s.demand -= demand
	s.stale = true
}

// cancel takes the jobs of a task off, each with the given demand.
func (s *server) cancel(now engine.Time, task uint32, demand float64) {
	s.advance(now)
	for range s.remove(task) {
		s.leave(demand)
	}
	s.coming.deleteFunc(func(c coming) bool { return c.job.task == task })
}

// resize changes the capacity, at time now.
func (s *server) resize(now engine.Time, capacity float64) {
	s.advance(now)
	s.capacity, s.fastest = capacity, min(s.limit, capacity)
	s.stale = true
	for i := range s.coming.len() {
		c := s.coming.at(i)
		c.earliest = s.earliest(c.at, c.work)
	}
}

// rearm returns the time for which an event must be scheduled, or false if
// one that is scheduled already will do. An event that comes too early is
// harmless. The server has been brought up to the present.
func (s *server) rearm() (engine.Time, bool) {
	s.reckon()
	next := s.next()
	if n := s.coming.len(); n > 0 {
		next = min(next, s.firstComing(n))
	}
	return s.arm(next)
}

// arm returns the time for which an event must be scheduled so that there is
// one at a time, or false if there is.
func (s *server) arm(at engine.Time) (engine.Time, bool) {
	if at < s.armed {
		s.armed = at
		return at, true
	}
	return 0, false
}

// firstComing returns a time before which none of the flows that are coming
// can have ended.
func (s *server) firstComing(n int) engine.Time {
	if n > 8 { // Too many to look at; none ends before it begins.
		return s.coming.peek().at
	}
	first := never
	for i := range n {
		first = min(first, s.coming.at(i).earliest)
	}
	return first
}

// fired takes note that a scheduled event has come, and brings the server up.
func (s *server) fired(now engine.Time) {
	if s.armed <= now {
		s.armed = never
	}
	s.advance(now)
}
