package record

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
)

// The columns of invocations.csv after those that name the point: see
// InvocationColumns.
var invocationColumns = []string{
	"invocation", "client", "measured", "outcome", "attempts",
	"intended", "sent", "started", "ended", "latency",
	"control", "queue", "cold_start", "fetch", "compute", "put",
	"critical_time", "fetch_time", "put_time", "tasks", "cold_starts", "messages", "conflicts",
	"bytes_remote_read", "bytes_remote_written", "bytes_local_read", "bytes_local_written", "bytes_resent",
	"container_gb_s", "cost",
}

// KeyColumns are the columns that name the point and trial of a row.
func KeyColumns(axes []string) []string {
	return append([]string{"point", "trial", "scheduler", "workflow"}, axes...)
}

// InvocationColumns are the columns of invocations.csv: those that name the
// point; the invocation's number; times in seconds since the start of the
// trial; the phases, which add up to the latency; sums over all functions.
func InvocationColumns(axes []string) []string {
	return append(KeyColumns(axes), invocationColumns...)
}

// TaskColumns are the columns of tasks.csv, a row for each run of a function
// instance. instance is its index in each foreach around it, as 3/8.
func TaskColumns(axes []string) []string {
	return append(KeyColumns(axes),
		"invocation", "function", "instance", "try", "node", "container", "cold", "critical", "outcome",
		"queued", "started", "ended", "fetch", "compute", "put")
}

// Key names the point of a row.
type Key struct {
	Point, Trial        int
	Scheduler, Workflow string
	Values              []string
}

// Append adds the key's cells and a comma to a row.
func (k *Key) Append(row []byte) []byte {
	row = strconv.AppendInt(row, int64(k.Point), 10)
	row = append(row, ',')
	row = strconv.AppendInt(row, int64(k.Trial), 10)
	row = append(row, ',')
	row = appendText(row, k.Scheduler)
	row = append(row, ',')
	row = appendText(row, k.Workflow)
	row = append(row, ',')
	for _, v := range k.Values {
		row = appendText(row, v)
		row = append(row, ',')
	}
	return row
}

// appendText adds a cell, quoted where CSV demands it.
func appendText(row []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") && !strings.HasPrefix(s, " ") {
		return append(row, s...)
	}
	row = append(row, '"')
	row = append(row, strings.ReplaceAll(s, `"`, `""`)...)
	return append(row, '"')
}

// appendSeconds adds a time in seconds, exact to the nanosecond, and a comma.
func appendSeconds(row []byte, t engine.Time) []byte {
	if t < 0 {
		row = append(row, '-')
		t = -t
	}
	row = strconv.AppendInt(row, t/1e9, 10)
	if rest := t % 1e9; rest != 0 {
		digits := 9
		for rest%10 == 0 {
			rest /= 10
			digits--
		}
		row = append(row, '.')
		at := len(row)
		for range digits {
			row = append(row, '0')
		}
		for i := at + digits - 1; rest > 0; i-- {
			row[i] = byte('0' + rest%10)
			rest /= 10
		}
	}
	return append(row, ',')
}

func appendInt(row []byte, n int64) []byte {
	return append(strconv.AppendInt(row, n, 10), ',')
}

func appendBool(row []byte, b bool) []byte {
	if b {
		return append(row, '1', ',')
	}
	return append(row, '0', ',')
}

// AppendRow adds the invocation's cells to a row that begins with a key, and
// ends the line.
func (i *Invocation) AppendRow(row []byte) []byte {
	row = appendInt(row, i.Number)
	row = appendInt(row, int64(i.Client))
	row = appendBool(row, i.Measured)
	row = append(append(row, i.Outcome.String()...), ',')
	row = appendInt(row, int64(i.Attempts))
	for _, t := range [...]engine.Time{i.Intended, i.Sent, i.Started, i.Ended, i.Latency()} {
		row = appendSeconds(row, t)
	}
	for _, t := range i.Phases {
		row = appendSeconds(row, t)
	}
	for _, t := range [...]engine.Time{i.CriticalTime, i.FetchTime, i.PutTime} {
		row = appendSeconds(row, t)
	}
	for _, n := range [...]int{i.Tasks, i.ColdStarts, i.Messages, i.Conflicts} {
		row = appendInt(row, int64(n))
	}
	for _, n := range [...]int64{i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten, i.ResentBytes} {
		row = appendInt(row, n)
	}
	row = append(strconv.AppendFloat(row, i.ContainerByteTime/1e18, 'g', 12, 64), ',')
	return append(strconv.AppendFloat(row, i.Cost, 'g', 12, 64), '\n')
}

// AppendRow adds the task's cells to a row that begins with a key, and ends
// the line. function and node are their names.
func (t *Task) AppendRow(row []byte, function, node string) []byte {
	row = appendInt(row, t.Number)
	row = append(appendText(row, function), ',')
	for i := range t.Path.Depth() {
		if i > 0 {
			row = append(row, ' ')
		}
		l := t.Path.Level(i)
		row = strconv.AppendUint(row, uint64(l.Index), 10)
		row = append(row, '/')
		row = strconv.AppendUint(row, uint64(l.Of), 10)
	}
	row = append(row, ',')
	row = appendInt(row, int64(t.Try))
	row = append(append(row, node...), ',')
	row = appendInt(row, int64(t.Container))
	row = appendBool(row, t.Cold)
	row = appendBool(row, t.Critical)
	row = append(append(row, t.Outcome.String()...), ',')
	for _, at := range [...]engine.Time{t.Queued, t.Started, t.Ended, t.Fetch, t.Compute, t.Put} {
		row = appendSeconds(row, at)
	}
	row[len(row)-1] = '\n'
	return row
}

// Reader reads invocations.csv.
type Reader struct {
	name string
	csv  *csv.Reader
	axes int
}

// NewReader reads the header of invocations.csv and returns the names of the
// axes.
func NewReader(name string, from io.Reader) (*Reader, []string, error) {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, noHeader(err))
	}
	axes := len(header) - len(InvocationColumns(nil))
	if axes < 0 || !slices.Equal(header, InvocationColumns(header[4:4+axes])) {
		return nil, nil, fmt.Errorf("%s:1: these are not the columns of invocations.csv as this version writes them", name)
	}
	return &Reader{name: name, csv: r, axes: axes}, slices.Clone(header[4 : 4+axes]), nil
}

func noHeader(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	return err
}

// Next reads the next row; io.EOF after the last. The row that an interrupted
// run did not write to its end is an error.
func (r *Reader) Next(k *Key, i *Invocation) error {
	row, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	c := cells{row: row}
	k.Point, k.Trial = int(c.integer()), int(c.integer())
	k.Scheduler, k.Workflow = strings.Clone(c.text()), strings.Clone(c.text())
	k.Values = k.Values[:0]
	for range r.axes {
		k.Values = append(k.Values, strings.Clone(c.text()))
	}
	*i = Invocation{Number: c.integer(), Client: int(c.integer()), Measured: c.integer() == 1}
	i.Outcome = c.outcome()
	i.Attempts = int(c.integer())
	i.Intended, i.Sent, i.Started, i.Ended = c.seconds(), c.seconds(), c.seconds(), c.seconds()
	c.seconds() // the latency
	for p := range i.Phases {
		i.Phases[p] = c.seconds()
	}
	i.CriticalTime, i.FetchTime, i.PutTime = c.seconds(), c.seconds(), c.seconds()
	i.Tasks, i.ColdStarts, i.Messages, i.Conflicts = int(c.integer()), int(c.integer()), int(c.integer()), int(c.integer())
	i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten = c.integer(), c.integer(), c.integer(), c.integer()
	i.ResentBytes = c.integer()
	i.ContainerByteTime = c.number() * 1e18
	i.Cost = c.number()
	if c.err != nil {
		line, _ := r.csv.FieldPos(0)
		return fmt.Errorf("%s:%d: %w", r.name, line, c.err)
	}
	return nil
}

// cells takes the cells of a row one after the other, and keeps the first
// error.
type cells struct {
	row []string
	at  int
	err error
}

func (c *cells) text() string {
	s := c.row[c.at]
	c.at++
	return s
}

func (c *cells) fail(what, text string) {
	if c.err == nil {
		c.err = fmt.Errorf("%q in column %d is not %s", text, c.at, what)
	}
}

func (c *cells) integer() int64 {
	text := c.text()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		c.fail("a whole number", text)
	}
	return n
}

func (c *cells) number() float64 {
	text := c.text()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		c.fail("a number", text)
	}
	return f
}

func (c *cells) outcome() engine.Outcome {
	text := c.text()
	for _, o := range []engine.Outcome{engine.Completed, engine.Failed, engine.TimedOut} {
		if o.String() == text {
			return o
		}
	}
	c.fail("an outcome", text)
	return engine.Failed
}

// seconds reads what appendSeconds writes.
func (c *cells) seconds() engine.Time {
	text := c.text()
	whole, fraction, _ := strings.Cut(text, ".")
	negative := strings.HasPrefix(whole, "-")
	s, err := strconv.ParseInt(strings.TrimPrefix(whole, "-"), 10, 64)
	if err != nil || s < 0 || s > 9_000_000_000 || len(fraction) > 9 {
		c.fail("a time in seconds", text)
		return 0
	}
	t := s * 1e9
	if fraction != "" {
		ns, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
		if err != nil {
			c.fail("a time in seconds", text)
		}
		t += int64(ns)
	}
	if negative {
		return -t
	}
	return t
}

// Header returns the line that names columns.
func Header(columns []string) string {
	var row []byte
	for i, c := range columns {
		if i > 0 {
			row = append(row, ',')
		}
		row = appendText(row, c)
	}
	return string(append(row, '\n'))
}
