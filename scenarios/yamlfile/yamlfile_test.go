package yamlfile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
	"github.com/google/jsonschema-go/jsonschema"
)

// A small scenario, as the loader of scenarios would declare it.
type scenario struct {
	Name     string            `yaml:"name,required" doc:"what it is called"`
	Trials   int8              `yaml:"trials"`
	Verbose  bool              `yaml:"verbose"`
	Weight   float64           `yaml:"weight"`
	Workers  uint              `yaml:"workers"`
	Load     load              `yaml:"load,required"`
	Tags     []string          `yaml:"tags"`
	Limits   map[string]uint8  `yaml:"limits"`
	Steps    []namedStep       `yaml:"steps"`
	Timeout  *units.Duration   `yaml:"timeout"`
	Anything yamlfile.Value    `yaml:"anything"`
	Labels   map[string]string `yaml:"labels"`
	common
	Ignored int
}

type common struct {
	Seed int `yaml:"seed" doc:"first seed"`
}

type load struct {
	Rate     units.Rate     `yaml:"rate,required"`
	Duration units.Duration `yaml:"duration"`
}

type namedStep struct {
	Name  string      `yaml:",key"`
	Cost  sizeOrSteps `yaml:"cost"`
	After []string    `yaml:"after"`
}

// sizeOrSteps is a type of two forms: a size, or a list of sizes.
type sizeOrSteps struct{ Sizes []units.Bytes }

func (s *sizeOrSteps) UnmarshalYAML(v yamlfile.Value) {
	switch v.Kind() {
	case yamlfile.Scalar:
		s.Sizes = make([]units.Bytes, 1)
		v.Decode(&s.Sizes[0])
	case yamlfile.List:
		v.Decode(&s.Sizes)
	default:
		v.Errorf("a size or a list of sizes is expected, not %v", v.Kind())
	}
}

func (sizeOrSteps) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "array"}}}
}

func TestAFileIsDecodedIntoStructs(t *testing.T) {
	doc, err := yamlfile.Parse("s.yaml", []byte(`
# A comment.
name: "a b"
trials: 5
verbose: true
weight: 1.5e3
workers: 3
seed: 7
load: {rate: 60/min, duration: 5min}
tags: [x, 1.50, yes, null-ish]
limits:
  b: 2
  a: 1
steps:
  zeta: {cost: 1KB}
  "dotted.name":
    cost: [1, 2MB]
    after:
    - zeta
  last:
timeout: 1.5s
labels:
  k: |
    two
    lines
`))
	if err != nil {
		t.Fatal(err)
	}
	var got scenario
	doc.Decode(&got)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	timeout := units.Duration(1_500_000_000)
	want := scenario{
		Name: "a b", Trials: 5, Verbose: true, Weight: 1500, Workers: 3, common: common{7},
		Load:   load{1, 300_000_000_000},
		Tags:   []string{"x", "1.50", "yes", "null-ish"},
		Limits: map[string]uint8{"a": 1, "b": 2},
		Steps: []namedStep{ // in the order of the file
			{Name: "zeta", Cost: sizeOrSteps{[]units.Bytes{1000}}},
			{Name: "dotted.name", Cost: sizeOrSteps{[]units.Bytes{1, 2_000_000}}, After: []string{"zeta"}},
			{Name: "last"},
		},
		Timeout: &timeout,
		Labels:  map[string]string{"k": "two\nlines\n"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAllErrorsAreReportedAtOnceInTheOrderOfTheFile(t *testing.T) {
	doc, err := yamlfile.Parse("s.yaml", []byte(`nmae: x
trials: 300
verbose: yes
weight: .inf
workers: -1
seed: "5"
load:
  rate: 60
  duraton: 5min
tags: x
limits: [1]
steps:
  a: {cost: {}}
  b: {cost: [1, 2XB, [3]], colour: red, after: b}
  c: 5
timeout: {}
labels: {a: , b: [x]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	doc.Decode(&s)
	doc.Errorf("steps.b.after[3]", "there is no such step")
	want := strings.TrimSpace(`
s.yaml:1:1: unknown key "nmae": did you mean "name"?
s.yaml:1:1: the key "name" is missing
s.yaml:2:9: trials: "300" is out of range: it must be between -128 and 127
s.yaml:3:10: verbose: "yes" is neither true nor false
s.yaml:4:9: weight: ".inf" is not a number
s.yaml:5:10: workers: "-1" is not a whole number of at least 0
s.yaml:6:7: seed: "5" is a text: write a number without quotes
s.yaml:8:9: load.rate: "60": it has no unit: a rate looks like 10/s, 60/min or 2/h
s.yaml:9:3: load: unknown key "duraton": did you mean "duration"?
s.yaml:10:7: tags: a list is expected: write [x]
s.yaml:11:9: limits: a mapping (key: value) is expected, not a list
s.yaml:13:13: steps.a.cost: a size or a list of sizes is expected, not a mapping
s.yaml:14:17: steps.b.cost[1]: "2XB": the unit "XB" is not known: a size looks like 739 (bytes), 3.4MB or 256MiB
s.yaml:14:22: steps.b.cost[2]: a value is expected, not a list
s.yaml:14:28: steps.b: unknown key "colour": possible are cost, after
s.yaml:14:48: steps.b.after: a list is expected: write [b]
s.yaml:14:48: steps.b.after[3]: there is no such step
s.yaml:15:6: steps.c: a mapping (key: value) is expected, not "5"
s.yaml:16:10: timeout: a value is expected, not a mapping
s.yaml:17:10: labels.a: it has no value: a text is expected
s.yaml:17:18: labels.b: a text is expected, not a list`)
	if got := fmt.Sprint(doc.Err()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSyntaxThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"duplicate key":        {"a: 1\nb: 2\na: 3\n", `f:3:1: the key "a" is there already, in line 1`},
		"duplicate inner key":  {"x: {a: 1, a: 2}\n", `f:1:11: the key "a" is there already, in line 1`},
		"tag":                  {"a: !!str 5\n", `f:1:4: tags such as !!str are not supported: leave it out`},
		"merge key":            {"x: &x {b: 1}\na:\n  <<: *x\n", `f:3:3: merge keys (<<) are not supported: write the keys out`},
		"explicit key":         {"? a\n: 5\n", `f:1:1: explicit keys (?) are not supported: write key: value`},
		"directive":            {"%YAML 1.2\n---\na: 1\n", `f:1:1: directives (%) are not supported: leave the line out`},
		"second document":      {"a: 1\n---\nb: 1\n", `f:3:1: a second document starts here: a file holds one`},
		"list as key":          {"[a]: 5\n", `f:1:4: found an invalid key for this map`},
		"unknown alias":        {"a: *x\n", `f:1:4: there is no anchor &x before this alias`},
		"alias inside itself":  {"a: &x [1, *x]\n", `f:1:11: the alias *x stands inside of what it stands for`},
		"open bracket":         {"a: [1, 2\n", `sequence end token ']' not found`},
		"bad indentation":      {"a:\n  b: 1\n c: 2\n", `f:3:2: `},
		"deep nesting":         {strings.Repeat("[", 70) + strings.Repeat("]", 70), `f:1:65: it nests deeper than 64 levels`},
		"deep blocks":          {strings.Repeat("- ", 70), `f:1:129: it nests deeper than 64 levels`},
		"deep by alias":        {deepByAlias(), `it nests deeper than 64 levels through the alias *a60`},
		"NUL":                  {"a: 1\nb: \x00\n", `f:2:4: there is a control character (U+0000), so it is not a YAML file`},
		"a lone CR":            {"a: 1\rb: 2\n", `f:1:5: there is a control character (U+000D), so it is not a YAML file`},
		"invalid UTF-8":        {"a: \xff\n", `f:1:4: byte 0xff is not UTF-8: it is not a text file`},
		"UTF-16":               {"\xff\xfea\x00", `f:1:1: byte 0xff is not UTF-8: it is not a text file`},
		"many empty values":    {"{" + strings.Repeat("a, ", 1000) + "}", `there are more than 500 empty values in brackets`},
		"thousands of newline": {"a: |\n" + strings.Repeat("\n", 1000), `there are more than 500 empty lines on end`},
	} {
		_, err := yamlfile.Parse("f", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
}

func deepByAlias() string {
	var s strings.Builder
	s.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 70; i++ {
		fmt.Fprintf(&s, "a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	return s.String()
}

func TestAnchorsAndAliasesAreOneValue(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("a: &x {rate: 5/s}\nb: *x\nc: [*x]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		A load   `yaml:"a"`
		B load   `yaml:"b"`
		C []load `yaml:"c"`
	}
	doc.Decode(&v)
	if err := doc.Err(); err != nil || v.B != v.A || v.C[0] != v.A || v.A.Rate != 5 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestABillionLaughsEndSoon(t *testing.T) {
	var s strings.Builder
	s.WriteString("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := 1; i < 10; i++ {
		a := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&s, "a%d: &a%d [%s]\n", i, i, strings.Join([]string{a, a, a, a, a, a, a, a, a}, ", "))
	}
	start := time.Now()
	_, err := yamlfile.Parse("f", []byte(s.String()))
	if err == nil || !strings.Contains(err.Error(), "the aliases up to here stand for more than 1000000 values") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestWhatIsNoYAMLFileIsOneClearError(t *testing.T) {
	dir := t.TempDir()
	binary := make([]byte, 20<<20)
	for i := range binary {
		binary[i] = byte(i * 7)
	}
	if err := os.WriteFile(filepath.Join(dir, "binary"), binary, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		dir:                           "it is a directory: name a file in it",
		filepath.Join(dir, "missing"): "no such file",
		filepath.Join(dir, "binary"):  ":1:20: byte 0x85 is not UTF-8: it is not a text file",
	} {
		start := time.Now()
		_, err := yamlfile.Read(name)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

func TestAnEmptyFileIsAnEmptyMapping(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "\ufeff", "~"} {
		doc, err := yamlfile.Parse("f", []byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var s scenario
		doc.Decode(&s)
		if got := fmt.Sprint(doc.Err()); got != "f:1:1: the key \"name\" is missing\nf:1:1: the key \"load\" is missing" {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestPositionsOfPaths(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte(`functions:
  count:
    inputs: [start.file, x,
      y]
  a.b:
    cpu: 1
  a: {c: 1}
  "odd [1].key": {x: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"functions":                       "f:1:1",
		"functions.count":                 "f:2:3",
		"functions.count.inputs":          "f:3:13",
		"functions.count.inputs[2]":       "f:4:7",
		"functions.count.inputs[9]":       "f:3:13", // absent: the list
		"functions.count.outputs.x":       "f:2:3",  // absent: the function
		"functions.a.b.cpu":               "f:6:10", // a key with a dot
		`functions."a.b".cpu`:             "f:6:10",
		"functions.a.c":                   "f:7:10",
		"functions.a":                     "f:7:6",
		`functions."odd [1].key".x`:       "f:8:22",
		"nothing":                         "f:1:1",
		"":                                "f:1:1",
		yamlfile.Join("functions", "a.b"): "f:5:3",
	} {
		if got := doc.Position(path).String(); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

func TestValuesCanBeSetByPath(t *testing.T) {
	const text = "name: x\nload: {rate: 60/min}\nsteps: {a.b: {cost: 1}}\ntags: [p, q]\n"
	for _, c := range []struct {
		path, value string
		check       func(scenario) bool
	}{
		{"load.rate", "30/min", func(s scenario) bool { return s.Load.Rate == 0.5 }},
		{"load.duration", "2s", func(s scenario) bool { return s.Load.Duration == 2*units.Second }},
		{"load", "{rate: 1/s, duration: 1s}", func(s scenario) bool { return s.Load == load{1, units.Second} }},
		{"tags[1]", "z", func(s scenario) bool { return s.Tags[0] == "p" && s.Tags[1] == "z" }},
		{"tags[*]", "z", func(s scenario) bool { return s.Tags[0] == "z" && s.Tags[1] == "z" }},
		{"tags", "[]", func(s scenario) bool { return len(s.Tags) == 0 }},
		{"steps.a.b.cost", "2", func(s scenario) bool { return s.Steps[0].Cost.Sizes[0] == 2 && len(s.Steps) == 1 }},
		{"steps.new.cost", "[3, 4]", func(s scenario) bool { return s.Steps[1].Name == "new" && len(s.Steps[1].Cost.Sizes) == 2 }},
		{"limits.x", "5", func(s scenario) bool { return s.Limits["x"] == 5 }},
	} {
		original, err := yamlfile.Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		doc := original.Clone()
		if err := doc.Set(c.path, c.value); err != nil {
			t.Errorf("%s=%s: %v", c.path, c.value, err)
			continue
		}
		var before, after scenario
		original.Decode(&before)
		doc.Decode(&after)
		if doc.Err() != nil || !c.check(after) {
			t.Errorf("%s=%s: %+v, %v", c.path, c.value, after, doc.Err())
		}
		if before.Load.Rate != 1 || len(before.Tags) != 2 || before.Tags[1] != "q" || before.Steps[0].Cost.Sizes[0] != 1 {
			t.Errorf("%s=%s changed the original: %+v", c.path, c.value, before)
		}
	}
}

func TestSettingABadPathSaysWhatIsThere(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("name: x\nload: {rate: 60/min}\ntags: [p, q]\nnone: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, value, want string }{
		{"name.first", "x", `name is "x", not a mapping: it has no key "first"`},
		{"tags[2]", "x", `tags has 2 items: there is no item [2]`},
		{"tags.p", "x", `tags is a list, not a mapping: it has no key "p"`},
		{"load[0]", "x", `load is a mapping, not a list: it has no items`},
		{"load[*]", "x", `load is a mapping, not a list: it has no items`},
		{"none[*].a", "x", `none has 0 items: there is no item [0]`},
		{"tags[*].a", "x", `tags[0] is "p", not a mapping: it has no key "a"`},
		{"", "x", `the path is empty: name a key, such as load.rate`},
		{"load..rate", "x", `path "load..rate": a key is empty`},
		{"load.", "x", `path "load.": a key is missing after the last dot`},
		{"tags[x]", "x", `path "tags[x]": [x] is no index: they count from [0], and [*] is all of them`},
		{"tags[1", "x", `path "tags[1": the bracket is not closed`},
		{`a"b`, "x", ""}, // a quote inside a key is part of it
		{`"a`, "x", `path "\"a": the quote is not closed`},
		{strings.Repeat("a.", 100) + "a", "x", `the path has 101 parts, more than 64`},
		{"load.rate", "[1", `load.rate=[1:1:1: sequence end token ']' not found`},
	} {
		err := doc.Clone().Set(c.path, c.value)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%q: error %v, want %s", c.path, err, c.want)
		}
	}
}

func TestErrorsInSetValuesNameTheSetting(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("name: x\nload: {rate: 60/min}\ntrials: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Set("load.rate", "60"); err != nil {
		t.Fatal(err)
	}
	if err := doc.Set("lod.rate", "60/min"); err != nil {
		t.Fatal(err)
	}
	doc.Decode(new(scenario))
	want := `load.rate=60: load.rate: "60": it has no unit: a rate looks like 10/s, 60/min or 2/h
lod.rate=60/min: unknown key "lod": did you mean "load"?
f:3:9: trials: "x" is not a whole number`
	if got := fmt.Sprint(doc.Err()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestErrorsInAValueFromElsewhereNameItsPlace(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("name: x\nload: {rate: 60/min}\nanything:\n- 30/min\n- 30\n"))
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	doc.Decode(&s)
	for i, want := range []string{"<nil>", `f:5:3: load.rate: "30": it has no unit: a rate looks like 10/s, 60/min or 2/h`} {
		cell := doc.Clone()
		if err := cell.SetValue("load.rate", s.Anything.Items()[i]); err != nil {
			t.Fatal(err)
		}
		cell.Decode(new(scenario))
		if got := fmt.Sprint(cell.Err()); got != want {
			t.Errorf("value %d: got %s, want %s", i, got, want)
		}
	}
}

func TestErrorsInAValueOfAnotherFileNameItsPlaceThere(t *testing.T) {
	other, err := yamlfile.Parse("other", []byte("\nload: {rate: 30,\n  duraton: 5s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := yamlfile.Parse("f", []byte("name: x\ntrials: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	value, _ := other.Root().Get("load")
	if err := doc.SetValue("load", value); err != nil {
		t.Fatal(err)
	}
	doc.Decode(new(scenario))
	want := `f:2:9: trials: "x" is not a whole number
other:2:14: load.rate: "30": it has no unit: a rate looks like 10/s, 60/min or 2/h
other:3:3: load: unknown key "duraton": did you mean "duration"?`
	if got := fmt.Sprint(doc.Err()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWhatCouldNotBeReadIsNotReportedAgain(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("nmae: x\nload: {rate: 30}\nsteps: {a: 5}\ntrials: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	doc.Decode(new(scenario))
	doc.Decoded()
	doc.Errorf("load.rate", "it must be above 0")    // the value that was not read
	doc.Errorf("load", "it needs a rate")            // what it is part of
	doc.Errorf("steps.a.cost", "it costs nothing")   // what it should contain
	doc.Errorf("name", "there is no name")           // the key that was mistyped
	doc.Errorf("load.rates", "this is another path") // only begins alike
	doc.Errorf("trials", "three are too few")
	want := `f:1:1: unknown key "nmae": did you mean "name"?
f:1:1: the key "name" is missing
f:2:7: load.rates: this is another path
f:2:14: load.rate: "30": it has no unit: a rate looks like 10/s, 60/min or 2/h
f:3:12: steps.a: a mapping (key: value) is expected, not "5"
f:4:9: trials: three are too few`
	if got := fmt.Sprint(doc.Err()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestErrorsOfOtherFilesAreIncludedOnceAndLast(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("name: x\ntrials: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	other := yamlfile.Errors{{Position: yamlfile.Position{File: "other", Line: 9, Column: 1}, Message: "a"}, {Position: yamlfile.Position{File: "other", Line: 10, Column: 1}, Message: "b"}}
	for range 2 {
		doc.Include("trials", nil)
		doc.Include("trials", fmt.Errorf("wrapped: %w", other))
		doc.Include("trials", os.ErrNotExist)
	}
	want := "f:2:9: trials: file does not exist\nother:9:1: a\nother:10:1: b"
	if got := fmt.Sprint(doc.Err()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestThousandsOfErrorsAreCutShort(t *testing.T) {
	doc, err := yamlfile.Parse("f", []byte("tags: ["+strings.Repeat("[], ", 1000)+"]\nname: x\nload: {rate: 1/s}"))
	if err != nil {
		t.Fatal(err)
	}
	doc.Decode(new(scenario))
	errs := doc.Err().(yamlfile.Errors)
	if len(errs) != 201 || errs[200].Message != "and 800 more errors" {
		t.Errorf("%d errors, the last is %v", len(errs), errs[len(errs)-1])
	}
}

func TestNearestKey(t *testing.T) {
	known := []string{"name", "load", "cluster", "schedulers", "trials", "seed", "axes"}
	for word, want := range map[string]string{
		"nmae": "name", "laod": "load", "clusters": "cluster", "scheduler": "schedulers", "sede": "seed",
		"trails": "trials", "axe": "axes", "zzz": "", "": "", "name": "name", "loadavg": "",
	} {
		if got := yamlfile.Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestTheSchemaDescribesTheStructs(t *testing.T) {
	type document struct {
		Name  string         `yaml:"name,required" doc:"what it is called"`
		Count *int           `yaml:"count" doc:"how many"`
		Time  units.Duration `yaml:"time" doc:"how long"`
		Steps []namedStep    `yaml:"steps"`
		common
	}
	got, err := json.MarshalIndent(yamlfile.Schema(document{}), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "type": "object",
 "properties": {
  "name": {
   "description": "what it is called",
   "type": ["string", "number", "boolean"]
  },
  "count": {
   "description": "how many",
   "type": "integer"
  },
  "time": {
   "description": "how long",
   "anyOf": [
    {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?(ns|us|µs|μs|ms|s|min|h)$", "examples": ["1.5s", "20ms", "5min"]},
    {"const": 0}
   ]
  },
  "steps": {
   "type": "object",
   "additionalProperties": {
    "type": ["object", "null"],
    "properties": {
     "cost": {"oneOf": [{"type": "string"}, {"type": "array"}]},
     "after": {"type": "array", "items": {"type": ["string", "number", "boolean"]}}
    },
    "additionalProperties": false
   }
  },
  "seed": {"description": "first seed", "type": "integer"}
 },
 "required": ["name"],
 "additionalProperties": false
}`
	var gotTree, wantTree any
	if err := json.Unmarshal(got, &gotTree); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wantTree); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(gotTree, wantTree) {
		t.Errorf("got %s", got)
	}
	if names := []string{"name", "count", "time", "steps", "seed"}; !inOrder(string(got), names) {
		t.Errorf("the properties are not in the order of the struct: %s", got)
	}
}

func inOrder(text string, words []string) bool {
	for _, w := range words {
		_, rest, found := strings.Cut(text, `"`+w+`": `)
		if !found {
			return false
		}
		text = rest
	}
	return true
}
