// Package ownfunction shows how to try functions of one's own on a flowtwin
// cluster in a test. These count the words of a text: split cuts it into parts,
// count is run for each of them, merge adds up.
package ownfunction

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/cluster"
)

//go:embed text.txt
var page []byte

// text is a book of many such pages.
func text() []byte { return bytes.Repeat(page, 700) }

// Functions are those of words.yaml.
func Functions() cluster.Functions {
	return cluster.Functions{"words/split": split, "words/count": count, "words/merge": merge}
}

func split(_ context.Context, c bodies.Call) error {
	book := text()
	parts := make([][]byte, c.Fan("parts")) // as many as the workflow wants
	for i := range parts {
		end := len(book) * (i + 1) / len(parts)
		if more := bytes.IndexAny(book[end:], " \n"); more >= 0 { // not within a word
			end += more
		}
		start := len(bytes.Join(parts[:i], nil))
		parts[i] = book[start:end]
	}
	return c.PostList("parts", parts)
}

func count(_ context.Context, c bodies.Call) error {
	part, err := c.Input("split.parts")
	if err != nil {
		return err
	}
	return post(c, "words", countWords(string(part)))
}

func merge(_ context.Context, c bodies.Call) error {
	all, err := c.Items("count.words")
	if err != nil {
		return err
	}
	total := map[string]int{}
	for _, data := range all {
		var words map[string]int
		if err := json.Unmarshal(data, &words); err != nil {
			return err
		}
		for word, n := range words {
			total[word] += n
		}
	}
	return post(c, "total", total)
}

func post(c bodies.Call, output string, words map[string]int) error {
	data, err := json.Marshal(words)
	if err != nil {
		return err
	}
	return c.Post(output, data)
}

func countWords(text string) map[string]int {
	words := map[string]int{}
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		words[word]++
	}
	return words
}
