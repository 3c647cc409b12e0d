package profile_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

func load(t testing.TB, name string) *profile.Profile {
	t.Helper()
	p, err := profile.Load(name, yamlfile.Value{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// override reads a mapping that replaces constants of ideal.
func override(text string) (*profile.Profile, error) {
	doc, err := yamlfile.Parse("o.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	p, err := profile.Load("ideal", doc.Root())
	doc.Include("", err)
	return p, doc.Err()
}

// constants lists the paths of all constants of a profile, and whether they
// are zero.
func constants(v reflect.Value, path string, into map[string]bool) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		at := yamlfile.Join(path, field.Tag.Get("yaml"))
		switch {
		case slices.Contains([]string{"name", "description", "sources"}, at):
		case v.Field(i).Kind() == reflect.Struct && field.Type.PkgPath() == v.Type().PkgPath():
			constants(v.Field(i), at, into)
		default:
			into[at] = v.Field(i).IsZero()
		}
	}
}

func TestEveryConstantOfTheTestbedSaysWhereItComesFrom(t *testing.T) {
	for _, name := range profile.Names() {
		p := load(t, name)
		all := map[string]bool{}
		constants(reflect.ValueOf(*p), "", all)
		if len(all) < 40 {
			t.Fatalf("only %d constants were found", len(all))
		}
		for path, zero := range all {
			// Zero stands for nothing at all, which needs no source, except in
			// the testbed, where it would be a claim.
			if _, ok := p.Source(path); !ok && (!zero || name == "faasflow-testbed") {
				t.Errorf("%s: nothing says where %s comes from", name, path)
			}
		}
		for _, s := range p.Sources {
			known := false
			for path := range all {
				known = known || path == s.Path || strings.HasPrefix(path, s.Path+".")
			}
			if !known {
				t.Errorf("%s: there is a source of %s, which is no constant", name, s.Path)
			}
		}
	}
}

// Of every constant it is known what the emulator makes of it.
func TestEveryConstantSaysWhatTheEmulatorMakesOfIt(t *testing.T) {
	all := map[string]bool{}
	constants(reflect.ValueOf(profile.Profile{}), "", all)
	for _, pace := range []bool{true, false} {
		emulated := profile.Emulated(pace, nil)
		for _, c := range emulated {
			if !slices.Contains([]profile.Treatment{profile.Paced, profile.Measured, profile.Rule, profile.NotApplied}, c.Treatment) {
				t.Errorf("%s is treated as %q: there is no such treatment", c.Path, c.Treatment)
			}
		}
		for path := range all {
			if !slices.ContainsFunc(emulated, func(c profile.Constant) bool { return c.Path == path }) {
				t.Errorf("the field of %s has no tag emu", path)
			}
		}
		if len(emulated) != len(all) {
			t.Errorf("%d constants are emulated, there are %d", len(emulated), len(all))
		}
	}
}

// Without pacing, what is a matter of speed is what it is; quirks of layout and
// of the engine hold all the same. A back end may do otherwise.
func TestPacingIsWhatMakesTheDifference(t *testing.T) {
	treatment := func(path string, pace bool, except map[string]profile.Treatment) profile.Treatment {
		emulated := profile.Emulated(pace, except)
		return emulated[slices.IndexFunc(emulated, func(c profile.Constant) bool { return c.Path == path })].Treatment
	}
	for path, want := range map[string][2]profile.Treatment{
		"engine.receive":                   {profile.Paced, profile.Measured},
		"store.documents.log":              {profile.Paced, profile.Measured},
		"store.servers":                    {profile.Paced, profile.NotApplied},
		"store.write":                      {profile.NotApplied, profile.NotApplied},
		"couchdb.one_document_per_request": {profile.Rule, profile.Rule},
		"container.cold_start":             {profile.Measured, profile.Measured},
	} {
		if got := [2]profile.Treatment{treatment(path, true, nil), treatment(path, false, nil)}; got != want {
			t.Errorf("%s is %s with pacing and %s without, want %s", path, got[0], got[1], want)
		}
	}
	except := map[string]profile.Treatment{"container.cold_start": profile.Paced}
	if got := treatment("container.cold_start", false, except); got != profile.Paced {
		t.Errorf("where containers are not real, their start is %s", got)
	}
}

func TestTheNearestSourceCounts(t *testing.T) {
	p := load(t, "faasflow-testbed")
	for path, want := range map[string]string{
		"store.documents.list":         "a document read: 0.8 ms",
		"memory.get":                   "", // An estimate, of all of memory.
		"gateway.run_on_after_timeout": "",
	} {
		s, ok := p.Source(path)
		if !ok || s.Measured != want {
			t.Errorf("%s: %+v", path, s)
		}
	}
	if _, ok := p.Source("nothing.at.all"); ok {
		t.Error("there is a source of nothing")
	}
}

// The design says exactly what ideal means, so that timelines can be worked
// out on paper: the algorithms, with nothing in the way.
func TestTheIdealProfileIsThatOfTheDesign(t *testing.T) {
	const ms = units.Millisecond
	p := load(t, "ideal")
	constant := workflow.Constant(100e6)
	if !reflect.DeepEqual(p.Container.ColdStart.Distribution, constant) {
		t.Errorf("a cold start takes %+v, want 100 ms", p.Container.ColdStart)
	}
	got, want := *p, profile.Profile{
		Name: p.Name, Description: p.Description, Sources: p.Sources, Price: p.Price,
		Engine:  profile.Engine{}, // costs nothing
		Network: profile.Network{Message: 100 * units.Microsecond, Link: 125_000_000},
		Store: profile.Store{
			Get: ms, Put: ms, Missing: ms,
			Documents: profile.Documents{Placement: ms, Addresses: ms, Timing: ms, List: ms, Request: ms, Revision: ms, Log: ms},
		},
		Broker:     profile.Broker{Chunk: 256 << 10, Inline: 16 << 10},
		Disk:       profile.Disk{Bandwidth: 1_000_000_000},
		Pressure:   profile.Pressure{Enabled: true, Rate: 100_000_000, Least: 5 * ms},
		Memory:     profile.Memory{Bandwidth: 1_000_000_000},
		Container:  profile.Container{ColdStart: p.Container.ColdStart, KeepAlive: 600 * units.Second, Memory: 256 * units.MiB},
		Invocation: profile.Invocation{TaskRetries: 2, Attempts: 3, Detect: 5 * units.Second},
		// No tick, no quirk.
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Each testbed has the quirks of its artefact, and not those of the other.
func TestTheQuirksOfTheArtefactsAreOnInTheirTestbeds(t *testing.T) {
	for name, others := range map[string][]string{
		"faasflow-testbed": {"request_document", "match_tick", "count_at_end", "foreach_race"},
		"dataflower-testbed": {
			"one_document_per_request", "list_documents", "log_documents", "placement_query", "run_on_after_timeout", "deadlock_at_cap",
		},
	} {
		p := load(t, name)
		for _, group := range []any{p.CouchDB, p.MasterSP, p.Gateway, p.Pool, p.Dispatch} {
			v := reflect.ValueOf(group)
			for i := range v.NumField() {
				quirk := v.Type().Field(i).Tag.Get("yaml")
				if off := v.Field(i).IsZero(); off != slices.Contains(others, quirk) {
					t.Errorf("%s: %s of %s is off: %v", name, quirk, v.Type().Name(), off)
				}
			}
		}
	}
	if p := load(t, "dataflower-testbed"); !p.Broker.FIFOUnit || p.Broker.ConsumerSetup == 0 || p.Container.Egress == units.Unlimited {
		t.Errorf("its containers send as they please: %+v, %+v", p.Broker, p.Container)
	}
}

func TestOverridesReplaceConstants(t *testing.T) {
	p, err := override("store: {get: 2ms, documents: {log: 7ms}}\ncontainer: {cold_start: {uniform: [1s, 2s]}}\ncouchdb:\n")
	if err != nil {
		t.Fatal(err)
	}
	if p.Store.Get != 2*units.Millisecond || p.Store.Put != units.Millisecond || p.Store.Documents.Log != 7*units.Millisecond || p.Store.Documents.List != units.Millisecond {
		t.Errorf("store %+v", p.Store)
	}
	if cold := p.Container.ColdStart; cold.Shape != workflow.ShapeUniform || cold.A != 1e9 || cold.B != 2e9 {
		t.Errorf("cold start %+v", cold)
	}
	if fresh := load(t, "ideal"); fresh.Store.Get != units.Millisecond {
		t.Error("the profile itself has changed")
	}
}

func TestBadOverridesAreOneErrorWithAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"store: {gt: 2ms}":                             `o.yaml:1:13: store: unknown key "gt": did you mean "get"?`,
		"stoer: {get: 2ms}":                            `o.yaml:1:8: unknown key "stoer": did you mean "store"?`,
		"store:\n  get: fast":                          `o.yaml:2:8: store.get: "fast": it does not start with a number: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`,
		"store: {get: -1ms}":                           `o.yaml:1:14: store.get: "-1ms": it is negative: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`,
		"store: {get: {mean: 1ms}}":                    `o.yaml:1:14: store.get: a value is expected, not a mapping`,
		"store: [1]":                                   "o.yaml:1:8: store: a mapping is expected: constants of the profile and their values",
		"store: {servers: 3}":                          "o.yaml:1:18: store.servers: a limit on servers means nothing unless store.busy says how long an operation keeps one",
		"invocation: {attempts: -1}":                   "o.yaml:1:24: invocation.attempts: -1: it must be between 0 and 1000000",
		"container: {slowdown: -0.5}":                  "o.yaml:1:23: container.slowdown: -0.5: it must be at least 0",
		"network: {message: 9999h}":                    "o.yaml:1:20: network.message: 9999h: it must be at most 1000h",
		"couchdb: {log_documents: yes}":                `o.yaml:1:26: couchdb.log_documents: "yes" is neither true nor false`,
		"container: {cold_start: {uniform: [2s, 1s]}}": "o.yaml:1:25: container.cold_start: the upper end 1e+09 is below the lower end 2e+09",
		"sources: {store.get: {read: a, fitted: b}}":   "o.yaml:1:22: sources.\"store.get\": say where the constant comes from: one of read, measured, fitted, estimate",
	} {
		if _, err := override(text); err == nil || err.Error() != want {
			t.Errorf("%s\ngot:  %v\nwant: %s", text, err, want)
		}
	}
}

func TestProfilesThatAreNone(t *testing.T) {
	if _, err := profile.Load("faasflow-testbet", yamlfile.Value{}); fmt.Sprint(err) !=
		`there is no profile "faasflow-testbet": did you mean faasflow-testbed? (there are dataflower-testbed, faasflow-testbed, ideal, and files ending in .yaml)` {
		t.Error(err)
	}
	if _, err := profile.Parse("p.yaml", []byte("name: x\nstore: {get: 1}\nstoer: 5\n"), yamlfile.Value{}); fmt.Sprint(err) !=
		`p.yaml:2:14: store.get: "1": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`+"\n"+`p.yaml:3:1: unknown key "stoer": did you mean "store"?` {
		t.Error(err)
	}
}

// Whatever stands in a profile and in what overrides it: no panic, and
// constants that make sense.
func FuzzOverrides(f *testing.F) {
	f.Add("name: p\nstore: {get: 1ms}\n", "store: {get: 2ms}\n")
	f.Add("network: {message: 1us, link: unlimited}\n", "container: {cold_start: {lognormal: {mean: 1s, sd: 1s}}}\nprice: {task: 1}\n")
	f.Add("sources: {store: {read: x}}\n", "sources: {\"a.b\": {estimate: y}}\n")
	f.Add("store: 5\n", "[1]")
	f.Fuzz(func(t *testing.T, text, overrides string) {
		doc, err := yamlfile.Parse("o.yaml", []byte(overrides))
		if err != nil {
			return
		}
		p, err := profile.Parse("p.yaml", []byte(text), doc.Root())
		if err != nil || doc.Err() != nil {
			return
		}
		if p.Store.Get < 0 || p.Store.Get > 1000*units.Hour || p.Store.Servers < 0 || p.Container.Slowdown < 0 || p.Container.ColdStart.Check() != nil {
			t.Errorf("%+v", p)
		}
		p.Rules()
		p.Source("store.get")
	})
}
