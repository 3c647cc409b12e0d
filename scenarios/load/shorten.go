package load

import "math"

// Shortened is the first part of a load: what is sent before a time. The
// warm-up is shortened in proportion, so that the same share of the load is
// left out of the statistics. A closed loop has each of its clients send one
// invocation at least.
func (p *Plan) Shortened(until int64) Plan {
	s := *p
	length := p.length()
	if until >= length {
		return s
	}
	share := float64(until) / float64(length)
	s.Until = until
	s.Warmup = int64(float64(p.Warmup) * share)
	s.WarmupCount = int64(float64(p.WarmupCount) * share)
	s.AtLeast = min(p.AtLeast, 1)
	// Clients start one after the other, within the time there is.
	s.First, s.Stagger = int64(float64(p.First)*share), int64(float64(p.Stagger)*share)
	if p.Clients > 0 { // Each counts its time from its own start.
		s.Until = max(until-s.First-s.Stagger*int64(p.Clients-1), 1)
	}
	return s
}

// length is when the last of the load is sent, as far as the plan says: a
// closed loop may go on until enough has been sent.
func (p *Plan) length() int64 {
	switch {
	case p.Clients > 0 && (p.AtLeast > 0 || p.Until == math.MaxInt64):
		return math.MaxInt64
	case p.Clients > 0:
		last := p.First + p.Stagger*int64(p.Clients-1)
		return last + min(p.Until, math.MaxInt64-last)
	case p.Process.Trace != nil:
		if n := len(p.Process.Trace); n > 0 {
			return min(p.Until, p.Process.Trace[n-1]+1)
		}
		return 0
	}
	return p.Until
}
