package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// The files of a benchmark in FaaSFlow's artefact.
const (
	workflowFile = "flat_workflow.yaml"
	infoFile     = "function_info.yaml"
)

// FaaSFlow reads a workflow as the artefact of FaaSFlow has it: a directory
// with flat_workflow.yaml and function_info.yaml (tag v1.1), or with
// workflow_info.yaml and, there or in the directory around it,
// templates_info.yaml (tag v2.0, which runs DataFlower); or the path of the
// first of these.
//
// Of v2, a block is a function; a SWITCH is one, and a switch after it. A
// FOREACH output is a list, LIST inputs make a merge. A function triggered by
// an item reads what else it needs without waiting for it. Tokens (virtual.*)
// are control edges. Times, sizes and lengths are not in the files.
//
// Of v1, the rules are those of the artefact's code (its parser, engine and
// store):
//
//   - A key is produced by the function that puts it, whatever the file says of
//     its source; if several do, by the nearest one upstream. A key that nobody
//     upstream puts is a global input.
//   - Inputs of type key travel with the messages of a foreach and cost nothing.
//   - A foreach iterates over the output of its opener that it reads, cut into
//     split_ratio items: the sizes in the file are totals over all instances.
//     If it reads none, it iterates over the opener's list of keys.
//   - The successors of a function in a foreach are merges.
//   - A switch evaluates Python, which cannot be done here. A condition on data
//     that the caller gives is taken to hold, one on data that functions put is
//     not; so the first branch that holds, or else the default, is always
//     taken.
//   - Functions named like individuals_00000001 come from a generator, and
//     sleep; others are taken to keep a core busy.
//
// Errors are of type yamlfile.Errors if something in the file would make a
// wrong graph.
func FaaSFlow(path string) (*workflow.Workflow, []Note, error) {
	dir, file := path, filepath.Join(path, workflowFile)
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		dir, file = filepath.Dir(path), path
	}
	if filepath.Base(file) == dataflowFile {
		return dataflower(file)
	}
	doc, err := yamlfile.Read(file)
	if v2 := filepath.Join(dir, dataflowFile); errors.Is(err, fs.ErrNotExist) && exists(v2) {
		return dataflower(v2)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s: there is neither %s nor %s in it: name the directory of one of the artefacts' benchmarks", path, workflowFile, dataflowFile)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := yamlfile.Read(filepath.Join(dir, infoFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	return fromFaaSFlow(doc, info, filepath.Base(absolute))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// fromFaaSFlow does the work. info may be nil. name is that of the workflow if
// info has none.
func fromFaaSFlow(doc, info *yamlfile.Document, name string) (*workflow.Workflow, []Note, error) {
	im := &faasflow{doc: doc, name: name, ids: map[string]int{}, writers: map[string][]int{}, unknown: map[string]*unknownField{}}
	im.readInfo(info)
	im.readWorkflow()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	im.connect()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	im.defineOutputs()
	functions := make([]workflow.Function, len(im.nodes))
	for i := range im.nodes {
		functions[i] = im.function(i)
	}
	im.summarise()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	w, err := workflow.New(im.name, functions)
	var problems workflow.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			if i, ok := im.ids[p.Function]; ok {
				im.nodes[i].at.Errorf("%s: %s", p.Function, p.Message)
			} else {
				doc.Errorf("functions", "%s", p.Message)
			}
		}
		return nil, nil, doc.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	return w, im.notes, nil
}

// faasflow is one import.
type faasflow struct {
	doc           *yamlfile.Document
	name          string
	maxContainers int
	capOf         map[string]int  // containers of single functions
	given         map[string]bool // keys that the caller gives

	nodes   []node
	ids     map[string]int   // of nodes, by name
	writers map[string][]int // of a key
	notes   []Note
	unknown map[string]*unknownField
	fields  []*unknownField
}

type unknownField struct {
	name  string
	at    yamlfile.Position
	times int
}

// node is a function as the file describes it.
type node struct {
	at         yamlfile.Value
	name       string
	virtual    bool
	runtime    float64 // s; negative if the file says nothing
	scale      int     // negative if the file says nothing
	memory     float64
	splitRatio float64 // 0 if the file says nothing
	inputs     []datum
	outputs    []datum
	next       next

	before    []int // control predecessors
	opener    int   // of the foreach that it is in, or -1
	merge     bool
	instances int // of a function in a foreach, else 1
	list      int // index in outputs of the list that a foreach iterates over, or -1
	put       []workflow.Output
	index     map[string]int32 // in put, by key
}

// datum is an input or output.
type datum struct {
	at        yamlfile.Value
	key       string
	parameter string // what an input is called by its producer
	kind      string
	size      float64
	hasSize   bool
}

// next says what follows a function.
type next struct {
	kind       string
	nodes      []string
	ids        []int
	at         []yamlfile.Value // of the nodes
	conditions []string
}

func (im *faasflow) note(at yamlfile.Position, format string, args ...any) {
	im.notes = append(im.notes, Note{at, fmt.Sprintf(format, args...)})
}

// generated matches the names of functions that the artefact's generator made
// from a WorkflowHub trace.
var generated = regexp.MustCompile(`_[0-9]{8}$`)

// connect follows the control edges: it finds predecessors, foreach regions
// and merges.
func (im *faasflow) connect() {
	for i := range im.nodes {
		n := &im.nodes[i]
		for j, name := range n.next.nodes {
			to, ok := im.ids[name]
			switch {
			case !ok && name == "END" && n.next.kind != "switch":
				im.note(n.next.at[j].Position(), "%s leads to END, which is not declared: it is left out", n.name)
				continue
			case !ok && name == "END":
				im.note(n.next.at[j].Position(), "END is not declared: it is added")
				to = len(im.nodes)
				im.ids[name] = to
				im.nodes = append(im.nodes, node{at: n.next.at[j], name: name, runtime: -1, scale: -1, opener: -1, list: -1, instances: 1})
				n = &im.nodes[i]
			case !ok:
				n.next.at[j].Errorf("%s leads to %q, which is not declared%s", n.name, name, im.meant(name))
				continue
			}
			for _, earlier := range n.next.ids {
				if earlier == to {
					n.next.at[j].Errorf("%s leads to %s twice", n.name, name)
				}
			}
			n.next.ids = append(n.next.ids, to)
			im.nodes[to].before = append(im.nodes[to].before, i)
		}
	}
	for i := range im.nodes {
		if im.nodes[i].next.kind != "foreach" {
			continue
		}
		for _, to := range im.nodes[i].next.ids {
			inside := &im.nodes[to]
			if inside.opener >= 0 {
				inside.at.Errorf("%s is in the foreach of %s and in that of %s", inside.name, im.nodes[inside.opener].name, im.nodes[i].name)
			}
			inside.opener = i
			inside.instances = max(1, int(inside.splitRatio+0.5))
			if inside.splitRatio == 0 {
				im.note(inside.at.Position(), "%s has no split_ratio: its foreach gets one instance; give its list more items if there are more", inside.name)
			}
		}
	}
	for i := range im.nodes {
		if im.nodes[i].opener < 0 {
			continue
		}
		for _, to := range im.nodes[i].next.ids {
			im.nodes[to].merge = true
		}
	}
}

func (im *faasflow) meant(name string) string {
	names := make([]string, len(im.nodes))
	for i := range im.nodes {
		names[i] = im.nodes[i].name
	}
	if near := yamlfile.Nearest(name, names); near != "" {
		return fmt.Sprintf(": is %q meant?", near)
	}
	return ""
}

// upstream returns the nearest function before node i, by control edges, that
// puts a key; of equals, the first in the file.
func (im *faasflow) upstream(i int, key string) (int, bool) {
	writers := im.writers[key]
	if len(writers) == 0 {
		return 0, false
	}
	puts := make(map[int]bool, len(writers))
	for _, w := range writers {
		puts[w] = true
	}
	seen := map[int]bool{i: true}
	for level := []int{i}; len(level) > 0; {
		var above []int
		found := -1
		for _, v := range level {
			for _, p := range im.nodes[v].before {
				if seen[p] {
					continue
				}
				seen[p] = true
				above = append(above, p)
				if puts[p] && (found < 0 || p < found) {
					found = p
				}
			}
		}
		if found >= 0 {
			return found, true
		}
		level = above
	}
	return 0, false
}
