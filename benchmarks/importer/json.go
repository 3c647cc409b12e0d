package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Limits that no sensible JSON file meets.
const (
	maxJSONFile  = 512 << 20 // bytes
	maxJSONDepth = 64
)

// jsonFile is a JSON file, to say where in it something is wrong.
type jsonFile struct {
	name string
	data []byte
}

// readJSONFile reads a file that has to be text.
func readJSONFile(name string) (*jsonFile, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: it is a directory: name a file", name)
	case info.Size() > maxJSONFile:
		return nil, fmt.Errorf("%s: it is larger than %d MiB", name, maxJSONFile>>20)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &jsonFile{name, data}, nil
}

// position is the line and column of an offset.
func (f *jsonFile) position(offset int) yamlfile.Position {
	before := f.data[:min(max(offset, 0), len(f.data))]
	return yamlfile.Position{File: f.name, Line: 1 + bytes.Count(before, []byte("\n")), Column: len(before) - bytes.LastIndexByte(before, '\n')}
}

func (f *jsonFile) errorf(offset int, format string, args ...any) error {
	return yamlfile.Error{Position: f.position(offset), Message: fmt.Sprintf(format, args...)}
}

// jsonKind tells the values of JSON apart.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a value with its place. A nil one, that of a key that is not
// there, is null.
type jsonValue struct {
	offset int
	kind   jsonKind
	text   string // of a number or a string
	keys   []string
	items  []jsonValue // of an array or, in the order of keys, an object
}

// parse reads the whole file.
func (f *jsonFile) parse() (jsonValue, error) {
	f.data = bytes.TrimPrefix(f.data, []byte("\ufeff"))
	if archive := archiveOf(f.data); archive != "" {
		return jsonValue{}, f.errorf(0, "%s", archive)
	}
	if !utf8.Valid(f.data) {
		at := 0
		for rest := f.data; ; {
			r, size := utf8.DecodeRune(rest)
			if r == utf8.RuneError && size <= 1 {
				return jsonValue{}, f.errorf(at, "the text is broken here: it is no UTF-8")
			}
			at, rest = at+size, rest[size:]
		}
	}
	f.data = hideNaN(f.data)
	d := json.NewDecoder(bytes.NewReader(f.data))
	d.UseNumber()
	v, err := f.value(d, 0)
	if err == nil {
		end := int(d.InputOffset())
		if rest := bytes.TrimLeft(f.data[end:], " \t\r\n"); len(rest) > 0 {
			err = f.errorf(len(f.data)-len(rest), "the file goes on after its end: it holds one value")
		}
	}
	return v, err
}

// notFinite are what Python's json module writes that is no JSON.
var notFinite = [][]byte{[]byte("NaN"), []byte("-Infinity"), []byte("Infinity")}

// hideNaN turns numbers that are not finite into strings of as many blanks,
// which are no numbers either, so that places stay as they are.
func hideNaN(data []byte) []byte {
	if !slices.ContainsFunc(notFinite, func(word []byte) bool { return bytes.Contains(data, word) }) {
		return data
	}
	data = bytes.Clone(data)
	inString := false
	for i := 0; i < len(data); i++ {
		switch {
		case inString && data[i] == '\\':
			i++
		case data[i] == '"':
			inString = !inString
		case !inString:
			for _, word := range notFinite {
				if bytes.HasPrefix(data[i:], word) {
					end := i + len(word) - 1
					copy(data[i:end+1], bytes.Repeat([]byte(" "), len(word)))
					data[i], data[end] = '"', '"'
					i = end
					break
				}
			}
		}
	}
	return data
}

// value reads the next value.
func (f *jsonFile) value(d *json.Decoder, depth int) (jsonValue, error) {
	end := int(d.InputOffset())
	start := len(f.data) - len(bytes.TrimLeft(f.data[end:], " \t\r\n,:"))
	token, err := d.Token()
	if err != nil {
		return jsonValue{}, f.syntax(d, start, err)
	}
	v := jsonValue{offset: start}
	switch token := token.(type) {
	case bool:
		v.kind = jsonBool
	case json.Number:
		v.kind, v.text = jsonNumber, token.String()
	case string:
		v.kind, v.text = jsonString, token
	case json.Delim:
		if depth == maxJSONDepth {
			return v, f.errorf(start, "it nests deeper than %d levels", maxJSONDepth)
		}
		v.kind = jsonArray
		if token == '{' {
			v.kind = jsonObject
		}
		for d.More() {
			if v.kind == jsonObject {
				key, err := f.value(d, depth+1)
				if err != nil {
					return v, err
				}
				v.keys = append(v.keys, key.text)
			}
			item, err := f.value(d, depth+1)
			if err != nil {
				return v, err
			}
			v.items = append(v.items, item)
		}
		if _, err := d.Token(); err != nil {
			return v, f.syntax(d, int(d.InputOffset()), err)
		}
	}
	return v, nil
}

func (f *jsonFile) syntax(d *json.Decoder, at int, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return f.errorf(len(f.data), "the file ends too early: it is no complete JSON")
	case errors.As(err, &syntax):
		return f.errorf(max(at, int(d.InputOffset())), "it is no JSON: %v", err)
	default:
		return f.errorf(at, "it is no JSON: %v", err)
	}
}

// get returns the value of the first of the keys that an object has. Where it
// has one twice, the last counts, as for most who read JSON.
func (v *jsonValue) get(keys ...string) *jsonValue {
	if v == nil {
		return nil
	}
	for _, key := range keys {
		for i := range slices.Backward(v.keys) {
			if v.keys[i] == key {
				return &v.items[i]
			}
		}
	}
	return nil
}

// is reports whether the value is there and of a kind.
func (v *jsonValue) is(kind jsonKind) bool { return v != nil && v.kind == kind }

// str is the text of a string, "" for others.
func (v *jsonValue) str() string {
	if v.is(jsonString) {
		return v.text
	}
	return ""
}

// id is the text of a string or of a number, "" for others.
func (v *jsonValue) id() string {
	if v.is(jsonNumber) {
		return v.text
	}
	return v.str()
}

// list returns the items of an array, none for others.
func (v *jsonValue) list() []jsonValue {
	if v.is(jsonArray) {
		return v.items
	}
	return nil
}

// amount returns a number from 0 to a limit; false if the value is no such.
func (v *jsonValue) amount(limit float64) (float64, bool) {
	if !v.is(jsonNumber) && !v.is(jsonString) {
		return 0, false
	}
	x, err := strconv.ParseFloat(v.text, 64)
	return x, err == nil && !math.IsNaN(x) && x >= 0 && x <= limit
}
