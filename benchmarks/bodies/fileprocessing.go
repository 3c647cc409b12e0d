package bodies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// fileprocessing converts a Markdown text to HTML and tells its mood. Its last
// function has nowhere to upload the two to: it checks that they are whole.
func fileprocessing() kit {
	return kit{"fileprocessing", "", map[string]entry{
		"start": {outputs: []string{"file"}, global: []string{"notes.md"}, make: notesOf},
		"conversion": ready(func(_ context.Context, c Call) error {
			text, err := c.Input("start.file")
			if err != nil {
				return err
			}
			var html bytes.Buffer
			html.Grow(len(text) + len(text)/2)
			if err := goldmark.Convert(text, &html); err != nil {
				return fmt.Errorf("this Markdown cannot be converted: %w", err)
			}
			return c.Post("html", html.Bytes())
		}, "html"),
		"sentiment": ready(func(_ context.Context, c Call) error {
			text, err := c.Input("start.file")
			if err != nil {
				return err
			}
			return c.Post("score", strconv.AppendFloat(nil, Sentiment(text), 'f', 6, 64))
		}, "score"),
		"upload": ready(func(_ context.Context, c Call) error {
			html, err := c.Input("conversion.html")
			if err != nil {
				return err
			}
			if !bytes.HasSuffix(bytes.TrimSpace(html), []byte(">")) {
				return errors.New("the HTML does not end with a tag: it is not whole")
			}
			score, err := c.Input("sentiment.score")
			if err != nil {
				return err
			}
			if v, err := parseNumber(score); err != nil || v < -1 || v > 1 {
				return fmt.Errorf("%.20q is no mood between -1 and 1", score)
			}
			return nil
		}),
	}}
}

// notesOf returns a body that posts notes as large as the workflow says, under
// the name of the file that was asked for.
func notesOf(_ context.Context, f *workflow.Function) (Body, error) {
	notes := Markdown(1, stated(f, "file"))
	return func(_ context.Context, c Call) error {
		name, err := c.Input("global_inputs.0")
		if errors.Is(err, ErrAbsent) { // FaaSFlow's artefact never uploads it.
			name, err = []byte("notes"), nil
		}
		if err != nil {
			return err
		}
		return c.Post("file", slices.Concat([]byte("# "), name, []byte("\n\n"), notes))
	}, nil
}

// Markdown makes notes of about size bytes, always the same for a seed:
// headings, paragraphs with emphasis and links, lists.
func Markdown(seed uint64, size int) []byte {
	w := newWriter(seed)
	random := rand.New(rand.NewPCG(seed, 3))
	text := make([]byte, 0, max(size, 0)+4096)
	for section := 1; len(text) < size; section++ {
		text = fmt.Appendf(text, "## %d. %s\n\n", section, w.word())
		for range 1 + random.IntN(4) {
			text = w.sentence(text)
			text = fmt.Appendf(text, "\nThis is *%s* and **%s**, see [%s](https://example.org/%d).\n\n", w.word(), w.word(), w.word(), section)
		}
		for range random.IntN(5) {
			text = append(w.sentence(append(text, "- "...)), '\n')
		}
		text = append(text, '\n')
	}
	return text
}

// Sentiment returns the mood of a text: the share of its good words among
// those that are good or bad, from -1 (all bad) to 1 (all good); 0 if there
// are none.
func Sentiment(text []byte) float64 {
	const (
		good = "good great love happy dear nice best better beautiful kind hope joy win calm fine warm"
		bad  = "bad poor fear sad hate worst worse ugly cruel pain lost angry cold broken damned wrong"
	)
	mood := map[string]int{}
	for word := range strings.FieldsSeq(good) {
		mood[word] = 1
	}
	for word := range strings.FieldsSeq(bad) {
		mood[word] = -1
	}
	sum, n := 0, 0
	eachWord(text, func(word string) {
		if m := mood[word]; m != 0 {
			sum += m
			n++
		}
	})
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}
