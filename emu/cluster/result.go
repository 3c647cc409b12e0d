package cluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Result is what a scenario has come to.
type Result struct {
	// Points are the combinations of a scheduler and a value of every axis, in
	// the order in which the scenario names them.
	Points []*Point
	// Serves names what has served: see Cluster.Serves.
	Serves map[string]string
	// Warnings are what went wrong that was not to, such as the first error of a
	// function's body.
	Warnings []string
	// Late, if not nil, says that the load was sent so late that latencies are
	// not those of this load. What functions have done is right all the same.
	Late *rundir.LagError
}

// Point is what all trials of a point have come to.
type Point struct {
	Scheduler string
	// Values are the labels of the axes' values.
	Values []string
	// Invocations are in the order in which they ended, those of earlier trials
	// first.
	Invocations []*Invocation
	// Series are the statistics: one for each workflow.
	Series []*analysis.Series
}

// Invocation is one that has ended.
type Invocation struct {
	record.Invocation
	Trial        int
	WorkflowName string
	// TaskRecords are of all runs of its function instances.
	TaskRecords []*Task

	outputs map[string][]output
}

// Task is one run of a function instance.
type Task struct {
	record.Task
	FunctionName string
	// NodeName is worker-1 and so on.
	NodeName string
}

// output is what an instance of a function has returned.
type output struct {
	path  workflow.Path
	items [][]byte
}

// Completed reports whether it has ended well.
func (i *Invocation) Completed() bool { return i.Outcome == engine.Completed }

// Output returns what a function really put out, by "function.output". That can
// be asked of outputs that no other function reads, which are what a workflow is
// run for, and if functions do real work. An output of many instances, or a
// list, is asked for by Items.
func (i *Invocation) Output(name string) ([]byte, error) {
	switch items := i.Items(name); len(items) {
	case 0:
		return nil, fmt.Errorf("invocation %d of %s has returned no %s (%s), but %s", i.Number, i.WorkflowName, name, i.Outcome, i.names())
	case 1:
		return items[0], nil
	default:
		return nil, fmt.Errorf("invocation %d of %s has returned %d times %s: ask for Items", i.Number, i.WorkflowName, len(items), name)
	}
}

func (i *Invocation) names() string {
	var all []string
	for name := range i.outputs {
		all = append(all, name)
	}
	if len(all) == 0 {
		return "nothing"
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Items returns what all instances of a function have put out, in their order,
// and of a list all items: see Output.
func (i *Invocation) Items(name string) [][]byte {
	var all [][]byte
	for _, o := range i.outputs[name] {
		all = append(all, o.items...)
	}
	return all
}

func newResult(plan *scenarios.Plan, serves map[string]string) *Result {
	r := &Result{Serves: serves}
	for _, p := range plan.Points {
		r.Points = append(r.Points, &Point{Scheduler: p.Scheduler, Values: p.Values})
	}
	return r
}

func (r *Result) add(a *analysis.Run) {
	for _, s := range a.Series {
		p := r.Points[s.Point]
		p.Series = append(p.Series, s)
	}
}

// trial takes the records of a trial, and hands them on. It implements
// record.Recorder.
type trial struct {
	record.Recorder
	trial *scenarios.Trial
	point *Point
	nodes []string

	mu   sync.Mutex
	open map[invocation]*Invocation // of which the record has yet to come
}

// invocation names one of a trial.
type invocation struct {
	workflow int
	number   int64
}

func newTrial(t *scenarios.Trial, r record.Recorder, p *Point) *trial {
	own := &trial{Recorder: r, trial: t, point: p, open: map[invocation]*Invocation{}}
	cluster := t.Cluster.Engine()
	for id := range cluster.Nodes() {
		own.nodes = append(own.nodes, cluster.NodeName(engine.NodeID(id)))
	}
	return own
}

// of returns an invocation of which the record has yet to come.
func (t *trial) of(workflow int, number int64) *Invocation {
	key := invocation{workflow, number}
	i := t.open[key]
	if i == nil {
		i = &Invocation{Trial: t.trial.Number, WorkflowName: t.trial.Workflows[workflow].Name, outputs: map[string][]output{}}
		t.open[key] = i
	}
	return i
}

// Invocation implements record.Recorder.
func (t *trial) Invocation(r *record.Invocation) {
	t.mu.Lock()
	i := t.of(r.Workflow, r.Number)
	i.Invocation = *r
	delete(t.open, invocation{r.Workflow, r.Number})
	t.point.Invocations = append(t.point.Invocations, i)
	t.mu.Unlock()
	t.Recorder.Invocation(r)
}

// WantsTasks implements record.Recorder.
func (t *trial) WantsTasks() bool { return true }

// Task implements record.Recorder.
func (t *trial) Task(r *record.Task) {
	t.mu.Lock()
	i := t.of(r.Workflow, r.Number)
	i.TaskRecords = append(i.TaskRecords, &Task{*r, t.trial.Workflows[r.Workflow].Functions[r.Function].Name, t.nodes[r.Node]})
	t.mu.Unlock()
	if t.Recorder.WantsTasks() {
		t.Recorder.Task(r)
	}
}

// returned takes what a task has returned. If it is run again, that replaces it.
func (t *trial) returned(r *agent.Report) {
	if r.Outcome != engine.Completed || len(r.Returned) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.of(int(r.Invocation.Workflow), r.Number)
	f := &t.trial.Workflows[r.Invocation.Workflow].Functions[r.Function]
	for _, one := range r.Returned {
		name := f.Name + "." + f.Outputs[one.Output].Name
		all := i.outputs[name]
		at, found := slices.BinarySearchFunc(all, r.Path, func(o output, p workflow.Path) int { return inOrder(o.path, p) })
		if found {
			all[at].items = one.Items
		} else {
			i.outputs[name] = slices.Insert(all, at, output{r.Path, one.Items})
		}
	}
}

// inOrder orders the instances of a function.
func inOrder(a, b workflow.Path) int {
	for level := range a.Depth() {
		if d := int(a.Level(level).Index) - int(b.Level(level).Index); d != 0 {
			return d
		}
	}
	return 0
}
