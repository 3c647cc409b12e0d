package repro

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/stats"
)

// request is an invocation with the function instances that ran for it.
type request struct {
	record.Invocation
	tasks []record.TaskRow
}

// requestsBy reads the measured and completed invocations from a run that has
// tasks, by what a function says of them.
func requestsBy[K comparable](e *experiment, by func(*record.Key) K) (map[K][]*request, error) {
	m, err := rundir.ReadManifest(e.dir)
	if err != nil {
		return nil, err
	}
	type id struct {
		point, trial int
		workflow     string
		number       int64
	}
	groups, all := map[K][]*request{}, map[id]*request{}
	err = rundir.EachInvocation(e.dir, m, func(k *record.Key, i *record.Invocation) {
		if i.Measured && i.Outcome == engine.Completed {
			r := &request{Invocation: *i}
			groups[by(k)] = append(groups[by(k)], r)
			all[id{k.Point, k.Trial, k.Workflow, i.Number}] = r
		}
	})
	if err != nil {
		return nil, err
	}
	err = rundir.EachTask(e.dir, m, func(k *record.Key, t *record.TaskRow) {
		if r := all[id{k.Point, k.Trial, k.Workflow, t.Number}]; r != nil {
			r.tasks = append(r.tasks, *t)
		}
	})
	return groups, err
}

// of returns the instances of a function.
func (r *request) of(function string) []record.TaskRow {
	var some []record.TaskRow
	for _, t := range r.tasks {
		if t.Function == function {
			some = append(some, t)
		}
	}
	return some
}

// item is the index of an instance in its foreach.
func item(t *record.TaskRow) int {
	index, _, _ := strings.Cut(t.Instance, "/")
	n, err := strconv.Atoi(index)
	if err != nil {
		return 0
	}
	return n
}

// moment is a point in time of a request, named as in the published stage
// gaps: "fire" is when the client sent it, "result" when it was answered;
// otherwise it is the start or end of a function, of the first or last
// instance of one, or of the last one of several.
func (r *request) moment(name string) (engine.Time, bool, error) {
	switch name {
	case "fire":
		return r.Sent, true, nil
	case "result":
		return r.Ended, true, nil
	}
	words := strings.Fields(name)
	if len(words) < 2 {
		return 0, false, fmt.Errorf("%q is no moment of a request", name)
	}
	functions, which := words[:len(words)-1], words[len(words)-1]
	first := which == "start"
	if functions[0] == "first" || functions[0] == "last" {
		first = functions[0] == "first"
		functions = functions[1:]
	}
	var at []engine.Time
	for i := range r.tasks {
		t := &r.tasks[i]
		if !slices.Contains(functions, t.Function) && functions[0] != "function" {
			continue
		}
		switch which {
		case "start":
			at = append(at, t.Started)
		case "end":
			at = append(at, t.Ended)
		default:
			return 0, false, fmt.Errorf("%q is no moment of a request", name)
		}
	}
	switch {
	case len(at) == 0:
		return 0, false, nil
	case first:
		return slices.Min(at), true, nil
	default:
		return slices.Max(at), true, nil
	}
}

// gaps returns the time between two moments ("upload end to split start") in
// each request that has both, in seconds.
func gaps(all []*request, name string) ([]float64, error) {
	from, to, ok := strings.Cut(name, " to ")
	if !ok {
		return nil, fmt.Errorf("%q names no two moments", name)
	}
	var seconds []float64
	for _, r := range all {
		a, hasA, err := r.moment(from)
		if err != nil {
			return nil, err
		}
		b, hasB, err := r.moment(to)
		if err != nil {
			return nil, err
		}
		if hasA && hasB {
			seconds = append(seconds, float64(b-a)/1e9)
		}
	}
	return seconds, nil
}

// atOnce is the most instances of a function that ran at a time.
func (r *request) atOnce(function string) int {
	tasks := r.of(function)
	most := 0
	for i := range tasks {
		n := 0
		for j := range tasks {
			if tasks[j].Started <= tasks[i].Started && tasks[i].Started < tasks[j].Ended {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// statistic computes what the name of a published metric ends in: mean, p50,
// p90, p95, p99, min, max or sd. It is NaN without samples.
func statistic(name string, samples []float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(samples))
	mean := 0.0
	for _, v := range sorted {
		mean += v / float64(len(sorted))
	}
	switch name {
	case "mean":
		return mean
	case "min":
		return sorted[0]
	case "max":
		return sorted[len(sorted)-1]
	case "sd":
		sum := 0.0
		for _, v := range sorted {
			sum += (v - mean) * (v - mean)
		}
		return math.Sqrt(sum / float64(len(sorted)))
	}
	p, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	if err != nil || !strings.HasPrefix(name, "p") {
		return math.NaN()
	}
	return stats.Percentile(sorted, p)
}
