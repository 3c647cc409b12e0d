package scenarios

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// arrival is a row of a trace.
type arrival struct {
	at       int64
	workflow string
}

// trace is what a trace file holds, in the order of time.
type trace struct {
	arrivals []arrival
	err      error
}

// trace returns the arrivals of a workflow in the trace that a load names.
func (b *builder) trace(path string, use *LoadUse, workflow string) []int64 {
	times := []int64{}
	if use.Trace == "" {
		b.doc.Errorf(path+".trace", "arrivals: trace needs the name of a CSV file")
		return times
	}
	all, ok := b.traces[use.Trace]
	if !ok {
		f := b.read(use.Trace)
		if all.err = f.err; all.err == nil {
			all.arrivals, all.err = readTrace(f.path, f.data)
		}
		b.traces[use.Trace] = all
	}
	if all.err != nil {
		b.doc.Include(path+".trace", all.err)
		return times
	}
	for _, a := range all.arrivals {
		if a.workflow == "" || a.workflow == workflow {
			times = append(times, a.at)
		}
	}
	if len(times) == 0 {
		b.doc.Errorf(path+".trace", "%s has no arrivals of %s", b.files[use.Trace].path, workflow)
	}
	return times
}

// maxTraceErrors is how many broken rows are named.
const maxTraceErrors = 20

// readTrace reads arrival times from CSV: a header line with a column time (in
// seconds), and maybe a column workflow. Rows need not be in order. The error
// is of type yamlfile.Errors and names all rows that are broken.
func readTrace(name string, data []byte) ([]arrival, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.ReuseRecord = true
	var wrong yamlfile.Errors
	problem := func(line, column int, format string, args ...any) {
		wrong = append(wrong, yamlfile.Error{
			Position: yamlfile.Position{File: name, Line: line, Column: column}, Message: fmt.Sprintf(format, args...),
		})
	}
	header, err := r.Read()
	time, workflow := slices.Index(header, "time"), slices.Index(header, "workflow")
	if err != nil || time < 0 {
		problem(1, 1, "a header line with a column time is expected (seconds since the start), and maybe a column workflow")
		return nil, wrong
	}
	var all []arrival
	for len(wrong) < maxTraceErrors {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			problem(broken.Line, broken.Column, "%v", broken.Err)
			if !errors.Is(err, csv.ErrFieldCount) {
				break // What follows is anyone's guess.
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(row[time]), 64)
		if err != nil || !(seconds >= 0 && seconds < maxTime.Seconds()) {
			line, column := r.FieldPos(time)
			problem(line, column, "%s is not a time in seconds, from 0 to %g", shown(row[time]), maxTime.Seconds())
			continue
		}
		a := arrival{at: int64(math.Round(seconds * 1e9))}
		if workflow >= 0 {
			a.workflow = strings.Clone(row[workflow])
		}
		all = append(all, a)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	slices.SortStableFunc(all, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
	return all, nil
}

// shown is a text as an error shows it: short.
func shown(text string) string {
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return strconv.Quote(text)
}
