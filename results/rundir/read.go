package rundir

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

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
	done, err := trialsDone(dir, m)
	if err != nil {
		return nil, nil, err
	}
	a := analysis.New(m.Backend, m.Axes, m.Seed)
	if err := replay(dir, m, done, a); err != nil {
		return nil, nil, err
	}
	m.setDone(len(done))
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
	if m.Hash != plan.Hash() || m.Trials != plan.Trials || !slices.EqualFunc(m.Points, manifestPoints(plan), equalPoints) {
		return nil, fmt.Errorf("%s: the scenario is not the one that the run began with", dir)
	}
	done, err := trialsDone(dir, m)
	if err != nil {
		return nil, err
	}
	a := analysis.New(m.Backend, m.Axes, m.Seed)
	if err := replay(dir, m, done, a); err != nil {
		return nil, err
	}
	if err := cut(dir, done); err != nil {
		return nil, err
	}
	started, wall := m.Host.Started, m.Host.WallSeconds
	m.Host = thisHost(m.Host.Directory)
	m.Host.Started, m.Host.WallSeconds = started, wall
	m.setDone(len(done))
	o.Dir, o.Backend, o.Serves, o.Constants = dir, m.Backend, m.Serves, m.Constants
	j := &job{plan: plan, world: w, options: o, manifest: m, analyser: a}
	return j.run(ctx)
}

func equalPoints(a, b ManifestPoint) bool {
	return a.Scheduler == b.Scheduler && slices.Equal(a.Values, b.Values) && slices.Equal(a.Workflows, b.Workflows)
}

// ReadTasks returns what tasks.csv says of one invocation, in the order in
// which its function instances ended. The error is fs.ErrNotExist if the run
// kept no tasks.
func ReadTasks(dir string, m *Manifest, point, trial int, workflow string, invocation int64) ([]record.TaskRow, error) {
	done, err := trialsDone(dir, m)
	if err != nil {
		return nil, err
	}
	at := point*m.Trials + trial
	if at < 0 || at >= len(done) {
		return nil, fmt.Errorf("%s: the run has no trial %d of point %d", dir, trial, point)
	}
	var found []record.TaskRow
	err = eachTask(dir, m, done[at].tasks, func(k *record.Key, t *record.TaskRow) {
		if k.Point == point && k.Trial == trial && k.Workflow == workflow && t.Number == invocation {
			found = append(found, *t)
		}
	})
	return found, err
}

// EachTask gives what tasks.csv says of a run to f, in the order in which the
// function instances of a trial ended. The records are only valid during the
// call. The error is fs.ErrNotExist if the run kept no tasks.
func EachTask(dir string, m *Manifest, f func(*record.Key, *record.TaskRow)) error {
	done, err := trialsDone(dir, m)
	if err != nil || len(done) == 0 {
		return err
	}
	return eachTask(dir, m, done[len(done)-1].tasks, f)
}

// eachTask reads the table of tasks up to a size.
func eachTask(dir string, m *Manifest, size int64, f func(*record.Key, *record.TaskRow)) error {
	name := filepath.Join(dir, "tasks.csv")
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	r, axes, err := record.NewTaskReader(name, bufio.NewReaderSize(io.LimitReader(file, size), 1<<20))
	if err != nil {
		return err
	}
	if !slices.Equal(axes, m.Axes) {
		return fmt.Errorf("%s:1: its axes are not those of manifest.json", name)
	}
	var key record.Key
	var row record.TaskRow
	for {
		err := r.Next(&key, &row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(&key, &row)
	}
}

// EachInvocation gives the records of a run to f, in the order in which they
// are kept. They are only valid during the call.
func EachInvocation(dir string, m *Manifest, f func(*record.Key, *record.Invocation)) error {
	done, err := trialsDone(dir, m)
	if err != nil || len(done) == 0 {
		return err
	}
	r, file, err := openInvocations(dir, m, done[len(done)-1].invocations)
	if err != nil {
		return err
	}
	defer file.Close()
	var key record.Key
	var i record.Invocation
	for {
		err := r.Next(&key, &i)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(&key, &i)
	}
}

// openInvocations opens the table of invocations up to a size.
func openInvocations(dir string, m *Manifest, size int64) (*record.Reader, io.Closer, error) {
	name := filepath.Join(dir, "invocations.csv")
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	r, axes, err := record.NewReader(name, bufio.NewReaderSize(io.LimitReader(file, size), 1<<20))
	if err == nil && !slices.Equal(axes, m.Axes) {
		err = fmt.Errorf("%s:1: its axes are not those of manifest.json", name)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return r, file, nil
}

// doneTrial is a trial whose results are in a directory.
type doneTrial struct {
	// tallies are those of the point's workflows, as far as trials.csv has
	// them: their windows, and how many invocations were sent.
	tallies []record.Tally
	// trials, invocations and tasks are how long the tables are with it.
	trials, invocations, tasks int64
}

// trialsDone returns the trials whose results are in a directory. Those that a
// killed run had not written to their end do not count.
func trialsDone(dir string, m *Manifest) ([]doneTrial, error) {
	name := filepath.Join(dir, "trials.csv")
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	done, err := parseTrials(name, data, m)
	if err != nil {
		return nil, err
	}
	// The other tables are written before. A file system that lost power may
	// have kept less of them all the same.
	invocations, err := size(filepath.Join(dir, "invocations.csv"))
	if err != nil {
		return nil, err
	}
	tasks, err := size(filepath.Join(dir, "tasks.csv"))
	if err != nil {
		return nil, err
	}
	for len(done) > 0 {
		if last := done[len(done)-1]; last.invocations <= invocations && last.tasks <= tasks {
			break
		}
		done = done[:len(done)-1]
	}
	return done, nil
}

// size returns the size of a file, 0 if there is none.
func size(name string) (int64, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// parseTrials reads the text of trials.csv, as far as it has whole trials.
func parseTrials(name string, data []byte, m *Manifest) ([]doneTrial, error) {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return nil, nil
	}
	r := csv.NewReader(bytes.NewReader(data))
	columns := trialColumns(m.Axes)
	header, err := r.Read()
	if err != nil || !slices.Equal(header, columns) {
		return nil, fmt.Errorf("%s:1: these are not the columns of trials.csv as this version writes them", name)
	}
	at := func(column string) int { return slices.Index(columns, column) }
	var done []doneTrial
	var tallies []record.Tally // of the trial that is being read
	var before doneTrial
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return done, nil
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%s:%d: %w", name, syntax.Line, syntax.Err)
		}
		line, _ := r.FieldPos(0)
		var failed error
		number := func(column string) int64 {
			text := row[at(column)]
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil && failed == nil {
				failed = fmt.Errorf("%s:%d: %q is not a whole number", name, line, text)
			}
			return n
		}
		point, trial := number("point"), number("trial")
		tally := record.Tally{From: number("window_from"), To: number("window_to")}
		tally.Sent = number("sent")
		d := doneTrial{trials: r.InputOffset(), invocations: number("invocations_size"), tasks: number("tasks_size")}
		if failed != nil {
			return nil, failed
		}
		if len(done) >= m.total() || point != int64(len(done)/m.Trials) || trial != int64(len(done)%m.Trials) ||
			row[at("workflow")] != m.Points[point].Workflows[len(tallies)] || d.invocations < before.invocations || d.tasks < before.tasks {
			return nil, fmt.Errorf("%s:%d: the row is out of place: the file has been changed", name, line)
		}
		before = d
		if tallies = append(tallies, tally); len(tallies) == len(m.Points[point].Workflows) {
			d.tallies, tallies = tallies, nil
			done = append(done, d)
		}
	}
}

// cut removes the rows of trials that were not written to their end.
func cut(dir string, done []doneTrial) error {
	var last doneTrial
	if len(done) > 0 {
		last = done[len(done)-1]
	}
	// trials.csv comes first: what it has must be in the others.
	for _, table := range []struct {
		name string
		size int64
	}{{"trials.csv", last.trials}, {"invocations.csv", last.invocations}, {"tasks.csv", last.tasks}} {
		if err := os.Truncate(filepath.Join(dir, table.name), table.size); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// replay gives the records of the trials that are done to an analyser.
func replay(dir string, m *Manifest, done []doneTrial, a *analysis.Analyser) error {
	if len(done) == 0 {
		return nil
	}
	name := filepath.Join(dir, "invocations.csv")
	r, file, err := openInvocations(dir, m, done[len(done)-1].invocations)
	if err != nil {
		return err
	}
	defer file.Close()
	var key record.Key
	var i record.Invocation
	all := metrics.All()
	for index, d := range done {
		number, trial := index/m.Trials, index%m.Trials
		point := m.Points[number]
		samples := make([]*analysis.Samples, len(d.tallies))
		left := int64(0)
		for w, t := range d.tallies {
			samples[w] = analysis.NewSamples(t.From, t.To)
			left += t.Sent
		}
		for range left {
			if err := r.Next(&key, &i); errors.Is(err, io.EOF) {
				return fmt.Errorf("%s:%d: rows are missing after this one: the file has been changed", name, r.Line())
			} else if err != nil {
				return err
			}
			w := slices.Index(point.Workflows, key.Workflow)
			if key.Point != number || key.Trial != trial || w < 0 {
				return fmt.Errorf("%s:%d: the row is out of place: the file has been changed", name, r.Line())
			}
			samples[w].Add(all, &i)
		}
		for w, s := range samples {
			if s.Tally.Sent != d.tallies[w].Sent {
				return fmt.Errorf("%s:%d: up to here it does not have the rows of point %d, trial %d that trials.csv says: the file has been changed", name, r.Line(), number, trial)
			}
			s.Tally.Close()
			a.Trial(analysis.Key{Point: number, Scheduler: point.Scheduler, Workflow: point.Workflows[w], Values: point.Values}, s)
		}
	}
	if err := r.Next(&key, &i); err == nil {
		return fmt.Errorf("%s:%d: the row is out of place: the file has been changed", name, r.Line())
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
