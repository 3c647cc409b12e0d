package record

import (
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
)

// The columns of invocations.csv after those that name the point: see
// InvocationColumns.
var invocationColumns = []string{
	"invocation", "client", "measured", "outcome", "attempts",
	"intended", "sent", "started", "ended", "latency",
	"control", "queue", "cold_start", "fetch", "compute", "put", "transfer", "hold_back",
	"critical_time", "fetch_time", "put_time", "hop_time", "hops", "tasks", "cold_starts", "messages", "conflicts",
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
		"queued", "started", "ended", "fetch", "compute", "put", "retry", "conflicts", "streamed",
		"held", "until", "put_until",
		"message_before", "sync_before", "transfer_before", "message_after", "sync_after")
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
// A row has many of them, so it takes no detour over floating point.
func appendSeconds(row []byte, t engine.Time) []byte {
	ns := uint64(t)
	if t < 0 {
		row = append(row, '-')
		ns = -ns
	}
	return append(appendNanos(row, ns), ',')
}

// appendNanos adds n·10⁻⁹ in decimal, without zeros at its end.
func appendNanos(row []byte, n uint64) []byte {
	row = strconv.AppendUint(row, n/1e9, 10)
	rest := n % 1e9
	if rest == 0 {
		return row
	}
	point := len(row)
	row = strconv.AppendUint(row, 1e9+rest, 10) // The 1 keeps the zeros after it.
	row[point] = '.'
	for row[len(row)-1] == '0' {
		row = row[:len(row)-1]
	}
	return row
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
	for _, t := range [...]engine.Time{i.CriticalTime, i.FetchTime, i.PutTime, i.HopTime} {
		row = appendSeconds(row, t)
	}
	for _, n := range [...]int{i.Hops, i.Tasks, i.ColdStarts, i.Messages, i.Conflicts} {
		row = appendInt(row, int64(n))
	}
	for _, n := range [...]int64{i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten, i.ResentBytes} {
		row = appendInt(row, n)
	}
	row = append(appendNanos(row, uint64(i.containerByteSeconds())), ',')
	// With as many digits as it takes to read the same number again.
	return append(strconv.AppendFloat(row, i.Cost, 'g', -1, 64), '\n')
}

// AppendRow adds the task's cells to a row that begins with a key, and ends
// the line. function and node are their names.
func (t *Task) AppendRow(row []byte, function, node string) []byte {
	row = appendInt(row, t.Number)
	row = append(appendText(row, function), ',')
	row = append(t.appendInstance(row), ',')
	row = appendInt(row, int64(t.Try))
	row = append(appendText(row, node), ',')
	row = appendInt(row, int64(t.Container))
	row = appendBool(row, t.Cold)
	row = appendBool(row, t.Critical)
	row = append(append(row, t.Outcome.String()...), ',')
	for _, at := range [...]engine.Time{t.Queued, t.Started, t.Ended, t.Fetch, t.Compute, t.Put, t.Retry} {
		row = appendSeconds(row, at)
	}
	row = appendInt(row, int64(t.Conflicts))
	row = appendInt(row, t.Streamed)
	for _, at := range [...]engine.Time{
		t.Held, t.Until, t.PutUntil,
		t.Before.Message, t.Before.Sync, t.Before.Transfer, t.After.Message, t.After.Sync,
	} {
		row = appendSeconds(row, at)
	}
	row[len(row)-1] = '\n'
	return row
}

func (t *Task) appendInstance(row []byte) []byte {
	for i := range t.Path.Depth() {
		if i > 0 {
			row = append(row, ' ')
		}
		l := t.Path.Level(i)
		row = strconv.AppendUint(row, uint64(l.Index), 10)
		row = append(row, '/')
		row = strconv.AppendUint(row, uint64(l.Of), 10)
	}
	return row
}
