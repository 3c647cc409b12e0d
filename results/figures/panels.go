package figures

// Panels is a figure of several plots in a grid, under one legend: for example
// latency over rate, a panel a bandwidth. A series looks the same in all of
// them.
type Panels struct {
	// Title and Subtitle stand above; those of the plots do not show.
	Title, Subtitle string
	// Columns is the number of panels side by side; 0 takes two, or three if
	// there are more than four panels.
	Columns int
	// Panels are in order of reading.
	Panels []Panel
	// SameX and SameY give all panels the same range of that axis, so that they
	// can be compared by eye.
	SameX, SameY bool
}

// Panel is a plot with a title of its own.
type Panel struct {
	Title string
	Plot  Plot
}

// Draw draws the figure.
func (ps Panels) Draw() Figure {
	p := newPen()
	pg := page{title: p.clean(ps.Title), subtitle: p.clean(ps.Subtitle)}
	var names []named
	var all ranges
	for _, panel := range ps.Panels {
		if panel.Plot == nil {
			continue
		}
		names = append(names, panel.Plot.names()...)
		r := panel.Plot.spans()
		all.x.merge(r.x)
		all.y.merge(r.y)
	}
	styles := newLooks(names)
	columns := ps.Columns
	if columns < 1 {
		columns = 2
		if len(ps.Panels) > 4 {
			columns = 3
		}
	}
	for i, panel := range ps.Panels {
		var c *chart
		if panel.Plot == nil {
			c = emptyChart("")
		} else {
			r := panel.Plot.spans()
			if ps.SameX && r.x.any {
				r.x = all.x
			}
			if ps.SameY && r.y.any {
				r.y = all.y
			}
			c = panel.Plot.chart(p, setting{looks: styles, ranges: r, small: true})
		}
		c.title = p.clean(panel.Title)
		if i%columns == 0 {
			pg.rows = append(pg.rows, nil)
		}
		last := len(pg.rows) - 1
		pg.rows[last] = append(pg.rows[last], c)
	}
	ps.dropLabels(pg.rows)
	if len(pg.rows) == 0 {
		pg.rows = [][]*chart{{emptyChart("")}}
	}
	return pg.compose(p)
}

// dropLabels leaves out labels of axes that the panel on the left, or the one
// below, already has.
func (ps Panels) dropLabels(rows [][]*chart) {
	for r, row := range rows {
		for c, panel := range row {
			if ps.SameY && c > 0 && panel.axis(leftSide).label == row[0].axis(leftSide).label {
				panel.change(leftSide, func(a *numberAxis) { a.label = "" })
			}
			if ps.SameX && r+1 < len(rows) && c < len(rows[r+1]) &&
				panel.axis(bottomSide).label == rows[r+1][c].axis(bottomSide).label {
				panel.change(bottomSide, func(a *numberAxis) { a.label = "" })
			}
		}
	}
}
