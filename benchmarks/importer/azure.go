package importer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Placement says where in its minute a call of the trace of 2019 lies, which
// has only the number of calls in each.
type Placement uint8

const (
	// Uniform: each call at any instant, all as likely. The number is exact.
	Uniform Placement = iota
	// Poisson: exponential gaps. The number is right on average.
	Poisson
	// Equidistant: even gaps, from a shift on. The number is exact.
	Equidistant
)

var placements = []string{"uniform", "poisson", "equidistant"}

// String returns the name of the placement.
func (p Placement) String() string { return placements[p] }

// placed says where in their minutes calls are placed.
func (o *AzureOptions) placed() string {
	switch {
	case o.Placement == Poisson:
		return "calls lie in their minute by exponential gaps, as many as counted on average (placement poisson)"
	case o.Placement == Equidistant && o.Shift >= 0:
		return fmt.Sprintf("calls lie in their minute by even gaps, the first after %g of one (placement equidistant)", o.Shift)
	case o.Placement == Equidistant:
		return "calls lie in their minute by even gaps, the first after a part of one that is drawn for each function (placement equidistant)"
	default:
		return "calls lie anywhere in their minute, as many as counted (placement uniform)"
	}
}

// ParsePlacement returns the placement of a name.
func ParsePlacement(name string) (Placement, error) {
	if i := slices.Index(placements, name); i >= 0 {
		return Placement(i), nil
	}
	return 0, fmt.Errorf("there is no placement %q: there are %s", name, strings.Join(placements, ", "))
}

// AzureOptions says what is taken from a trace.
type AzureOptions struct {
	Placement Placement
	// Shift is where in its gap an equidistant call lies, from 0 to below 1;
	// negative: drawn for each function, so that they do not all call at once.
	Shift float64
	// Seed is that of all draws.
	Seed uint64
	// From and For choose a part of the trace; 0 for the latter means to its
	// end.
	From, For time.Duration
	// Functions is how many are taken, those called most; 0 means all.
	Functions int
	// Progress, if set, is told how many bytes of how many have been read.
	Progress func(done, total int64)
}

// Azure is a trace of Azure Functions, ready to be read a second time.
type Azure struct {
	// Functions are those taken, those called most first.
	Functions []AzureFunction
	// Calls counts the calls of all functions in the part of the trace that is
	// taken, Taken those of Functions. For the trace of 2019 both are as
	// recorded, whatever the placement.
	Calls, Taken int64
	Notes        []Note

	options AzureOptions
	files   []azureFile
	ids     map[azureID]int // in all, or, once chosen, in Functions
	all     []azureFunction
	read    int64 // bytes of files that are done
	total   int64
}

// AzureFunction is a function of a trace: a workflow of one function.
type AzureFunction struct {
	// Name is made of the beginnings of the ids of the app and the function.
	Name string
	// Calls is how often it is called in the part of the trace that is taken.
	Calls int64
	// Workflow computes as long as the function did.
	Workflow *workflow.Workflow
}

// azureID identifies a function. 2021 knows no owners.
type azureID struct{ owner, app, function string }

func (id azureID) clone() azureID {
	return azureID{strings.Clone(id.owner), strings.Clone(id.app), strings.Clone(id.function)}
}

// azureFunction is what is known of a function.
type azureFunction struct {
	id    azureID
	calls int64
	name  string
	seen  durations // 2021
}

// azureKind is what a file of a trace holds.
type azureKind uint8

const (
	azureCalls     azureKind = iota // 2021: a row for each call
	azureCounts                     // 2019: a row for each function, with the calls in each minute of a day
	azureDurations                  // 2019: percentiles for each function
	azureMemory                     // 2019: percentiles for each app
)

type azureFile struct {
	name    string
	kind    azureKind
	day     int // of azureCounts, from 0
	columns map[string]int
}

// ReadAzure reads a trace of Azure Functions for the first time, to find its
// functions: the calls of 2021 (app, func, end_timestamp, duration), or the
// counts of 2019 by the minute, a file for each day in the order of the paths,
// with its files of durations and memory, if given. What a file is, its header
// tells. It holds functions in memory, not calls.
//
// An error says where in the files something is wrong.
func ReadAzure(ctx context.Context, paths []string, o AzureOptions) (*Azure, error) {
	a := &Azure{options: o, ids: map[azureID]int{}}
	days, kinds := 0, [4]int{}
	for _, path := range paths {
		f, size, err := openAzure(path)
		if err != nil {
			return nil, err
		}
		if kinds[f.kind]++; f.kind == azureCounts {
			f.day = days
			days++
		}
		if f.kind == azureCalls || f.kind == azureCounts {
			size *= 2 // It is read twice.
		}
		a.total += size
		a.files = append(a.files, f)
	}
	switch {
	case kinds[azureCalls]+kinds[azureCounts] == 0:
		return nil, errors.New("none of the files has calls: name one of 2021 (app,func,end_timestamp,duration) or of 2019 (invocations_per_function_md)")
	case kinds[azureCalls] > 0 && kinds[azureCalls] < len(a.files):
		return nil, errors.New("files of 2019 and of 2021 do not go together")
	}
	memory := map[azureID]float64{}
	spans := map[azureID]workflow.Distribution{}
	early := int64(0)
	for i := range a.files {
		f := &a.files[i]
		var row func(*azureRow) error
		switch f.kind {
		case azureCalls:
			row = func(r *azureRow) error {
				at, duration, err := r.call()
				if err != nil {
					return err
				}
				if at < 0 {
					early++
				}
				if !a.within(at) {
					return nil
				}
				fn := a.function(r.id())
				fn.calls++
				fn.seen.add(duration)
				return nil
			}
		case azureCounts:
			row = func(r *azureRow) error {
				calls, err := int64(0), error(nil)
				for minute := range r.minutes() {
					n, bad := r.count(minute)
					err = cmp.Or(err, bad)
					if a.within(r.minute(minute)) {
						calls += n
					}
				}
				if err == nil && calls > 0 {
					a.function(r.id()).calls += calls
				}
				return err
			}
		case azureDurations:
			row = func(r *azureRow) error { return r.durations(spans) }
		case azureMemory:
			row = func(r *azureRow) error { return r.memory(memory) }
		}
		if err := a.scan(ctx, f, row); err != nil {
			return nil, err
		}
	}
	if early > 0 {
		a.note("calls that began before the trace did: %d; they are left out", early)
	}
	return a, a.choose(spans, memory)
}

func (a *Azure) note(format string, args ...any) {
	a.Notes = append(a.Notes, Note{yamlfile.Position{File: a.files[0].name}, fmt.Sprintf(format, args...)})
}

// within reports whether a time, in s, is in the part that is taken.
func (a *Azure) within(at float64) bool {
	from := a.options.From.Seconds()
	return at >= from && (a.options.For == 0 || at < from+a.options.For.Seconds())
}

// function returns what is known of a function, which may be nothing yet.
func (a *Azure) function(id azureID) *azureFunction {
	i, ok := a.ids[id]
	if !ok {
		i, id = len(a.all), id.clone()
		a.ids[id] = i
		a.all = append(a.all, azureFunction{id: id})
	}
	return &a.all[i]
}

// choose takes the functions that are called most, and makes workflows of
// them.
func (a *Azure) choose(spans map[azureID]workflow.Distribution, memory map[azureID]float64) error {
	slices.SortFunc(a.all, func(x, y azureFunction) int {
		return cmp.Or(cmp.Compare(y.calls, x.calls), cmp.Compare(x.id.owner, y.id.owner),
			cmp.Compare(x.id.app, y.id.app), cmp.Compare(x.id.function, y.id.function))
	})
	if len(a.all) == 0 {
		return fmt.Errorf("%s: there is no call in the part of the trace that is asked for", a.files[0].name)
	}
	for i := range a.all {
		a.Calls += a.all[i].calls
	}
	functions := len(a.all)
	if n := a.options.Functions; n > 0 && n < functions {
		a.all = a.all[:n]
	}
	clear(a.ids)
	names := map[string]bool{}
	noTime, noMemory := 0, 0
	for i := range a.all {
		f := &a.all[i]
		a.ids[f.id] = i
		a.Taken += f.calls
		base := shortID(f.id.app) + "-" + shortID(f.id.function)
		f.name = base
		for n := 2; names[f.name]; n++ {
			f.name = base + "-" + strconv.Itoa(n)
		}
		names[f.name] = true
		compute, ok := spans[f.id]
		if a.files[0].kind == azureCalls || f.seen.total > 0 {
			compute, ok = f.seen.distribution(), true
		}
		if !ok {
			noTime++
		}
		bytes := float64(containerMemory)
		if mb, ok := memory[azureID{f.id.owner, f.id.app, ""}]; ok {
			bytes = math.Ceil(max(1, mb)) * float64(units.MiB)
		} else {
			noMemory++
		}
		w, err := workflow.New(f.name, []workflow.Function{{Name: "function", Compute: compute, CPU: 1, Memory: int64(bytes)}})
		if err != nil {
			return fmt.Errorf("%s: %s: %w", a.files[0].name, f.name, err)
		}
		a.Functions = append(a.Functions, AzureFunction{f.name, f.calls, w})
	}
	if len(a.all) < functions {
		a.note("%d of %d functions are taken, those called most: they have %.3g %% of the %d calls", len(a.all), functions, 100*float64(a.Taken)/float64(a.Calls), a.Calls)
	}
	if noTime > 0 {
		a.note("functions without durations: %d (name the file function_durations_percentiles too); they take no time", noTime)
	}
	if noMemory > 0 {
		a.note("functions without memory in the trace: %d; their containers get %s", noMemory, units.Bytes(containerMemory).Human())
	}
	if a.files[0].kind != azureCalls {
		a.note("%s", a.options.placed())
	}
	a.note("functions are taken to keep a core busy (cpu: 1), which the trace cannot tell")
	return nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9]+`)

// shortID is the beginning of an id, fit for the name of a file.
func shortID(id string) string {
	id = strings.Trim(notInNames.ReplaceAllString(id, "_"), "_")
	return cmp.Or(id[:min(8, len(id))], "x")
}

// WriteArrivals reads the calls again, and writes them as a trace that a
// scenario can name: CSV with the columns time, in seconds since the start of
// the part that is taken, and workflow. Rows are not in the order of time. It
// returns how many it wrote of each function.
func (a *Azure) WriteArrivals(ctx context.Context, to io.Writer) ([]int64, error) {
	out := bufio.NewWriterSize(to, 1<<16)
	written := make([]int64, len(a.all))
	if _, err := out.WriteString("time,workflow\n"); err != nil {
		return nil, err
	}
	from := a.options.From.Seconds()
	var line []byte
	arrival := func(i int, at float64) error {
		if !a.within(at) {
			return nil
		}
		written[i]++
		line = strconv.AppendFloat(line[:0], at-from, 'f', 6, 64)
		line = append(append(append(line, ','), a.all[i].name...), '\n')
		_, err := out.Write(line)
		return err
	}
	for i := range a.files {
		f := &a.files[i]
		var row func(*azureRow) error
		switch f.kind {
		case azureCalls:
			row = func(r *azureRow) error {
				i, ok := a.ids[r.id()]
				if !ok {
					return nil
				}
				at, _, err := r.call()
				if err != nil {
					return err
				}
				return arrival(i, at)
			}
		case azureCounts:
			row = func(r *azureRow) error {
				i, ok := a.ids[r.id()]
				if !ok {
					return nil
				}
				return a.place(ctx, r, i, arrival)
			}
		default:
			continue
		}
		if err := a.scan(ctx, f, row); err != nil {
			return nil, err
		}
	}
	return written, out.Flush()
}

// place places the calls of a function on one day within their minutes.
func (a *Azure) place(ctx context.Context, r *azureRow, i int, arrival func(int, float64) error) error {
	draws := draw.New(a.options.Seed)
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %s", a.all[i].id.owner, a.all[i].id.app, a.all[i].id.function)
	stream := h.Sum64()
	shift := a.options.Shift
	if shift < 0 {
		shift = draws.Sequence(draw.Arrival, stream, 0)
	}
	for minute := range r.minutes() {
		n, err := r.count(minute)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		begin := r.minute(minute)
		// Draws do not depend on which part of the trace is taken.
		number := uint64(begin/60)<<32 + 1
		gap := 60 / float64(n)
		for j, at := int64(0), 0.0; ; j++ {
			if j%65536 == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			u := draws.Sequence(draw.Arrival, stream, number+uint64(j))
			switch a.options.Placement {
			case Poisson:
				at -= gap * math.Log(u)
			case Equidistant:
				at = (float64(j) + shift) * gap
			default:
				at = 60 * u
			}
			// Not to be rounded up into the next minute.
			at = math.Floor(at*1e6) / 1e6
			if at >= 60 || a.options.Placement != Poisson && j >= n {
				break
			}
			if err := arrival(i, begin+at); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reading files.

// headerSize bounds the first line, that of 1440 minutes included.
const headerSize = 1 << 16

// openAzure reads the header of a file. The size is that of the file.
func openAzure(path string) (azureFile, int64, error) {
	f := azureFile{name: path}
	file, err := os.Open(path)
	if err != nil {
		return f, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return f, 0, err
	}
	if !info.Mode().IsRegular() {
		return f, 0, fmt.Errorf("%s: it is no file that can be read twice", path)
	}
	start := make([]byte, headerSize)
	n, err := io.ReadFull(file, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return f, 0, err
	}
	err = f.header(start[:n])
	return f, info.Size(), err
}

// header tells by the first line what a file is.
func (f *azureFile) header(start []byte) error {
	at := yamlfile.Position{File: f.name, Line: 1, Column: 1}
	if archive := archiveOf(start); archive != "" {
		return yamlfile.Error{Position: at, Message: archive}
	}
	line, _, _ := bytes.Cut(bytes.TrimPrefix(start, []byte("\ufeff")), []byte("\n"))
	names, err := csv.NewReader(bytes.NewReader(line)).Read()
	f.columns = make(map[string]int, len(names))
	for i, name := range names {
		f.columns[strings.TrimSpace(name)] = i
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := f.columns[name]; !ok {
				return false
			}
		}
		return err == nil
	}
	switch {
	case has("app", "func", "end_timestamp", "duration"):
		f.kind = azureCalls
	case has("HashOwner", "HashApp", "HashFunction", "Trigger") && len(names) > 4 && names[3] == "Trigger" && names[4] == "1":
		f.kind = azureCounts
	case has("HashOwner", "HashApp", "HashFunction", "Average", "percentile_Average_50"):
		f.kind = azureDurations
	case has("HashOwner", "HashApp", "AverageAllocatedMb"):
		f.kind = azureMemory
	default:
		return yamlfile.Error{Position: at, Message: "this is no header of a trace of Azure Functions: " +
			"app,func,end_timestamp,duration (2021), or HashOwner,HashApp,… (2019: invocations, durations, memory)"}
	}
	return nil
}

// scan reads the rows of a file.
func (a *Azure) scan(ctx context.Context, f *azureFile, row func(*azureRow) error) error {
	file, err := os.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	return a.scanRows(ctx, f, file, row)
}

func (a *Azure) scanRows(ctx context.Context, f *azureFile, from io.Reader, row func(*azureRow) error) error {
	buffered := bufio.NewReaderSize(from, 1<<18)
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\ufeff" {
		if _, err := buffered.Discard(3); err != nil {
			return err
		}
	}
	r := azureRow{file: f, csv: csv.NewReader(buffered)}
	r.csv.ReuseRecord = true
	// A row of 2019 is as long as some hundred of 2021.
	every := 4096
	if f.kind == azureCounts {
		every = 64
	}
	for n := 0; ; n++ {
		if n%every == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if a.options.Progress != nil {
				a.options.Progress(a.read+r.csv.InputOffset(), a.total)
			}
		}
		cells, err := r.csv.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			a.read += r.csv.InputOffset()
			return nil
		case errors.As(err, &broken):
			message := broken.Err.Error()
			if errors.Is(err, csv.ErrFieldCount) {
				message = fmt.Sprintf("the row's number of cells is %d, the header's %d: take the row out, or fetch the file again if it was cut off", len(cells), r.csv.FieldsPerRecord)
			}
			return yamlfile.Error{Position: yamlfile.Position{File: f.name, Line: broken.Line, Column: broken.Column}, Message: message}
		case err != nil:
			return fmt.Errorf("%s: %w", f.name, err)
		case n == 0:
			continue
		}
		r.cells = cells
		if err := row(&r); err != nil {
			return err
		}
	}
}

// azureRow is a row of a file.
type azureRow struct {
	file  *azureFile
	csv   *csv.Reader
	cells []string
}

func (r *azureRow) cell(column string) string { return r.cells[r.file.columns[column]] }

// id is that of the function, in the memory of the row.
func (r *azureRow) id() azureID {
	switch r.file.kind {
	case azureCalls:
		return azureID{"", r.cell("app"), r.cell("func")}
	case azureMemory:
		return azureID{r.cell("HashOwner"), r.cell("HashApp"), ""}
	default:
		return azureID{r.cell("HashOwner"), r.cell("HashApp"), r.cell("HashFunction")}
	}
}

// number reads a number within limits.
func (r *azureRow) number(column int, low, high float64, what string) (float64, error) {
	x, err := strconv.ParseFloat(r.cells[column], 64)
	if err != nil || !(x >= low && x <= high) {
		return 0, r.wrong(column, what)
	}
	return x, nil
}

func (r *azureRow) wrong(column int, what string) error {
	line, at := r.csv.FieldPos(column)
	text := r.cells[column]
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return yamlfile.Error{Position: yamlfile.Position{File: r.file.name, Line: line, Column: at}, Message: fmt.Sprintf("%q is not %s", text, what)}
}

// maxTraceTime bounds times in a trace, in s: ten years.
const maxTraceTime = 10 * 365 * 24 * 3600

// call reads a call of 2021: when it began and how long it took, in s.
func (r *azureRow) call() (at, duration float64, err error) {
	end, err := r.number(r.file.columns["end_timestamp"], 0, maxTraceTime, "a time in seconds")
	if err != nil {
		return 0, 0, err
	}
	duration, err = r.number(r.file.columns["duration"], 0, maxRuntime, "a duration in seconds")
	return end - duration, duration, err
}

// maxCalls bounds the calls of a function in a minute.
const maxCalls = 10_000_000

// minutes is how many minutes a row of counts has.
func (r *azureRow) minutes() int { return len(r.cells) - 4 }

// minute is when one begins, in s.
func (r *azureRow) minute(i int) float64 { return float64(r.file.day*r.minutes()+i) * 60 }

// count reads the calls in a minute.
func (r *azureRow) count(minute int) (int64, error) {
	text := r.cells[4+minute]
	if text == "0" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxCalls {
		return 0, r.wrong(4+minute, "a number of calls, up to ten million")
	}
	return int64(n), nil
}

// durations reads the percentiles of how long a function takes, in ms. The
// first row of a function counts.
func (r *azureRow) durations(into map[azureID]workflow.Distribution) error {
	id := r.id()
	if _, known := into[id]; known {
		return nil
	}
	var at, ms []float64
	for _, p := range []int{0, 1, 25, 50, 75, 99, 100} {
		column, ok := r.file.columns["percentile_Average_"+strconv.Itoa(p)]
		if !ok {
			continue
		}
		x, err := r.number(column, -1, maxRuntime*1e3, "a duration in milliseconds")
		if err != nil {
			return err
		}
		// A few have a percentile below the one before, or -1.
		if x = max(0, x); len(ms) > 0 {
			x = max(x, ms[len(ms)-1])
		}
		at, ms = append(at, float64(p)/100), append(ms, x)
	}
	const n = 100
	values := make([]float64, n)
	for i, segment := 0, 0; i < n; i++ {
		q := (float64(i) + 0.5) / n
		for segment+2 < len(at) && at[segment+1] < q {
			segment++
		}
		values[i] = ms[segment]
		if segment+1 < len(at) && at[segment+1] > at[segment] {
			share := min(1, max(0, (q-at[segment])/(at[segment+1]-at[segment])))
			values[i] += share * (ms[segment+1] - ms[segment])
		}
		values[i] = significant(values[i] * 1e6)
	}
	into[id.clone()] = empirical(values)
	return nil
}

// memory reads the memory of an app, in MB, on average.
func (r *azureRow) memory(into map[azureID]float64) error {
	mb, err := r.number(r.file.columns["AverageAllocatedMb"], 0, maxBytes/float64(units.MiB), "an amount of memory in MB")
	if err != nil {
		return err
	}
	if _, known := into[r.id()]; !known {
		into[r.id().clone()] = mb
	}
	return nil
}

// durations is how often a function took how long, in steps of 2 %: enough
// for percentiles, and no more however many calls there are.
type durations struct {
	total int64
	times map[int32]int64 // by the exponent of step
}

const durationStep = 1.02

func (d *durations) add(seconds float64) {
	if d.times == nil {
		d.times = map[int32]int64{}
	}
	bucket := int32(math.MinInt32)
	if seconds > 0 {
		bucket = int32(math.Round(math.Log(seconds) / math.Log(durationStep)))
	}
	d.times[bucket]++
	d.total++
}

// distribution is that of up to 100 quantiles.
func (d *durations) distribution() workflow.Distribution {
	buckets := make([]int32, 0, len(d.times))
	for b := range d.times {
		buckets = append(buckets, b)
	}
	slices.Sort(buckets)
	n := min(d.total, 100)
	values := make([]float64, 0, n)
	below, at := int64(0), 0
	for i := range n {
		rank := int64((float64(i) + 0.5) / float64(n) * float64(d.total))
		for rank >= below+d.times[buckets[at]] {
			below += d.times[buckets[at]]
			at++
		}
		value := 0.0
		if b := buckets[at]; b != math.MinInt32 {
			value = min(math.Pow(durationStep, float64(b)), maxRuntime)
		}
		values = append(values, significant(value*1e9))
	}
	return empirical(values)
}

// significant rounds a time in ns to three digits, and to whole ns.
func significant(ns float64) float64 {
	if ns < 1 {
		return math.Round(ns)
	}
	unit := math.Pow(10, math.Floor(math.Log10(ns))-2)
	return math.Round(math.Round(ns/unit) * unit)
}

// empirical is the distribution of the values, which are in order.
func empirical(values []float64) workflow.Distribution {
	if values[0] == values[len(values)-1] {
		return workflow.Constant(values[0])
	}
	return workflow.Distribution{Shape: workflow.ShapeEmpirical, Values: values}
}
