package yamlfile

// Nearest returns the candidate that a mistyped word most likely stands for,
// or "" if none is close. Close means that few letters are wrong, left out,
// added or swapped: one in a word of up to five letters, a third of a longer
// one, and never all. Of equals, the first wins.
func Nearest(word string, candidates []string) string {
	letters := []rune(word)
	best, limit := "", min(max(1, len(letters)/3)+1, len(letters))
	var d distance
	for _, c := range candidates {
		if c == word {
			return c
		}
		if n := d.between(letters, c, limit); n < limit {
			best, limit = c, n
		}
	}
	return best
}

// distance keeps the rows that it computes with.
type distance struct {
	letters           []rune
	before, last, row []int
}

// between counts the letters that are wrong, left out, added or swapped with
// their neighbour; it returns limit if there are that many or more.
func (d *distance) between(a []rune, word string, limit int) int {
	d.letters = d.letters[:0]
	for _, r := range word {
		d.letters = append(d.letters, r)
	}
	b := d.letters
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	if len(d.row) <= len(b) {
		d.before, d.last, d.row = make([]int, 2*len(b)+1), make([]int, 2*len(b)+1), make([]int, 2*len(b)+1)
	}
	before, last, row := d.before, d.last, d.row
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
