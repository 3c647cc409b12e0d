// Package analysis turns the records of a run into statistics: for each point
// and workflow a summary of every metric, the distribution of the latency, and
// how the schedulers compare.
//
// A run is analysed the same way whether its records come from a world or
// from the files of an earlier run. Records are taken in the order of points
// and trials, and no more of them is kept than exact percentiles need: the
// metrics of the current point, the latencies of the schedulers that are to be
// compared with it, and one latency an invocation for the distributions.
package analysis

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/stats"
)

// Run is what a run has shown.
type Run struct {
	Backend string
	Axes    []string
	Series  []*Series
}

// Series is the results of one workflow at one point.
type Series struct {
	Point     int
	Scheduler string
	Workflow  string
	// Values are the labels of the axes' values.
	Values []string
	// Trials that were run, and invocations that were measured.
	Trials   int
	Measured int64
	// Summaries are in the order of metrics.All.
	Summaries []Summary
	// Latencies of all completed invocations that count, in s, in ascending
	// order.
	Latencies []float64
	// Timeline is the first trial over time.
	Timeline []Moment
	// Versus compares the latency of each earlier scheduler, at the same
	// combination of axis values, with this one's.
	Versus []Versus
	// Lag is the p99 of how late invocations were sent, in s.
	Lag float64
	// Median is the number of the invocation of the first trial whose latency
	// is the median, -1 if there is none.
	Median int64
}

// Summary is a metric's statistics. For a metric of trials they are over the
// trials.
type Summary struct {
	Metric metrics.Metric
	stats.Summary
}

// Versus is the comparison with another scheduler.
type Versus struct {
	Scheduler string
	stats.Comparison
}

// Moment is an interval of a trial: how many invocations were sent, how many
// ended, and their mean latency in seconds (NaN if none did).
type Moment struct {
	At          float64 // seconds, the middle of the interval
	Sent, Ended int
	Latency     float64
	UnderWay    int // at its end
}

// Of returns the summary of a metric.
func (s *Series) Of(metric string) (Summary, bool) {
	for _, summary := range s.Summaries {
		if summary.Metric.Name == metric {
			return summary, true
		}
	}
	return Summary{}, false
}

// Mean returns the mean of a metric, NaN if there is none.
func (s *Series) Mean(metric string) float64 {
	summary, ok := s.Of(metric)
	if !ok {
		return math.NaN()
	}
	return summary.Mean
}

// How late one invocation in a hundred may be sent: by a share of the median
// latency, or in any case by what the timers of a busy machine may be late, in
// s.
const (
	lagShare  = 0.1
	lagSpared = 2e-3
)

// Spoiled reports whether invocations were sent so late that the latency, which
// counts from when they were to be sent, says more of who sent them than of the
// platform.
func (s *Series) Spoiled() bool {
	return len(s.Latencies) > 0 && s.Lag > max(lagSpared, lagShare*stats.Percentile(s.Latencies, 50))
}

// Samples are the records of one trial of one workflow.
type Samples struct {
	Tally  record.Tally
	number []int64
	// values of each metric of invocations; NaN for those not measured or not
	// completed.
	values   [][]float64
	intended []float64
	ended    []float64
	lag      []float64 // in s
}

// Analyser builds a Run.
type Analyser struct {
	run  *Run
	seed uint64
	all  []metrics.Metric
	cell []*pending // of the current combination of axis values
}

// pending is a series whose samples are still there.
type pending struct {
	series *Series
	trials []*Samples
}

// New returns an analyser. seed makes the intervals reproducible.
func New(backend string, axes []string, seed uint64) *Analyser {
	return &Analyser{run: &Run{Backend: backend, Axes: axes}, seed: seed, all: metrics.All()}
}

// NewSamples returns an empty trial, whose throughput counts in the given
// window (see record.Tally).
func NewSamples(from, to int64) *Samples {
	return &Samples{Tally: record.Tally{From: from, To: to}, values: make([][]float64, len(metrics.All()))}
}

// Add takes a record.
func (s *Samples) Add(all []metrics.Metric, i *record.Invocation) {
	s.Tally.Add(i)
	if !i.Measured {
		return
	}
	s.number = append(s.number, i.Number)
	s.intended = append(s.intended, float64(i.Intended)/1e9)
	s.ended = append(s.ended, float64(i.Ended)/1e9)
	s.lag = append(s.lag, float64(i.Sent-i.Intended)/1e9)
	for m := range all {
		if all[m].Of == nil {
			continue
		}
		v := math.NaN()
		if i.Outcome == engine.Completed {
			v = all[m].Of(i)
		}
		s.values[m] = append(s.values[m], v)
	}
}

// Key names a series.
type Key struct {
	Point               int
	Scheduler, Workflow string
	Values              []string
}

// Trial takes the samples of a trial, its tally closed. Trials come in the
// order of points.
func (a *Analyser) Trial(k Key, s *Samples) {
	var at *pending
	for _, p := range a.cell {
		if p.series.Point == k.Point && p.series.Workflow == k.Workflow {
			at = p
		}
	}
	if at == nil {
		switch {
		case len(a.cell) == 0:
		case !slices.Equal(a.cell[0].series.Values, k.Values):
			a.flush()
		case a.cell[len(a.cell)-1].series.Point != k.Point:
			a.summarise()
		}
		at = &pending{series: &Series{
			Point: k.Point, Scheduler: k.Scheduler, Workflow: k.Workflow, Values: slices.Clone(k.Values), Median: -1,
		}}
		a.cell = append(a.cell, at)
	}
	s.sort()
	at.trials = append(at.trials, s)
}

// sort orders the samples by the invocation's number, by which schedulers are
// paired.
func (s *Samples) sort() {
	if slices.IsSorted(s.number) {
		return
	}
	order := make([]int, len(s.number))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.number[a], s.number[b]) })
	permute := func(values []float64) []float64 {
		if values == nil {
			return nil
		}
		sorted := make([]float64, len(values))
		for i, at := range order {
			sorted[i] = values[at]
		}
		return sorted
	}
	for m := range s.values {
		s.values[m] = permute(s.values[m])
	}
	s.intended, s.ended = permute(s.intended), permute(s.ended)
	slices.Sort(s.number)
}

// Finish returns the results.
func (a *Analyser) Finish() *Run {
	a.flush()
	return a.run
}

// flush computes the results of a combination of axis values, and drops its
// samples.
func (a *Analyser) flush() {
	a.summarise()
	for i, p := range a.cell {
		for _, other := range a.cell[:i] {
			if other.series.Workflow == p.series.Workflow {
				p.series.Versus = append(p.series.Versus, Versus{
					Scheduler:  other.series.Scheduler,
					Comparison: stats.Compare(paired(other, p), paired(p, other), a.seedOf(p.series, "versus "+other.series.Scheduler)),
				})
			}
		}
		a.run.Series = append(a.run.Series, p.series)
	}
	a.cell = nil
}

// summarise computes what a series says by itself, for all that have come, and
// drops the samples that comparisons do not need.
func (a *Analyser) summarise() {
	for _, p := range a.cell {
		if p.series.Summaries == nil {
			a.summariseSeries(p)
			for _, s := range p.trials {
				clear(s.values[1:])
				s.intended, s.ended, s.lag = nil, nil, nil
			}
		}
	}
}

func (a *Analyser) summariseSeries(p *pending) {
	s := p.series
	s.Trials = len(p.trials)
	for m := range a.all {
		values := make([][]float64, len(p.trials))
		for t, samples := range p.trials {
			if of := a.all[m].OfTrial; of != nil {
				values[t] = []float64{of(&samples.Tally.Trial)}
			} else {
				values[t] = samples.values[m]
			}
		}
		s.Summaries = append(s.Summaries, Summary{a.all[m], stats.Summarize(values, a.seedOf(s, a.all[m].Name))})
	}
	latencies := make([]float64, 0, s.Summaries[0].N)
	var lag []float64
	for _, samples := range p.trials {
		lag = append(lag, samples.lag...)
		s.Measured += samples.Tally.Measured
		for _, v := range samples.values[0] {
			if !math.IsNaN(v) {
				latencies = append(latencies, v)
			}
		}
	}
	slices.Sort(latencies)
	s.Latencies = latencies
	slices.Sort(lag)
	s.Lag = stats.Percentile(lag, 99)
	if len(p.trials) > 0 {
		s.Timeline = p.trials[0].timeline(60)
		s.Median = p.trials[0].median()
	}
}

// seedOf derives the seed of an interval from what it is about.
func (a *Analyser) seedOf(s *Series, what string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s.Workflow + "\x00" + s.Scheduler + "\x00" + what))
	for _, v := range s.Values {
		h.Write([]byte("\x00" + v))
	}
	return h.Sum64() ^ a.seed
}

// paired returns the latencies of p that o measured too, by trial and in the
// same order as for o: an invocation that only one of them has is NaN.
func paired(p, o *pending) [][]float64 {
	result := make([][]float64, len(p.trials))
	for t := range p.trials {
		mine := p.trials[t]
		if t >= len(o.trials) || slices.Equal(mine.number, o.trials[t].number) {
			result[t] = mine.values[0]
			continue
		}
		numbers := slices.Concat(mine.number, o.trials[t].number)
		slices.Sort(numbers)
		for _, n := range slices.Compact(numbers) {
			v := math.NaN()
			if at, ok := slices.BinarySearch(mine.number, n); ok {
				v = mine.values[0][at]
			}
			result[t] = append(result[t], v)
		}
	}
	return result
}

// timeline divides a trial into intervals.
func (s *Samples) timeline(intervals int) []Moment {
	if len(s.ended) == 0 {
		return nil
	}
	from, to := slices.Min(s.intended), slices.Max(s.ended)
	width := (to - from) / float64(intervals)
	if !(width > 0) {
		return nil
	}
	moments := make([]Moment, intervals)
	at := func(t float64) int { return min(int((t-from)/width), intervals-1) }
	sums := make([]float64, intervals)
	for i := range s.ended {
		moments[at(s.intended[i])].Sent++
		m := at(s.ended[i])
		moments[m].Ended++
		sums[m] += s.ended[i] - s.intended[i]
	}
	underWay := 0
	for i := range moments {
		m := &moments[i]
		m.At = from + (float64(i)+0.5)*width
		underWay += m.Sent - m.Ended
		m.UnderWay = underWay
		m.Latency = sums[i] / float64(m.Ended)
	}
	return moments
}

// median returns the number of the invocation with the median latency.
func (s *Samples) median() int64 {
	var complete []int
	for i, v := range s.values[0] {
		if !math.IsNaN(v) {
			complete = append(complete, i)
		}
	}
	if len(complete) == 0 {
		return -1
	}
	slices.SortStableFunc(complete, func(a, b int) int { return cmp.Compare(s.values[0][a], s.values[0][b]) })
	return s.number[complete[(len(complete)-1)/2]]
}
