package views

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"
)

//go:embed page.html
var pageText string

// Page is a self-contained HTML page: text, tables and figures.
type Page struct {
	Title    string
	Lead     string
	Sections []PageSection
}

// PageSection is a part of a page.
type PageSection struct {
	Title string
	// Paragraphs of text, then notes in a list, a figure, a table, and
	// preformatted text that can be unfolded.
	Paragraphs []string
	Notes      []string
	Figures    []PageFigure
	Tables     []PageTable
	Details    []PageDetail
}

// PageFigure is a drawing, as SVG.
type PageFigure struct {
	Name string
	SVG  template.HTML
}

// PageTable is a table with a caption.
type PageTable struct {
	Caption string
	Table   Table
}

// Long tells a table that is shown on demand, so that figures are not far from
// each other.
func (t PageTable) Long() bool { return len(t.Table.Rows) > 40 }

// PageDetail is text that is shown on demand.
type PageDetail struct{ Summary, Text string }

// AddFigure adds a figure to a section.
func (s *PageSection) AddFigure(d Named) error {
	svg, err := d.Figure.SVG()
	if err != nil {
		return err
	}
	text := string(svg)
	if at := strings.Index(text, "<svg"); at >= 0 {
		text = text[at:] // The XML declaration has no place within a page.
	}
	// Safe: it is our own drawing, and its text is escaped.
	s.Figures = append(s.Figures, PageFigure{d.Name, template.HTML(text)})
	return nil
}

// HTML returns the page.
func (p Page) HTML() ([]byte, error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
