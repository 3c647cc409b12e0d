package repro

import (
	"math"
)

// Report is what --json prints of a reproduction.
type Report struct {
	Paper string    `json:"paper"`
	Quick bool      `json:"quick"`
	Files []string  `json:"files"`
	Rows  []JSONRow `json:"rows"`
}

// JSONRow is a row of repro.csv under the same names. X is a number, the name of
// a function, or null; Published and Ours are a number, the word timeout, or
// null.
type JSONRow struct {
	Figure    string   `json:"figure"`
	Series    string   `json:"series"`
	System    string   `json:"system"`
	Workflow  string   `json:"workflow"`
	X         any      `json:"x"`
	Metric    string   `json:"metric"`
	Unit      string   `json:"unit"`
	Published any      `json:"published"`
	Ours      any      `json:"ours"`
	Ratio     *float64 `json:"ratio"`
	// OursLo and OursHi are our 95 % interval.
	OursLo *float64 `json:"ours_lo"`
	OursHi *float64 `json:"ours_hi"`
	// PublishedNotRun: the authors wrote timeout without running it.
	PublishedNotRun bool `json:"published_not_run,omitempty"`
	// NotRun says why there is no number of ours.
	NotRun string `json:"not_run,omitempty"`
}

// JSON returns results for machines; files are those that were written.
func JSON(paper string, results []Result, files []string, quick bool) Report {
	report := Report{Paper: paper, Quick: quick, Files: files, Rows: []JSONRow{}}
	for _, result := range results {
		for i := range result.Rows {
			r := &result.Rows[i]
			row := JSONRow{
				Figure: r.Figure, Series: r.Series, System: r.System, Workflow: r.Workflow, Metric: r.Metric, Unit: r.Unit,
				Published: value(r.Published, r.PublishedTimeout), Ours: value(r.Ours, r.OursTimeout), Ratio: finite(r.Ratio()),
				OursLo: finite(r.Lo), OursHi: finite(r.Hi), PublishedNotRun: r.NotRun,
			}
			switch {
			case r.X != 0:
				row.X = r.X
			case r.Function != "":
				row.X = r.Function
			}
			if row.Ours == nil {
				row.NotRun = result.Figure.NotRun[r.Metric]
			}
			report.Rows = append(report.Rows, row)
		}
	}
	return report
}

func value(v float64, timeout bool) any {
	if timeout {
		return "timeout"
	}
	if p := finite(v); p != nil {
		return *p
	}
	return nil
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
