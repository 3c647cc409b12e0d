package bodies_test

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
)

// The HTML says what the Markdown says: every heading, list item and link of
// the notes is there as a tag, and the file's name is its title.
func TestHTMLSaysWhatTheMarkdownSays(t *testing.T) {
	all, _ := runAll(t, builtIn(t, "faasflow/fileprocessing", "file: 29600094", "file: 200000"))
	text, html := string(all["start.file"][0]), string(all["conversion.html"][0])
	if len(text) < 200_000 || len(text) > 210_000 {
		t.Errorf("the notes have %d bytes", len(text))
	}
	if !strings.HasPrefix(html, "<h1>notes.md</h1>\n") {
		t.Errorf("the HTML begins with %.30q", html)
	}
	for markdown, tag := range map[string]string{"\n## ": "<h2>", "\n- ": "<li>", "](https://": "<a href=\"https://"} {
		if in, out := strings.Count(text, markdown), strings.Count(html, tag); in != out {
			t.Errorf("%d times %q in the notes, %d times %q in the HTML", in, markdown, out, tag)
		}
	}
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(line, "## "); ok && !strings.Contains(html, "<h2>"+strings.TrimSpace(heading)+"</h2>") {
			t.Errorf("the HTML lacks the heading %q", heading)
		}
	}
}

// The mood is that of the words, each counted by itself.
func TestMoodIsThatOfTheWords(t *testing.T) {
	for text, want := range map[string]float64{
		"":                             0,
		"Nothing is said here.":        0,
		"A good, great, HAPPY day":     1,
		"sad":                          -1,
		"good bad good angry sad love": 0,
		"goodness is not good; a bad, cold, wrong day": (1.0 - 3) / 4,
	} {
		if got := bodies.Sentiment([]byte(text)); math.Abs(got-want) > 1e-12 {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	all, _ := runAll(t, builtIn(t, "faasflow/fileprocessing", "file: 29600094", "file: 200000"))
	score, err := strconv.ParseFloat(string(all["sentiment.score"][0]), 64)
	if want := bodies.Sentiment(all["start.file"][0]); err != nil || math.Abs(score-want) > 1e-6 || score == 0 {
		t.Errorf("the score is %v, %v, want %v", score, err, want)
	}
}

// The upload refuses what is not whole.
func TestUploadRefusesHalfOfIt(t *testing.T) {
	w := builtIn(t, "faasflow/fileprocessing")
	body, err := bodies.Shipped{}.Body(t.Context(), w, "upload")
	if err != nil {
		t.Fatal(err)
	}
	id, _ := w.Function("upload")
	for _, test := range []struct {
		html, score string
		ok          bool
	}{
		{"<p>a</p>\n", "0.250000", true}, {"<p>a</p", "0.25", false}, {"", "0.25", false}, {"<p>a</p>", "", false}, {"<p>a</p>", "7", false}, {"<p>a</p>", "NaN", false},
	} {
		k := &task{workflow: w, function: &w.Functions[id], all: data{"conversion.html": {[]byte(test.html)}, "sentiment.score": {[]byte(test.score)}}}
		if err := body(t.Context(), k); (err == nil) != test.ok {
			t.Errorf("%q with mood %q: %v", test.html, test.score, err)
		}
	}
}

func TestNotesAreTheSameForASeed(t *testing.T) {
	if a := bodies.Markdown(3, 5000); !bytes.Equal(a, bodies.Markdown(3, 5000)) || bytes.Equal(a, bodies.Markdown(4, 5000)) {
		t.Error("notes do not depend on the seed alone")
	}
}
