package views

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/rundir"
)

// RunSection shows a run on a page.
func RunSection(m *rundir.Manifest, run *analysis.Run, drawn []Named) (PageSection, error) {
	s := PageSection{Title: m.Scenario}
	if m.Title != "" {
		s.Paragraphs = append(s.Paragraphs, m.Title+".")
	}
	what := fmt.Sprintf("%s, profile %s, %s × %s, seed %d.", m.Backend, m.Profile, counted(len(m.Points), "point"), counted(m.Trials, "trial"), m.Seed)
	if m.Status != "complete" {
		what += fmt.Sprintf(" The run was interrupted: %d of %d trials are here.", m.Done, m.Trials*len(m.Points))
	}
	s.Paragraphs = append(s.Paragraphs, what)
	if served := served(m); m.Backend != "sim" && len(served) > 0 {
		s.Paragraphs = append(s.Paragraphs, "It ran for real: "+strings.Join(served, "; ")+".")
	}
	s.Notes = Comparisons(run)
	for _, d := range drawn {
		if err := s.AddFigure(d); err != nil {
			return s, err
		}
	}
	s.Tables = append(s.Tables, PageTable{IntervalNote(run) + ". Percentiles in brackets have too few samples to be relied on.", Results(run)})
	s.Tables = append(s.Tables, PageTable{"All metrics, means.", allMetrics(run)})
	s.Details = append(s.Details, PageDetail{"Scenario", m.Source})
	if len(m.Settings) > 0 {
		s.Details = append(s.Details, PageDetail{"Settings", strings.Join(m.Settings, "\n")})
	}
	s.Details = append(s.Details, PageDetail{"Where it ran", fmt.Sprintf("%s\n%s, %s, %d processors\nflowtwin %s\nscenario %s",
		strings.Join(served(m), "\n"), m.Host.System, m.Host.Go, m.Host.Processors, m.Host.Version, m.Hash)})
	if len(m.Measured) > 0 {
		var measured []string
		for _, what := range slices.Sorted(maps.Keys(m.Measured)) {
			measured = append(measured, what+": "+m.Measured[what])
		}
		s.Details = append(s.Details, PageDetail{"What was measured of it", strings.Join(measured, "\n")})
	}
	if m.Constants != nil {
		s.Details = append(s.Details, PageDetail{"What became of the profile's constants", constantsText(m.Constants)})
	}
	return s, nil
}

// constantsText lists what was paced, what measured and what not applied.
func constantsText(c *rundir.Constants) string {
	first := "The platform was as fast as it is (without --pace)."
	if c.Pace {
		first = "The platform was held to the pace of the profile (--pace)."
	}
	lines := []string{first}
	for _, l := range []struct {
		name  string
		paths []string
	}{{"paced", c.Paced}, {"measured", c.Measured}, {"not applied", c.NotApplied}} {
		if len(l.paths) > 0 {
			lines = append(lines, l.name+": "+strings.Join(l.paths, ", "))
		}
	}
	return strings.Join(lines, "\n")
}

// allMetrics is a table of the means of all metrics, a row for each.
func allMetrics(run *analysis.Run) Table {
	t := Table{Columns: []Column{{Name: "metric"}}}
	for _, s := range run.Series {
		heading := []string{s.Scheduler}
		if severalWorkflows(run) {
			heading = append(heading, shortName(s.Workflow))
		}
		t.Columns = append(t.Columns, Column{Name: strings.Join(append(heading, s.Values...), " "), Number: true})
	}
	if len(run.Series) == 0 {
		return t
	}
	for i, m := range run.Series[0].Summaries {
		row := []string{m.Metric.Name}
		for _, s := range run.Series {
			row = append(row, value(finite(s.Summaries[i].Mean), m.Metric.Unit))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// served says what stood for each service.
func served(m *rundir.Manifest) []string {
	var all []string
	for _, service := range []string{"store", "memory", "broker", "functions", "network"} {
		if m.Serves[service] != "" {
			all = append(all, service+": "+m.Serves[service])
		}
	}
	return all
}
