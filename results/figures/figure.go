package figures

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is a finished drawing. It does not change any more: its methods may be
// called at the same time, and each gives the same bytes whenever it is called.
type Figure struct {
	title         string
	width, height vg.Length
	drawing       []recorder.Action
}

// Size returns the width and height in points (1/72 inch).
func (f Figure) Size() (width, height float64) {
	return f.width.Points(), f.height.Points()
}

// SVG returns the figure as an SVG document without an XML prologue, so that it
// is a file as well as an element that can be put into HTML. Text stays text;
// where Liberation Sans is not installed, Arial and Helvetica take its place.
func (f Figure) SVG() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	canvas := vgsvg.New(f.width, f.height)
	f.replay(canvas)
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("figures: write SVG: %w", err)
	}
	// The library writes a prologue, and a font without a fallback. Quotes are
	// escaped in text, so what is replaced here is never part of a text.
	_, svg, found := bytes.Cut(out.Bytes(), []byte("<svg "))
	if !found {
		return nil, fmt.Errorf("figures: the SVG library wrote no <svg element")
	}
	head := fmt.Sprintf(`<svg role="img" aria-label="%s" `, html.EscapeString(f.title))
	svg = bytes.ReplaceAll(svg, []byte(`style="font-family:Liberation Sans;`), []byte(`style="font-family:'Liberation Sans',Arial,Helvetica,sans-serif;`))
	return append([]byte(head), svg...), nil
}

// PNG returns the figure as an image of 216 dots per inch, fewer if it is
// huge. The bytes are the same each time on one architecture; another one may
// round pixels differently.
func (f Figure) PNG() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	dpi := 216
	for dpi > 72 && float64(f.width*f.height)*float64(dpi*dpi)/(72*72) > 50e6 {
		dpi -= 72
	}
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dpi))}
	f.replay(canvas)
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("figures: write PNG: %w", err)
	}
	return out.Bytes(), nil
}

// Save writes the figure to dir as name.svg, name.png and name.pdf and returns
// their paths in this order. The folder is made if need be. Each file appears
// whole or not at all. On an error the paths of those that were written are
// returned with it.
func (f Figure) Save(dir, name string) ([]string, error) {
	if name == "" || name != filepath.Base(name) || strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
		return nil, fmt.Errorf("figures: %q is not a file name; give one without a folder and an ending", name)
	}
	formats := []struct {
		ending string
		render func() ([]byte, error)
	}{{".svg", f.SVG}, {".png", f.PNG}, {".pdf", f.PDF}}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	var paths []string
	for _, format := range formats {
		data, err := format.render()
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, name+format.ending)
		if err := writeWhole(path, data); err != nil {
			return paths, fmt.Errorf("figures: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// writeWhole writes a file beside its place and moves it there.
func writeWhole(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // in vain once it was moved
	_, err = temporary.Write(data)
	if err == nil {
		err = temporary.Chmod(0o644)
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// check refuses the zero Figure.
func (f Figure) check() error {
	if f.width <= 0 || f.height <= 0 {
		return fmt.Errorf("figures: this Figure was not made by a Draw method")
	}
	return nil
}

// replay draws the recording. The library's own ReplayOn keeps fonts in the
// recording, which makes two replays at the same time a race.
func (f Figure) replay(canvas vg.Canvas) {
	fonts := font.NewCache(liberation.Collection())
	for _, action := range f.drawing {
		if text, ok := action.(*recorder.FillString); ok {
			canvas.FillString(fonts.Lookup(text.Font, text.Size), text.Point, text.String)
			continue
		}
		action.ApplyTo(canvas)
	}
}
