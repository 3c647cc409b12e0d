package scenarios

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// arrival is a row of a trace.
type arrival struct {
	at       int64
	workflow string
}

// trace returns the arrivals of a workflow in the trace that a load names.
func (b *builder) trace(path string, use *LoadUse, workflow string) []int64 {
	times := []int64{}
	if use.Trace == "" {
		b.doc.Errorf(path+".trace", "arrivals: trace needs the name of a CSV file")
		return times
	}
	file := b.path(use.Trace)
	all, ok := b.traces[file]
	if !ok {
		var err error
		if all, err = readTraceFile(file); err != nil {
			b.doc.Errorf(path+".trace", "%v", err)
			return times
		}
		b.traces[file] = all
	}
	for _, a := range all {
		if a.workflow == "" || a.workflow == workflow {
			times = append(times, a.at)
		}
	}
	if len(times) == 0 {
		b.doc.Errorf(path+".trace", "%s has no arrivals of %s", file, workflow)
	}
	return times
}

func readTraceFile(name string) ([]arrival, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readTrace(name, file)
}

// readTrace reads arrival times from CSV: a header line with a column time (in
// seconds), and maybe a column workflow. Rows need not be in order.
func readTrace(name string, from io.Reader) ([]arrival, error) {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: a header line with a column time is expected: %w", name, err)
	}
	if len(header) > 0 {
		header[0] = strings.TrimPrefix(header[0], "\ufeff")
	}
	time, workflow := slices.Index(header, "time"), slices.Index(header, "workflow")
	if time < 0 {
		return nil, fmt.Errorf("%s:1: there is no column time (seconds since the start)", name)
	}
	var all []arrival
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		seconds, err := strconv.ParseFloat(strings.TrimSpace(row[time]), 64)
		if err != nil || !(seconds >= 0) || seconds > 9e9 {
			return nil, fmt.Errorf("%s:%d: %q is not a time in seconds", name, line, row[time])
		}
		a := arrival{at: int64(math.Round(seconds * 1e9))}
		if workflow >= 0 {
			a.workflow = strings.Clone(row[workflow])
		}
		all = append(all, a)
	}
	slices.SortStableFunc(all, func(x, y arrival) int {
		switch {
		case x.at < y.at:
			return -1
		case x.at > y.at:
			return 1
		default:
			return 0
		}
	})
	return all, nil
}
