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
	at   engine.Time
	work float64
	job  job
}

// newServer returns a server. For a link, capacity is in bytes per ns, every
// demand is 1 and limit is the most that one flow can get; for a processor
// capacity is in cores, demands are in cores, and limit is 1.
func newServer(capacity, limit float64) *server {
	return &server{capacity: capacity, limit: limit, armed: never}
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
// same for all flows of a server.
func (s *server) startAfter(now, delay engine.Time, j *job, work float64) {
	s.coming.push(coming{now + delay, work, *j})
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
	s.capacity = capacity
	s.stale = true
}

// rearm returns the time for which an event must be scheduled, or false if
// one that is scheduled already will do. An event that comes too early is
// harmless. The server has been brought up to the present.
func (s *server) rearm() (engine.Time, bool) {
	s.reckon()
	next := s.next()
	if s.coming.len() > 0 {
		next = min(next, s.firstComing())
	}
	if next < s.armed {
		s.armed = next
		return next, true
	}
	return 0, false
}

// firstComing returns a time before which none of the flows that are coming
// can have ended. Those that begin together slow each other down, from the
// first moment until one of them ends.
func (s *server) firstComing() engine.Time {
	const most = 32 // that are looked at; of the others none ends before it begins
	first := never
	n := s.coming.len()
	for i := 0; i < n; {
		c := s.coming.at(i)
		least, together := c.work, 1
		for i += 1; i < min(n, most) && s.coming.at(i).at == c.at; i++ {
			least = min(least, s.coming.at(i).work)
			together++
		}
		if i >= most {
			return min(first, c.at)
		}
		first = min(first, later(c.at, least/min(s.limit, s.capacity/float64(together))))
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
