package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// FigureKind is a kind of figure that a scenario may ask for.
type FigureKind struct {
	Name, About string
	// Metric, X, Panels and Log tell what else a scenario may say of it.
	Metric, X, Panels, Log bool
}

// FigureKinds lists the kinds of figures.
func FigureKinds() []FigureKind {
	return []FigureKind{
		{Name: "latency", About: "grouped bars of the mean with 95 % intervals, a group for each workflow or axis value", Metric: true, Panels: true, Log: true},
		{Name: "bars", About: "the same for any metric", Metric: true, Panels: true, Log: true},
		{Name: "cdf", About: "distribution of the latencies of single invocations", Log: true},
		{Name: "latency-by-rate", About: "mean latency along an axis of numbers", Metric: true, X: true, Log: true},
		{Name: "breakdown", About: "stacked bars: where the latency goes", Panels: true},
		{Name: "timeline", About: "latency of invocations and invocations under way, over time"},
		{Name: "gantt", About: "what the function instances of one invocation did, and when"},
	}
}

// checkFigures finds what cannot be drawn, before anything runs.
func checkFigures(doc *yamlfile.Document, s *Scenario) {
	var files []string
	for i, use := range s.Figures {
		path := fmt.Sprintf("figures[%d]", i)
		at := slices.IndexFunc(FigureKinds(), func(k FigureKind) bool { return k.Name == use.Kind })
		if at < 0 {
			var names []string
			for _, k := range FigureKinds() {
				names = append(names, k.Name)
			}
			doc.Errorf(path, "there is no figure %q%s", use.Kind, meant(use.Kind, names))
			continue
		}
		kind := FigureKinds()[at]
		for _, said := range []struct {
			key      string
			set, has bool
		}{
			{"metric", use.Metric != "", kind.Metric}, {"x", use.X != "", kind.X}, {"panels", use.Panels != "", kind.Panels}, {"log", use.Log, kind.Log},
		} {
			if said.set && !said.has {
				doc.Errorf(path+"."+said.key, "the figure %s has no %s to choose", use.Kind, said.key)
			}
		}
		if _, ok := metrics.Find(use.Metric); use.Metric != "" && !ok {
			var names []string
			for _, m := range metrics.All() {
				names = append(names, m.Name)
			}
			doc.Errorf(path+".metric", "there is no metric %q%s", use.Metric, meant(use.Metric, names))
		}
		if kind.X {
			checkX(doc, path, use.X, s.Axes)
		}
		if use.Panels != "" && findAxis(s.Axes, use.Panels) < 0 {
			doc.Errorf(path+".panels", "there is no axis %q", use.Panels)
		}
		if use.Kind == "gantt" && !s.Tasks {
			doc.Errorf(path, "the figure gantt needs the function instances: add tasks: true")
		}
		file := use.Kind + " " + cmp.Or(use.Metric, "latency") // As files are named.
		if slices.Contains(files, file) {
			doc.Errorf(path, "there is a figure of this kind and metric already")
		}
		files = append(files, file)
	}
}

// checkX makes sure that there is an axis of numbers, of the given name if
// that is not empty.
func checkX(doc *yamlfile.Document, path, name string, axes []AxisUse) {
	at := findAxis(axes, name)
	switch {
	case name == "" && !slices.ContainsFunc(axes, AxisUse.numeric):
		doc.Errorf(path, "the figure is drawn along an axis of numbers with equal units, and there is none")
	case name != "" && at < 0:
		doc.Errorf(path+".x", "there is no axis %q", name)
	case name != "" && !axes[at].numeric():
		doc.Errorf(path+".x", "the values of %s are not numbers with equal units", name)
	}
}

func findAxis(axes []AxisUse, name string) int {
	return slices.IndexFunc(axes, func(a AxisUse) bool { return a.Name == name })
}

// numeric reports whether the labels of all values are numbers, with the same
// unit.
func (a AxisUse) numeric() bool {
	first := ""
	for i, v := range a.Values {
		_, unit, ok := LeadingNumber(v.Label)
		if !ok || i > 0 && unit != first {
			return false
		}
		first = unit
	}
	return true
}

// LeadingNumber divides a label such as 30/min into number and unit.
func LeadingNumber(label string) (number float64, unit string, ok bool) {
	end := strings.IndexFunc(label, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(label)
	}
	number, err := strconv.ParseFloat(label[:end], 64)
	return number, label[end:], err == nil
}

// meant continues an error message with the name that was probably meant, or
// those that there are.
func meant(name string, known []string) string {
	if near := yamlfile.Nearest(name, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ": there are " + strings.Join(known, ", ")
}
