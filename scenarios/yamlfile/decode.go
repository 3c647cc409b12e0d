package yamlfile

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Unmarshaler is implemented by types that take several forms, such as a
// single value or a mapping. UnmarshalYAML looks at the kind of the value,
// decodes it, and reports what is wrong with v.Errorf.
type Unmarshaler interface {
	UnmarshalYAML(v Value)
}

// Decode fills the struct that into points to from the file. The errors are
// found in Err.
func (d *Document) Decode(into any) { d.Root().Decode(into) }

// Decode fills what into points to from the value. It reports whether that
// went without errors, which are those of the document.
func (v Value) Decode(into any) bool {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic(fmt.Sprintf("yamlfile: Decode into %T, which is no pointer", into))
	}
	before := len(v.doc.errs) + v.doc.more
	dec := decoder{structs: map[reflect.Type]*structInfo{}}
	dec.decode(target.Elem(), v)
	return len(v.doc.errs)+v.doc.more == before
}

// decoder keeps what it has learnt of struct types.
type decoder struct {
	structs map[reflect.Type]*structInfo
}

var (
	unmarshaler     = reflect.TypeFor[Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	valueType       = reflect.TypeFor[Value]()
)

func (dec *decoder) decode(target reflect.Value, v Value) {
	t := target.Type()
	switch {
	case t == valueType:
		target.Set(reflect.ValueOf(v))
	case reflect.PointerTo(t).Implements(unmarshaler):
		target.Addr().Interface().(Unmarshaler).UnmarshalYAML(v)
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		dec.text(target, v)
	case t.Kind() == reflect.Pointer:
		if v.n.kind == Null {
			target.SetZero()
			return
		}
		target.Set(reflect.New(t.Elem()))
		dec.decode(target.Elem(), v)
	case t.Kind() == reflect.Struct:
		dec.mapping(target, v)
	case t.Kind() == reflect.Slice:
		dec.list(target, v)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		dec.table(target, v)
	default:
		dec.scalar(target, v)
	}
}

// single reports whether the value is a single one, and an error if not.
func (v Value) single(wanted string) bool {
	switch v.n.kind {
	case Scalar:
		return true
	case Null:
		v.Errorf("it has no value: %s is expected", wanted)
	default:
		v.Errorf("%s is expected, not %v", wanted, v.n.kind)
	}
	return false
}

func (dec *decoder) text(target reflect.Value, v Value) {
	if !v.single("a value") {
		return
	}
	if err := target.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(v.n.text)); err != nil {
		v.Errorf("%v", err)
	}
}

func (dec *decoder) scalar(target reflect.Value, v Value) {
	t := target.Type()
	switch t.Kind() {
	case reflect.String:
		if v.single("a text") {
			target.SetString(v.n.text)
		}
	case reflect.Bool:
		if v.single("true or false") {
			switch {
			case v.n.quoted || v.n.text != "true" && v.n.text != "false":
				v.Errorf("%s is neither true nor false", v.n.show())
			default:
				target.SetBool(v.n.text == "true")
			}
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if !v.single("a whole number") {
			return
		}
		n, err := strconv.ParseInt(v.n.text, 10, t.Bits())
		limit := int64(math.MaxInt64) >> (64 - t.Bits())
		if v.number(err, "a whole number", fmt.Sprintf("it must be between %d and %d", -limit-1, limit)) {
			target.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !v.single("a whole number") {
			return
		}
		n, err := strconv.ParseUint(v.n.text, 10, t.Bits())
		limit := uint64(math.MaxUint64) >> (64 - t.Bits())
		if v.number(err, "a whole number of at least 0", fmt.Sprintf("it must be between 0 and %d", limit)) {
			target.SetUint(n)
		}
	case reflect.Float32, reflect.Float64:
		if !v.single("a number") {
			return
		}
		f, err := strconv.ParseFloat(v.n.text, t.Bits())
		if err == nil && (math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(v.n.text, "xX_")) {
			err = strconv.ErrSyntax
		}
		if v.number(err, "a number", "it is too large") {
			target.SetFloat(f)
		}
	default:
		panic(fmt.Sprintf("yamlfile: %v cannot be decoded", t))
	}
}

// number reports what is wrong with a number, given the error of strconv.
func (v Value) number(err error, wanted, limits string) bool {
	switch {
	case v.n.quoted:
		v.Errorf("%s is a text: write a number without quotes", v.n.show())
	case err == nil:
		return true
	case errors.Is(err, strconv.ErrRange):
		v.Errorf("%s is out of range: %s", v.n.show(), limits)
	default:
		v.Errorf("%s is not %s", v.n.show(), wanted)
	}
	return false
}

func (dec *decoder) list(target reflect.Value, v Value) {
	t := target.Type()
	if info := dec.info(t.Elem()); info != nil && info.key >= 0 {
		dec.orderedMapping(target, v, info)
		return
	}
	switch v.n.kind {
	case List:
	case Null:
		target.SetZero()
		return
	case Scalar:
		v.Errorf("a list is expected: write [%s]", v.n.text)
		return
	default:
		v.Errorf("a list is expected, not %v", v.n.kind)
		return
	}
	items := v.Items()
	target.Set(reflect.MakeSlice(t, len(items), len(items)))
	for i, item := range items {
		dec.decode(target.Index(i), item)
	}
}

// orderedMapping decodes a mapping into a slice of structs that hold the key.
func (dec *decoder) orderedMapping(target reflect.Value, v Value, info *structInfo) {
	if !v.isMapping() {
		return
	}
	t := target.Type()
	entries := v.Entries()
	target.Set(reflect.MakeSlice(t, len(entries), len(entries)))
	for i, e := range entries {
		element := target.Index(i)
		element.Field(info.key).SetString(e.Key)
		dec.decode(element, e.Value)
	}
}

func (dec *decoder) table(target reflect.Value, v Value) {
	if !v.isMapping() {
		return
	}
	t := target.Type()
	target.Set(reflect.MakeMap(t))
	for _, e := range v.Entries() {
		element := reflect.New(t.Elem()).Elem()
		dec.decode(element, e.Value)
		target.SetMapIndex(reflect.ValueOf(e.Key).Convert(t.Key()), element)
	}
}

// isMapping reports whether the value is a mapping or null, and an error if
// not.
func (v Value) isMapping() bool {
	if v.n.kind == Mapping || v.n.kind == Null {
		return true
	}
	v.Errorf("a mapping (key: value) is expected, not %s", v.n.show())
	return false
}

// structInfo is what the tags of a struct say.
type structInfo struct {
	fields []field
	byName map[string]int
	key    int // index of the field that takes the key of an ordered mapping, or -1
}

// field is one field with a tag, maybe of an embedded struct.
type field struct {
	name     string
	doc      string
	required bool
	index    []int
	typ      reflect.Type
}

// info returns what the tags of a struct type say; nil for other types.
func (dec *decoder) info(t reflect.Type) *structInfo {
	if t.Kind() != reflect.Struct {
		return nil
	}
	if info, ok := dec.structs[t]; ok {
		return info
	}
	info := readTags(t)
	dec.structs[t] = info
	return info
}

func readTags(t reflect.Type) *structInfo {
	info := &structInfo{byName: map[string]int{}, key: -1}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct:
			for _, inner := range readTags(f.Type).fields {
				inner.index = append([]int{i}, inner.index...)
				info.add(t, inner)
			}
		case !tagged || name == "-":
		case name == "" && options == "key":
			info.key = i
		default:
			info.add(t, field{name, f.Tag.Get("doc"), options == "required", []int{i}, f.Type})
		}
	}
	return info
}

func (info *structInfo) add(t reflect.Type, f field) {
	if _, twice := info.byName[f.name]; twice || f.name == "" {
		panic(fmt.Sprintf("yamlfile: two fields of %v are called %q", t, f.name))
	}
	info.byName[f.name] = len(info.fields)
	info.fields = append(info.fields, f)
}

func (info *structInfo) names() []string {
	names := make([]string, len(info.fields))
	for i := range info.fields {
		names[i] = info.fields[i].name
	}
	return names
}

func (dec *decoder) mapping(target reflect.Value, v Value) {
	info := dec.info(target.Type())
	if !v.isMapping() {
		return
	}
	for i := range v.n.entries {
		e := &v.n.entries[i]
		f, known := info.byName[e.key]
		if !known {
			near := Nearest(e.key, info.names())
			v.doc.add(Error{Position: v.doc.keyPosition(e), Path: v.at.String(), Message: unknownKey(e.key, near, info.names()), key: near})
			continue
		}
		dec.decode(target.FieldByIndex(info.fields[f].index), Value{v.doc, e.value, v.at.child(e.key), v.doc.entryPosition(e)})
	}
	for _, f := range info.fields {
		if f.required {
			if _, ok := v.doc.find(v.n, f.name); !ok {
				v.doc.add(Error{Position: v.pos, Path: v.at.String(), Message: fmt.Sprintf("the key %q is missing", f.name), key: f.name})
			}
		}
	}
}

func unknownKey(key, near string, known []string) string {
	if near != "" {
		return fmt.Sprintf("unknown key %q: did you mean %q?", key, near)
	}
	if len(known) == 0 {
		return fmt.Sprintf("unknown key %q: no keys are possible here", key)
	}
	return fmt.Sprintf("unknown key %q: possible are %s", key, strings.Join(known, ", "))
}
