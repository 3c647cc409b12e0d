package yamlfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kind is what a value in a YAML file is.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Scalar
	List
	Mapping
)

// String returns "nothing", "a single value", "a list" or "a mapping", as
// error messages say it.
func (k Kind) String() string {
	return [...]string{"nothing", "a single value", "a list", "a mapping"}[k]
}

// node is a value in the tree of a file. Nodes are never changed once they are
// part of a document, so documents can share them.
type node struct {
	kind         Kind
	quoted       bool
	line, column int32
	from         *string // the file it is from, or how it was set, if it is not from the document's file
	text         string
	items        []*node
	entries      []entry
}

// entry is a key of a mapping and its value.
type entry struct {
	key          string
	line, column int32
	value        *node
}

// path leads to a value: a key or an index, from the parent on.
type path struct {
	parent *path
	key    string
	index  int // -1 for a key
}

func (p *path) child(key string) *path { return &path{parent: p, key: key, index: -1} }

func (p *path) item(index int) *path { return &path{parent: p, index: index} }

// String writes the path so that it can be read back.
func (p *path) String() string {
	if p == nil {
		return ""
	}
	if p.index >= 0 {
		return p.parent.String() + "[" + strconv.Itoa(p.index) + "]"
	}
	return Join(p.parent.String(), p.key)
}

var plainKey = regexp.MustCompile(`^[^\s."'\[\]]+$`)

// Join returns the path of a key below a path. Keys that contain dots,
// brackets, quotes or spaces are quoted.
func Join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Value is a value in a document, with its place. An [Unmarshaler] gets one,
// and code that reads files of foreign formats walks them.
type Value struct {
	doc *Document
	n   *node
	at  *path
	pos Position // where to report errors
}

// Kind tells what the value is. The zero Value, that of an optional field of
// which the file says nothing, is Null.
func (v Value) Kind() Kind {
	if v.n == nil {
		return Null
	}
	return v.n.kind
}

// Text returns the text of a single value, without quotes; "" for others.
func (v Value) Text() string { return v.n.text }

// Quoted reports whether a single value stands in quotes, or is a block of
// text: then 5 is not a number, and null is a word.
func (v Value) Quoted() bool { return v.n.quoted }

// Path returns the way from the root to the value.
func (v Value) Path() string { return v.at.String() }

// Position returns the place of the value, or of its key if the value starts
// on another line.
func (v Value) Position() Position { return v.pos }

// Len returns the number of items of a list or entries of a mapping, else 0.
func (v Value) Len() int { return len(v.n.items) + len(v.n.entries) }

// Items returns the items of a list.
func (v Value) Items() []Value {
	items := make([]Value, len(v.n.items))
	for i, n := range v.n.items {
		items[i] = Value{v.doc, n, v.at.item(i), v.doc.position(n)}
	}
	return items
}

// Entry is a key of a mapping and its value.
type Entry struct {
	Key   string
	Value Value
}

// Entries returns the keys of a mapping and their values, in their order.
func (v Value) Entries() []Entry {
	entries := make([]Entry, len(v.n.entries))
	for i := range v.n.entries {
		e := &v.n.entries[i]
		entries[i] = Entry{e.key, Value{v.doc, e.value, v.at.child(e.key), v.doc.entryPosition(e)}}
	}
	return entries
}

// Get returns the value of a key, if the value is a mapping that has the key.
func (v Value) Get(key string) (Value, bool) {
	i, ok := v.doc.find(v.n, key)
	if !ok {
		return Value{}, false
	}
	e := &v.n.entries[i]
	return Value{v.doc, e.value, v.at.child(key), v.doc.entryPosition(e)}, true
}

// Errorf adds an error at the value to those of the document.
func (v Value) Errorf(format string, args ...any) {
	v.doc.add(Error{Position: v.pos, Path: v.at.String(), Message: fmt.Sprintf(format, args...)})
}

// show describes the value in an error message.
func (n *node) show() string {
	if n.kind != Scalar {
		return n.kind.String()
	}
	text := n.text
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return strconv.Quote(text)
}
