package bodies_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
)

// counted counts words in the plainest way.
func counted(text []byte) map[string]int {
	counts, word := map[string]int{}, ""
	for _, r := range strings.ToLower(string(text)) + " " {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '\'' {
			word += string(r)
		} else if word != "" {
			counts[word]++
			word = ""
		}
	}
	return counts
}

// The merged counts are those of the text that the books are cut from, and the
// books are about as large as the workflow says.
func TestMergedCountsAreThoseOfTheText(t *testing.T) {
	for name, result := range map[string]string{"faasflow/wordcount": "merge.result", "dataflower/wordcount": "merge.res", "dataflower/wordcount-fanout-4": "merge.res"} {
		w := builtIn(t, name)
		all, _ := runAll(t, w)
		books := all["start.file"]
		start := &task{workflow: w, function: &w.Functions[w.Starts[0]]}
		for i, book := range books {
			if size := start.Size("file", i); len(book) < int(size)*99/100 || len(book) > int(size)*101/100 {
				t.Errorf("%s: book %d has %d bytes, the workflow says %d", name, i, len(book), size)
			}
		}
		text := bytes.Join(books, nil)
		if !bytes.Equal(text, bodies.Text(1, len(text))) {
			t.Errorf("%s: the books together are not the text", name)
		}
		got, err := bodies.ParseCounts(all[result][0])
		if err != nil {
			t.Fatal(err)
		}
		if want := counted(text); len(want) < 5000 || !maps.Equal(got, want) {
			t.Errorf("%s: %d words where the text has %d, or other counts", name, len(got), len(want))
		}
	}
}

// A text is the same for a seed, another for another, and as long as asked for.
func TestTexts(t *testing.T) {
	for _, size := range []int{0, 1, 999, 20_000} {
		if a := bodies.Text(1, size); len(a) != size || !bytes.Equal(a, bodies.Text(1, size)) {
			t.Errorf("%d bytes of text, want %d, or not the same twice", len(a), size)
		}
	}
	if bytes.Equal(bodies.Text(1, 1000), bodies.Text(2, 1000)) {
		t.Error("two seeds make the same text")
	}
}

func FuzzCountsAreNotFoundWhereThereAreNone(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":2}`))
	f.Add([]byte(`{"a":-1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		counts, err := bodies.ParseCounts(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(counts)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := bodies.ParseCounts(again); err != nil || !maps.Equal(same, counts) {
			t.Errorf("%v is read as %v, %v", counts, same, err)
		}
	})
}

// Any text that words are counted in has the counts that the plainest way
// finds.
func FuzzCounting(f *testing.F) {
	f.Add([]byte("It isn't, is it? É É é \xff\xfe 12"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := bodies.CountWords(text), counted(text); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
