package rundir_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/sim"
)

// scenario has all that a directory can hold: several workflows, axes with
// labels that CSV must quote, tasks.
const scenario = `
name: small
title: A few invocations
workflows: [faasflow/wordcount, faasflow/fileprocessing]
cluster: {workers: 3, cores: 8}
load: {arrivals: poisson, rate: 60/min, limit: 3, warmup: 500ms}
schedulers: [mastersp, faasflow]
axes: {link: {"slow, \"25\" MB/s": {cluster.link: 25MB/s}, fast: {cluster.link: 100MB/s}}}
trials: 2
tasks: true
figures: [cdf, {kind: bars, metric: throughput, log: true}]
`

const trials = 2 * 2 * 2 // schedulers, axis values, trials of each

func plan(t testing.TB, text string, settings ...string) *scenarios.Plan {
	t.Helper()
	p, err := scenarios.Parse("small.yaml", []byte(text), ".", scenarios.Options{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// reload makes the plan of a run anew, as the command line does.
func reload(m *rundir.Manifest) (*scenarios.Plan, error) {
	return scenarios.Parse(m.Scenario+".yaml", []byte(m.Source), m.Host.Directory, scenarios.Options{Settings: m.Settings})
}

// disturbed is the simulator, with something that happens before each trial.
type disturbed struct {
	sim.World
	before func(context.Context, *scenarios.Trial) error
}

func (w disturbed) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	if err := w.before(ctx, t); err != nil {
		return err
	}
	return w.World.Run(ctx, t, r)
}

// index is a trial's place among all of the scenario.
func index(t *scenarios.Trial) int { return t.Point*2 + t.Number }

func options(dir string) rundir.Options {
	return rundir.Options{Backend: "sim", Serves: map[string]string{"store": "simulated store"}, Dir: dir, ScenarioDir: ".", Parallel: 2}
}

// execute runs the scenario to its end.
func execute(t testing.TB, dir string) {
	t.Helper()
	if _, err := rundir.Execute(context.Background(), plan(t, scenario), sim.World{}, options(dir)); err != nil {
		t.Fatal(err)
	}
}

// files returns all that a directory holds, by name. The manifest's host is
// left out.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if entry.Name() == "manifest.json" {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(data, &fields); err != nil {
				return err
			}
			delete(fields, "host")
			var text strings.Builder
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				fmt.Fprintf(&text, "%s: %s\n", name, fields[name])
			}
			data = []byte(text.String())
		}
		all[strings.TrimPrefix(name, dir+string(filepath.Separator))] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same checks that a directory holds exactly what another does.
func same(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	got := files(t, dir)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			at := 0
			for at < min(len(got[name]), len(want[name])) && got[name][at] == want[name][at] {
				at++
			}
			t.Fatalf("%s has %d bytes, want %d; they differ from byte %d on: %.80q, want %.80q",
				name, len(got[name]), len(want[name]), at, got[name][at:], want[name][at:])
		}
	}
	for name := range got {
		if _, wanted := want[name]; !wanted {
			t.Fatalf("%s was left in the directory", name)
		}
	}
}

func TestSameScenarioAndSeedGiveTheSameBytes(t *testing.T) {
	first := t.TempDir()
	execute(t, first)
	want := files(t, first)
	for _, name := range []string{"manifest.json", "invocations.csv", "tasks.csv", "trials.csv", "summary.csv"} {
		if strings.Count(want[name], "\n") < trials {
			t.Errorf("%s has few lines:\n%s", name, want[name])
		}
	}
	for _, parallel := range []int{0, 1, 2, 8} {
		t.Run(fmt.Sprint("parallel ", parallel), func(t *testing.T) {
			// Trials end in any order.
			shuffled := disturbed{before: func(context.Context, *scenarios.Trial) error {
				time.Sleep(rand.N(10 * time.Millisecond))
				return nil
			}}
			dir := filepath.Join(t.TempDir(), "run")
			o := options(dir)
			o.Parallel = parallel
			last := 0
			o.Progress = func(done, total int) {
				if last++; done != last || total != trials {
					t.Errorf("progress is %d of %d, want %d of %d", done, total, last, trials)
				}
			}
			if _, err := rundir.Execute(context.Background(), plan(t, scenario), shuffled, o); err != nil {
				t.Fatal(err)
			}
			same(t, dir, want)
		})
	}
	other := t.TempDir()
	if _, err := rundir.Execute(context.Background(), plan(t, scenario, "seed=2"), sim.World{}, options(other)); err != nil {
		t.Fatal(err)
	}
	if files(t, other)["invocations.csv"] == want["invocations.csv"] {
		t.Error("another seed gives the same invocations")
	}
}

func TestManifestSaysWhatWasRun(t *testing.T) {
	dir := t.TempDir()
	execute(t, dir)
	m, run, err := rundir.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, scenario)
	if m.Scenario != "small" || m.Backend != "sim" || m.Profile != "ideal" || m.Seed != 1 || m.Hash != p.Hash() || m.Source != scenario {
		t.Errorf("the manifest is %+v", m)
	}
	if m.Status != "complete" || m.Done != trials {
		t.Errorf("%d trials, %s; want %d, complete", m.Done, m.Status, trials)
	}
	if !slices.Equal(m.Figures, p.Scenario.Figures) || len(m.Figures) != 2 {
		t.Errorf("the figures are %v, want %v", m.Figures, p.Scenario.Figures)
	}
	if len(run.Series) != 2*2*2 {
		t.Errorf("%d series, want one for each scheduler, link and workflow", len(run.Series))
	}
	tasks, err := rundir.ReadTasks(dir, m, 1, 1, "faasflow/fileprocessing", 2)
	if err != nil {
		t.Fatal(err)
	}
	if functions := len(p.Trial(1, 1).Workflows[1].Functions); len(tasks) < functions {
		t.Errorf("%d tasks of an invocation of %d functions", len(tasks), functions)
	}
	for _, task := range tasks {
		if task.Number != 2 || task.Ended-task.Started != task.Fetch+task.Compute+task.Put {
			t.Errorf("a task of invocation 2 is %+v", task)
		}
	}
}

// A world that does not obey all constants of a profile has to say which; rules
// hold in any, and are not listed.
func TestManifestSaysWhatBecameOfTheConstants(t *testing.T) {
	dir := t.TempDir()
	o := options(dir)
	o.Constants = rundir.NewConstants(true, []profile.Constant{
		{Path: "engine.send", Treatment: profile.Paced}, {Path: "dispatch.tick", Treatment: profile.Rule},
		{Path: "container.cold_start", Treatment: profile.Measured}, {Path: "store.read", Treatment: profile.NotApplied},
	})
	if _, err := rundir.Execute(context.Background(), plan(t, scenario), sim.World{}, o); err != nil {
		t.Fatal(err)
	}
	const want = `{"pace":true,"paced":["engine.send"],"measured":["container.cold_start"],"not_applied":["store.read"]}`
	for range 2 {
		var got bytes.Buffer
		if err := json.Compact(&got, []byte(constantsIn(t, dir))); err != nil || got.String() != want {
			t.Errorf("the manifest has %q, %v\nwant %s", got.String(), err, want)
		}
		// Whoever finishes the run need not say it again.
		if _, err := rundir.Resume(context.Background(), dir, sim.World{}, rundir.Options{}, reload); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, dir)
	if text := constantsIn(t, dir); text != "" {
		t.Errorf("the simulator obeys all, its manifest has %q", text)
	}
}

// constantsIn returns what a manifest says of constants.
func constantsIn(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return string(fields["constants"])
}

// What is read from the files gives the statistics that the run itself gave,
// to the last digit.
func TestReadGivesWhatTheRunGave(t *testing.T) {
	dir := t.TempDir()
	execute(t, dir)
	want := files(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "summary.csv"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	never := disturbed{before: func(context.Context, *scenarios.Trial) error { return errors.New("there was nothing left to run") }}
	if _, err := rundir.Resume(context.Background(), dir, never, rundir.Options{}, reload); err != nil {
		t.Fatal(err)
	}
	same(t, dir, want)
}

func TestCancelledRunIsReadableAndCanBeFinished(t *testing.T) {
	whole := t.TempDir()
	execute(t, whole)
	want := files(t, whole)
	for at := range trials {
		t.Run(fmt.Sprint("in trial ", at), func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(context.Background())
			interrupted := disturbed{before: func(ctx context.Context, t *scenarios.Trial) error {
				if index(t) >= at {
					cancel()
					return ctx.Err()
				}
				return nil
			}}
			if _, err := rundir.Execute(ctx, plan(t, scenario), interrupted, options(dir)); !errors.Is(err, context.Canceled) {
				t.Fatalf("the error is %v, want context.Canceled", err)
			}
			m, run, err := rundir.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if m.Done > at || m.Status != "partial" {
				t.Errorf("%d trials, %s; want at most %d, partial", m.Done, m.Status, at)
			}
			if m.Done > 0 && len(run.Series) == 0 {
				t.Error("there are no results of what was done")
			}
			if _, err := rundir.Resume(context.Background(), dir, sim.World{}, options(""), reload); err != nil {
				t.Fatal(err)
			}
			same(t, dir, want)
		})
	}
}

// No further trial is begun, even in a world that takes no notice.
func TestCancelBetweenTrials(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o := options(dir)
	o.Parallel = 1
	o.Progress = func(done, _ int) {
		if done == 3 {
			cancel()
		}
	}
	deaf := worldFunc(func(_ context.Context, t *scenarios.Trial, r record.Recorder) error {
		return sim.World{}.Run(context.Background(), t, r)
	})
	if _, err := rundir.Execute(ctx, plan(t, scenario), deaf, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v, want context.Canceled", err)
	}
	if m, _, err := rundir.Read(dir); err != nil || m.Done < 3 || m.Done == trials || m.Status != "partial" {
		t.Errorf("%+v, %v; want a partial run", m, err)
	}
}

type worldFunc func(context.Context, *scenarios.Trial, record.Recorder) error

func (w worldFunc) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	return w(ctx, t, r)
}

// Ctrl-C when all trials are done loses nothing, and is no error: there is
// nothing left to interrupt.
func TestCancelDuringTheSummaryLosesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o := options(dir)
	o.Progress = func(done, total int) {
		if done == total {
			cancel()
		}
	}
	if _, err := rundir.Execute(ctx, plan(t, scenario), sim.World{}, o); err != nil {
		t.Fatal(err)
	}
	if m, err := rundir.ReadManifest(dir); err != nil || m.Status != "complete" {
		t.Errorf("%+v, %v; want a complete run", m, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "summary.csv")); err != nil {
		t.Error(err)
	}
}

// A run may be killed while any byte of any table is written, and a file
// system that loses power may keep less of one table than of another. What is
// whole is read; finished, the run has the bytes of one that nothing happened
// to.
func TestRunKilledAtAnyByteCanBeReadAndFinished(t *testing.T) {
	whole := t.TempDir()
	execute(t, whole)
	want := files(t, whole)
	begun := beginning(t)
	check := func(t *testing.T, dir string, sizes map[string]int) {
		t.Helper()
		for name, size := range sizes {
			if size < 0 {
				continue // It was not there yet.
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(want[name][:size]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range map[string][]byte{"manifest.json": begun, ".writing-4711": []byte("half a")} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m, _, err := rundir.Read(dir)
		if err != nil {
			t.Fatalf("with %v: %v", sizes, err)
		}
		if wholeTrials := strings.Count(want["trials.csv"][:max(sizes["trials.csv"], 0)], "\n") / 2; m.Done > wholeTrials {
			t.Fatalf("with %v: %d trials are done, and %d in trials.csv", sizes, m.Done, wholeTrials)
		}
		if (m.Status == "complete") != (m.Done == trials) {
			t.Fatalf("with %v: %d trials are done, the status is %s", sizes, m.Done, m.Status)
		}
		if _, err := rundir.Resume(context.Background(), dir, sim.World{}, options(""), reload); err != nil {
			t.Fatalf("with %v: %v", sizes, err)
		}
		same(t, dir, want)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tables := []string{"invocations.csv", "tasks.csv", "trials.csv"}
	all := func() map[string]int {
		sizes := map[string]int{}
		for _, name := range tables {
			sizes[name] = len(want[name])
		}
		return sizes
	}
	for _, name := range tables {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := want[name]
			step := len(text)/25 + 1
			for size := -1; size <= len(text); size += step {
				sizes := all()
				sizes[name] = size
				check(t, dir, sizes)
			}
			// At and around the ends of rows.
			for i, line := 0, 0; i < len(text); i++ {
				if text[i] != '\n' {
					continue
				}
				if line++; line > 3 {
					break
				}
				for size := i; size <= i+2 && size <= len(text); size++ {
					sizes := all()
					sizes[name] = size
					check(t, dir, sizes)
				}
			}
		})
	}
	t.Run("all of them", func(t *testing.T) {
		dir := t.TempDir()
		random := rand.New(rand.NewPCG(1, 2))
		for range 25 {
			sizes := all()
			for name := range sizes {
				sizes[name] = random.IntN(sizes[name]+2) - 1
			}
			check(t, dir, sizes)
		}
	})
}

// beginning returns the manifest of a run that has just begun.
func beginning(t *testing.T) []byte {
	t.Helper()
	var begun []byte
	dir := t.TempDir()
	o := options(dir)
	o.Parallel = 1
	w := disturbed{before: func(_ context.Context, trial *scenarios.Trial) (err error) {
		if index(trial) == 0 {
			begun, err = os.ReadFile(filepath.Join(dir, "manifest.json"))
		}
		return err
	}}
	if _, err := rundir.Execute(context.Background(), plan(t, scenario), w, o); err != nil {
		t.Fatal(err)
	}
	return begun
}

// A table that was changed, not cut, is refused with the line, and left as it
// is.
func TestRunWhoseTablesWereChangedIsRefused(t *testing.T) {
	whole := t.TempDir()
	execute(t, whole)
	want := files(t, whole)
	lines := func(name string) []string { return strings.SplitAfter(want[name], "\n") }
	replace := func(name string, line int, old, new string) string {
		all := lines(name)
		if !strings.Contains(all[line-1], old) {
			t.Fatalf("line %d of %s has no %q: %s", line, name, old, all[line-1])
		}
		all[line-1] = strings.Replace(all[line-1], old, new, 1)
		return strings.Join(all, "")
	}
	without := func(name string, line int) string {
		return strings.Join(slices.Delete(lines(name), line-1, line), "")
	}
	for _, test := range []struct{ name, table, text, err string }{
		{"a word for a number", "invocations.csv", replace("invocations.csv", 4, ",completed,", ",complete!,"), `invocations.csv:4: "complete!" in column 9 is not an outcome`},
		{"a row of another trial", "invocations.csv", replace("invocations.csv", 3, "0,0,", "0,1,"), "invocations.csv:3: the row is out of place: the file has been changed"},
		{"a row of another workflow", "invocations.csv", replace("invocations.csv", 2, "faasflow/wordcount", "faasflow/w0rdcount"), "invocations.csv:2: the row is out of place: the file has been changed"},
		{"another axis", "invocations.csv", replace("invocations.csv", 1, "link", "knil"), "invocations.csv:1: its axes are not those of manifest.json"},
		{"a table of its own", "invocations.csv", replace("invocations.csv", 1, "point", "pint"), "invocations.csv:1: these are not the columns of invocations.csv as this version writes them"},
		{"other columns", "trials.csv", replace("trials.csv", 1, "sent", "cent"), "trials.csv:1: these are not the columns of trials.csv as this version writes them"},
		{"a trial that is missing", "trials.csv", without("trials.csv", 2), "trials.csv:2: the row is out of place: the file has been changed"},
		{"a trial too many", "trials.csv", want["trials.csv"] + lines("trials.csv")[2], "trials.csv:18: the row is out of place: the file has been changed"},
		{"a quote that does not end", "trials.csv", replace("trials.csv", 3, ",mastersp,", ",mastersp,\""), `trials.csv:3: extraneous or missing " in quoted-field`},
		{"fewer invocations", "trials.csv", replace("trials.csv", 2, ",3,", ",2,"), "invocations.csv:6: up to here it does not have the rows of point 0, trial 0 that trials.csv says: the file has been changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, test.table), []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)
			_, _, readErr := rundir.Read(dir)
			_, resumeErr := rundir.Resume(context.Background(), dir, sim.World{}, options(""), reload)
			for _, err := range []error{readErr, resumeErr} {
				if err == nil || err.Error() != filepath.Join(dir, test.err) {
					t.Errorf("the error is %v, want %s", err, test.err)
				}
			}
			same(t, dir, before)
		})
	}
}

func TestResumeRefusesAnotherScenario(t *testing.T) {
	dir := t.TempDir()
	execute(t, dir)
	before := files(t, dir)
	other := func(*rundir.Manifest) (*scenarios.Plan, error) { return plan(t, scenario, "seed=2"), nil }
	want := dir + ": the scenario is not the one that the run began with"
	if _, err := rundir.Resume(context.Background(), dir, sim.World{}, options(""), other); err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	same(t, dir, before)
}

func TestWorldThatFailsKeepsTheTrialsBefore(t *testing.T) {
	whole := t.TempDir()
	execute(t, whole)
	want := files(t, whole)
	dir := t.TempDir()
	broken := disturbed{before: func(_ context.Context, t *scenarios.Trial) error {
		if index(t) >= 5 {
			return errors.New("the store is on fire")
		}
		return nil
	}}
	_, err := rundir.Execute(context.Background(), plan(t, scenario), broken, options(dir))
	if wantErr := "point 2, trial 1: the store is on fire"; err == nil || err.Error() != wantErr {
		t.Fatalf("the error is %v, want %s", err, wantErr)
	}
	m, run, err := rundir.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Done != 5 || m.Status != "partial" || len(run.Series) != 3*2 {
		t.Errorf("%d trials, %s, %d series; want 5, partial, 6", m.Done, m.Status, len(run.Series))
	}
	if got := files(t, dir)["invocations.csv"]; !strings.HasPrefix(want["invocations.csv"], got) || strings.Count(got, "\n") != 1+5*6 {
		t.Errorf("the invocations of 5 trials are\n%s", got)
	}
	if _, err := rundir.Resume(context.Background(), dir, sim.World{}, options(""), reload); err != nil {
		t.Fatal(err)
	}
	same(t, dir, want)
}

func TestEarlierRunIsMovedAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(name, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(name string) bool {
		_, err := os.Stat(name)
		return err == nil
	}
	execute(t, dir)
	write(filepath.Join(dir, "first"))
	execute(t, dir+string(filepath.Separator))
	if exists(filepath.Join(dir, "first")) || !exists(filepath.Join(dir+"~", "first")) {
		t.Fatal("the first run was not moved to DIR~")
	}
	write(filepath.Join(dir, "second"))
	execute(t, dir)
	if exists(filepath.Join(dir+"~", "first")) || !exists(filepath.Join(dir+"~", "second")) {
		t.Fatal("DIR~ does not hold the run before")
	}
	// A run that was killed as it began leaves no more than this.
	begun := filepath.Join(t.TempDir(), "begun")
	if err := os.Mkdir(begun, 0o755); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(begun, ".writing-1"))
	execute(t, begun)
	if exists(begun+"~") || exists(filepath.Join(begun, ".writing-1")) {
		t.Error("what a run left that had hardly begun was kept")
	}
}

func TestWhatIsNotARunIsLeftAlone(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(dir string) error // all of it but the parent
		want string
	}{
		{"a directory of files", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "thesis.tex"), []byte("mine"), 0o644))
		}, "DIR exists and is not a run directory: choose another with --out"},
		{"a manifest of something else", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"name": "my app"}`), 0o644))
		}, "DIR exists and is not a run directory: choose another with --out"},
		{"a file", func(dir string) error {
			return os.WriteFile(dir, []byte("mine"), 0o644)
		}, "DIR exists and is not a run directory: choose another with --out"},
		{"DIR~ is in the way", func(dir string) error {
			execute(t, dir)
			return errors.Join(os.Mkdir(dir+"~", 0o755), os.WriteFile(filepath.Join(dir+"~", "thesis.tex"), []byte("mine"), 0o644))
		}, "the run in DIR cannot be moved aside: DIR~ is not a run directory, and is left alone; choose another directory with --out"},
		{"the parent is a file", func(dir string) error {
			return os.WriteFile(filepath.Dir(dir), []byte("mine"), 0o644)
		}, "stat DIR: not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "in", "run")
			if !strings.HasPrefix(test.name, "the parent") {
				if err := os.Mkdir(filepath.Dir(dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := test.make(dir); err != nil {
				t.Fatal(err)
			}
			before := files(t, root)
			_, err := rundir.Execute(context.Background(), plan(t, scenario), sim.World{}, options(dir))
			if want := strings.ReplaceAll(test.want, "DIR", dir); err == nil || err.Error() != want {
				t.Errorf("the error is %v, want %s", err, want)
			}
			same(t, root, before)
		})
	}
}

// The directory that one stands in cannot be moved away.
func TestRunInTheWorkingDirectoryStaysThere(t *testing.T) {
	t.Chdir(t.TempDir())
	execute(t, ".")
	before := files(t, ".")
	_, err := rundir.Execute(context.Background(), plan(t, scenario), sim.World{}, options("."))
	if want := "the run in . cannot be moved aside from within: choose another directory with --out"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	same(t, ".", before)
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can write anywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{dir, filepath.Join(dir, "run")} {
		_, err := rundir.Execute(context.Background(), plan(t, scenario), sim.World{}, options(at))
		if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestReadOfWhatIsNoRun(t *testing.T) {
	dir := t.TempDir()
	manifest := func(text string) string {
		name := filepath.Join(t.TempDir(), "run")
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(name, "manifest.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, test := range []struct{ name, dir, want string }{
		{"nothing", filepath.Join(dir, "none"), "DIR: there is no such run directory"},
		{"an empty directory", dir, "DIR is not a run directory: it has no manifest.json"},
		{"no JSON", manifest("{\n  \"format\": 1,\n  what\n}"), "DIR/manifest.json:3: invalid character 'w' looking for beginning of object key string"},
		{"a word for a number", manifest("{\n\"format\": \"one\"}"), "DIR/manifest.json:2: json: cannot unmarshal string into Go struct field Manifest.format of type int"},
		{"another format", manifest("{\n\n\"format\": 2}"), "DIR/manifest.json:3: its format is 2, this version of flowtwin reads 1: run the scenario again"},
		{"no trials", manifest("{\"format\": 1,\n\"trials\": 0}"), "DIR/manifest.json:2: there cannot be 0 trials"},
		{"a point of nothing", manifest("{\"format\": 1, \"trials\": 1,\n\"points\": [{}]}"), "DIR/manifest.json:2: point 0 has 0 workflows, and 0 values for 0 axes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := rundir.Read(test.dir)
			if want := strings.ReplaceAll(test.want, "DIR", test.dir); err == nil || err.Error() != want {
				t.Errorf("the error is %v, want %s", err, want)
			}
		})
	}
}

// The number of samples, and a percentile that they do not support, are as
// summary.csv promises.
func TestSummaryLeavesOutWhatSamplesDoNotSupport(t *testing.T) {
	dir := t.TempDir()
	p := plan(t, `
name: percentiles
workflows: [faasflow/wordcount]
cluster: {workers: 3}
load: {arrivals: poisson, rate: 60/min}
schedulers: [faasflow]
axes: {load.limit: [28, 29, 59, 298, 299]}
`)
	if _, err := rundir.Execute(context.Background(), p, sim.World{}, options(dir)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "summary.csv"))
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := bytes.Cut(data, []byte("\n"))
	if want := "backend,scheduler,workflow,load.limit,metric,unit,n,mean,mean_lo,mean_hi,p50,p90,p95,p99,min,max"; string(header) != want {
		t.Errorf("the columns are %s, want %s", header, want)
	}
	there := map[string]string{} // p50, p90, p95, p99 by n
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		if cells[4] != "latency" && cells[4] != "throughput" {
			continue
		}
		for _, cell := range cells[10:14] {
			there[cells[4]+" "+cells[6]] += map[bool]string{true: "-", false: "x"}[cell == ""]
		}
	}
	want := map[string]string{
		"latency 28": "x---", "latency 29": "xx--", "latency 59": "xxx-", "latency 298": "xxx-", "latency 299": "xxxx",
		"throughput 1": strings.Repeat("x---", 5),
	}
	if !maps.Equal(there, want) {
		t.Errorf("the percentiles that are there by n: %v, want %v", there, want)
	}
}
