package figures

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"time"

	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
)

// PDF returns the figure as a PDF document of one page, with the letters that
// it uses embedded.
//
// It drives the PDF library itself instead of going through gonum's vgpdf, for
// three reasons. vgpdf leaves the date and the order of fonts to variables of
// the PDF library that are global to the process; here both are set on the
// document, which is safe whatever else the process does. vgpdf knows only the
// 256 characters of code page 1252 and garbles the rest ("·" and "–" too). And
// it makes its fonts through files in a temporary folder.
func (f Figure) PDF() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	doc := fpdf.NewCustom(&fpdf.InitType{
		UnitStr: "pt",
		Size:    fpdf.SizeType{Wd: f.width.Points(), Ht: f.height.Points()},
	})
	doc.SetCatalogSort(true)
	doc.SetCreationDate(time.Unix(0, 0).UTC())
	doc.SetModificationDate(time.Unix(0, 0).UTC())
	doc.SetTitle(f.title, true)
	doc.SetMargins(0, 0, 0)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()

	w := pdfWriter{doc: doc, height: f.height.Points(), fonts: font.NewCache(liberation.Collection())}
	for _, action := range f.drawing {
		if err := w.apply(action); err != nil {
			return nil, fmt.Errorf("figures: write PDF: %w", err)
		}
	}
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil {
		return nil, fmt.Errorf("figures: write PDF: %w", err)
	}
	return out.Bytes(), nil
}

// pdfWriter turns a recording into operators of PDF. fpdf measures from the top
// of the page and turns that into PDF's own upward axis, so what it is given
// is height - y.
type pdfWriter struct {
	doc    *fpdf.Fpdf
	height float64
	fonts  *font.Cache
	known  map[string]bool // styles that were embedded
	// Colour and font inside of the current Push, and outside of it: PDF
	// restores them at a Pop, and the library does not notice.
	color color.Color
	font  font.Font
	stack []pdfState
}

type pdfState struct {
	color color.Color
	font  font.Font
}

func (w *pdfWriter) apply(action recorder.Action) error {
	switch a := action.(type) {
	case *recorder.SetLineWidth:
		w.doc.SetLineWidth(a.Width.Points())
	case *recorder.SetLineDash:
		dashes := make([]float64, len(a.Dashes))
		for i, d := range a.Dashes {
			dashes[i] = d.Points()
		}
		w.doc.SetDashPattern(dashes, a.Offsets.Points())
	case *recorder.SetColor:
		w.setColor(a.Color)
	case *recorder.Push:
		w.stack = append(w.stack, pdfState{w.color, w.font})
		w.doc.TransformBegin()
	case *recorder.Pop:
		w.doc.TransformEnd()
		outer := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.setColor(outer.color)
		if outer.font != w.font {
			w.setFont(outer.font)
		}
	case *recorder.Translate:
		w.doc.TransformTranslate(a.Point.X.Points(), -a.Point.Y.Points())
	case *recorder.Rotate:
		w.doc.TransformRotate(a.Angle*180/math.Pi, 0, w.height)
	case *recorder.Stroke:
		return w.path(a.Path, "D")
	case *recorder.Fill:
		return w.path(a.Path, "F")
	case *recorder.FillString:
		if a.Font != w.font {
			w.setFont(a.Font)
		}
		w.doc.Text(a.Point.X.Points(), w.height-a.Point.Y.Points(), a.String)
	default:
		return fmt.Errorf("cannot draw %T", action)
	}
	return w.doc.Error()
}

func (w *pdfWriter) setColor(c color.Color) {
	if c == nil {
		return
	}
	w.color = c
	r, g, b, _ := c.RGBA()
	w.doc.SetFillColor(int(r>>8), int(g>>8), int(b>>8))
	w.doc.SetDrawColor(int(r>>8), int(g>>8), int(b>>8))
	w.doc.SetTextColor(int(r>>8), int(g>>8), int(b>>8))
}

func (w *pdfWriter) setFont(f font.Font) {
	if f.Size == 0 {
		return // before the first text
	}
	w.font = f
	style := ""
	if f.Weight == xfont.WeightBold {
		style = "B"
	}
	family := string(f.Typeface) + string(f.Variant)
	if !w.known[style] {
		if w.known == nil {
			w.known = make(map[string]bool)
		}
		w.known[style] = true
		face := w.fonts.Lookup(f, f.Size)
		var data bytes.Buffer
		if _, err := face.Face.WriteSourceTo(nil, &data); err != nil {
			w.doc.SetError(err)
			return
		}
		w.doc.AddUTF8FontFromBytes(family, style, data.Bytes())
	}
	w.doc.SetFont(family, style, f.Size.Points())
}

func (w *pdfWriter) path(p vg.Path, operator string) error {
	at := func(pt vg.Point) (x, y float64) { return pt.X.Points(), w.height - pt.Y.Points() }
	for _, c := range p {
		x, y := at(c.Pos)
		switch {
		case c.Type == vg.MoveComp:
			w.doc.MoveTo(x, y)
		case c.Type == vg.LineComp:
			w.doc.LineTo(x, y)
		case c.Type == vg.CloseComp:
			w.doc.ClosePath()
		case c.Type == vg.CurveComp && len(c.Control) == 2:
			x0, y0 := at(c.Control[0])
			x1, y1 := at(c.Control[1])
			w.doc.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
		default:
			return fmt.Errorf("cannot draw a path component of type %d", c.Type)
		}
	}
	w.doc.DrawPath(operator)
	return w.doc.Error()
}
