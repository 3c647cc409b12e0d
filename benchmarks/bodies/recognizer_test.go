package bodies_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// What is written on the picture, and what it means.
const (
	german  = "der alte mann und der verdammte hund liefen ueber die strasse, und ein guter freund rief den beiden bloeden leise nach: kommt heim!"
	english = "the old man and the damned dog ran across the street, and a good friend called the two stupid softly after: come home!"
)

// In DataFlower's version the verdicts decide: the picture is harmless, its
// text is not, so the mosaic is made.
func TestTextOfThePictureIsFoundIllegal(t *testing.T) {
	all, taken := runAll(t, builtIn(t, "dataflower/recognizer", "img: 2285881", "img: 200000"))
	for name, want := range map[string]string{"extract.text": german, "translate.translated_text": english, "censor.verdict": "2"} {
		if got := string(all[name][0]); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"adult_switch": "default", "violence_switch": "default", "censor_switch": "illegal"} {
		if taken[name] != want {
			t.Errorf("%s takes the branch %s, want %s", name, taken[name], want)
		}
	}
	differ := differences(t, all["upload.img"][0], all["mosaic.content"][0])
	if differ.Empty() {
		t.Error("the mosaic hides nothing")
	}
	if size := decode(t, all["upload.img"][0]).Bounds(); differ.Min.Y < size.Dy()*8/10 {
		t.Errorf("the mosaic changes %v of a harmless picture of %v", differ, size)
	}
}

// In FaaSFlow's version the uploader's flag decides, and nothing is hidden.
func TestNobodyFlagsThePicture(t *testing.T) {
	all, taken := runAll(t, builtIn(t, "faasflow/recognizer", "image: 986773", "image: 200000"))
	if taken["virtual1"] != "default" || taken["virtual2"] != "default" || len(all["mosaic.image"]) > 0 {
		t.Errorf("branches %v, %d mosaics", taken, len(all["mosaic.image"]))
	}
	if got := string(all["word_censor.filter_count"][0]); got != "2" {
		t.Errorf("%s words are filtered, want 2", got)
	}
}

// run runs one function on given inputs, and returns what it posts.
func run(t *testing.T, w *workflow.Workflow, function string, in data) data {
	t.Helper()
	id, _ := w.Function(function)
	body, err := bodies.Shipped{}.Body(t.Context(), w, function)
	if err != nil {
		t.Fatal(err)
	}
	if err := body(t.Context(), &task{workflow: w, function: &w.Functions[id], of: 1, all: in}); err != nil {
		t.Fatal(err)
	}
	return in
}

// painted returns a picture with a square of a colour in it.
func painted(t *testing.T, square image.Rectangle, c color.Color) []byte {
	t.Helper()
	harmless, err := bodies.Picture(100_000)
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, harmless).(draw.Image)
	draw.Draw(m, square, image.NewUniform(c), image.Point{}, draw.Src)
	for x := square.Min.X; x < square.Max.X; x += 2 { // So that it is not flat.
		m.Set(x, square.Min.Y+x%square.Dy(), color.RGBA{A: 255, R: 120, G: 50, B: 40})
	}
	var data bytes.Buffer
	if err := png.Encode(&data, m); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// Classifiers say the same whenever asked, and find what they look for: skin
// the one, blood the other.
func TestClassifiersTellPicturesApart(t *testing.T) {
	w := builtIn(t, "dataflower/recognizer")
	square := image.Rect(64, 48, 256, 176)
	pictures := map[string][]byte{
		"harmless": painted(t, image.Rect(0, 0, 2, 2), color.White),
		"adult":    painted(t, square, color.RGBA{224, 172, 140, 255}),
		"violence": painted(t, square, color.RGBA{160, 10, 20, 255}),
	}
	for shown, picture := range pictures {
		for _, classifier := range []string{"adult", "violence"} {
			verdict := func() string {
				return string(run(t, w, classifier, data{"upload.img": {picture}})[classifier+".verdict"][0])
			}
			got := verdict()
			if len(got) != 8 || got != verdict() {
				t.Errorf("%s says %q, then %q", classifier, got, verdict())
			}
			if found := got > "0.5"; found != (shown == classifier) {
				t.Errorf("%s says %s of a picture that is %s", classifier, got, shown)
			}
		}
	}
}

// The mosaic changes what is illegal, and nothing else.
func TestMosaicHidesWhatIsIllegalOnly(t *testing.T) {
	square := image.Rect(64, 48, 256, 176) // On the grid of the mosaic.
	picture := painted(t, square, color.RGBA{224, 172, 140, 255})
	hidden := run(t, builtIn(t, "dataflower/recognizer"), "mosaic", data{"upload.img": {picture}})["mosaic.content"][0]
	before, after := decode(t, picture), decode(t, hidden)
	top := before.Bounds().Dy() - 13*strings.Count(captionLines(before), "\n")
	inside, outside := 0, 0
	for y := range top {
		for x := range before.Bounds().Dx() {
			if before.At(x, y) != after.At(x, y) {
				if (image.Point{x, y}).In(square) {
					inside++
				} else {
					outside++
				}
			}
		}
	}
	if inside == 0 || outside > 0 {
		t.Errorf("%d pixels differ inside the square, %d outside", inside, outside)
	}
	if c := after.At(70, 50); after.At(65, 49) != c || after.At(79, 63) != c {
		t.Error("a tile of the mosaic has more than one colour")
	}
	text := string(run(t, builtIn(t, "dataflower/recognizer"), "extract", data{"upload.img": {hidden}})["extract.text"][0])
	if strings.Contains(text, "verdammte") || strings.Contains(text, "bloeden") {
		t.Errorf("one can still read %q", text)
	}
}

// captionLines stands for the caption's lines, by how many rows of white there
// are at the left edge.
func captionLines(m image.Image) string {
	lines := ""
	for y := m.Bounds().Dy() - 13; y >= 0 && m.At(m.Bounds().Dx()-1, y) == (color.RGBA{255, 255, 255, 255}); y -= 13 {
		lines += "\n"
	}
	return lines
}

// A picture may be a JPEG, and needs no caption.
func TestJPEGsAreLookedAtToo(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 200, 100))
	draw.Draw(m, m.Rect, image.NewUniform(color.RGBA{160, 10, 20, 255}), image.Point{}, draw.Src)
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, m, nil); err != nil {
		t.Fatal(err)
	}
	w := builtIn(t, "dataflower/recognizer")
	if got := string(run(t, w, "violence", data{"upload.img": {picture.Bytes()}})["violence.verdict"][0]); got < "0.99" {
		t.Errorf("violence says %s", got)
	}
	if got := string(run(t, w, "extract", data{"upload.img": {picture.Bytes()}})["extract.text"][0]); got != "" {
		t.Errorf("the caption is %q", got)
	}
}

// No bytes that claim to be a picture harm who looks at them.
func FuzzPictures(f *testing.F) {
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 20, 15))); err != nil {
		f.Fatal(err)
	}
	f.Add(small.Bytes())
	f.Add([]byte("\xff\xd8\xff"))
	f.Fuzz(func(t *testing.T, picture []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(picture)); err == nil && c.Width*c.Height > 1<<20 {
			return // Large ones take long, that is all.
		}
		w := builtIn(t, "dataflower/recognizer")
		for _, function := range []string{"adult", "extract", "mosaic"} {
			id, _ := w.Function(function)
			body, err := bodies.Shipped{}.Body(t.Context(), w, function)
			if err != nil {
				t.Fatal(err)
			}
			k := &task{workflow: w, function: &w.Functions[id], of: 1, all: data{"upload.img": {picture}}}
			_, _, invalid := image.Decode(bytes.NewReader(picture))
			if err := body(t.Context(), k); (err == nil) != (invalid == nil) {
				t.Errorf("%s: %v, where decoding says %v", function, err, invalid)
			}
		}
	})
}

func decode(t *testing.T, data []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// differences is what holds all pixels in which two pictures differ.
func differences(t *testing.T, a, b []byte) (r image.Rectangle) {
	t.Helper()
	before, after := decode(t, a), decode(t, b)
	if before.Bounds() != after.Bounds() {
		t.Fatalf("one picture has %v, the other %v", before.Bounds(), after.Bounds())
	}
	for y := range before.Bounds().Dy() {
		for x := range before.Bounds().Dx() {
			if before.At(x, y) != after.At(x, y) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}
