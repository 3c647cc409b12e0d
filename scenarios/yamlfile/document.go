package yamlfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Document is a YAML file that has been parsed, with the errors found in it.
type Document struct {
	file     string
	root     *node
	errs     Errors
	more     int      // errors that were not kept
	doubtful []string // paths of what could not be read: see Decoded

	index map[*node]map[string]int // of large mappings, made when needed
}

// Errorf adds an error at the value that a path leads to; if there is no such
// value, at the nearest one on the way.
func (d *Document) Errorf(path, format string, args ...any) {
	d.add(Error{Position: d.Position(path), Path: path, Message: fmt.Sprintf(format, args...)})
}

// Decoded says that all has been decoded, and what follows are checks of what
// the values mean. Values that could not be read are not reported again: a
// check that fails there only shows the consequences.
func (d *Document) Decoded() {
	for i := range d.errs {
		if path := d.errs[i].doubtful(); path != "" {
			d.doubtful = append(d.doubtful, path)
		}
	}
}

// Include adds errors that were found elsewhere: each as it is if err is of
// type Errors, such as those of a file that this one names, else one at the
// path. It does nothing if err is nil.
func (d *Document) Include(path string, err error) {
	var errs Errors
	switch {
	case err == nil:
	case errors.As(err, &errs):
		for _, e := range errs {
			d.keep(e)
		}
	default:
		d.Errorf(path, "%v", err)
	}
}

func (d *Document) add(e Error) {
	for _, path := range d.doubtful {
		if overlap(path, e.Path) {
			return
		}
	}
	d.keep(e)
}

// keep keeps an error, once.
func (d *Document) keep(e Error) {
	switch {
	case e.more > 0:
		d.more = max(d.more, e.more)
	case slices.Contains(d.errs, e):
	case len(d.errs) == maxErrors:
		d.more++
	default:
		d.errs = append(d.errs, e)
	}
}

// Err returns all errors found so far, of type Errors, or nil: those of values
// that were set, those of the file in its order, then those of other files.
func (d *Document) Err() error {
	if len(d.errs) == 0 {
		return nil
	}
	elsewhere := func(e *Error) int {
		if e.Line > 0 && e.File != d.file {
			return 1
		}
		return 0
	}
	errs := slices.Clone(d.errs)
	slices.SortStableFunc(errs, func(a, b Error) int {
		if other := elsewhere(&a); other+elsewhere(&b) > 0 {
			return cmp.Compare(other, elsewhere(&b))
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if d.more > 0 {
		errs = append(errs, Error{Position: Position{File: d.file}, Message: fmt.Sprintf("and %d more errors", d.more), more: d.more})
	}
	return errs
}

// Clone returns a document with the same content and no errors. Setting a
// value in one does not change the other.
func (d *Document) Clone() *Document { return &Document{file: d.file, root: d.root} }

// Root returns the whole file as a value.
func (d *Document) Root() Value { return Value{d, d.root, nil, d.position(d.root)} }

func (d *Document) position(n *node) Position {
	return Position{d.fileOf(n), int(n.line), int(n.column)}
}

func (d *Document) fileOf(n *node) string {
	if n.from != nil {
		return *n.from
	}
	return d.file
}

// entryPosition is where errors about an entry are reported: at the value if
// it starts on the line of the key, else at the key.
func (d *Document) entryPosition(e *entry) Position {
	if e.value.line == e.line && e.value.kind != Null {
		return d.position(e.value)
	}
	return d.keyPosition(e)
}

func (d *Document) keyPosition(e *entry) Position {
	return Position{d.fileOf(e.value), int(e.line), int(e.column)}
}

// find returns the index of the first entry with a key in a mapping.
func (d *Document) find(n *node, key string) (int, bool) {
	if len(n.entries) <= 16 {
		for i := range n.entries {
			if n.entries[i].key == key {
				return i, true
			}
		}
		return 0, false
	}
	index, ok := d.index[n]
	if !ok {
		index = make(map[string]int, len(n.entries))
		for i := len(n.entries) - 1; i >= 0; i-- {
			index[n.entries[i].key] = i
		}
		if d.index == nil {
			d.index = map[*node]map[string]int{}
		}
		d.index[n] = index
	}
	i, ok := index[key]
	return i, ok
}

// Position returns the place of the value that a path such as
// functions.count.inputs[2] leads to, or of the nearest value on the way that
// exists. Keys may be quoted; a key with dots in it is found without quotes
// too.
func (d *Document) Position(path string) Position {
	steps, err := parsePath(path)
	if err != nil {
		return d.position(d.root)
	}
	pos, _ := d.walk(d.root, steps, d.position(d.root))
	return pos
}

// walk follows steps from n as far as it can, and returns the place it gets
// to and the number of steps left.
func (d *Document) walk(n *node, steps []step, pos Position) (Position, int) {
	if len(steps) == 0 {
		return pos, 0
	}
	if steps[0].isIndex() {
		if i := max(steps[0].index, 0); i < len(n.items) { // of all, the first will do
			return d.walk(n.items[i], steps[1:], d.position(n.items[i]))
		}
	} else if e, used := d.choose(n, steps); e != nil {
		return d.walk(e.value, steps[used:], d.entryPosition(e))
	}
	return pos, len(steps)
}

// choose returns the entry of n that the first steps name, and how many steps
// name it: several, if the key contains dots. If there is a choice, the entry
// that lets one go furthest wins, then the shortest key. It is nil if there is
// no such entry.
func (d *Document) choose(n *node, steps []step) (*entry, int) {
	var best *entry
	bestUsed, bestLeft := 0, len(steps)
	key := ""
	for i, s := range steps {
		if s.isIndex() || i > 0 && (s.quoted || steps[i-1].quoted) {
			break
		}
		if i > 0 {
			key += "."
		}
		key += s.key
		if at, ok := d.find(n, key); ok {
			e := &n.entries[at]
			if _, left := d.walk(e.value, steps[i+1:], Position{}); left < bestLeft {
				best, bestUsed, bestLeft = e, i+1, left
			}
		}
	}
	return best, bestUsed
}

// step is one part of a path: a key, the index of an item, or all items.
type step struct {
	key    string
	quoted bool
	index  int // or noIndex, or allItems
}

const (
	noIndex  = -1
	allItems = -2
)

func (s step) isIndex() bool { return s.index != noIndex }

// parsePath cuts a path such as functions."a.b".inputs[2] into steps. The index
// [*] stands for all items.
func parsePath(path string) ([]step, error) {
	var steps []step
	rest := path
	for rest != "" {
		switch {
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, fmt.Errorf("path %q: the bracket is not closed", path)
			}
			i, err := strconv.Atoi(rest[1:end])
			switch {
			case rest[1:end] == "*":
				i = allItems
			case err != nil || i < 0:
				return nil, fmt.Errorf("path %q: [%s] is no index: they count from [0], and [*] is all of them", path, rest[1:end])
			}
			steps = append(steps, step{index: i})
			rest = rest[end+1:]
		case rest[0] == '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("path %q: the quote is not closed", path)
			}
			key, _ := strconv.Unquote(quoted)
			steps = append(steps, step{key: key, index: noIndex, quoted: true})
			rest = rest[len(quoted):]
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("path %q: a key is empty", path)
			}
			steps = append(steps, step{key: rest[:end], index: noIndex})
			rest = rest[end:]
		}
		if strings.HasPrefix(rest, ".") {
			if rest = rest[1:]; rest == "" || rest[0] == '[' {
				return nil, fmt.Errorf("path %q: a key is missing after the last dot", path)
			}
		} else if rest != "" && rest[0] != '[' {
			return nil, fmt.Errorf("path %q: a dot is missing before %q", path, rest)
		}
	}
	switch {
	case len(steps) == 0:
		return nil, fmt.Errorf("the path is empty: name a key, such as load.rate")
	case len(steps) > maxDepth:
		return nil, fmt.Errorf("the path has %d parts, more than %d", len(steps), maxDepth)
	}
	return steps, nil
}

// Set gives the value at a path, such as load.rate or functions.count.cpu, the
// value that a YAML text stands for. Mappings on the way are made where they
// are missing; items of lists are not. The error says what is wrong with the path
// or the text.
//
// Errors found later in the value are reported as those of "path=text".
func (d *Document) Set(path, text string) error {
	steps, err := parsePath(path)
	if err != nil {
		return err
	}
	origin := path + "=" + text
	if i := strings.IndexByte(origin, '\n'); i >= 0 {
		origin = origin[:i] + " …"
	}
	value, err := Parse(origin, []byte(text))
	if err != nil {
		return err
	}
	return d.replace(steps, mark(value.root, &origin, false))
}

// SetValue is Set with a value from this document, such as one of those that
// an axis goes through, or from another file. Errors found later in it are
// reported where it stands in its file.
func (d *Document) SetValue(path string, v Value) error {
	steps, err := parsePath(path)
	if err != nil {
		return err
	}
	n := v.n
	if v.doc.file != d.file {
		n = mark(n, &v.doc.file, true)
	}
	return d.replace(steps, n)
}

func (d *Document) replace(steps []step, value *node) error {
	root, err := d.set(d.root, steps, nil, value)
	if err == nil {
		d.root = root
	}
	return err
}

// mark returns a copy of the tree whose nodes say what they are from: a file,
// where they keep their places, or a setting, which has none.
func mark(n *node, from *string, places bool) *node {
	marked := *n
	if marked.from == nil {
		marked.from = from
	}
	if !places {
		marked.line, marked.column = 0, 0
	}
	marked.items = make([]*node, len(n.items))
	for i := range n.items {
		marked.items[i] = mark(n.items[i], from, places)
	}
	marked.entries = make([]entry, len(n.entries))
	for i, e := range n.entries {
		e.value = mark(e.value, from, places)
		if !places {
			e.line, e.column = 0, 0
		}
		marked.entries[i] = e
	}
	return &marked
}

// set returns a copy of n in which the value at the steps is replaced.
func (d *Document) set(n *node, steps []step, at *path, value *node) (*node, error) {
	if len(steps) == 0 {
		return value, nil
	}
	where := "the file"
	if at != nil {
		where = at.String()
	}
	result := *n
	if steps[0].isIndex() {
		first, last := steps[0].index, steps[0].index
		if first == allItems {
			first, last = 0, len(n.items)-1
		}
		switch {
		case n.kind != List:
			return nil, fmt.Errorf("%s is %s, not a list: it has no items", where, n.show())
		case first >= len(n.items):
			return nil, fmt.Errorf("%s has %d items: there is no item [%d]", where, len(n.items), first)
		}
		result.items = slices.Clone(n.items)
		for i := first; i <= last; i++ {
			item, err := d.set(n.items[i], steps[1:], at.item(i), value)
			if err != nil {
				return nil, err
			}
			result.items[i] = item
		}
		return &result, nil
	}
	if n.kind != Mapping && n.kind != Null {
		return nil, fmt.Errorf("%s is %s, not a mapping: it has no key %q", where, n.show(), steps[0].key)
	}
	if e, used := d.choose(n, steps); e != nil {
		child, err := d.set(e.value, steps[used:], at.child(e.key), value)
		if err != nil {
			return nil, err
		}
		result.entries = slices.Clone(n.entries)
		i, _ := d.find(n, e.key)
		result.entries[i].value = child
		if child == value { // the key counts as part of what was set
			result.entries[i].line, result.entries[i].column = value.line, value.column
		}
		return &result, nil
	}
	empty := &node{kind: Null, from: value.from, line: value.line, column: value.column}
	child, err := d.set(empty, steps[1:], at.child(steps[0].key), value)
	if err != nil {
		return nil, err
	}
	result.kind = Mapping
	result.entries = append(slices.Clone(n.entries), entry{steps[0].key, value.line, value.column, child})
	return &result, nil
}
