package figures

import (
	"bytes"
	"encoding/xml"
	"flag"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files of this package anew")

// The golden files are SVG, because PNG differs from processor to processor.
// After a change, look at the figures before you rewrite the files:
//
//	go test ./results/figures -run Golden -rewrite
func TestGoldenFigures(t *testing.T) {
	for _, e := range gallery() {
		got, err := e.figure.SVG()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", e.name+".svg")
		if *rewrite {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from %s: %s", e.name, file, firstDifference(string(got), string(want)))
		}
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "got " + a[i] + ", want " + b[i]
		}
	}
	return "one is longer"
}

func wellFormed(svg []byte) error {
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func formats(f Figure) map[string]func() ([]byte, error) {
	return map[string]func() ([]byte, error){"svg": f.SVG, "png": f.PNG, "pdf": f.PDF}
}

func TestOddFiguresCanBeWritten(t *testing.T) {
	for _, e := range oddities() {
		svg, err := e.figure.SVG()
		if err == nil {
			err = wellFormed(svg)
		}
		if err != nil {
			t.Errorf("%s.svg: %v", e.name, err)
		}
		if _, err := e.figure.PDF(); err != nil {
			t.Errorf("%s.pdf: %v", e.name, err)
		}
	}
}

func TestFiguresAreTheSameBytesEachTime(t *testing.T) {
	first, again := latencyByRate("video").Draw(), latencyByRate("video").Draw()
	for name, render := range formats(first) {
		a, err := render()
		if err != nil {
			t.Fatal(err)
		}
		for i, other := range []Figure{first, again} {
			b, err := formats(other)[name]()
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: rendering %d differs (%v)", name, i, err)
			}
		}
	}
}

func TestFiguresCanBeDrawnAndWrittenAtTheSameTime(t *testing.T) {
	shared := tailLatency().Draw()
	want, err := shared.PDF()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			own := tailLatency().Draw()
			for _, f := range []Figure{shared, own} {
				if got, err := f.PDF(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("PDF differs: %v", err)
				}
				for name, render := range formats(f) {
					if _, err := render(); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestDrawingLeavesTheDataAlone(t *testing.T) {
	c := CDF{Series: []CDFSeries{{Name: "a", Samples: []float64{3, 1, 2}}}}
	l := Lines{Series: []LineSeries{{Name: "a", Points: over([]float64{3, 1, 2}, around(1, 2, 3))}}}
	c.Draw()
	l.Draw()
	if !slices.Equal(c.Series[0].Samples, []float64{3, 1, 2}) || l.Series[0].Points[0].X != 3 {
		t.Error("Draw sorted the caller's data")
	}
}

func TestSaveWritesThreeFilesAndNothingElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "figures")
	paths, err := tailLatency().Draw().Save(dir, "tail-latency")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "tail-latency.svg"), filepath.Join(dir, "tail-latency.png"), filepath.Join(dir, "tail-latency.pdf")}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q", paths)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files: %v, %v", len(entries), entries, err)
	}
	for path, start := range map[string]string{paths[0]: "<svg ", paths[1]: "\x89PNG", paths[2]: "%PDF-"} {
		data, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(data), start) {
			t.Errorf("%s does not start with %q (%v)", path, start, err)
		}
	}
}

func TestSaveErrors(t *testing.T) {
	f := tailLatency().Draw()
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "/etc/x"} {
		if _, err := f.Save(t.TempDir(), name); err == nil || !strings.Contains(err.Error(), "not a file name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Save(file, "a"); err == nil {
		t.Error("saved into a file")
	}
	if _, err := (Figure{}).Save(t.TempDir(), "a"); err == nil || !strings.Contains(err.Error(), "Draw") {
		t.Errorf("the zero Figure: %v", err)
	}
}

func TestSaveReplacesAFileAsAWhole(t *testing.T) {
	dir := t.TempDir()
	small, large := Bars{}.Draw(), tailLatency().Draw()
	for _, f := range []Figure{large, small} {
		if _, err := f.Save(dir, "a"); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := small.SVG()
	if got, err := os.ReadFile(filepath.Join(dir, "a.svg")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d (%v)", len(got), len(want), err)
	}
}

func TestSVGKeepsTextAndNamesAFontThatEveryMachineHas(t *testing.T) {
	svg, err := Bars{Title: `A "title" & <more>`, Subtitle: "sim · 5 trials", Groups: []string{"a"}, Series: []BarSeries{{Name: "b", Values: around(1)}}}.Draw().SVG()
	if err != nil {
		t.Fatal(err)
	}
	text := string(svg)
	for _, want := range []string{
		`<svg role="img" aria-label="A &#34;title&#34; &amp; &lt;more&gt;" `,
		">A &#34;title&#34; &amp; &lt;more&gt;</text>",
		">sim · 5 trials</text>",
		"font-family:'Liberation Sans',Arial,Helvetica,sans-serif;",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "font-family:Liberation") || strings.Contains(text, "Serif") {
		t.Error("a text without a fallback, or in another font")
	}
}

func TestPNGHasThreePixelsAPoint(t *testing.T) {
	f := tailLatency().Draw()
	data, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(data))
	width, height := f.Size()
	if err != nil || config.Width != int(3*width) || config.Height != int(3*height) {
		t.Errorf("%d × %d pixels for %v × %v points (%v)", config.Width, config.Height, width, height, err)
	}
}
