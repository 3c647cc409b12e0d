package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Plan is what a scenario comes to: points, each with a number of trials.
type Plan struct {
	Scenario *Scenario
	// Source is the text of the file, Settings what was set on top of it, as
	// path=value.
	Source   []byte
	Settings []string
	// Axes are the names of the axes.
	Axes   []string
	Points []Point
	Trials int
	// Limit is when trials stop sending load, if that is before the scenario
	// says so; 0 means that it never is.
	Limit time.Duration

	digests map[string][sha256.Size]byte // of the files that the scenario names
	files   map[string][]byte            // what is in them
	name    string                       // of the scenario's own file
}

// Point is one combination of a scheduler and a value of every axis.
type Point struct {
	Index     int
	Scheduler string
	// Values are the labels of the axes' values, Workflows the names of the
	// workflows.
	Values    []string
	Workflows []string

	trial Trial
	seed  uint64
	// What one trial is expected to send of each workflow, and the function
	// instances of all.
	expected []float64
	tasks    float64
}

// Options are what a caller may say beyond a scenario file.
type Options struct {
	// Settings replace values of the file: "path=value", where the value is
	// YAML.
	Settings []string
	// Limit, if above 0, has each trial send only what comes before: where time
	// is real, a scenario may be too long to be waited for.
	Limit time.Duration
	// Schedulers are those that a scenario can name. Default: those that ship
	// with flowtwin.
	Schedulers *schedulers.Registry
	// Files are what is in files that the scenario names: they are not looked
	// for.
	Files map[string][]byte
	// Only, if set, is the index of the one point whose trials are wanted: the
	// others are counted and not made.
	Only *int
}

// Limits of a plan as a whole.
const (
	// maxPoints bounds the product of the axes.
	maxPoints = 100_000
	maxRuns   = 1_000_000
	// maxRows bounds the rows of each table of results, maxTasks the function
	// instances: a hundred core hours of them.
	maxRows  = 1e9
	maxTasks = 1e11
	// maxFailing is how many combinations of axis values may be wrong before
	// no more are looked at.
	maxFailing = 100
)

// Load reads a scenario file and checks all of it. The error lists everything
// that is wrong, with file and line. If there is no such file, name may be
// that of a scenario that ships with flowtwin.
func Load(name string, o Options) (*Plan, error) {
	data, err := yamlfile.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if shipped, ok := Shipped(name); ok {
			return Parse(name+".yaml", shipped, ".", o)
		}
		return nil, fmt.Errorf("%s: there is no such file, and no scenario of that name ships with flowtwin; see flowtwin list scenarios", name)
	}
	if err != nil {
		return nil, err
	}
	return Parse(name, data, filepath.Dir(name), o)
}

// Parse is Load for a file that has been read. Other files that it names are
// relative to dir.
func Parse(name string, data []byte, dir string, o Options) (*Plan, error) {
	if o.Schedulers == nil {
		o.Schedulers = schedulers.Builtin()
	}
	doc, err := yamlfile.Parse(name, data)
	if err != nil {
		return nil, err
	}
	for _, setting := range o.Settings {
		path, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: write path=value, such as load.rate=60/min", setting)
		}
		if err := doc.Set(path, value); err != nil {
			return nil, fmt.Errorf("--set %s: %w", setting, err)
		}
	}
	base := decode(doc)
	if kind := doc.Root().Kind(); kind != yamlfile.Mapping && kind != yamlfile.Null {
		return nil, doc.Err()
	}
	doc.Decoded()
	checkWhole(doc, base)
	if err := checkSettings(o.Settings, base.Axes); err != nil {
		return nil, err
	}
	l := newLoader(dir, o.Schedulers)
	l.given = o.Files
	plan := &Plan{name: name, files: map[string][]byte{}, Scenario: base, Source: data, Settings: o.Settings, Trials: base.Trials, Limit: o.Limit, digests: map[string][sha256.Size]byte{}}
	axes := slices.DeleteFunc(slices.Clone(base.Axes), func(a AxisUse) bool { return len(a.Values) == 0 }) // Which is an error.
	count := 1
	for _, axis := range axes {
		plan.Axes = append(plan.Axes, axis.Name)
		if count *= len(axis.Values); count > maxPoints {
			doc.Errorf("axes", "the values of the axes make more than %d combinations", maxPoints)
			return nil, doc.Err()
		}
	}
	failing := 0
	for i := range count {
		cell := doc.Clone()
		labels := choose(cell, axes, i)
		if plan.Points = append(plan.Points, l.points(cell, labels, len(plan.Points), o.Only)...); cell.Err() != nil {
			doc.Include("", cell.Err())
			if failing++; failing == maxFailing {
				break
			}
		}
	}
	if doc.Err() == nil {
		plan.checkSize(doc)
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	for i := range plan.Points {
		plan.Points[i].Index = i
	}
	for name, f := range l.files {
		plan.digests[name] = f.digest
		plan.files[name] = f.data
	}
	return plan, nil
}

// checkSettings refuses a setting that an axis would undo at every point.
func checkSettings(settings []string, axes []AxisUse) error {
	for _, setting := range settings {
		path, value, _ := strings.Cut(setting, "=")
		for _, axis := range axes {
			for _, v := range axis.Values {
				for _, set := range v.Sets {
					if path == set.Path || strings.HasPrefix(path, set.Path+".") {
						return fmt.Errorf("--set %s: the scenario varies %s, which would undo it: change the axis instead, with --set 'axes.%q=[%s]'",
							setting, set.Path, set.Path, value)
					}
				}
			}
		}
	}
	return nil
}

// decode reads a document, with defaults for what it leaves out.
func decode(doc *yamlfile.Document) *Scenario {
	s := &Scenario{Trials: 1, Seed: 1, Profile: "ideal"}
	doc.Decode(s)
	return s
}

// checkWhole checks what holds for all points.
func checkWhole(doc *yamlfile.Document, s *Scenario) {
	if strings.TrimSpace(s.Name) != s.Name || s.Name == "" || s.Name[0] == '.' ||
		strings.ContainsFunc(s.Name, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) }) {
		doc.Errorf("name", "%s cannot be the name of a run directory: use letters, digits, dashes and dots", shown(s.Name))
	}
	if s.Trials < 1 || s.Trials > maxTrials {
		doc.Errorf("trials", "%d trials: it must be between 1 and %d", s.Trials, maxTrials)
	}
	if len(s.Schedulers) == 0 {
		doc.Errorf("schedulers", "name at least one scheduler; see flowtwin list schedulers")
	}
	for _, axis := range s.Axes {
		for _, value := range axis.Values {
			for _, set := range value.Sets {
				checkPath(doc, set)
			}
		}
	}
	checkFigures(doc, s)
}

// checkPath refuses to vary what all points have in common.
func checkPath(doc *yamlfile.Document, set AxisSet) {
	key := set.Path
	if end := strings.IndexAny(key, ".["); end >= 0 {
		key = key[:end]
	}
	if slices.Contains([]string{"name", "title", "axes", "trials", "figures", "tasks"}, key) {
		set.Value.Errorf("%s is one for the whole scenario: it cannot be varied", key)
	} else if err := doc.Clone().SetValue(set.Path, set.Value); err != nil {
		set.Value.Errorf("%v", err)
	}
}

// choose sets the i-th combination of axis values, the last axis varying
// fastest, and returns their labels.
func choose(cell *yamlfile.Document, axes []AxisUse, i int) []string {
	chosen := make([]AxisValue, len(axes))
	for a := len(axes) - 1; a >= 0; a-- {
		values := axes[a].Values
		chosen[a] = values[i%len(values)]
		i /= len(values)
	}
	var labels []string
	for _, value := range chosen {
		labels = append(labels, value.Label)
		for _, set := range value.Sets {
			if err := cell.SetValue(set.Path, set.Value); err != nil {
				set.Value.Errorf("%v", err)
			}
		}
	}
	return labels
}

// points makes the points of one combination of axis values: one for each
// scheduler. What is wrong goes to the document. If only one point is wanted,
// the others, counted from first, are left empty.
func (l *loader) points(cell *yamlfile.Document, labels []string, first int, only *int) []Point {
	s := decode(cell)
	cell.Decoded()
	b := &builder{loader: l, doc: cell, scenario: s}
	var points []Point
	for i := range s.Schedulers {
		if only != nil && *only != first+i {
			points = append(points, Point{})
			continue
		}
		trial, names := b.trial(i)
		points = append(points, Point{
			Scheduler: trial.Scheduler.Name, Values: labels, Workflows: names, trial: trial, seed: s.Seed, expected: b.expected, tasks: b.tasks,
		})
	}
	return points
}

// checkSize refuses what would fill any disk, or run for ever.
func (p *Plan) checkSize(doc *yamlfile.Document) {
	runs := len(p.Points) * p.Trials
	rows, tasks := 0.0, 0.0
	for i := range p.Points {
		tasks += p.Points[i].tasks * float64(p.Trials)
		for _, n := range p.Points[i].expected {
			rows += n * float64(p.Trials)
		}
	}
	switch limit := "lower the load, vary less at a time, or do fewer trials"; {
	case runs > maxRuns:
		doc.Errorf("trials", "%d points × %d trials are %d runs, more than %d: vary less at a time, or do fewer trials", len(p.Points), p.Trials, runs, maxRuns)
	case rows > maxRows:
		doc.Errorf("load", "all runs together would send about %.3g invocations, more than %g: %s", rows, maxRows, limit)
	case tasks > maxTasks:
		doc.Errorf("load", "all runs together would run about %.3g function instances, more than %g: %s", tasks, maxTasks, limit)
	case p.Scenario.Tasks && tasks > maxRows:
		doc.Errorf("tasks", "tasks.csv would have about %.3g rows, more than %g: leave it out, or %s", tasks, maxRows, limit)
	}
}

// Trial returns a trial of a point. Trials share what never changes.
func (p *Plan) Trial(point, number int) *Trial {
	t := p.Points[point].trial
	t.plan, t.Point, t.Number = p, point, number
	t.Seed = draw.Seed(p.Points[point].seed, number)
	if p.Limit > 0 {
		t.Loads = slices.Clone(t.Loads)
		for i := range t.Loads {
			t.Loads[i] = t.Loads[i].Shortened(int64(p.Limit))
		}
	}
	return &t
}

// Hash identifies what the plan was made from: the scenario, what was set, and
// what is in the files that it names, wherever they are.
func (p *Plan) Hash() string {
	h := sha256.New()
	h.Write(p.Source)
	for _, s := range p.Settings {
		fmt.Fprintf(h, "\x00%s", s)
	}
	if p.Limit > 0 {
		fmt.Fprintf(h, "\x00limit\x00%s", p.Limit)
	}
	for _, name := range slices.Sorted(maps.Keys(p.digests)) {
		fmt.Fprintf(h, "\x00%s\x00%x", name, p.digests[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
