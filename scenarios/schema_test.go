package scenarios_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	google "github.com/google/jsonschema-go/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

var rewrite = flag.Bool("rewrite", false, "write the schemas and their reference anew")

// golden are the files that are made from the Go types.
//
//	go test ./scenarios -run Golden -rewrite
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{"../docs/scenario-reference.md": []byte(reference())}
	for name, schema := range map[string]*google.Schema{"scenario": scenarios.Schema(), "workflow": workflowfile.Schema(), "profile": profile.Schema()} {
		data, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		files[name+".schema.json"] = append(data, '\n')
	}
	return files
}

func TestGoldenSchemas(t *testing.T) {
	for name, got := range golden(t) {
		if *rewrite {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the types say: go test ./scenarios -run Golden -rewrite", name)
		}
	}
}

// schema compiles a schema that is checked in.
func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate holds the text of a YAML file against a schema.
func validate(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(instance)
}

func TestAllThatShipsFollowsTheSchemas(t *testing.T) {
	scenario, workflow, prof := schema(t, "scenario"), schema(t, "workflow"), schema(t, "profile")
	for _, name := range scenarios.ShippedNames() {
		text, _ := scenarios.Shipped(name)
		if err := validate(t, scenario, string(text)); err != nil {
			t.Errorf("scenario %s: %v", name, err)
		}
	}
	for _, name := range benchmarks.Names() {
		text, err := benchmarks.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, workflow, string(text)); err != nil {
			t.Errorf("workflow %s: %v", name, err)
		}
	}
	for _, name := range profile.Names() {
		text, err := os.ReadFile(filepath.Join("profile", "profiles", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, prof, string(text)); err != nil {
			t.Errorf("profile %s: %v", name, err)
		}
	}
}

// An editor that knows the schema accepts every form that the loader takes,
// and marks what it refuses (as far as a schema can know).
func TestTheScenarioSchemaAgreesWithTheLoader(t *testing.T) {
	s := schema(t, "scenario")
	for _, text := range []string{
		sensible,
		with("workflows: [{generate: genome, functions: 100}, {use: faasflow/video, name: v, load: {limit: 3}}]", "cluster: {workers: [{count: 2, cores: 0.5, memory: 1GiB, link: unlimited}]}"),
		with("load: {arrivals: poisson, rate: 1.5/s, limit: 5, burst: {at: 1s, for: 500ms, rate: 0/s, every: 1min}}", "timeout: 0", "seed: 7", "trials: 2"),
		with("load: {arrivals: trace, trace: trace.csv}", "profile: slow.yaml", "overrides: {store: {get: 2ms}, container: {cold_start: {uniform: [1s, 2s]}}}"),
		with("schedulers: [workersp+hash+remote, {preset: faasflow, name: p, partition: {headroom: 1}}]", "figures: [latency, {kind: bars, metric: cost, log: true}, gantt]", "tasks: true"),
		with(`faults: [{at: 1s, kill: worker-1, for: 2s}, {at: 2s, partition: worker-1, from: [gateway]}, {at: 3s, slow_link: storage, factor: 2.5}]`),
		with("axes: {load.limit: [1, 2], size: {small: {cluster.workers: 2}, large: {cluster.workers: 3}}}"),
	} {
		must(t, text)
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
	for _, text := range []string{
		with("trails: 5"), with("trials: many"), with("seed: -1"), with("load: {clients: 1, limt: 5}"), with("load: {arrivals: poisson, rate: 60, limit: 5}"),
		with("load: {clients: 1, duration: -5s}"), with("workflows: faasflow/video"), with("workflows: [{use: faasflow/video, load: {rat: 5}}]"), with("cluster: {link: 50}"),
		with("cluster: {workers: {count: 3}}"), with("overrides: {store: {gt: 2ms}}"), with("overrides: {store: {get: 2}}"), with("faults: [{kill: worker-1}]"),
		with("axes: {load.limit: 5}"), with("figures: [lateny]"), with("figures: [{kind: bars, colour: red}]"), with("schedulers: [{table: [1]}]"), "name: s\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("the loader accepts\n%s", text)
		}
		if validate(t, s, text) == nil {
			t.Errorf("the schema accepts\n%s", text)
		}
	}
}

func TestWrongWorkflowsAndProfilesAreRefusedByTheirSchemas(t *testing.T) {
	for name, wrong := range map[string][]string{
		"workflow": {
			"functions: {}\n", "name: x\nfunctions: {a: {comptue: 1s}}\n", "name: x\nfunctions: {a: {outputs: {f: {items: 1}}}}\n",
			"name: x\nfunctions: {a: {switch: [{to: [a]}]}}\n", "name: x\nfunctions: [a]\n",
		},
		"profile": {
			"stoer: {}\n", "store: {get: 5}\n", "store: {lookups: many}\n", "container: {cold_start: {uniform: [1s]}}\n", "couchdb: {log_documents: 1}\n",
			"sources: {store: {guess: x}}\n",
		},
	} {
		s := schema(t, name)
		for _, text := range wrong {
			if validate(t, s, text) == nil {
				t.Errorf("the schema of a %s accepts\n%s", name, text)
			}
		}
	}
}

// The reference names every key of every schema, and says what it is.
func TestTheReferenceIsComplete(t *testing.T) {
	text := reference()
	var walk func(s *google.Schema, path string)
	walk = func(s *google.Schema, path string) {
		if s == nil {
			return
		}
		for key, property := range s.Properties {
			at := strings.TrimPrefix(path+"."+key, ".")
			if !strings.Contains(text, "`"+key+"`") && key != "mean" && key != "sd" && key != "tail" { // Those are in one cell.
				t.Errorf("%s is not in the reference", at)
			}
			if property.Description == "" {
				t.Errorf("%s has no description", at)
			}
			walk(property, at)
		}
		for _, inner := range slices.Concat(s.OneOf, s.AnyOf, []*google.Schema{s.Items, s.AdditionalProperties}) {
			walk(inner, path)
		}
	}
	walk(scenarios.Schema(), "scenario")
	walk(profile.Schema(), "profile")
	walk(workflowfile.Schema(), "workflow")
}
