package services

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Key names an object: one output of one execution of a function. Its text is
//
//	invocation/function/path/output
//
// with what would be ambiguous escaped as in URLs, so the objects of an
// invocation are those whose names begin with it and a slash.
type Key struct {
	// Invocation is unique among all that share the service. An attempt or a
	// generation, where they matter, are part of it.
	Invocation string
	// Function is the function's name in its workflow.
	Function string
	// Path tells the instances of a foreach apart: an index for each level,
	// separated by dots. It is empty outside of any.
	Path string
	// Output is the output's name.
	Output string
}

// none stands for an empty path, because some servers merge adjacent slashes.
const none = "-"

// String returns the key's text.
func (k Key) String() string {
	return Prefix(k.Invocation) + k.Name()
}

// Name returns the text without the invocation: what the object is called
// among those of its invocation.
func (k Key) Name() string {
	path := escape(k.Path)
	if path == "" {
		path = none
	}
	return escape(k.Function) + "/" + path + "/" + escape(k.Output)
}

// Prefix returns what the keys of an invocation begin with.
func Prefix(invocation string) string { return escape(invocation) + "/" }

// escape leaves letters, digits and -_.~ as they are, except that a name must
// not begin with an underscore (CouchDB keeps those for itself) and none is
// not mistaken for an empty path.
func escape(name string) string {
	switch {
	case name == none:
		return "%2D"
	case strings.HasPrefix(name, "_"):
		return "%5F" + escape(name[1:])
	}
	return strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

// Validate says what a key lacks.
func (k Key) Validate() error {
	switch "" {
	case k.Invocation:
		return errors.New("the key of an object has no invocation")
	case k.Function:
		return errors.New("the key of an object has no function")
	case k.Output:
		return errors.New("the key of an object has no output")
	}
	return nil
}

// ParseKey is the inverse of [Key.String].
func ParseKey(text string) (Key, error) {
	var k Key
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return k, fmt.Errorf("%q is not invocation/function/path/output", text)
	}
	if parts[2] == none {
		parts[2] = ""
	}
	for i, to := range []*string{&k.Invocation, &k.Function, &k.Path, &k.Output} {
		name, err := url.PathUnescape(parts[i])
		if err != nil {
			return Key{}, fmt.Errorf("%q is no key of an object: %w", text, err)
		}
		*to = name
	}
	if err := k.Validate(); err != nil {
		return Key{}, err
	}
	if k.String() != text {
		return Key{}, fmt.Errorf("%q is no key of an object: it would be written %q", text, k)
	}
	return k, nil
}
