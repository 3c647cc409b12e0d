package couchserver

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// defaultLimit is how many documents _find returns unless told.
const defaultLimit = 25

const noIndex = "No matching index found, create an index to optimize query time."

// find returns the documents that a selector matches, in the order of their
// ids. It looks at all of them, as CouchDB does where it has no index.
func (c *call) find() error {
	if c.method != http.MethodPost {
		return notAllowed("POST")
	}
	if err := c.requireJSON(); err != nil {
		return err
	}
	text, err := c.body(maxDocument)
	if err != nil {
		return err
	}
	q, err := parseQuery(text)
	if err != nil {
		return err
	}
	answer := []byte(`{"docs":[`)
	bookmark := "nil"
	found := 0
	for _, d := range c.db.list() {
		if found == q.limit {
			break
		}
		if isDesign(d.id) || d.id <= q.after || !q.selector.matches(d) {
			continue
		}
		if q.skip > 0 {
			q.skip--
			continue
		}
		if found > 0 {
			answer = append(answer, ',')
		}
		found++
		answer = q.appendDocument(answer, d)
		bookmark = base64.RawURLEncoding.EncodeToString([]byte(d.id))
	}
	answer = appendString(append(answer, `],"bookmark":`...), bookmark)
	answer = appendString(append(answer, `,"warning":`...), noIndex)
	sendText(c.w, http.StatusOK, append(answer, '}'))
	return nil
}

// query is what _find is asked.
type query struct {
	selector    selector
	fields      [][]string // nil: whole documents
	limit, skip int
	after       string // the id that the last answer ended with
}

func parseQuery(text []byte) (*query, error) {
	members, err := parseObject(text, "Request body must be a JSON object")
	if err != nil {
		return nil, err
	}
	q := &query{limit: defaultLimit}
	given := false
	for _, m := range members {
		switch m.name {
		case "selector":
			given = true
			if q.selector, err = parseSelector(m.value); err != nil {
				return nil, err
			}
		case "fields":
			var fields []string
			if json.Unmarshal(m.value, &fields) != nil {
				return nil, invalid("invalid_fields", "Fields must be an array of strings, not: %s", m.value)
			}
			for _, field := range fields {
				q.fields = append(q.fields, fieldPath(field))
			}
		case "limit", "skip":
			number, err := strconv.Atoi(string(m.value))
			if err != nil || number < 0 {
				return nil, invalid("invalid_non_neg_integer", "%s is not an integer greater than or equal to zero", m.value)
			}
			if m.name == "limit" {
				q.limit = number
			} else {
				q.skip = number
			}
		case "sort":
			var sort []json.RawMessage
			if json.Unmarshal(m.value, &sort) != nil {
				return nil, invalid("invalid_sort_json", "Sort must be an array of sort specs, not: %s", m.value)
			}
			if len(sort) > 0 {
				return nil, errNoSort
			}
		case "bookmark":
			var bookmark string
			if json.Unmarshal(m.value, &bookmark) != nil {
				return nil, invalid("invalid_bookmark", "Invalid bookmark value: %s", m.value)
			}
			if bookmark == "" || bookmark == "nil" {
				continue
			}
			id, err := base64.RawURLEncoding.DecodeString(bookmark)
			if err != nil {
				return nil, invalid("invalid_bookmark", "Invalid bookmark value: %s", m.value)
			}
			q.after = string(id)
		case "use_index", "r", "conflicts", "stable", "update", "stale", "execution_stats", "allow_fallback", "partition":
			// They change how an answer is found, not what it is.
		default:
			return nil, invalid("invalid_key", "Invalid key %s for this request.", []byte(m.name))
		}
	}
	if !given {
		return nil, invalid("missing_required_key", "Missing required key: %s", []byte("selector"))
	}
	return q, nil
}

func invalid(kind, format string, what []byte) *failure {
	return &failure{http.StatusBadRequest, kind, strings.ReplaceAll(format, "%s", string(what))}
}

// fieldPath splits a name at its dots. A dot that belongs to the name is
// escaped by a backslash.
func fieldPath(name string) []string {
	var path []string
	var part strings.Builder
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] == '\\' && i+1 < len(name):
			i++
			part.WriteByte(name[i])
		case name[i] == '.':
			path = append(path, part.String())
			part.Reset()
		default:
			part.WriteByte(name[i])
		}
	}
	return append(path, part.String())
}

// appendDocument writes a document, or those of its fields that are asked for.
func (q *query) appendDocument(text []byte, d *document) []byte {
	if q.fields == nil {
		return d.appendJSON(text, false)
	}
	picked := map[string]any{}
	for _, path := range q.fields {
		value, exists := d.field(path)
		if !exists {
			continue
		}
		inner := picked
		for _, name := range path[:len(path)-1] {
			next, ok := inner[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				inner[name] = next
			}
			inner = next
		}
		inner[path[len(path)-1]] = value
	}
	encoded, _ := json.Marshal(picked) // It was JSON before.
	return append(text, encoded...)
}

// selector says which documents a query is for.
type selector interface {
	matches(d *document) bool
}

type (
	all  []selector
	some []selector
	not  struct{ selector }
	// condition compares a field. Fields that do not exist match nothing but
	// $exists: false.
	condition struct {
		path     []string
		operator string
		operand  any
	}
)

func (a all) matches(d *document) bool {
	for _, s := range a {
		if !s.matches(d) {
			return false
		}
	}
	return true
}

func (a some) matches(d *document) bool {
	return slices.ContainsFunc(a, func(s selector) bool { return s.matches(d) })
}

func (n not) matches(d *document) bool { return !n.selector.matches(d) }

func (c condition) matches(d *document) bool {
	value, exists := d.field(c.path)
	if c.operator == "$exists" {
		return exists == c.operand.(bool)
	}
	if !exists {
		return false
	}
	isOperand := func(operand any) bool { return compare(value, operand) == 0 }
	switch c.operator {
	case "$eq":
		return compare(value, c.operand) == 0
	case "$ne":
		return compare(value, c.operand) != 0
	case "$lt":
		return compare(value, c.operand) < 0
	case "$lte":
		return compare(value, c.operand) <= 0
	case "$gt":
		return compare(value, c.operand) > 0
	case "$gte":
		return compare(value, c.operand) >= 0
	case "$in":
		return slices.ContainsFunc(c.operand.([]any), isOperand)
	case "$nin":
		return !slices.ContainsFunc(c.operand.([]any), isOperand)
	case "$size":
		list, ok := value.([]any)
		return ok && float64(len(list)) == c.operand.(float64)
	default: // $type
		return typeNames[typeOf(value)] == c.operand.(string)
	}
}

// parseSelector reads {"field": value, "field": {"$operator": operand}, "$or":
// [...]} and so on. Everything that it names has to hold.
func parseSelector(text json.RawMessage) (selector, error) {
	var given any
	if json.Unmarshal(text, &given) != nil {
		return nil, badRequest("invalid UTF-8 JSON")
	}
	object, ok := given.(map[string]any)
	if !ok {
		return nil, invalid("invalid_selector_json", "Selector must be a JSON object, not: %s", text)
	}
	return selectorOf(nil, object)
}

// selectorOf reads what has to hold of the field (nil: of the document).
func selectorOf(path []string, object map[string]any) (selector, error) {
	var parts all
	for _, name := range slices.Sorted(maps.Keys(object)) {
		operand := object[name]
		if !strings.HasPrefix(name, "$") {
			inner := slices.Concat(path, fieldPath(name))
			nested, isObject := operand.(map[string]any)
			if !isObject || len(nested) == 0 {
				parts = append(parts, condition{inner, "$eq", operand})
				continue
			}
			part, err := selectorOf(inner, nested)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
			continue
		}
		part, err := operatorOf(path, name, operand)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func operatorOf(path []string, name string, operand any) (selector, error) {
	badOperand := func() error {
		text, _ := json.Marshal(operand)
		return invalid("bad_arg", "Bad argument for operator "+name+": %s", text)
	}
	switch name {
	case "$and", "$or", "$nor":
		list, ok := operand.([]any)
		if !ok {
			return nil, badOperand()
		}
		var parts []selector
		for _, entry := range list {
			object, ok := entry.(map[string]any)
			if !ok {
				return nil, badOperand()
			}
			part, err := selectorOf(path, object)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		switch name {
		case "$and":
			return all(parts), nil
		case "$or":
			return some(parts), nil
		}
		return not{some(parts)}, nil
	case "$not":
		object, ok := operand.(map[string]any)
		if !ok {
			return nil, badOperand()
		}
		part, err := selectorOf(path, object)
		if err != nil {
			return nil, err
		}
		return not{part}, nil
	}
	valid := true
	switch name {
	case "$eq", "$ne", "$lt", "$lte", "$gt", "$gte":
	case "$exists":
		_, valid = operand.(bool)
	case "$in", "$nin":
		_, valid = operand.([]any)
	case "$size":
		_, valid = operand.(float64)
	case "$type":
		kind, _ := operand.(string)
		valid = slices.Contains(typeNames, kind)
	case "$regex", "$mod", "$all", "$elemMatch", "$allMatch", "$keyMapMatch", "$beginsWith", "$text":
		return nil, notImplemented("the operator " + name)
	default:
		return nil, invalid("invalid_operator", "Invalid operator: %s", []byte(name))
	}
	if !valid {
		return nil, badOperand()
	}
	if path == nil {
		return nil, &failure{http.StatusBadRequest, "invalid_selector", "One or more conditions is missing a field name."}
	}
	return condition{path, name, operand}, nil
}

// typeNames are the types in CouchDB's order of values.
var typeNames = []string{"null", "boolean", "number", "string", "array", "object"}

func typeOf(value any) int {
	switch value.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case float64:
		return 2
	case string:
		return 3
	case []any:
		return 4
	default:
		return 5
	}
}

// compare orders two values: by type first.
func compare(a, b any) int {
	if order := cmp.Compare(typeOf(a), typeOf(b)); order != 0 {
		return order
	}
	switch a := a.(type) {
	case nil:
		return 0
	case bool:
		return cmp.Compare(truth(a), truth(b.(bool)))
	case float64:
		return cmp.Compare(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	case []any:
		return slices.CompareFunc(a, b.([]any), compare)
	default: // By their text; only equality of objects is of use.
		left, _ := json.Marshal(a)
		right, _ := json.Marshal(b)
		return bytes.Compare(left, right)
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
