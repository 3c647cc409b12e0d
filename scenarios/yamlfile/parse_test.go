package yamlfile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Cutting a file into pieces must not change what it says, nor where: a tree
// is written as YAML in a random style and read back in one piece and in the
// smallest pieces.
func TestCuttingAFileChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t: t}
		want := w.value(0, 0)
		text := w.out.String()
		whole, err := parseText("f", text, 1<<30)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		cut, err := parseText("f", text, 1)
		if err != nil {
			t.Fatalf("%v in pieces of:\n%s", err, text)
		}
		if !reflect.DeepEqual(plain(whole.root), want) {
			t.Fatalf("it reads as %v, want %v:\n%s", plain(whole.root), want, text)
		}
		if !reflect.DeepEqual(whole.root, cut.root) {
			t.Fatalf("in pieces, it reads as\n%s\nnot as\n%s\nfrom:\n%s", show(cut.root), show(whole.root), text)
		}
	})
}

// writer writes a random value as YAML.
type writer struct {
	t   *rapid.T
	out strings.Builder
}

func (w *writer) chance(percent int, label string) bool {
	return rapid.IntRange(0, 99).Draw(w.t, label) < percent
}

func (w *writer) noise(indent int) {
	if w.chance(15, "comment") {
		w.out.WriteString(strings.Repeat(" ", rapid.IntRange(0, indent).Draw(w.t, "comment indent")) + "# a: [b\n")
	}
	if w.chance(15, "blank") {
		w.out.WriteString(strings.Repeat(" ", rapid.IntRange(0, 1).Draw(w.t, "spaces")) + "\n")
	}
}

func (w *writer) word(label string) string {
	return rapid.SampledFrom([]string{"a", "b", "c.d", "e-f", "x1", "17", "true", "g h", "1.5s", "60/min", "ä"}).Draw(w.t, label)
}

// value writes a block value below a key or dash at the given indentation,
// starting on a line of its own, and returns it.
func (w *writer) value(indent, depth int) any {
	if depth < 3 && w.chance(40, "list") {
		return w.list(indent, depth)
	}
	n := rapid.IntRange(1, 5).Draw(w.t, "keys")
	m := map[string]any{}
	for i := range n {
		w.noise(indent)
		key := fmt.Sprintf("%s%d", w.word("key"), i)
		if w.chance(20, "quoted") {
			fmt.Fprintf(&w.out, "%s%q:", strings.Repeat(" ", indent), key)
		} else {
			fmt.Fprintf(&w.out, "%s%s:", strings.Repeat(" ", indent), key)
		}
		switch rapid.IntRange(0, 9).Draw(w.t, "form") {
		case 0, 1, 2:
			m[key] = w.inline()
		case 3:
			w.endOfLine()
			m[key] = nil
		case 4:
			w.out.WriteString(" |\n")
			fmt.Fprintf(&w.out, "%s  first\n\n%s  # no comment\n", strings.Repeat(" ", indent), strings.Repeat(" ", indent))
			m[key] = "first\n\n# no comment\n"
		case 5:
			w.out.WriteString(" [a,\n")
			w.out.WriteString(strings.Repeat(" ", indent+1) + "b\n" + strings.Repeat(" ", indent) + "]\n")
			m[key] = []any{"a", "b"}
		default:
			w.endOfLine()
			if depth < 3 {
				more := rapid.IntRange(1, 4).Draw(w.t, "indentation")
				m[key] = w.value(indent+more, depth+1)
			} else {
				w.noise(indent)
				m[key] = w.list(indent, 3) // in line with the key
			}
		}
	}
	return m
}

func (w *writer) endOfLine() {
	if w.chance(20, "comment after") {
		w.out.WriteString(" # why: so")
	}
	w.out.WriteString("\n")
}

func (w *writer) inline() any {
	a, b := w.word("a"), w.word("b")
	switch rapid.IntRange(0, 3).Draw(w.t, "inline") {
	case 0:
		fmt.Fprintf(&w.out, " %s\n", a)
		return a
	case 1:
		fmt.Fprintf(&w.out, " \"%s: #\"  # comment\n", a)
		return a + ": #"
	case 2:
		fmt.Fprintf(&w.out, " [%s, {k: %s}, []]\n", a, b)
		return []any{a, map[string]any{"k": b}, []any{}}
	default:
		fmt.Fprintf(&w.out, " {p: %s, q: [%s]}\n", a, b)
		return map[string]any{"p": a, "q": []any{b}}
	}
}

func (w *writer) list(indent, depth int) any {
	var items []any
	for range rapid.IntRange(1, 4).Draw(w.t, "items") {
		w.noise(indent)
		w.out.WriteString(strings.Repeat(" ", indent) + "-")
		switch {
		case depth < 3 && w.chance(30, "compact mapping"):
			a, b := w.word("a"), w.word("b")
			fmt.Fprintf(&w.out, " name: %s\n%s  other: %s\n", a, strings.Repeat(" ", indent), b)
			items = append(items, map[string]any{"name": a, "other": b})
		case depth < 3 && w.chance(30, "nested"):
			w.out.WriteString("\n")
			items = append(items, w.value(indent+2, depth+1))
		default:
			items = append(items, w.inline())
		}
	}
	return items
}

// plain returns a tree as Go values; all scalars are strings.
func plain(n *node) any {
	switch n.kind {
	case Null:
		return nil
	case Scalar:
		return n.text
	case List:
		items := []any{}
		for _, item := range n.items {
			items = append(items, plain(item))
		}
		return items
	default:
		m := map[string]any{}
		for _, e := range n.entries {
			m[e.key] = plain(e.value)
		}
		return m
	}
}

func show(n *node) string {
	s := fmt.Sprintf("%d:%d %v %q", n.line, n.column, n.kind, n.text)
	for _, e := range n.entries {
		s += fmt.Sprintf("\n%d:%d %s=", e.line, e.column, e.key) + strings.ReplaceAll(show(e.value), "\n", "\n  ")
	}
	for _, i := range n.items {
		s += "\n- " + strings.ReplaceAll(show(i), "\n", "\n  ")
	}
	return s
}

func TestAFileOfManyFunctionsIsReadInLinearTime(t *testing.T) {
	const n = 30_000 // in one piece, the parser would take seconds and all memory
	var s strings.Builder
	s.WriteString("name: x\nfunctions:\n")
	for i := range n {
		fmt.Fprintf(&s, "  f%d: {compute: 1s, inputs: [a.b, c.d], outputs: {x: 1000}}\n", i)
	}
	s.WriteString("start: [f0]\n")
	d, err := Parse("f", []byte(s.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(d.root.entries[1].value.entries); got != n {
		t.Errorf("%d functions, want %d", got, n)
	}
	if got := d.Position(fmt.Sprintf("functions.f%d.inputs[1]", n-1)); got.Line != n+2 {
		t.Errorf("the last function is in line %d, want %d", got.Line, n+2)
	}
}

func TestALongFileHoldsOneDocumentToo(t *testing.T) {
	long := strings.Repeat("- a\n", pieceSize)
	for text, want := range map[string]string{
		"---\n" + long + "...\n": "<nil>",
		long + "---\n" + long:    fmt.Sprintf("f:%d:1: a second document starts here: a file holds one", pieceSize+1),
		long + "b: 1\n" + long:   fmt.Sprintf("f:%d:1: a list goes on here, so the line should start with a dash", pieceSize+1),
	} {
		if _, err := Parse("f", []byte(text)); fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb: [x, {y: z}]\n", "- a\n- b:\n    c: |\n      text\n", "a: &x {b: *x}", "a: *y", "? a\n: b", "%YAML 1.2\n---\n",
		"<<: {a: 1}\n", "!!str a", "\"\\u12\"", "a: 'b\n  c'\n", "{a, b: , }", "[- a]", "a:\n- b\n-\n", "---\n...\n---\n", "\t- x", "a: >-\n\n\n  x\n",
		"# c\n\n- - - 1\n", "a:\r\n  b\r\n", "key: value: x",
	} {
		f.Add(seed, "a.b[0]", "[1]")
	}
	f.Fuzz(func(t *testing.T, text, path, value string) {
		start := time.Now()
		defer func() {
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		}()
		for _, size := range []int{1, pieceSize} {
			checked, err := checkText("f", []byte(text))
			if err != nil {
				return
			}
			d, err := parseText("f", checked, size)
			if err != nil {
				continue
			}
			d.Position(path)
			_ = d.Set(path, value)
			var into struct {
				A int                `yaml:"a,required"`
				B []string           `yaml:"b"`
				C map[string]float64 `yaml:"c"`
				D []struct {
					Key string `yaml:",key"`
					E   *bool  `yaml:"e"`
				} `yaml:"d"`
				V Value `yaml:"v"`
			}
			d.Decode(&into)
			_ = fmt.Sprint(d.Err())
		}
	})
}
