package remote

import (
	"errors"
	"math"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/engine"
)

// Merger puts what several nodes observe into the order in which it happened:
// an observer may then rely on causes being told before their effects, as if
// all were in one process. Nodes stamp what they see by the clock of their
// machine; something is told as soon as every node has told all from before.
type Merger struct {
	observer agent.Observer
	done     sync.WaitGroup

	mu      sync.Mutex
	streams []*stream
	closed  bool
	wake    chan struct{} // holds at most one
}

// stream is what one node tells.
type stream struct {
	merger *Merger
	ask    func() // for a mark
	// queue is what has yet to be told, all of it from before mark.
	queue []observation
	mark  int64
	// asked: a mark has been asked for, and nothing been told since.
	asked  bool
	at     time.Time // when that was
	frozen bool
	ended  bool
	why    error // it has ended, unless that was to be
	// running counts the tasks that the node has begun and not ended, by
	// attempt, as they have been told.
	running map[engine.Invocation]int
}

// NewMerger returns a merger for an observer.
func NewMerger(o agent.Observer) *Merger {
	m := &Merger{observer: o, wake: make(chan struct{}, 1)}
	m.done.Go(m.run)
	return m
}

// Close tells what is left, and returns when that is done.
func (m *Merger) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.rouse()
	m.done.Wait()
}

func (m *Merger) add(ask func()) *stream {
	s := &stream{merger: m, ask: ask, running: map[engine.Invocation]int{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams = append(m.streams, s)
	return s
}

func (m *Merger) rouse() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (s *stream) take(next *said) {
	m := s.merger
	m.mu.Lock()
	s.queue = append(s.queue, next.Seen...)
	s.mark = max(s.mark, next.Mark)
	s.asked = false
	m.mu.Unlock()
	m.rouse()
}

// end notes that the node tells no more; why, if that was not to be.
func (s *stream) end(why error) { s.set(func() { s.ended, s.why = true, why }) }

func (s *stream) freeze(still bool) { s.set(func() { s.frozen = still }) }

func (s *stream) set(change func()) {
	s.merger.mu.Lock()
	change()
	s.merger.mu.Unlock()
	s.merger.rouse()
}

// run tells what can be told, until all is and the merger is closed.
func (m *Merger) run() {
	var tick <-chan time.Time
	for {
		ready, waiting, closed := m.next()
		for i := range ready {
			ready[i].tell(m.observer)
		}
		if closed && len(ready) == 0 {
			return
		}
		if len(ready) > 0 {
			continue
		}
		tick = nil
		if waiting {
			tick = time.After(patience)
		}
		select {
		case <-m.wake:
		case <-tick:
		}
	}
}

// ready is what can be told: an observation, or that the node is gone.
type ready struct {
	stream *stream
	observation
	gone bool
}

func (r *ready) tell(o agent.Observer) {
	if r.gone {
		r.stream.bury(o)
	} else {
		r.stream.tell(o, &r.observation)
	}
}

// next returns what can be told, in order, and whether something waits for
// what other nodes may yet tell: they are asked.
func (m *Merger) next() (all []ready, waiting, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	until := int64(math.MaxInt64)
	if !m.closed {
		for _, s := range m.streams {
			if !s.ended && !s.frozen {
				until = min(until, s.mark)
			}
		}
	}
	for {
		var first *stream
		for _, s := range m.streams {
			if len(s.queue) > 0 && (first == nil || s.queue[0].Stamp < first.queue[0].Stamp) {
				first = s
			}
		}
		if first == nil {
			break
		}
		if first.queue[0].Stamp > until {
			waiting = true
			break
		}
		all = append(all, ready{stream: first, observation: first.queue[0]})
		first.queue = first.queue[1:]
	}
	if !waiting {
		m.forget(&all)
		return all, false, m.closed
	}
	var newest int64
	for _, s := range m.streams {
		if n := len(s.queue); n > 0 {
			newest = max(newest, s.queue[n-1].Stamp)
		}
	}
	now := time.Now()
	for _, s := range m.streams {
		if !s.ended && !s.frozen && s.mark < newest && !s.asked && now.Sub(s.at) >= patience {
			s.asked, s.at = true, now
			s.ask()
		}
	}
	m.forget(&all)
	return all, true, m.closed
}

// forget gives up the tasks of nodes that have ended: they will never be told
// to have ended.
func (m *Merger) forget(all *[]ready) {
	for _, s := range m.streams {
		if !s.ended || len(s.queue) > 0 || s.running == nil {
			continue
		}
		// What is about to be told of it comes first.
		*all = append(*all, ready{stream: s, gone: true})
	}
}

// tell tells the observer one thing.
func (s *stream) tell(o agent.Observer, next *observation) {
	switch {
	case next.Admitted != nil:
		o.Admitted(next.Admitted.Number, next.Admitted.Invocation)
	case next.Sent != nil:
		o.Sent(next.Sent)
	case next.Received != nil:
		o.Received(&next.Received.Message, next.Received.Sent, next.Received.At)
	case next.Waited != nil:
		o.Waited(&next.Waited.Subject, next.Waited.From, next.Waited.To)
	case next.Chosen != nil:
		o.Chosen(&next.Chosen.Choice, next.Chosen.From, next.Chosen.To, next.Chosen.Moved)
	case next.Carried != nil:
		o.Carried(next.Carried.Invocation, next.Carried.Bytes)
	case next.Started != nil:
		s.running[next.Started.Invocation]++
		o.Started(next.Started.At, next.Started.Invocation, next.Started.Cold)
	case next.Ended != nil:
		r := &next.Ended.Report
		if next.Ended.Error != "" {
			r.Err = errors.New(next.Ended.Error)
		}
		s.gone(r.Invocation)
		o.Ended(r)
	case next.Killed != nil:
		s.gone(*next.Killed)
		o.Killed(*next.Killed)
	case next.Finished != nil:
		o.Finished(next.Finished.At, next.Finished.Invocation, next.Finished.Outcome)
	case next.Broken != "":
		o.Broken(errors.New(next.Broken))
	default:
		o.Failed(errors.New(next.Failed))
	}
}

// bury tells that the node is gone, and what it was running.
func (s *stream) bury(o agent.Observer) {
	for i, n := range s.running {
		for range n {
			o.Killed(i)
		}
	}
	s.running = nil
	if s.why != nil {
		o.Broken(s.why)
	}
}

func (s *stream) gone(i engine.Invocation) {
	if s.running[i]--; s.running[i] <= 0 {
		delete(s.running, i)
	}
}
