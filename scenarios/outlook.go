package scenarios

import (
	"math"
	"runtime"
	"slices"

	"github.com/flowtwin/flowtwin/scenarios/load"
)

// Outlook is what a plan would run, and about how long that takes.
type Outlook struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Profile string `json:"profile"`
	Trials  int    `json:"trials"`
	Axes    []struct {
		Name   string   `json:"name"`
		Values []string `json:"values"`
	} `json:"axes,omitempty"`
	Workflows []OutlookWorkflow `json:"workflows"`
	Points    []OutlookPoint    `json:"points"`
	// Invocations and Tasks (function instances) are sums over all points and
	// trials; Seconds is what the simulator takes for them on this machine.
	Invocations float64 `json:"invocations"`
	Tasks       float64 `json:"tasks"`
	Seconds     float64 `json:"seconds"`
}

// OutlookWorkflow is a workflow of a plan. Numbers are expected values for
// one invocation.
type OutlookWorkflow struct {
	Name      string  `json:"name"`
	Functions int     `json:"functions"`
	Edges     int     `json:"edges"`
	Tasks     float64 `json:"tasks"`
	// CriticalPath is in seconds of compute time.
	CriticalPath float64 `json:"critical_path_s"`
	BytesWritten float64 `json:"bytes_written"`
	BytesRead    float64 `json:"bytes_read"`
}

// OutlookPoint is a point of a plan. Invocations is what one trial is expected
// to send.
type OutlookPoint struct {
	Scheduler   string   `json:"scheduler"`
	Values      []string `json:"values,omitempty"`
	Workflows   []string `json:"workflows"`
	Workers     int      `json:"workers"`
	Invocations float64  `json:"invocations"`
	Faults      int      `json:"faults,omitempty"`
}

// tasksPerSecond is what the simulator does on one core at least, in function
// instances (see make bench).
const tasksPerSecond = 500_000

// Look sums a plan up without running it.
func Look(p *Plan) *Outlook {
	o := &Outlook{Name: p.Scenario.Name, Title: p.Scenario.Title, Profile: p.Scenario.Profile, Trials: p.Trials}
	for _, axis := range p.Scenario.Axes {
		entry := struct {
			Name   string   `json:"name"`
			Values []string `json:"values"`
		}{Name: axis.Name}
		for _, v := range axis.Values {
			entry.Values = append(entry.Values, v.Label)
		}
		o.Axes = append(o.Axes, entry)
	}
	seen := map[string]bool{}
	for i := range p.Points {
		point := &p.Points[i]
		t := &point.trial
		entry := OutlookPoint{
			Scheduler: point.Scheduler, Values: point.Values, Workflows: point.Workflows,
			Workers: len(t.Cluster.Workers), Faults: len(t.Faults),
		}
		for w, flow := range t.Workflows {
			if name := point.Workflows[w]; !seen[name] {
				seen[name] = true
				_, critical := flow.CriticalPath()
				tasks, edges := 0.0, 0
				for f := range flow.Functions {
					tasks += flow.Instances(flow.Functions[f].Scope)
					edges += len(flow.Functions[f].Next)
				}
				bytes := flow.TotalBytes()
				o.Workflows = append(o.Workflows, OutlookWorkflow{
					Name: name, Functions: len(flow.Functions), Edges: edges, Tasks: tasks, CriticalPath: critical / 1e9,
					BytesWritten: bytes.Written, BytesRead: bytes.Read,
				})
			}
			entry.Invocations += math.Round(point.expected[w])
		}
		o.Invocations += entry.Invocations * float64(p.Trials)
		o.Tasks += point.tasks * float64(p.Trials)
		o.Points = append(o.Points, entry)
	}
	o.Seconds = o.Tasks / tasksPerSecond / float64(runtime.GOMAXPROCS(0))
	return o
}

// expectedInvocations is how many invocations a trial sends, of a workflow
// whose critical path is as long (in ns). For a closed loop it is what clients
// could send if the platform took no time.
func expectedInvocations(p *load.Plan, critical float64) float64 {
	var n float64
	switch {
	case p.Clients > 0:
		n = math.Ceil(float64(p.Clients) * max(float64(p.Until)/max(critical, 1e6), float64(p.AtLeast)))
	case p.Process.Trace != nil:
		until, _ := slices.BinarySearch(p.Process.Trace, p.Until)
		n = float64(until)
	default:
		n = p.Expected()
	}
	if p.Limit > 0 {
		n = min(n, float64(p.Limit))
	}
	return n
}
