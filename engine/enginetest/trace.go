package enginetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Script is a run described by lines of text: first the run, a word or
// word=value each, then a blank line, then a workflow as Workflow reads it.
//
//	place=a:1,b:2,c:1 workers=2 arrive=0,10 quirks=probe,timing kill=2@50+40
//
// place puts functions on workers counted from 1, and those it leaves out on
// worker 1. kill loses a worker at a time, for a time; without the latter it
// never comes back. lose=2@50 loses the first container of worker 2. inline is
// how many bytes travel in messages where outputs are streamed, and lifetime how
// many milliseconds they stay in memory.
type Script struct {
	Scheme engine.Scheme
	Rule   engine.DataRule
}

// Play runs a script and returns its trace.
func (s Script) Play(text string) (string, error) {
	head, body, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
	words := map[string]string{"workers": "2", "arrive": "0"}
	for _, word := range strings.Fields(head) {
		key, value, _ := strings.Cut(word, "=")
		words[key] = value
	}
	w, err := Workflow("flow", body)
	if err != nil {
		return "", err
	}
	workers, err := strconv.Atoi(words["workers"])
	if err != nil || workers < 1 || workers > 100 {
		return "", fmt.Errorf("workers=%s is not a number from 1 to 100", words["workers"])
	}
	rules := engine.Rules{Attempts: 2, TaskRetries: 1}
	if err := setQuirks(&rules, words["quirks"]); err != nil {
		return "", err
	}
	if err := setStreams(&rules, words); err != nil {
		return "", err
	}
	scheduler := engine.Scheduler{Name: "test", Control: s.Scheme, Data: s.Rule, Placement: placer{w, words["place"]}}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, Cluster(workers), scheduler, rules)
	if err != nil {
		return "", err
	}
	d := NewDriver(system)
	if err := schedule(d, words); err != nil {
		return "", err
	}
	if err := d.Run(10000); err != nil {
		return "", err
	}
	return d.Trace.String(), nil
}

// setQuirks switches on the quirks named.
func setQuirks(r *engine.Rules, names string) error {
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' }) {
		switch name {
		case "probe":
			r.ProbeAllWorkers = true
		case "timing":
			r.TimingDocuments = true
		case "query":
			r.PlacementQuery = true
		case "list":
			r.ListDocuments = true
		case "tick":
			r.DispatchTick = 5 * engine.Millisecond
		case "deadlock":
			r.Pool.DeadlockAtCap = true
		case "request":
			r.RequestDocument = true
		case "count":
			r.CountAtEnd = true
		case "race":
			r.ForeachRace = true
		case "match":
			r.MatchTick = 5 * engine.Millisecond
		case "early":
			r.EarlyStart = true
		default:
			return fmt.Errorf("there is no quirk %q", name)
		}
	}
	return nil
}

// setStreams sets the rules for streamed outputs.
func setStreams(r *engine.Rules, words map[string]string) error {
	for _, word := range []string{"inline", "lifetime"} {
		if words[word] == "" {
			continue
		}
		n, err := strconv.Atoi(words[word])
		if err != nil || n < 0 {
			return fmt.Errorf("%s=%s is not a number", word, words[word])
		}
		if word == "inline" {
			r.Inline = int64(n)
		} else {
			r.MemoryLifetime = engine.Time(n) * engine.Millisecond
		}
	}
	return nil
}

// schedule lets invocations arrive and nodes fail.
func schedule(d *Driver, words map[string]string) error {
	for _, ms := range strings.Split(words["arrive"], ",") {
		at, err := strconv.Atoi(ms)
		if err != nil || at < 0 {
			return fmt.Errorf("arrive=%s: %q is not a number of milliseconds", words["arrive"], ms)
		}
		d.Arrive(engine.Time(at)*engine.Millisecond, 0)
	}
	var worker, at, downtime int
	if words["lose"] != "" {
		if _, err := fmt.Sscanf(words["lose"], "%d@%d", &worker, &at); err != nil {
			return fmt.Errorf("lose: %w", err)
		}
		if worker < 1 || worker > len(d.System.Cluster.Workers) || at < 0 {
			return fmt.Errorf("lose=%s: there is no such worker, or time", words["lose"])
		}
		d.LoseContainer(engine.Time(at)*engine.Millisecond, d.System.Cluster.Workers[worker-1], func(int) int { return 0 })
	}
	if words["kill"] == "" {
		return nil
	}
	if n, err := fmt.Sscanf(words["kill"], "%d@%d+%d", &worker, &at, &downtime); n < 2 {
		return fmt.Errorf("kill: %w", err)
	}
	if worker < 1 || worker > len(d.System.Cluster.Workers) || at < 0 || downtime < 0 {
		return fmt.Errorf("kill=%s: there is no such worker, or time", words["kill"])
	}
	d.Kill(engine.Time(at)*engine.Millisecond, d.System.Cluster.Workers[worker-1], engine.Time(downtime)*engine.Millisecond)
	return nil
}

// placer is a placement by a table; what it puts on a worker that is lost goes
// to the first that is left.
type placer struct {
	workflow *workflow.Workflow
	table    string
}

// Place implements placement.Placer.
func (p placer) Place(_ []*workflow.Workflow, workers []placement.Worker) (placement.Placement, error) {
	at := make([]int32, len(p.workflow.Functions))
	for _, entry := range strings.FieldsFunc(p.table, func(r rune) bool { return r == ',' }) {
		name, worker, _ := strings.Cut(entry, ":")
		f, known := p.workflow.Function(name)
		if !known {
			return placement.Placement{}, fmt.Errorf("there is no function %q to place", name)
		}
		n, err := strconv.Atoi(worker)
		if err != nil {
			return placement.Placement{}, err
		}
		at[f] = int32(min(n-1, len(workers)-1))
	}
	return placement.Placement{Worker: [][]int32{at}, Group: [][]int32{slices.Clone(at)}}, nil
}

// Remote, Memory and Pipe are data rules for scripts: everything through the
// store, through memory within a worker, or streamed.
type (
	Remote struct{}
	Memory struct{}
	Pipe   struct{}
)

// Trace plays a script under a scheme and the data rule of a name (remote, memory
// or pipe), and returns its trace, or the error as text.
func Trace(scheme engine.Scheme, rule, text string) string {
	r, err := dataRule(rule)
	if err != nil {
		return err.Error() + "\n"
	}
	trace, err := Script{Scheme: scheme, Rule: r}.Play(text)
	if err != nil {
		return err.Error() + "\n"
	}
	return trace
}

func dataRule(name string) (engine.DataRule, error) {
	switch name {
	case "remote":
		return Remote{}, nil
	case "memory":
		return Memory{}, nil
	case "pipe":
		return Pipe{}, nil
	}
	return nil, fmt.Errorf("there is no data rule %q", name)
}

// Targets implements engine.DataRule.
func (Pipe) Targets(w *workflow.Workflow, _, _ []int32) []data.Target { return data.Piped(w) }

// Streams implements engine.Streaming.
func (Pipe) Streams() {}

// Targets implements engine.DataRule.
func (Remote) Targets(w *workflow.Workflow, _, _ []int32) []data.Target { return data.Remote(w) }

// Targets implements engine.DataRule.
func (Memory) Targets(w *workflow.Workflow, group, worker []int32) []data.Target {
	return data.FaaStore(w, group, worker)
}
