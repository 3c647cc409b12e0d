package sim

import (
	"math"

	"github.com/flowtwin/flowtwin/engine"
)

// never is a time that does not come.
const never engine.Time = math.MaxInt64

// sharing is a set of jobs that all progress at one common speed: flows of a
// class, computations on a processor. A clock shows the work that any job
// present since the start would have been given; a job ends when the clock
// reaches the reading at its start plus its work. So a change of speed touches
// no job, and the next to end is on top of a heap.
type sharing struct {
	heap    []entry
	clock   float64 // work given so far, at time updated
	updated engine.Time
	speed   float64 // work per ns
}

type entry struct {
	end float64 // reading of the clock at which the job ends
	seq uint32  // breaks ties, in order of arrival
	job uint32
}

func (e *entry) before(o *entry) bool {
	return e.end < o.end || e.end == o.end && int32(e.seq-o.seq) < 0
}

// advance brings the clock up to now.
func (s *sharing) advance(now engine.Time) {
	if now > s.updated {
		s.clock += s.speed * float64(now-s.updated)
		s.updated = now
	}
}

// add starts a job of the given work at the time the clock was advanced to.
func (s *sharing) add(job uint32, work float64, seq uint32) {
	if len(s.heap) == 0 {
		s.clock = 0 // Keeps the clock's precision.
	}
	e := entry{s.clock + work, seq, job}
	s.heap = append(s.heap, e)
	h := s.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// The clock is a sum of rounded numbers, so a job that should end on a
// nanosecond sharp may seem to end a hair later. Half a millionth of a
// nanosecond is far more than the error and far less than anyone can tell.
const slack = 0.5e-6

// next returns the time at which the first job will end, rounded up.
func (s *sharing) next() engine.Time {
	if len(s.heap) == 0 || s.speed <= 0 {
		return never
	}
	wait := (s.heap[0].end - s.clock) / s.speed
	wait = math.Ceil(wait - slack - wait*4e-16)
	if wait >= float64(never-s.updated) {
		return never
	}
	return s.updated + max(engine.Time(wait), 0)
}

// due removes a job that has ended by the time the clock was advanced to.
func (s *sharing) due() (ended entry, ok bool) {
	if len(s.heap) == 0 || s.heap[0].end > s.clock+s.speed*2*slack+s.clock*8e-16 {
		return entry{}, false
	}
	ended = s.heap[0]
	last := len(s.heap) - 1
	e := s.heap[last]
	s.heap = s.heap[:last]
	if last > 0 {
		s.down(e)
	}
	return ended, true
}

func (s *sharing) down(e entry) {
	h := s.heap
	n := len(h)
	i := 0
	for {
		least := 2*i + 1
		if least >= n {
			break
		}
		if right := least + 1; right < n && h[right].before(&h[least]) {
			least = right
		}
		if !h[least].before(&e) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
}
