package views

import (
	"fmt"
	"strings"

	"github.com/flowtwin/flowtwin/results/compare"
)

// Compared shows the comparison of two runs, on a terminal of a width (0: any).
func Compared(r *compare.Result, axes []string, width int) string {
	t := Table{Columns: []Column{{Name: "scheduler"}, {Name: "workflow"}}}
	for i := range axes {
		t.Columns = append(t.Columns, Column{Name: axisName(axes, i), Number: true})
	}
	t.Columns = append(t.Columns, Column{Name: "metric"}, Column{Name: "first", Number: true}, Column{Name: "second", Number: true},
		Column{Name: "difference", Number: true}, Column{})
	for _, row := range r.Rows {
		remark := ""
		switch {
		case row.Missed:
			remark = fmt.Sprintf("misses the tolerance of %.3g %%", *row.Tolerance*100)
		case row.Tolerance != nil:
			remark = "within the tolerance"
		case row.Apart:
			remark = "intervals do not overlap"
		}
		difference := "–"
		if row.Difference != nil {
			difference = fmt.Sprintf("%+.2f %%", *row.Difference*100)
		}
		cells := append([]string{row.Scheduler, row.Workflow}, row.Values...)
		t.Rows = append(t.Rows, append(cells, row.Metric, value(row.A, row.Unit), value(row.B, row.Unit), difference, remark))
	}
	text, _, _ := t.Fit(width)
	if len(r.OnlyA) > 0 {
		text += "only in the first: " + strings.Join(r.OnlyA, "; ") + "\n"
	}
	if len(r.OnlyB) > 0 {
		text += "only in the second: " + strings.Join(r.OnlyB, "; ") + "\n"
	}
	return text
}

// SideBySide shows several runs beside each other, on a terminal of a width (0:
// any): what each has come to, and what that is of the first.
func SideBySide(c *compare.Table, width int) string {
	t := Table{Columns: []Column{{Name: "scheduler"}, {Name: "workflow"}}}
	for i := range c.Axes {
		t.Columns = append(t.Columns, Column{Name: axisName(c.Axes, i), Number: true})
	}
	t.Columns = append(t.Columns, Column{Name: "metric"})
	for i, name := range c.Runs {
		t.Columns = append(t.Columns, Column{Name: name, Number: true})
		if i > 0 {
			t.Columns = append(t.Columns, Column{Name: "× " + c.Runs[0], Number: true, Spare: true})
		}
	}
	for _, row := range c.Rows {
		cells := append([]string{row.Scheduler, row.Workflow}, row.Values...)
		cells = append(cells, row.Metric)
		for i, mean := range row.Means {
			cells = append(cells, value(mean, row.Unit))
			if i > 0 {
				cells = append(cells, times(row.Ratios[i]))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	text, _, _ := t.Fit(width)
	return text
}

func times(ratio *float64) string {
	if ratio == nil {
		return "–"
	}
	return fmt.Sprintf("%.3g×", *ratio)
}

// value shows a number with its unit.
func value(v *float64, unit string) string {
	switch {
	case v == nil:
		return "–"
	case unit == "s":
		return duration(*v)
	case unit == "B":
		return size(*v)
	case unit == "":
		return fmt.Sprintf("%.4g", *v)
	default:
		return fmt.Sprintf("%.4g %s", *v, unit)
	}
}
