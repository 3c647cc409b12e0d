package rundir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/stats"
	"github.com/flowtwin/flowtwin/scenarios"
)

// World runs trials.
type World interface {
	Run(context.Context, *scenarios.Trial, record.Recorder) error
}

// Options say how a plan is run.
type Options struct {
	// Backend is the world's name, Serves what stands for each service in it.
	Backend string
	Serves  map[string]string
	// Constants says what it makes of the profile's constants; nil if it obeys
	// all.
	Constants *Constants
	// Dir is the run directory. An earlier run in it is moved aside.
	Dir string
	// ScenarioDir is where files that the scenario names are.
	ScenarioDir string
	// Parallel is the number of trials that run at a time; 0 means one for
	// each processor.
	Parallel int
	// Measured, if set, says what the back end has measured of itself so far.
	Measured func() map[string]string
	// Progress is told how many trials are done, of how many.
	Progress func(done, total int)
}

// LagError is the error of a run that is complete and can be read, but whose
// load was sent so late that its latencies are not to be trusted.
type LagError struct {
	// Worst is the series for which the lag is the largest, Spoiled how many
	// there are.
	Worst   *analysis.Series
	Spoiled int
}

func (e *LagError) Error() string {
	s := e.Worst
	others := ""
	if e.Spoiled > 1 {
		others = fmt.Sprintf(", and %d more series are spoiled", e.Spoiled-1)
	}
	return fmt.Sprintf("the load generator could not keep up, so the latencies are not those of this load: with %s, one invocation in a hundred was sent %.3g ms late or more, "+
		"where the median latency is %.3g ms%s; run it with less load, or with nothing else on the machine",
		strings.Join(slices.Concat([]string{s.Scheduler, s.Workflow}, s.Values), " "), 1000*s.Lag, 1000*stats.Percentile(s.Latencies, 50), others)
}

// lagOf returns a *LagError if the lag of the generator spoils a run, or nil.
func lagOf(run *analysis.Run) error {
	late := &LagError{}
	for _, s := range run.Series {
		if s.Spoiled() {
			late.Spoiled++
			if late.Worst == nil || s.Lag > late.Worst.Lag {
				late.Worst = s
			}
		}
	}
	if late.Worst == nil {
		return nil
	}
	return late
}

// Execute runs a plan and writes its results. If ctx is cancelled it returns
// ctx's error, and the directory holds the trials that were done. If all were
// done but the load was sent too late, the error is a *LagError.
func Execute(ctx context.Context, plan *scenarios.Plan, w World, o Options) (*analysis.Run, error) {
	if err := makeRoom(o.Dir); err != nil {
		return nil, err
	}
	m := &Manifest{
		Format: format, Scenario: plan.Scenario.Name, Title: plan.Scenario.Title, Hash: plan.Hash(), Settings: plan.Settings,
		Backend: o.Backend, Serves: o.Serves, Profile: plan.Scenario.Profile, Constants: o.Constants, Seed: plan.Scenario.Seed,
		Axes: plan.Axes, Trials: plan.Trials, Tasks: plan.Scenario.Tasks, Source: string(plan.Source), Host: thisHost(o.ScenarioDir),
		Points: manifestPoints(plan), Figures: plan.Scenario.Figures,
	}
	if plan.Limit > 0 {
		m.Limit = plan.Limit.String()
	}
	m.setDone(0)
	j := &job{plan: plan, world: w, options: o, manifest: m, analyser: analysis.New(o.Backend, plan.Axes, plan.Scenario.Seed)}
	return j.run(ctx)
}

func manifestPoints(plan *scenarios.Plan) []ManifestPoint {
	points := make([]ManifestPoint, len(plan.Points))
	for i, p := range plan.Points {
		points[i] = ManifestPoint{p.Scheduler, p.Values, p.Workflows}
	}
	return points
}

// makeRoom makes an empty directory. What an earlier run has left there is
// moved aside, and what is not a run is left alone.
func makeRoom(dir string) error {
	there, err := look(dir)
	if err != nil {
		return err
	}
	switch there {
	case foreign:
		return fmt.Errorf("%s exists and is not a run directory: choose another with --out", dir)
	case earlierRun:
		if err := moveAside(filepath.Clean(dir)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the run directory cannot be made: %w", err)
	}
	return nil
}

func moveAside(dir string) error {
	if name := filepath.Base(dir); name == "." || name == ".." {
		return fmt.Errorf("the run in %s cannot be moved aside from within: choose another directory with --out", dir)
	}
	aside := dir + "~"
	there, err := look(aside)
	if err != nil {
		return err
	}
	if there == foreign {
		return fmt.Errorf("the run in %s cannot be moved aside: %s is not a run directory, and is left alone; choose another directory with --out", dir, aside)
	}
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	return os.Rename(dir, aside)
}

// contents is what a directory holds.
type contents int

const (
	nothing contents = iota
	earlierRun
	foreign
)

// look says what a directory holds. It need not exist.
func look(dir string) (contents, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nothing, nil
	}
	if err != nil {
		return foreign, err
	}
	if !info.IsDir() {
		return foreign, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return foreign, err
	}
	// A run that was killed as it began leaves no more than that.
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), temporary) })
	if len(entries) == 0 {
		return nothing, nil
	}
	var m Manifest
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil || json.Unmarshal(data, &m) != nil || m.Format < 1 {
		return foreign, nil
	}
	return earlierRun, nil
}

// job is a run under way.
type job struct {
	plan     *scenarios.Plan
	world    World
	options  Options
	manifest *Manifest
	analyser *analysis.Analyser

	invocations, tasks, trials *table
}

// result is what a trial has come to.
type result struct {
	index    int
	err      error
	recorder *recorder
}

func (j *job) run(ctx context.Context) (*analysis.Run, error) {
	started := time.Now()
	if err := j.open(); err != nil {
		return nil, err
	}
	runErr := j.trialsFrom(ctx, j.manifest.Done)
	err := j.close()
	j.manifest.Host.WallSeconds += math.Round(time.Since(started).Seconds()*1000) / 1000
	run := j.analyser.Finish()
	// The manifest comes last: as long as it says partial, a run that is
	// killed here can be finished.
	err = errors.Join(err, writeSummary(j.options.Dir, run), j.manifest.write(j.options.Dir))
	if runErr != nil {
		err = runErr
	}
	if err == nil {
		err = lagOf(run)
	}
	return run, err
}

// open opens the tables. The manifest is there before them, so that even a
// run that is killed can be told from no run.
func (j *job) open() error {
	dir, axes := j.options.Dir, j.plan.Axes
	if err := j.manifest.write(dir); err != nil {
		return err
	}
	// What a run that was killed had not written to its end.
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	j.invocations, err = openTable(filepath.Join(dir, "invocations.csv"), record.InvocationColumns(axes))
	if err == nil && j.plan.Scenario.Tasks {
		j.tasks, err = openTable(filepath.Join(dir, "tasks.csv"), record.TaskColumns(axes))
	}
	if err == nil {
		j.trials, err = openTable(filepath.Join(dir, "trials.csv"), trialColumns(axes))
	}
	if err != nil {
		return errors.Join(err, j.close())
	}
	return nil
}

func (j *job) close() error {
	return errors.Join(j.invocations.close(), j.tasks.close(), j.trials.close())
}

// trialsFrom runs all trials from an index on, several at a time, and writes
// their results in order.
func (j *job) trialsFrom(ctx context.Context, first int) error {
	total := len(j.plan.Points) * j.plan.Trials
	parallel := j.options.Parallel
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	indices := make(chan int)
	results := make(chan result)
	// A trial may not be so far ahead that results pile up.
	ahead := make(chan struct{}, 4*parallel)
	go func() {
		defer close(indices)
		for i := first; i < total && ctx.Err() == nil; i++ {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case indices <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	running := make(chan struct{})
	for range parallel {
		go func() {
			for i := range indices {
				results <- j.trial(ctx, i)
			}
			running <- struct{}{}
		}()
	}
	waiting := map[int]result{}
	next := first
	var failure error
	for left := parallel; left > 0; {
		select {
		case <-running:
			left--
		case r := <-results:
			waiting[r.index] = r
			for failure == nil {
				r, ready := waiting[next]
				if !ready {
					break
				}
				delete(waiting, next)
				if failure = j.commit(r); failure != nil {
					cancel()
					break
				}
				next++
				<-ahead
				if j.options.Progress != nil {
					j.options.Progress(next, total)
				}
			}
		}
	}
	for _, r := range waiting {
		r.recorder.drop()
	}
	if failure == nil && next < total {
		failure = ctx.Err()
	}
	return failure
}

// trial runs one trial.
func (j *job) trial(ctx context.Context, index int) result {
	t := j.plan.Trial(index/j.plan.Trials, index%j.plan.Trials)
	r := newRecorder(j, t)
	err := j.world.Run(ctx, t, r)
	for _, samples := range r.samples {
		samples.Tally.Close()
	}
	return result{index, err, r}
}

// commit writes the results of a trial. Its row in trials.csv comes last:
// with it the trial counts.
func (j *job) commit(r result) error {
	defer r.recorder.drop()
	if r.err != nil {
		return fmt.Errorf("point %d, trial %d: %w", r.index/j.plan.Trials, r.index%j.plan.Trials, r.err)
	}
	if err := j.invocations.take(&r.recorder.invocations); err != nil {
		return err
	}
	if j.tasks != nil {
		if err := j.tasks.take(&r.recorder.tasks); err != nil {
			return err
		}
	}
	if err := j.trials.add(r.recorder.trialRows(j.invocations.size, j.tasks.bytes())); err != nil {
		return err
	}
	p := &j.plan.Points[r.recorder.trial.Point]
	for i, samples := range r.recorder.samples {
		j.analyser.Trial(analysis.Key{Point: p.Index, Scheduler: p.Scheduler, Workflow: p.Workflows[i], Values: p.Values}, samples)
	}
	j.manifest.setDone(j.manifest.Done + 1)
	if j.options.Measured != nil {
		j.manifest.Measured = j.options.Measured()
	}
	return nil
}

// recorder takes the records of one trial.
type recorder struct {
	trial       *scenarios.Trial
	wantsTasks  bool
	all         []metrics.Metric
	keys        [][]byte // by workflow: the cells that begin its rows
	nodes       []string
	row         []byte
	invocations spool
	tasks       spool
	samples     []*analysis.Samples
}

func newRecorder(j *job, t *scenarios.Trial) *recorder {
	r := &recorder{
		trial: t, wantsTasks: j.plan.Scenario.Tasks, all: metrics.All(),
		invocations: spool{dir: j.options.Dir}, tasks: spool{dir: j.options.Dir},
	}
	p := &j.plan.Points[t.Point]
	for i := range t.Workflows {
		key := record.Key{Point: t.Point, Trial: t.Number, Scheduler: p.Scheduler, Workflow: p.Workflows[i], Values: p.Values}
		r.keys = append(r.keys, key.Append(nil))
		from, to := window(t, i)
		r.samples = append(r.samples, analysis.NewSamples(from, to))
	}
	cluster := t.Cluster.Engine()
	for id := range cluster.Nodes() {
		r.nodes = append(r.nodes, cluster.NodeName(engine.NodeID(id)))
	}
	return r
}

// window is the time whose completions count for the throughput.
func window(t *scenarios.Trial, workflow int) (from, to int64) {
	l := &t.Loads[workflow]
	from, to = max(l.First, l.Warmup), 0
	if l.WarmupCount > 0 {
		from = -1
	}
	if l.Until < math.MaxInt64 {
		to = l.First + l.Until
	}
	return from, to
}

func (r *recorder) Invocation(i *record.Invocation) {
	r.row = i.AppendRow(append(r.row[:0], r.keys[i.Workflow]...))
	r.invocations.write(r.row)
	r.samples[i.Workflow].Add(r.all, i)
}

func (r *recorder) WantsTasks() bool { return r.wantsTasks }

func (r *recorder) Task(t *record.Task) {
	function := r.trial.Workflows[t.Workflow].Functions[t.Function].Name
	r.row = t.AppendRow(append(r.row[:0], r.keys[t.Workflow]...), function, r.nodes[t.Node])
	r.tasks.write(r.row)
}

func (r *recorder) drop() {
	r.invocations.drop()
	r.tasks.drop()
}

// table is a CSV file that grows.
type table struct {
	file *os.File
	size int64
}

// openTable opens a table to be continued, with its header if it is new.
func openTable(name string, columns []string) (*table, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	t := &table{file: file}
	if t.size, err = file.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	if t.size == 0 {
		return t, t.add([]byte(record.Header(columns)))
	}
	return t, nil
}

func (t *table) add(rows []byte) error {
	n, err := t.file.Write(rows)
	t.size += int64(n)
	return err
}

func (t *table) take(s *spool) error {
	n, err := s.drain(t.file)
	t.size += n
	return err
}

func (t *table) bytes() int64 {
	if t == nil {
		return 0
	}
	return t.size
}

func (t *table) close() error {
	if t == nil {
		return nil
	}
	return t.file.Close()
}

// trialColumns are the columns of trials.csv. The last two say how long the
// other tables are with this trial.
func trialColumns(axes []string) []string {
	return slices.Concat(record.KeyColumns(axes), []string{
		"sent", "measured", "completed", "failed", "timed_out", "cold_starts", "throughput",
		"window_from", "window_to", "invocations_size", "tasks_size",
	})
}

func (r *recorder) trialRows(invocations, tasks int64) []byte {
	var rows []byte
	for i, s := range r.samples {
		t := &s.Tally
		rows = append(rows, r.keys[i]...)
		rows = fmt.Appendf(rows, "%d,%d,%d,%d,%d,%d,%.12g,%d,%d,%d,%d\n",
			t.Sent, t.Measured, t.Completed, t.Failed, t.TimedOut, t.ColdStarts, t.Throughput, t.From, t.To, invocations, tasks)
	}
	return rows
}
