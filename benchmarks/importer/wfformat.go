package importer

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Limits of what a workflow file of ours can say.
const (
	maxRuntime = 36e6    // s, 10 000 h
	maxBytes   = 1 << 50 // of a file or of memory
	maxCores   = 4096
)

// WfFormat reads a workflow as WfCommons publishes them, in JSON: WfFormat 1.0
// to 1.4, where a task says all of itself (in jobs or tasks), and 1.5 and 1.6,
// which keep the specification apart from an execution. Properties that it
// does not know are left out.
//
//   - A task is a function. Its runtime, as measured, is its compute time; it
//     keeps avgCPU/100 cores busy, or else as many as it asked for, or one. What
//     flowtwin exported says the compute time itself.
//   - parents and children are control edges, whichever end names them.
//   - A file that one task writes and another reads is a data edge. Of several
//     writers, the nearest before the reader counts. A file that no task before
//     the reader writes is a global input; so is one that is read and written
//     by the same task only.
//   - If the writer is not before the reader by the control edges, the file
//     makes a control edge too, unless that would contradict them.
//
// The error says where in the file something is wrong.
func WfFormat(path string) (*workflow.Workflow, []Note, error) {
	f, err := readJSONFile(path)
	if err != nil {
		return nil, nil, err
	}
	return fromWfFormat(f)
}

// fromWfFormat does the work.
func fromWfFormat(f *jsonFile) (*workflow.Workflow, []Note, error) {
	root, err := f.parse()
	if err != nil {
		return nil, nil, err
	}
	im := &wfFormat{file: f, ids: map[string]int{}, sizes: map[string]wfSize{}, writers: map[string][]int{}}
	if err := im.read(&root); err != nil {
		return nil, nil, err
	}
	if err := im.connect(); err != nil {
		return nil, nil, err
	}
	w, err := im.workflow()
	if err != nil {
		return nil, nil, err
	}
	im.summarise()
	return w, im.notes, nil
}

// wfFormat is one import.
type wfFormat struct {
	file    *jsonFile
	name    string
	tasks   []wfTask
	ids     map[string]int    // of tasks
	sizes   map[string]wfSize // of files
	writers map[string][]int  // of a file
	// declared: the file says parents or children of some task.
	declared bool
	notes    []Note
	// What is noted once for all tasks and files.
	noRuntime, noSize, badNumber, against, elsewhere tally
}

// tally counts what deserves a note, and keeps the first place.
type tally struct {
	times  int
	name   string
	offset int
}

func (t *tally) add(name string, offset int) {
	if t.times++; t.times == 1 {
		t.name, t.offset = name, offset
	}
}

// wfSize is the size of a file; one that its writer says counts before others.
type wfSize struct {
	bytes     float64
	ofWriter  bool
	mentioned *jsonValue
}

// wfTask is a task as the file describes it.
type wfTask struct {
	offset        int
	name          string
	parents       []jsonValue
	children      []jsonValue
	reads, writes []string
	// What is known of its execution: negative if nothing.
	runtime, cores, cpu, memory float64

	before []int // control predecessors
	inputs []workflow.Input
}

// read reads both layouts.
func (im *wfFormat) read(root *jsonValue) error {
	version := root.get("schemaVersion").id()
	if !slices.Contains([]string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"}, version) {
		im.note(root.get("schemaVersion").orAt(root), "the schema version %q is none of 1.0 to 1.6: it is read as the one that it resembles", version)
	}
	im.name = strings.TrimSuffix(root.get("name").str(), ".json")
	if im.name == "" {
		im.name = strings.TrimSuffix(filepath.Base(im.file.name), ".json")
	}
	if system := root.get("runtimeSystem", "wms"); strings.EqualFold(system.get("name").str(), "makeflow") {
		im.note(system.offset, "sizes are read as bytes, as the format has it, but WfCommons up to 1.3 recorded those of Makeflow in KB")
	}
	body := root.get("workflow")
	if !body.is(jsonObject) {
		return im.file.errorf(body.orAt(root), "an object %q is expected: this is no WfFormat", "workflow")
	}
	if specification := body.get("specification"); specification.is(jsonObject) {
		return im.readSplit(specification, body.get("execution"))
	}
	tasks := body.get("tasks", "jobs")
	if !tasks.is(jsonArray) {
		return im.file.errorf(tasks.orAt(body), "the workflow has no list of tasks: neither specification.tasks (WfFormat 1.5 and later) nor tasks or jobs")
	}
	return im.readWhole(tasks)
}

// orAt is the place of a value, or else of another.
func (v *jsonValue) orAt(other *jsonValue) int {
	if v == nil {
		return other.offset
	}
	return v.offset
}

// newTask checks what all versions have in common.
func (im *wfFormat) newTask(v *jsonValue) (wfTask, error) {
	if !v.is(jsonObject) {
		return wfTask{}, im.file.errorf(v.offset, "a task is expected: an object")
	}
	return wfTask{
		offset: v.offset, name: v.get("name").id(), parents: v.get("parents").list(), children: v.get("children").list(),
		runtime: -1, cores: -1, cpu: -1, memory: -1,
	}, nil
}

// readSplit reads WfFormat 1.5 and 1.6.
func (im *wfFormat) readSplit(specification, execution *jsonValue) error {
	tasks := specification.get("tasks")
	if !tasks.is(jsonArray) {
		return im.file.errorf(tasks.orAt(specification), "the specification has no list of tasks")
	}
	for i := range specification.get("files").list() {
		file := &specification.get("files").items[i]
		im.size(file.get("id").id(), file, file.get("sizeInBytes"), true)
	}
	names := map[string][]int{}
	for i := range tasks.items {
		v := &tasks.items[i]
		task, err := im.newTask(v)
		if err != nil {
			return err
		}
		name := task.name
		if id := v.get("id").id(); id != "" {
			task.name = id
		}
		if task.name == "" {
			return im.file.errorf(v.offset, "the task has no id")
		}
		if first, twice := im.ids[task.name]; twice {
			return im.file.errorf(v.offset, "there are two tasks %q, here and in line %d: give them ids that differ", task.name, im.file.position(im.tasks[first].offset).Line)
		}
		im.ids[task.name] = i
		names[name] = append(names[name], i)
		task.reads = im.fileIDs(v.get("inputFiles"))
		task.writes = im.fileIDs(v.get("outputFiles"))
		im.tasks = append(im.tasks, task)
	}
	for i := range execution.get("tasks").list() {
		v := &execution.get("tasks").items[i]
		id, known := im.ids[v.get("id").id()]
		if !known {
			im.elsewhere.add(v.get("id").id(), v.offset)
			continue
		}
		im.execution(&im.tasks[id], v)
	}
	// Some name their parents as up to 1.4.
	for name, tasks := range names {
		if _, taken := im.ids[name]; !taken && len(tasks) == 1 {
			im.ids[name] = tasks[0]
		}
	}
	return nil
}

// fileIDs reads a list of files: their ids, or objects that have one.
func (im *wfFormat) fileIDs(list *jsonValue) []string {
	var ids []string
	for i := range list.list() {
		file := &list.items[i]
		id := file.id()
		if file.is(jsonObject) {
			id = file.get("id", "name").id()
			im.size(id, file, file.get("sizeInBytes", "size"), true)
		}
		if id != "" {
			if _, known := im.sizes[id]; !known {
				im.sizes[id] = wfSize{bytes: -1, mentioned: file}
			}
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// readWhole reads WfFormat 1.0 to 1.4. Tasks refer to each other by name or,
// where names are not unique, by id.
func (im *wfFormat) readWhole(tasks *jsonValue) error {
	names := map[string]int{}
	for i := range tasks.items {
		names[tasks.items[i].get("name").id()]++
	}
	aliases := map[string]int{}
	for i := range tasks.items {
		v := &tasks.items[i]
		task, err := im.newTask(v)
		if err != nil {
			return err
		}
		id := v.get("id").id()
		aliases[id] = i
		switch {
		case task.name == "" && id == "":
			return im.file.errorf(v.offset, "the task has no name")
		case task.name == "":
			task.name = id
		case names[task.name] > 1 && id != "":
			task.name += "_" + id
		}
		if first, twice := im.ids[task.name]; twice {
			return im.file.errorf(v.offset, "there are two tasks %q, here and in line %d: give them ids that differ", task.name, im.file.position(im.tasks[first].offset).Line)
		}
		im.ids[task.name] = i
		for j := range v.get("files").list() {
			file := &v.get("files").items[j]
			name := file.get("path").str() + file.get("name", "id").id()
			if name == "" {
				continue
			}
			isInput := strings.EqualFold(file.get("link").str(), "input")
			im.size(name, file, file.get("sizeInBytes", "size"), !isInput)
			if isInput {
				task.reads = append(task.reads, name)
			} else {
				task.writes = append(task.writes, name)
			}
		}
		for _, files := range []*[]string{&task.reads, &task.writes} {
			slices.Sort(*files)
			*files = slices.Compact(*files)
		}
		im.execution(&task, v)
		im.tasks = append(im.tasks, task)
	}
	for id, i := range aliases {
		if _, taken := im.ids[id]; !taken {
			im.ids[id] = i
		}
	}
	return nil
}

// size keeps the size of a file.
func (im *wfFormat) size(id string, file, size *jsonValue, ofWriter bool) {
	have, known := im.sizes[id]
	bytes, ok := size.amount(maxBytes)
	if !ok {
		if size != nil && size.kind != jsonNull {
			im.badNumber.add("the size of "+id, size.offset)
		}
		bytes = -1
	}
	if !known || have.bytes < 0 || bytes >= 0 && ofWriter && !have.ofWriter {
		im.sizes[id] = wfSize{math.Round(bytes), ofWriter, file}
	}
}

// execution reads what a task took.
func (im *wfFormat) execution(task *wfTask, v *jsonValue) {
	number := func(to *float64, limit, unit float64, keys ...string) {
		for _, key := range keys {
			field := v.get(key)
			if field == nil || field.kind == jsonNull {
				continue
			}
			if x, ok := field.amount(limit / unit); ok {
				*to = x * unit
			} else {
				im.badNumber.add(key+" of "+task.name, field.offset)
			}
			return
		}
	}
	number(&task.runtime, maxRuntime, 1, "computeInSeconds", "runtimeInSeconds", "runtime") // the first is our own
	number(&task.cores, maxCores, 1, "coreCount", "cores")
	number(&task.cpu, maxCores, 0.01, "avgCPU")
	number(&task.memory, maxBytes, 1, "memoryInBytes")
	if task.memory < 0 {
		number(&task.memory, maxBytes, 1000, "memory") // in KB, up to 1.3
	}
}

// connect finds the predecessors of each task and who writes what it reads.
func (im *wfFormat) connect() error {
	for i := range im.tasks {
		t := &im.tasks[i]
		for _, file := range t.writes {
			im.writers[file] = append(im.writers[file], i)
		}
		for j := range t.parents {
			if id, err := im.reference(t, &t.parents[j]); err != nil {
				return err
			} else if id >= 0 {
				t.before = append(t.before, id)
			}
		}
		for j := range t.children {
			if id, err := im.reference(t, &t.children[j]); err != nil {
				return err
			} else if id >= 0 {
				im.tasks[id].before = append(im.tasks[id].before, i)
			}
		}
	}
	for i := range im.tasks {
		t := &im.tasks[i]
		slices.Sort(t.before)
		t.before = slices.Compact(t.before)
		im.declared = im.declared || len(t.before) > 0
	}
	// A cycle of these has to be found before any way up is gone.
	if _, err := im.workflow(); err != nil {
		return err
	}
	up := newAscent(im.tasks)
	type edge struct {
		writer, reader int
		file           string
	}
	var missing []edge
	for i := range im.tasks {
		t := &im.tasks[i]
		found := up.nearest(i, t.reads, im.writers)
		for _, file := range t.reads {
			writer, before := found[file]
			if !before {
				writer = slices.IndexFunc(im.writers[file], func(w int) bool { return w != i })
				if writer >= 0 {
					missing = append(missing, edge{im.writers[file][writer], i, file})
					continue
				}
			}
			im.input(t, file, writer, before)
		}
	}
	for _, e := range missing {
		reader := &im.tasks[e.reader]
		orders := !slices.Contains(reader.before, e.writer)
		if im.declared && orders && up.precedes(e.reader, e.writer) {
			im.against.add(e.file, reader.offset)
			im.input(reader, e.file, 0, false)
			continue
		}
		if orders {
			reader.before = append(reader.before, e.writer)
		}
		im.input(reader, e.file, e.writer, true)
	}
	return nil
}

// reference finds the task that a parent or child is; -1 if the text is empty.
func (im *wfFormat) reference(t *wfTask, v *jsonValue) (int, error) {
	name := v.id()
	if name == "" {
		return -1, nil
	}
	id, ok := im.ids[name]
	if !ok {
		return 0, im.file.errorf(v.offset, "%q names the task %q, which does not exist: add that task, or leave its name out here", t.name, name)
	}
	return id, nil
}

// input adds what a task reads: a file that a task writes, or a global one.
func (im *wfFormat) input(t *wfTask, file string, writer int, written bool) {
	if !written {
		t.inputs = append(t.inputs, workflow.Input{From: workflow.GlobalInput, Size: int64(im.bytes(file))})
		return
	}
	output, _ := slices.BinarySearch(im.tasks[writer].writes, file)
	t.inputs = append(t.inputs, workflow.Input{From: workflow.FunctionID(writer), Output: int32(output)})
}

func (im *wfFormat) bytes(file string) float64 { return max(0, im.sizes[file].bytes) }

// ascent walks from tasks to those before them.
type ascent struct {
	tasks []wfTask
	seen  []int // the number of the walk that came by
	walk  int
	queue []int
}

func newAscent(tasks []wfTask) *ascent { return &ascent{tasks: tasks, seen: make([]int, len(tasks))} }

// nearest returns, for each file, the nearest task before one that writes it;
// of equals, the first.
func (a *ascent) nearest(task int, files []string, writers map[string][]int) map[string]int {
	wanted := map[int][]string{} // by task
	left := 0
	for _, file := range files {
		others := 0
		for _, w := range writers[file] {
			if w != task {
				wanted[w] = append(wanted[w], file)
				others++
			}
		}
		if others > 0 {
			left++
		}
	}
	found := make(map[string]int, left)
	a.walk++
	a.seen[task] = a.walk
	level := append(a.queue[:0], task)
	for len(level) > 0 && len(found) < left {
		var above []int
		for _, at := range level {
			for _, p := range a.tasks[at].before {
				if a.seen[p] != a.walk {
					a.seen[p] = a.walk
					above = append(above, p)
				}
			}
		}
		slices.Sort(above)
		for _, p := range above {
			for _, file := range wanted[p] {
				if _, known := found[file]; !known {
					found[file] = p
				}
			}
		}
		level = above
	}
	return found
}

// precedes reports whether u is before v.
func (a *ascent) precedes(u, v int) bool {
	if u == v {
		return true
	}
	a.walk++
	a.seen[v] = a.walk
	a.queue = append(a.queue[:0], v)
	for len(a.queue) > 0 {
		at := a.queue[len(a.queue)-1]
		a.queue = a.queue[:len(a.queue)-1]
		for _, p := range a.tasks[at].before {
			if p == u {
				return true
			}
			if a.seen[p] != a.walk {
				a.seen[p] = a.walk
				a.queue = append(a.queue, p)
			}
		}
	}
	return false
}

// workflow makes a workflow of what is known so far. An output is called as
// its file, unless a.b.c would then be an output of both a and a.b.
func (im *wfFormat) workflow() (*workflow.Workflow, error) {
	taken := map[string]bool{}
	functions := make([]workflow.Function, len(im.tasks))
	for i := range im.tasks {
		t := &im.tasks[i]
		f := workflow.Function{
			Name: t.name, CPU: 1, Memory: int64(containerMemory), Inputs: slices.Clone(t.inputs),
			Compute: workflow.Constant(math.Round(max(0, t.runtime) * 1e9)),
		}
		// Files of ours name global inputs after the others.
		slices.SortStableFunc(f.Inputs, func(a, b workflow.Input) int {
			return boolToInt(a.From == workflow.GlobalInput) - boolToInt(b.From == workflow.GlobalInput)
		})
		switch {
		case t.cpu >= 0:
			f.CPU = math.Round(t.cpu*1e6) / 1e6
		case t.cores > 0:
			f.CPU = t.cores
		}
		const step = float64(units.MiB)
		f.Memory = max(f.Memory, int64(math.Ceil(t.memory/step)*step))
		for _, p := range t.before {
			f.After = append(f.After, workflow.FunctionID(p))
		}
		for _, file := range t.writes {
			name := file
			for taken[t.name+"."+name] {
				name += "_"
			}
			taken[t.name+"."+name] = true
			f.Outputs = append(f.Outputs, workflow.Output{Name: name, Size: workflow.Constant(im.bytes(file)), PostedAt: 1})
		}
		functions[i] = f
	}
	w, err := workflow.New(im.name, functions)
	var problems workflow.Problems
	if errors.As(err, &problems) {
		p := problems[0]
		offset := 0
		if i, ok := im.ids[p.Function]; ok {
			offset = im.tasks[i].offset
		}
		return nil, im.file.errorf(offset, "%s", strings.TrimPrefix(p.Function+": "+p.Message, ": "))
	}
	return w, err
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (im *wfFormat) note(offset int, format string, args ...any) {
	im.notes = append(im.notes, Note{im.file.position(offset), fmt.Sprintf(format, args...)})
}

// summarise notes what holds for many tasks.
func (im *wfFormat) summarise() {
	used := map[string]bool{}
	for i := range im.tasks {
		if t := &im.tasks[i]; t.runtime < 0 {
			im.noRuntime.add(t.name, t.offset)
		}
		for _, files := range [][]string{im.tasks[i].reads, im.tasks[i].writes} {
			for _, file := range files {
				if s := im.sizes[file]; s.bytes < 0 && !used[file] {
					used[file] = true
					im.noSize.add(file, s.mentioned.offset)
				}
			}
		}
	}
	about := func(t *tally, format string) {
		if t.times > 0 {
			im.note(t.offset, format, t.times, t.name)
		}
	}
	about(&im.noRuntime, "tasks without a runtime: %d, such as %q; they take no time")
	about(&im.noSize, "files without a size: %d, such as %q; they are taken as 0 B")
	about(&im.badNumber, "numbers out of range: %d, such as %q; they are left out")
	about(&im.elsewhere, "tasks executed that the specification does not have: %d, such as %q; they are left out")
	about(&im.against, "files read before they are written, as parents and children say: %d, such as %q; they are taken as global inputs")
	im.notes = append(im.notes, Note{yamlfile.Position{File: im.file.name},
		"a runtime is taken as compute time, though what a task waited for its files is part of it"})
}
