// Package draw makes random numbers that depend only on what they are for.
//
// A draw is a pure function of (seed, purpose, workflow, function, invocation,
// path, try). It does not depend on the order in which draws are made, nor on
// the node that makes them. So two schedulers under one seed meet the same
// arrivals, sizes and service times, and can be compared in pairs; and the
// simulator and the emulator draw the same for the same scenario.
package draw

import (
	"math/bits"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Purpose keeps apart draws that are otherwise named alike.
type Purpose uint64

// The purposes of draws.
const (
	ComputeTime Purpose = iota + 1
	Size
	Items
	Branch
	Arrival
	ColdStart
	Failure
	Resample
)

// Source makes the draws of one trial.
type Source struct{ seed uint64 }

// New returns the source for a seed.
func New(seed uint64) Source { return Source{mix(seed ^ 0x9e3779b97f4a7c15)} }

// Subject names what a draw is about. Fields that do not apply stay zero.
type Subject struct {
	Workflow   uint64
	Function   workflow.FunctionID
	Output     int32
	Invocation uint64 // counted from the start of the trial
	Try        uint64
}

// Uniform returns the number in (0, 1) that belongs to the subject and path.
func (s Source) Uniform(purpose Purpose, about Subject, path workflow.Path) float64 {
	h := mix(s.seed ^ uint64(purpose)*0xd6e8feb86659fd93)
	h = mix(h ^ about.Invocation)
	h = mix(h ^ about.Workflow)
	h = mix(h ^ uint64(uint32(about.Function))<<32 ^ uint64(uint32(about.Output)))
	h = mix(h ^ about.Try)
	for i := range path.Depth() {
		h = mix(h ^ (uint64(path.Level(i).Index) + 1))
	}
	return unit(h)
}

// Sequence returns the i-th number in (0, 1) of a stream, for uses such as
// arrivals that have no subject but their order.
func (s Source) Sequence(purpose Purpose, stream, i uint64) float64 {
	h := mix(s.seed ^ uint64(purpose)*0xd6e8feb86659fd93)
	h = mix(h ^ stream)
	return unit(mix(h ^ i))
}

// Seed derives the seed of trial i of a scenario.
func Seed(scenario uint64, trial int) uint64 {
	return mix(mix(scenario) + uint64(trial)*0x9e3779b97f4a7c15)
}

// Value draws from a distribution.
func (s Source) Value(d *workflow.Distribution, purpose Purpose, about Subject, path workflow.Path) float64 {
	if d.Fixed() {
		return d.Quantile(0.5, path.Last().Index)
	}
	return d.Quantile(s.Uniform(purpose, about, path), path.Last().Index)
}

// mix is a strong 64-bit mixer: the two halves of a 128-bit product, folded
// twice (as in wyhash).
func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	x = hi ^ lo
	hi, lo = bits.Mul64(x^0x8ebc6af09c88c6e3, 0x589965cc75374cc3)
	return hi ^ lo
}

// unit maps a hash to (0, 1): 52 bits, centred so that neither end occurs. (Of
// 53, a half would be rounded away, and the last would be 1.)
func unit(h uint64) float64 { return (float64(h>>12) + 0.5) / (1 << 52) }
