package rundir

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Read analyses the run in a directory anew. An interrupted one gives what
// was done.
func Read(dir string) (*Manifest, *analysis.Run, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	done, err := readTrials(filepath.Join(dir, "trials.csv"), m)
	if err != nil {
		return nil, nil, err
	}
	a := analysis.New(m.Backend, m.Axes, m.Seed)
	if err := replay(dir, m, done, a); err != nil {
		return nil, nil, err
	}
	m.Done = len(done)
	return m, a.Finish(), nil
}

// Resume finishes an interrupted run. load makes the plan anew from the text,
// the settings and the directory of the scenario file.
func Resume(ctx context.Context, dir string, w World, o Options, load func(*Manifest) (*scenarios.Plan, error)) (*analysis.Run, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	plan, err := load(m)
	if err != nil {
		return nil, err
	}
	if m.Hash != plan.Hash() || len(m.Points) != len(plan.Points) || m.Trials != plan.Trials {
		return nil, fmt.Errorf("%s: the scenario is not the one that the run began with", dir)
	}
	done, err := readTrials(filepath.Join(dir, "trials.csv"), m)
	if err != nil {
		return nil, err
	}
	if err := cut(dir, m, done); err != nil {
		return nil, err
	}
	started := m.Host.Started
	wall := m.Host.WallSeconds
	m.Host = thisHost(m.Host.Directory)
	m.Host.Started, m.Host.WallSeconds = started, wall
	o.Dir, o.Backend, o.Serves = dir, m.Backend, m.Serves
	m.Done = len(done)
	j := &job{plan: plan, world: w, options: o, manifest: m, analyser: analysis.New(m.Backend, m.Axes, m.Seed)}
	if err := replay(dir, m, done, j.analyser); err != nil {
		return nil, err
	}
	return j.run(ctx)
}

// doneTrial is a trial whose results are in a directory.
type doneTrial struct {
	point, trial       int
	windows            map[string]record.Tally // by workflow
	end                int64                   // of its rows in trials.csv
	invocations, tasks int64                   // size of the other tables with it
}

// readTrials reads trials.csv. The trial that a killed run was writing does
// not count.
func readTrials(name string, m *Manifest) ([]doneTrial, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if end := strings.LastIndexByte(string(data), '\n'); end >= 0 {
		data = data[:end+1]
	}
	r := csv.NewReader(strings.NewReader(string(data)))
	columns := trialColumns(m.Axes)
	header, err := r.Read()
	if err != nil || !slices.Equal(header, columns) {
		return nil, fmt.Errorf("%s:1: these are not the columns of trials.csv as this version writes them", name)
	}
	at := func(column string) int { return slices.Index(columns, column) }
	var done []doneTrial
	rows := 0
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		var failed error
		number := func(column string) int64 {
			n, err := strconv.ParseInt(row[at(column)], 10, 64)
			failed = errors.Join(failed, err)
			return n
		}
		point, trial := int(number("point")), int(number("trial"))
		window := record.Tally{From: number("window_from"), To: number("window_to")}
		invocations, tasks := number("invocations_size"), number("tasks_size")
		if failed != nil || point < 0 || point >= len(m.Points) || point*m.Trials+trial != len(done)-boolToInt(rows > 0) {
			return nil, fmt.Errorf("%s:%d: the row is out of place", name, line)
		}
		if rows == 0 {
			done = append(done, doneTrial{point: point, trial: trial, windows: map[string]record.Tally{}})
		}
		d := &done[len(done)-1]
		d.windows[row[at("workflow")]] = window
		d.invocations, d.tasks, d.end = invocations, tasks, r.InputOffset()
		if rows++; rows == len(m.Points[point].Workflows) {
			rows = 0
		}
	}
	if rows > 0 {
		done = done[:len(done)-1]
	}
	return done, nil
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cut removes the rows of trials that were not written to their end.
func cut(dir string, m *Manifest, done []doneTrial) error {
	sizes := map[string]int64{
		"trials.csv":      int64(len(record.Header(trialColumns(m.Axes)))),
		"invocations.csv": int64(len(record.Header(record.InvocationColumns(m.Axes)))),
	}
	if m.Tasks {
		sizes["tasks.csv"] = int64(len(record.Header(record.TaskColumns(m.Axes))))
	}
	if len(done) > 0 {
		last := done[len(done)-1]
		sizes["trials.csv"], sizes["invocations.csv"] = last.end, last.invocations
		if m.Tasks {
			sizes["tasks.csv"] = last.tasks
		}
	}
	for name, size := range sizes {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if info.Size() < size {
			return fmt.Errorf("%s is shorter than trials.csv says: it has been changed, and the run cannot be resumed", filepath.Join(dir, name))
		}
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			return err
		}
	}
	return nil
}

// replay gives the records of the trials that are done to an analyser.
func replay(dir string, m *Manifest, done []doneTrial, a *analysis.Analyser) error {
	name := filepath.Join(dir, "invocations.csv")
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	size := int64(len(record.Header(record.InvocationColumns(m.Axes))))
	if len(done) > 0 {
		size = done[len(done)-1].invocations
	}
	r, _, err := record.NewReader(name, bufio.NewReaderSize(io.LimitReader(file, size), 1<<20))
	if err != nil {
		return err
	}
	var key record.Key
	var i record.Invocation
	all := metrics.All()
	pending := len(done) > 0
	if pending {
		if err := r.Next(&key, &i); errors.Is(err, io.EOF) {
			pending = false
		} else if err != nil {
			return err
		}
	}
	for _, d := range done {
		point := m.Points[d.point]
		samples := map[string]*analysis.Samples{}
		for _, w := range point.Workflows {
			window := d.windows[w]
			samples[w] = analysis.NewSamples(window.From, window.To)
		}
		for pending && key.Point == d.point && key.Trial == d.trial {
			s, known := samples[key.Workflow]
			if !known {
				return fmt.Errorf("%s: point %d has no workflow %q", name, d.point, key.Workflow)
			}
			s.Add(all, &i)
			if err := r.Next(&key, &i); errors.Is(err, io.EOF) {
				pending = false
			} else if err != nil {
				return err
			}
		}
		for _, w := range point.Workflows {
			a.Trial(analysis.Key{Point: d.point, Scheduler: point.Scheduler, Workflow: w, Values: point.Values}, samples[w])
		}
	}
	return nil
}
