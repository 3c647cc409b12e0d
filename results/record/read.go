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
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Reader reads invocations.csv.
type Reader struct{ rows }

// NewReader reads the header of invocations.csv and returns the names of the
// axes. Errors name the file as name.
func NewReader(name string, from io.Reader) (*Reader, []string, error) {
	rows, axes, err := newRows(name, from, "invocations.csv", InvocationColumns)
	return &Reader{rows}, axes, err
}

// Next reads the next row; io.EOF after the last. The row that an interrupted
// run did not write to its end is an error. It leaves out i.Workflow: that is
// k.Workflow.
func (r *Reader) Next(k *Key, i *Invocation) error {
	c, err := r.next(k)
	if err != nil {
		return err
	}
	*i = Invocation{Number: c.integer(), Client: c.small(), Measured: c.yes()}
	i.Outcome = c.outcome(engine.Completed, engine.Failed, engine.TimedOut)
	i.Attempts = c.small()
	i.Intended, i.Sent, i.Started, i.Ended = c.seconds(), c.seconds(), c.seconds(), c.seconds()
	if latency := c.seconds(); latency != i.Latency() {
		c.fail("the latency, ended - intended", c.row[c.at-1])
	}
	for p := range i.Phases {
		i.Phases[p] = c.seconds()
	}
	i.CriticalTime, i.FetchTime, i.PutTime, i.HopTime = c.seconds(), c.seconds(), c.seconds(), c.seconds()
	i.Hops, i.Tasks, i.ColdStarts, i.Messages, i.Conflicts = c.small(), c.small(), c.small(), c.small(), c.small()
	i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten = c.integer(), c.integer(), c.integer(), c.integer()
	i.ResentBytes = c.integer()
	i.ContainerByteTime = float64(c.seconds()) * 1e9
	i.Cost = c.number()
	return r.check(&c)
}

// TaskReader reads tasks.csv.
type TaskReader struct{ rows }

// TaskRow is a row of tasks.csv. Of the Task it leaves out Workflow, Function,
// Path and Node, which the table has by name.
type TaskRow struct {
	Task
	Function, Instance, Node string
}

// Row returns the task as it is read from the table, with the names of its
// function and node.
func (t *Task) Row(function, node string) TaskRow {
	row := TaskRow{Task: *t, Function: function, Instance: t.Instance(), Node: node}
	row.Task.Workflow, row.Task.Function, row.Task.Path, row.Task.Node = 0, 0, workflow.Path{}, 0
	return row
}

// NewTaskReader reads the header of tasks.csv and returns the names of the
// axes. Errors name the file as name.
func NewTaskReader(name string, from io.Reader) (*TaskReader, []string, error) {
	rows, axes, err := newRows(name, from, "tasks.csv", TaskColumns)
	return &TaskReader{rows}, axes, err
}

// Next reads the next row; io.EOF after the last.
func (r *TaskReader) Next(k *Key, t *TaskRow) error {
	c, err := r.next(k)
	if err != nil {
		return err
	}
	*t = TaskRow{Task: Task{Number: c.integer()}, Function: c.text(), Instance: c.text()}
	t.Try = c.small()
	t.Node = c.text()
	t.Container = uint32(c.small())
	t.Cold, t.Critical = c.yes(), c.yes()
	t.Outcome = c.outcome(engine.Completed, engine.Failed, engine.TimedOut, engine.DataLost)
	t.Queued, t.Started, t.Ended = c.seconds(), c.seconds(), c.seconds()
	t.Fetch, t.Compute, t.Put, t.Retry = c.seconds(), c.seconds(), c.seconds(), c.seconds()
	t.Conflicts, t.Streamed = c.small(), c.integer()
	t.Held, t.Until, t.PutUntil = c.seconds(), c.seconds(), c.seconds()
	t.Before = ControlTime{Message: c.seconds(), Sync: c.seconds(), Transfer: c.seconds()}
	t.After = ControlTime{Message: c.seconds(), Sync: c.seconds()}
	return r.check(&c)
}

// rows reads a table whose rows begin with a key.
type rows struct {
	name string
	csv  *csv.Reader
	axes int
	line int
}

func newRows(name string, from io.Reader, table string, columns func(axes []string) []string) (rows, []string, error) {
	r := rows{name: name, csv: csv.NewReader(from), line: 1}
	r.csv.ReuseRecord = true
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return r, nil, fmt.Errorf("%s:1: the file is empty", name)
	}
	if err != nil {
		return r, nil, r.located(err)
	}
	if r.axes = len(header) - len(columns(nil)); r.axes >= 0 {
		axes := slices.Clone(header[len(KeyColumns(nil)):][:r.axes])
		if slices.Equal(header, columns(axes)) {
			return r, axes, nil
		}
	}
	return r, nil, fmt.Errorf("%s:1: these are not the columns of %s as this version writes them", name, table)
}

// Line is the number of the line at which the last row began.
func (r *rows) Line() int { return r.line }

// next reads the key of the next row and returns the cells after it.
func (r *rows) next(k *Key) (cells, error) {
	row, err := r.csv.Read()
	if err != nil {
		return cells{}, r.located(err)
	}
	r.line, _ = r.csv.FieldPos(0)
	c := cells{row: row}
	k.Point, k.Trial = c.small(), c.small()
	c.keep(&k.Scheduler)
	c.keep(&k.Workflow)
	if len(k.Values) != r.axes {
		k.Values = make([]string, r.axes)
	}
	for i := range k.Values {
		c.keep(&k.Values[i])
	}
	return c, nil
}

// check returns what was wrong with a row.
func (r *rows) check(c *cells) error {
	if c.err != nil {
		return fmt.Errorf("%s:%d: %w", r.name, r.line, c.err)
	}
	return nil
}

// located gives an error its place. io.EOF stays itself.
func (r *rows) located(err error) error {
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &syntax):
		return fmt.Errorf("%s:%d: %w", r.name, syntax.Line, syntax.Err)
	default:
		return fmt.Errorf("%s: %w", r.name, err)
	}
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

// keep sets a text that lasts for many rows, without holding on to each row.
func (c *cells) keep(text *string) {
	if s := c.text(); s != *text {
		*text = strings.Clone(s)
	}
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

// small reads a whole number that fits wherever numbers of things are kept.
func (c *cells) small() int {
	n := c.integer()
	if n != int64(int32(n)) {
		c.fail("a number of up to 2147483647", c.row[c.at-1])
	}
	return int(int32(n))
}

func (c *cells) yes() bool {
	text := c.text()
	if text != "0" && text != "1" {
		c.fail("0 or 1", text)
	}
	return text == "1"
}

func (c *cells) number() float64 {
	text := c.text()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		c.fail("a number", text)
	}
	return f
}

func (c *cells) outcome(possible ...engine.Outcome) engine.Outcome {
	text := c.text()
	for _, o := range possible {
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
	s, err := strconv.ParseUint(strings.TrimPrefix(whole, "-"), 10, 64)
	if err != nil || s >= math.MaxInt64/1_000_000_000 || len(fraction) > 9 {
		c.fail("a time in seconds", text)
		return 0
	}
	t := engine.Time(s) * 1e9
	if fraction != "" {
		ns, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
		if err != nil {
			c.fail("a time in seconds", text)
		}
		t += engine.Time(ns)
	}
	if negative {
		return -t
	}
	return t
}
