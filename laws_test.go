package flowtwin_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/flowtwin/flowtwin/"

// pure is what engines may use of the standard library: nothing that looks at
// a clock, draws random numbers, starts goroutines or talks to anyone.
var pure = []string{
	"bytes", "cmp", "container/heap", "encoding/binary", "errors", "fmt", "hash", "hash/fnv", "iter", "maps", "math",
	"math/bits", "slices", "sort", "strconv", "strings", "unicode", "unicode/utf8",
}

// schedulers are packages that worlds must not know, and names that they must
// not ask for.
var (
	schedulerPackages = []string{"engine/mastersp", "engine/workersp", "engine/dataflower", "engine/controlflow", "engine/schedulers"}
	schedulerNames    = []string{"mastersp", "workersp", "faasflow", "faasflow-improved", "dataflower"}
	schedulerTypes    = []string{"FaaSFlow", "FaaSFlowImproved", "Hash", "Spread", "Explicit"} // of package placement
)

// TestLaws keeps the rooms of the house apart: the engine is pure, the worlds
// know neither each other nor any scheduler, and what describes and judges
// runs, or says what they run, knows no world.
func TestLaws(t *testing.T) {
	broken, files, err := breaches(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
	for _, room := range []string{"engine", "sim", "scenarios", "results"} {
		if files[room] == 0 {
			t.Errorf("no file of %s was looked at", room)
		}
	}
}

// Each law is broken once, and found out.
func TestLawsCanBeBroken(t *testing.T) {
	source := func(name string, imports ...string) *fstest.MapFile {
		text := "package " + name + "\n"
		for _, i := range imports {
			text += "import " + strconv.Quote(i) + "\n"
		}
		return &fstest.MapFile{Data: []byte(text)}
	}
	for _, test := range []struct {
		name  string
		files fstest.MapFS
		want  string
	}{
		{"a lawful house", fstest.MapFS{
			"engine/node.go":             source("engine", "slices", module+"engine/workflow"),
			"engine/node_test.go":        source("engine", "os", "time"),
			"engine/testdata/bad.go":     source("engine", "net"),
			"sim/world.go":               source("sim", "context", module+"engine", module+"scenarios"),
			"sim/world_test.go":          source("sim", module+"engine/schedulers"),
			"emu/world.go":               source("emu", "net", module+"engine"),
			"cmd/flowtwin/main.go":       source("main", module+"sim", module+"emu"),
			"results/record/record.go":   source("record", "os", module+"engine"),
			"engine/workersp/control.go": source("workersp", module+"engine"),
		}, ""},
		{"an engine that talks", fstest.MapFS{"engine/pool/pool.go": source("pool", "net/http")}, "engine/pool/pool.go imports net/http"},
		{"an engine that draws", fstest.MapFS{"engine/draw/draw.go": source("draw", "math/rand")}, "engine/draw/draw.go imports math/rand"},
		{"an engine that waits", fstest.MapFS{"engine/node.go": source("engine", "time")}, "engine/node.go imports time"},
		{"an engine that knows a world", fstest.MapFS{"engine/node.go": source("engine", module+"sim")}, "engine/node.go imports sim"},
		{"an engine that needs others", fstest.MapFS{"engine/node.go": source("engine", "gonum.org/v1/gonum/stat")}, "engine/node.go imports gonum.org/v1/gonum/stat"},
		{"a goroutine in the engine", fstest.MapFS{"engine/node.go": {Data: []byte("package engine\nfunc f() { go f() }")}}, "engine/node.go starts a goroutine in line 2"},
		{"a channel in the engine", fstest.MapFS{"engine/node.go": {Data: []byte("package engine\nvar c chan int")}}, "engine/node.go has a channel in line 2"},
		{"one world in the other", fstest.MapFS{"sim/world.go": source("sim", module+"emu/shape")}, "sim/world.go imports emu/shape"},
		{"one world in the other's tests", fstest.MapFS{"emu/world_test.go": source("emu", module+"sim")}, "emu/world_test.go imports sim"},
		{"one world in the other, by a detour", fstest.MapFS{
			"sim/world.go":     source("sim", module+"detour"),
			"detour/detour.go": source("detour", module+"emu"),
		}, "sim reaches emu by way of detour"},
		{"results of a world", fstest.MapFS{"results/figures/plot.go": source("figures", module+"sim")}, "results/figures/plot.go imports sim"},
		{"scenarios of a world", fstest.MapFS{"scenarios/trial.go": source("scenarios", module+"emu")}, "scenarios/trial.go imports emu"},
		{"a benchmark of a world", fstest.MapFS{"benchmarks/bodies/svd.go": source("bodies", module+"emu/function")}, "benchmarks/bodies/svd.go imports emu/function"},
		{"a world that knows a scheduler", fstest.MapFS{"sim/world.go": source("sim", module+"engine/workersp")}, "sim/world.go imports engine/workersp"},
		{"a world that asks for a scheduler", fstest.MapFS{
			"emu/world.go": {Data: []byte("package emu\nvar special = \"dataflower\"")},
		}, `emu/world.go names "dataflower" in line 2`},
		{"a world that knows a placement", fstest.MapFS{
			"sim/world.go": {Data: []byte("package sim\nimport p \"" + module + "engine/placement\"\nvar x p.FaaSFlow")},
		}, "sim/world.go names placement.FaaSFlow in line 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			broken, _, err := breaches(test.files)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(broken, "; "); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

// breaches reads all Go files and returns how they break the laws, and how
// many files each top-level folder has.
func breaches(house fs.FS) (broken []string, files map[string]int, err error) {
	l := lawyer{files: map[string]int{}, imports: map[string]map[string]bool{}}
	err = fs.WalkDir(house, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || len(entry.Name()) > 1 && entry.Name()[0] == '.'):
			return fs.SkipDir
		case !strings.HasSuffix(name, ".go") || entry.IsDir():
			return nil
		}
		text, err := fs.ReadFile(house, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		l.check(name, file, set)
		return nil
	})
	l.checkDetours()
	return l.broken, l.files, err
}

type lawyer struct {
	broken  []string
	files   map[string]int
	imports map[string]map[string]bool // by package, both within the module
}

func (l *lawyer) breach(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

// room returns the top-level folder of a package or file of the module.
func room(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}

func (l *lawyer) check(name string, file *ast.File, set *token.FileSet) {
	in, isTest := room(name), strings.HasSuffix(name, "_test.go")
	l.files[in]++
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		own, inModule := strings.CutPrefix(imported, module)
		if inModule && !isTest {
			from := path.Dir(name)
			if l.imports[from] == nil {
				l.imports[from] = map[string]bool{}
			}
			l.imports[from][own] = true
		}
		to := room(own)
		switch {
		case isTest && !(in == "sim" && to == "emu" || in == "emu" && to == "sim"):
		case in == "engine" && !(inModule && to == "engine") && !slices.Contains(pure, imported),
			inModule && forbidden(in, to),
			inModule && isWorld(in) && slices.Contains(schedulerPackages, own):
			l.breach("%s imports %s", name, own)
		}
	}
	if isTest {
		return
	}
	placement := importName(file, module+"engine/placement")
	ast.Inspect(file, func(n ast.Node) bool {
		line := func() int { return set.Position(n.Pos()).Line }
		switch n := n.(type) {
		case *ast.GoStmt:
			if in == "engine" {
				l.breach("%s starts a goroutine in line %d", name, line())
			}
		case *ast.ChanType:
			if in == "engine" {
				l.breach("%s has a channel in line %d", name, line())
			}
		case *ast.BasicLit:
			if text, _ := strconv.Unquote(n.Value); isWorld(in) && n.Kind == token.STRING && slices.Contains(schedulerNames, text) {
				l.breach("%s names %q in line %d", name, text, line())
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && isWorld(in) && placement != "" && x.Name == placement && slices.Contains(schedulerTypes, n.Sel.Name) {
				l.breach("%s names placement.%s in line %d", name, n.Sel.Name, line())
			}
		}
		return true
	})
}

func isWorld(room string) bool { return room == "sim" || room == "emu" }

// forbidden reports whether one room must not know the other.
func forbidden(from, to string) bool {
	switch from {
	case "sim", "emu":
		return isWorld(to) && from != to
	case "results", "scenarios", "benchmarks":
		return isWorld(to)
	default:
		return false
	}
}

// importName returns the name by which a file knows a package, or "".
func importName(file *ast.File, imported string) string {
	for _, spec := range file.Imports {
		if spec.Path.Value == strconv.Quote(imported) {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(imported)
		}
	}
	return ""
}

// checkDetours follows imports through packages of rooms that have no law of
// their own.
func (l *lawyer) checkDetours() {
	for _, from := range slices.Sorted(maps.Keys(l.imports)) {
		for _, by := range slices.Sorted(maps.Keys(l.imports[from])) {
			seen := map[string]bool{}
			var follow func(at string)
			follow = func(at string) {
				for _, to := range slices.Sorted(maps.Keys(l.imports[at])) {
					if seen[to] {
						continue
					}
					seen[to] = true
					if forbidden(room(from), room(to)) && room(by) != room(from) {
						l.breach("%s reaches %s by way of %s", from, to, by)
					}
					follow(to)
				}
			}
			follow(by)
		}
	}
}
