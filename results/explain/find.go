package explain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/stats"
)

// Query names an invocation, as far as it need be named. Any is what may be
// anything.
type Query struct {
	Number              int64
	Point, Trial        int
	Scheduler, Workflow string // "": any
}

// Any is a number that is not given.
const Any = -1

// Found is an invocation that a query has found.
type Found struct {
	Key        record.Key
	Invocation record.Invocation
}

// Finder collects what a query finds among the records of a run.
type Finder struct {
	query   Query
	found   []Found // of a query with a number
	points  []point
	slowest int // index of the point with the slowest, -1 if there is none
	seen    bool
	last    int64 // highest number seen
}

// point is what is kept of a workflow at a point.
type point struct {
	key     record.Key
	ranked  []ranked // measured and completed
	slowest Found    // measured
	any     bool
}

// ranked is an invocation by its latency.
type ranked struct {
	latency engine.Time
	number  int64
	trial   int32
}

// NewFinder returns a finder that has seen nothing.
func NewFinder(q Query) *Finder { return &Finder{query: q, slowest: -1} }

// Add takes the record of an invocation, which need only be valid during the
// call.
func (f *Finder) Add(k *record.Key, i *record.Invocation) {
	q := &f.query
	if q.Point != Any && k.Point != q.Point || q.Trial != Any && k.Trial != q.Trial ||
		q.Scheduler != "" && k.Scheduler != q.Scheduler || q.Workflow != "" && !Named(k.Workflow, q.Workflow) {
		return
	}
	f.seen, f.last = true, max(f.last, i.Number)
	if q.Number != Any {
		if i.Number == q.Number {
			f.found = append(f.found, found(k, i))
		}
		return
	}
	at := slices.IndexFunc(f.points, func(p point) bool { return p.key.Point == k.Point && p.key.Workflow == k.Workflow })
	if at < 0 {
		at = len(f.points)
		f.points = append(f.points, point{key: found(k, i).Key})
	}
	if !i.Measured {
		return
	}
	p := &f.points[at]
	if i.Outcome == engine.Completed {
		p.ranked = append(p.ranked, ranked{i.Latency(), i.Number, int32(k.Trial)})
	}
	if !p.any || i.Latency() > p.slowest.Invocation.Latency() {
		p.any, p.slowest = true, found(k, i)
		if f.slowest < 0 || i.Latency() > f.points[f.slowest].slowest.Invocation.Latency() {
			f.slowest = at
		}
	}
}

func found(k *record.Key, i *record.Invocation) Found {
	key := *k
	key.Values = slices.Clone(k.Values)
	return Found{key, *i}
}

// Named reports whether a workflow goes by a name: its own, or that without
// the paper it is from.
func Named(workflow, name string) bool {
	return workflow == name || strings.HasSuffix(workflow, "/"+name)
}

// One returns the invocation that the query names. The error lists the choices
// if there are several.
func (f *Finder) One() (Found, error) {
	switch {
	case len(f.found) == 1:
		return f.found[0], nil
	case len(f.found) == 0 && f.seen:
		return Found{}, fmt.Errorf("there is no invocation %d: they are counted from 0, up to %d", f.query.Number, f.last)
	case len(f.found) == 0:
		return Found{}, f.none()
	}
	return Found{}, fmt.Errorf("there are %d invocations %d; say which one:\n%s", len(f.found), f.query.Number, choices(f.found))
}

func (f *Finder) none() error {
	if q := f.query; q.Point == Any && q.Trial == Any && q.Scheduler == "" && q.Workflow == "" {
		return fmt.Errorf("it holds no invocations")
	}
	return fmt.Errorf("it holds no invocations of that point, trial, scheduler and workflow")
}

// choices lists invocations by what tells them apart, a line for all trials of
// one point and workflow.
func choices(all []Found) string {
	type choice struct {
		point          int
		workflow, what string
		trials         []int
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Key.Point, b.Key.Point), cmp.Compare(a.Key.Workflow, b.Key.Workflow), cmp.Compare(a.Key.Trial, b.Key.Trial))
	})
	var list []choice
	for _, f := range all {
		if n := len(list) - 1; n >= 0 && list[n].point == f.Key.Point && list[n].workflow == f.Key.Workflow {
			list[n].trials = append(list[n].trials, f.Key.Trial)
			continue
		}
		what := strings.Join(append([]string{f.Key.Scheduler}, f.Key.Values...), ", ")
		list = append(list, choice{f.Key.Point, f.Key.Workflow, what, []int{f.Key.Trial}})
	}
	const most = 20
	var lines []string
	for n, c := range list {
		if n == most {
			lines = append(lines, fmt.Sprintf("  and %d more", len(list)-most))
			break
		}
		trials := fmt.Sprint(c.trials[0])
		if n := len(c.trials); n > 1 {
			trials = fmt.Sprintf("%d…%d", c.trials[0], c.trials[n-1])
		}
		lines = append(lines, fmt.Sprintf("  --point %d --workflow %s --trial %s  (%s)", c.point, c.workflow, trials, c.what))
	}
	return strings.Join(lines, "\n")
}

// Ranks are invocations of one workflow at one point: the slowest of those
// measured; and those at the median and at the 99th percentile (nearest rank)
// of those that also completed, as queries that name one each.
type Ranks struct {
	Slowest     Found
	Median, P99 Query
	// N is how many completed, of all trials that were asked for. If it is 0,
	// there is no Median and no P99.
	N int
}

// Supported tells whether there are enough to speak of a 99th percentile.
func (r *Ranks) Supported() bool { return stats.Supported(99, r.N) }

// Slowest returns the slowest invocation that was found, and what it is to be
// held against.
func (f *Finder) Slowest() (Ranks, error) {
	if f.slowest < 0 {
		if f.seen {
			return Ranks{}, errors.New("all of them were sent in the warm-up: name one by its number")
		}
		return Ranks{}, f.none()
	}
	p := &f.points[f.slowest]
	r := Ranks{Slowest: p.slowest, N: len(p.ranked)}
	if r.N == 0 {
		return r, nil
	}
	slices.SortFunc(p.ranked, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.latency, b.latency), cmp.Compare(a.trial, b.trial), cmp.Compare(a.number, b.number))
	})
	query := func(rank float64) Query {
		at := p.ranked[stats.Rank(r.N, rank)]
		return Query{Number: at.number, Point: p.key.Point, Trial: int(at.trial), Scheduler: p.key.Scheduler, Workflow: p.key.Workflow}
	}
	r.Median, r.P99 = query(50), query(99)
	return r, nil
}
