package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
}

// Options are what a caller may say beyond a scenario file.
type Options struct {
	// Settings replace values of the file: "path=value", where the value is
	// YAML.
	Settings []string
	// Schedulers are those that a scenario can name. Default: those that ship
	// with flowtwin.
	Schedulers *schedulers.Registry
}

// maxPoints bounds the product of the axes.
const maxPoints = 100_000

// Load reads a scenario file and checks all of it. The error lists everything
// that is wrong, with file and line. If there is no such file, name may be
// that of a scenario that ships with flowtwin.
func Load(name string, o Options) (*Plan, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if shipped, ok := Shipped(name); ok {
			return Parse(name+".yaml", shipped, ".", o)
		}
		return nil, fmt.Errorf("%s: there is no such file, and no scenario of that name ships with flowtwin; see flowtwin list scenarios", name)
	}
	if err != nil {
		// yamlfile says the same thing of a directory or an unreadable file
		// as it does for other kinds of files.
		_, err = yamlfile.Read(name)
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
	l := &loader{dir: dir, registry: o.Schedulers, workflows: map[string]loaded{}, traces: map[string][]arrival{}}
	base := decode(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	plan := &Plan{Scenario: base, Source: data, Settings: o.Settings, Trials: base.Trials}
	count := 1
	for _, axis := range base.Axes {
		plan.Axes = append(plan.Axes, axis.Name)
		if count *= len(axis.Values); count > maxPoints {
			doc.Errorf("axes", "the values of the axes make more than %d combinations", maxPoints)
			return nil, doc.Err()
		}
	}
	problems := yamlfile.Errors{}
	choice := make([]int, len(base.Axes))
	for range count {
		if err := l.addPoints(plan, doc, base, choice); err != nil {
			if !errors.As(err, &problems) {
				return nil, err
			}
			return nil, problems
		}
		for i := len(choice) - 1; i >= 0; i-- {
			if choice[i]++; choice[i] < len(base.Axes[i].Values) {
				break
			}
			choice[i] = 0
		}
	}
	return plan, nil
}

// decode reads a document, with defaults for what it leaves out.
func decode(doc *yamlfile.Document) *Scenario {
	s := &Scenario{Trials: 1, Seed: 1, Profile: "ideal"}
	doc.Decode(s)
	return s
}

// addPoints adds the points of one combination of axis values: one for each
// scheduler.
func (l *loader) addPoints(plan *Plan, doc *yamlfile.Document, base *Scenario, choice []int) error {
	cell := doc.Clone()
	var labels []string
	for i, axis := range base.Axes {
		value := axis.Values[choice[i]]
		labels = append(labels, value.Label)
		for _, set := range value.Sets {
			if err := cell.SetValue(set.Path, set.Value); err != nil {
				axis.value.Errorf("%v", err)
				return doc.Err()
			}
		}
	}
	s := decode(cell)
	if err := cell.Err(); err != nil {
		return err
	}
	b := &builder{loader: l, doc: cell, scenario: s}
	for i := range s.Schedulers {
		trial, names := b.trial(i)
		if err := cell.Err(); err != nil {
			return err
		}
		plan.Points = append(plan.Points, Point{
			Index: len(plan.Points), Scheduler: trial.Scheduler.Name, Values: labels, Workflows: names, trial: trial, seed: s.Seed,
		})
	}
	return nil
}

// Trial returns a trial of a point. Trials share what never changes.
func (p *Plan) Trial(point, number int) *Trial {
	t := p.Points[point].trial
	t.Point, t.Number = point, number
	t.Seed = draw.Seed(p.Points[point].seed, number)
	return &t
}

// Hash identifies what the plan was made from.
func (p *Plan) Hash() string {
	h := sha256.New()
	h.Write(p.Source)
	for _, s := range p.Settings {
		fmt.Fprintf(h, "\x00%s", s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// HasFigure reports whether the scenario asks for a kind of figure.
func (p *Plan) HasFigure(kind string) bool {
	return slices.ContainsFunc(p.Scenario.Figures, func(f FigureUse) bool { return f.Kind == kind })
}
