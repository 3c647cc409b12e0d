package repro

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
)

// Write writes repro.csv, report.html and the figures, and returns their
// paths.
func Write(dir, paper string, results []Result, quick bool) ([]string, error) {
	table, err := CSV(results)
	if err != nil {
		return nil, err
	}
	paths := []string{filepath.Join(dir, "repro.csv"), filepath.Join(dir, "report.html")}
	if err := rundir.WriteFile(paths[0], table); err != nil {
		return nil, err
	}
	lead := leads()[paper]
	if quick {
		lead += " These are quick runs: figures marked so have shorter loads than the paper's."
	}
	page := views.Page{Title: "flowtwin repro " + paper, Lead: lead}
	figures := filepath.Join(dir, "figures")
	if err := os.MkdirAll(figures, 0o755); err != nil {
		return nil, err
	}
	for _, r := range results {
		about := "simulated"
		if slices.ContainsFunc(r.Rows, func(row Row) bool { return row.PublishedTimeout || !math.IsNaN(row.Published) }) {
			about += " beside published (hollow)"
		}
		if quick && len(r.Figure.Quick) > 0 {
			about += " · quick: a shorter load than the paper's"
		}
		drawn := views.Named{Name: r.Figure.Name, Figure: r.Draw(about)}
		svgs, err := views.Save(figures, []views.Named{drawn})
		if err != nil {
			return nil, err
		}
		paths = append(paths, svgs...)
		section := views.PageSection{Title: r.Figure.Title, Paragraphs: []string{r.Figure.About}}
		if err := section.AddFigure(drawn); err != nil {
			return nil, err
		}
		for _, metric := range slices.Sorted(maps.Keys(r.Figure.NotRun)) {
			section.Paragraphs = append(section.Paragraphs, fmt.Sprintf("Not run: %s, because %s.", metric, r.Figure.NotRun[metric]))
		}
		section.Tables = append(section.Tables, views.PageTable{Caption: closeness(r.Rows), Table: Table(r.Rows)})
		page.Sections = append(page.Sections, section)
	}
	html, err := page.HTML()
	if err != nil {
		return nil, err
	}
	return paths, rundir.WriteFile(paths[1], html)
}

// Table shows rows. A column that none of them needs is left out.
func Table(rows []Row) views.Table {
	t := views.Table{Columns: []views.Column{
		{Name: "workflow"}, {Name: "system"}, {Name: "series"}, {Name: "x", Number: true}, {Name: "metric"}, {Name: "unit"},
		{Name: "published", Number: true}, {Name: "ours", Number: true}, {Name: "95 % interval", Number: true}, {Name: "ratio", Number: true},
	}}
	for i := range rows {
		r := &rows[i]
		interval := ""
		if r.Lo < r.Hi && !r.OursTimeout {
			interval = fmt.Sprintf("%.4g–%.4g", r.Lo, r.Hi)
		}
		published := short(r.Published, r.PublishedTimeout)
		if r.NotRun {
			published += " (not run)"
		}
		ours := short(r.Ours, r.OursTimeout)
		if ours == "" {
			ours = "not run"
		}
		t.Rows = append(t.Rows, []string{
			r.Workflow, r.System, r.Series, r.x(), r.Metric, r.Unit, published, ours, interval, short(r.Ratio(), false),
		})
	}
	return t.WithoutEmpty()
}

func short(v float64, timeout bool) string {
	switch {
	case timeout:
		return "timeout"
	case math.IsNaN(v) || math.IsInf(v, 0):
		return ""
	default:
		return fmt.Sprintf("%.4g", v)
	}
}

// closeness says how close ours are to the published numbers.
func closeness(rows []Row) string {
	n, within10, within50, agree, timeouts := 0, 0, 0, 0, 0
	sum := 0.0
	for i := range rows {
		r := &rows[i]
		if r.PublishedTimeout && !r.NotRun {
			timeouts++
			if r.OursTimeout {
				agree++
			}
		}
		if ratio := r.Ratio(); ratio > 0 && !r.OursTimeout && !math.IsInf(ratio, 0) {
			n++
			off := math.Abs(math.Log(ratio))
			sum += off
			if off <= math.Log(1.1) {
				within10++
			}
			if off <= math.Log(1.5) {
				within50++
			}
		}
	}
	if n == 0 {
		return "No published numbers to compare with."
	}
	text := fmt.Sprintf("%d published numbers: %d within 10 %%, %d within 50 %%; typical factor %.2f.", n, within10, within50, math.Exp(sum/float64(n)))
	if timeouts > 0 {
		text += fmt.Sprintf(" Of %d published timeouts, %d are timeouts here.", timeouts, agree)
	}
	return text
}

// Summary says of each figure how close it is, on a terminal of a width (0:
// any).
func Summary(results []Result, width int) string {
	t := views.Table{Columns: []views.Column{{Name: "figure"}, {}}}
	for _, r := range results {
		t.Rows = append(t.Rows, []string{r.Figure.Name, closeness(r.Rows)})
	}
	text, _, _ := t.Fit(width)
	return text
}
