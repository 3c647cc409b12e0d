package sim

import (
	"math"
	"slices"

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
	heap    []job
	clock   float64 // work given so far, at time updated
	updated engine.Time
	speed   float64 // work per ns
	seq     uint32
}

// job is a task's use of a shared resource.
type job struct {
	end   float64 // reading of the clock at which it ends
	bytes int64
	seq   uint32 // breaks ties, in order of arrival
	task  uint32
	kind  jobKind
}

func (j *job) before(o *job) bool {
	return j.end < o.end || j.end == o.end && int32(j.seq-o.seq) < 0
}

// tick brings the clock up to a time.
func (s *sharing) tick(now engine.Time) {
	if now > s.updated {
		s.clock += s.speed * float64(now-s.updated)
		s.updated = now
	}
}

// add starts a job of the given work at the time the clock shows.
func (s *sharing) add(j *job, work float64) {
	if len(s.heap) == 0 {
		s.clock = 0 // Keeps the clock's precision.
	}
	j.end, j.seq = s.clock+work, s.seq
	s.seq++
	if len(s.heap) == cap(s.heap) {
		s.heap = slices.Grow(s.heap, len(s.heap)+1)
	}
	s.heap = append(s.heap, *j)
	s.up(len(s.heap) - 1)
}

func (s *sharing) up(i int) {
	h := s.heap
	if i == 0 || !h[i].before(&h[(i-1)/2]) {
		return
	}
	j := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !j.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = j
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
	return later(s.updated, (s.heap[0].end-s.clock)/s.speed)
}

// later adds a time in ns, rounded up, to another.
func later(now engine.Time, wait float64) engine.Time {
	wait = math.Ceil(wait - slack - wait*4e-16)
	if wait >= float64(never-now) {
		return never
	}
	return now + max(engine.Time(wait), 0)
}

// due reports whether a job has ended by the time that the clock shows.
func (s *sharing) due() bool {
	return len(s.heap) > 0 && s.heap[0].end <= s.clock+s.speed*2*slack+s.clock*8e-16
}

// take removes the first job to end.
func (s *sharing) take() (ended job) {
	ended = s.heap[0]
	last := len(s.heap) - 1
	j := s.heap[last]
	s.heap = s.heap[:last]
	if last > 0 {
		s.down(j)
	}
	return ended
}

// down places a job at the root and lets it sink.
func (s *sharing) down(j job) {
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
		if !h[least].before(&j) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = j
}

// remove takes the jobs of a task out, and returns how many there were.
func (s *sharing) remove(task uint32) int {
	kept := s.heap[:0]
	removed := 0
	for _, j := range s.heap {
		if j.task == task {
			removed++
		} else {
			kept = append(kept, j)
		}
	}
	s.heap = kept
	if removed > 0 {
		for i := range s.heap {
			s.up(i)
		}
	}
	return removed
}
