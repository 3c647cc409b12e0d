package bodies

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// wordcount counts the words of books, each in an instance of its own, and
// merges the counts. The papers' versions call their outputs differently.
func wordcount(counts, result string) kit {
	return kit{"wordcount", "", map[string]entry{
		"start": {outputs: []string{"file"}, make: booksOf},
		"count": ready(func(_ context.Context, c Call) error {
			text, err := c.Input("start.file")
			if err != nil {
				return err
			}
			return postJSON(c, counts, CountWords(text))
		}, counts),
		"merge": ready(func(_ context.Context, c Call) error {
			all, err := c.Items("count." + counts)
			if err != nil {
				return err
			}
			sum := map[string]int{}
			for i, one := range all {
				words, err := ParseCounts(one)
				if err != nil {
					return fmt.Errorf("the counts of book %d: %w", i, err)
				}
				for word, n := range words {
					sum[word] += n
				}
			}
			return postJSON(c, result, sum)
		}, result),
	}}
}

// booksOf returns a body that cuts a text into books as large as the workflow
// says.
func booksOf(_ context.Context, f *workflow.Function) (Body, error) {
	text := Text(1, stated(f, "file"))
	return func(_ context.Context, c Call) error {
		sizes := make([]int64, c.Fan("file"))
		for i := range sizes {
			sizes[i] = c.Size("file", i)
		}
		return c.PostList("file", cut(text, sizes))
	}, nil
}

// CountWords counts the words of a text, in lower case.
func CountWords(text []byte) map[string]int {
	counts := map[string]int{}
	eachWord(text, func(word string) { counts[word]++ })
	return counts
}

// ParseCounts reads counts of words: a JSON object with a number for each.
func ParseCounts(data []byte) (map[string]int, error) {
	const most = 1 << 40 // So that no sum of them overflows.
	var counts map[string]int
	if err := json.Unmarshal(data, &counts); err != nil {
		return nil, fmt.Errorf("these are no counts of words: %w", err)
	}
	for word, n := range counts {
		if n < 1 || n > most {
			return nil, fmt.Errorf("these are no counts of words: %.20q comes up %d times", word, n)
		}
	}
	return counts, nil
}

func postJSON(c Call, output string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.Post(output, data)
}
