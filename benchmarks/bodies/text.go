package bodies

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"unicode"
)

// Text makes a text of exactly size bytes, always the same for a seed. Its
// words are as frequent as those of books: the n-th most frequent comes up
// about 1/n as often as the first.
func Text(seed uint64, size int) []byte {
	w := newWriter(seed)
	text := make([]byte, 0, max(size, 0)+256)
	for line := 0; len(text) < size; {
		before := len(text)
		text = w.sentence(text)
		if line += len(text) - before; line > 60 {
			text = append(text, '\n')
			line = 0
		} else {
			text = append(text, ' ')
		}
	}
	return text[:max(size, 0)]
}

// writer writes sentences.
type writer struct {
	random *rand.Rand
	zipf   *rand.Zipf
	words  []string
}

// vocabulary is how many words a writer knows.
const vocabulary = 12_000

func newWriter(seed uint64) *writer {
	const frequent = "the of and to a in that he was it his is with as i had for you at not on be but have my this they which or from one her " +
		"she all by said were there we me so when no him an their would if what been who more up out them into some could do then your will " +
		"upon very now time than man about good great old dear love happy bad poor fear sad don't"
	w := &writer{random: rand.New(rand.NewPCG(seed, 1)), words: strings.Fields(frequent)}
	w.zipf = rand.NewZipf(w.random, 1.1, 2, vocabulary-1)
	onsets, vowels, codas := strings.Fields("b c d f g h l m n p r s t v w st tr br ch sh gr pl"), strings.Fields("a e i o u ea ou ai"), strings.Fields("n r s t l nd st ck m d")
	pick := func(of []string) string { return of[w.random.IntN(len(of))] }
	known := map[string]bool{}
	for len(w.words) < vocabulary {
		word := ""
		for range 1 + w.random.IntN(3) {
			word += pick(onsets) + pick(vowels)
		}
		if word += pick(codas); !known[word] {
			known[word] = true
			w.words = append(w.words, word)
		}
	}
	return w
}

func (w *writer) word() string { return w.words[w.zipf.Uint64()] }

// sentence appends one of 4 to 18 words, without a space behind it.
func (w *writer) sentence(to []byte) []byte {
	n := 4 + w.random.IntN(15)
	for i := range n {
		word := w.word()
		switch {
		case i == 0:
			to = append(append(to, word[0]-'a'+'A'), word[1:]...)
			continue
		case w.random.IntN(12) == 0:
			to = append(to, ',')
		}
		to = append(append(to, ' '), word...)
	}
	return append(to, '.')
}

// eachWord calls do with every word of a text, in lower case.
func eachWord(text []byte, do func(word string)) {
	for word := range bytes.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' }) {
		do(strings.ToLower(string(word)))
	}
}

// cut cuts a text between words into parts whose sizes are to each other as
// the shares are, as far as words allow.
func cut(text []byte, shares []int64) [][]byte {
	total := int64(0)
	for _, s := range shares {
		total += s
	}
	parts := make([][]byte, len(shares))
	from, sum := 0, int64(0)
	for i, s := range shares {
		sum += s
		to := len(text)
		if i < len(shares)-1 {
			if total > 0 {
				to = max(from, int(float64(len(text))*(float64(sum)/float64(total))))
			}
			if space := bytes.IndexAny(text[to:], " \n"); space >= 0 {
				to += space
			} else {
				to = len(text)
			}
		}
		parts[i] = text[from:to:to]
		from = to
	}
	return parts
}
