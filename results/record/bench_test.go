package record_test

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

// BenchmarkWrite writes rows of invocations, and as the baseline the same
// cells by the usual way: encoding/csv, with times as floats.
func BenchmarkWrite(b *testing.B) {
	i := exampleInvocation
	// Times as they come out of a run: all digits are used.
	i.Intended, i.Sent, i.Started, i.Ended = 107_643_723_137, 107_643_723_137, 107_743_923_137, 108_307_461_217
	i.Phases = [record.Phases]engine.Time{800_000, 0, 300_000_000, 84_211_300, 190_000_000, 88_726_780}
	i.CriticalTime, i.FetchTime, i.PutTime = 662_938_080, 445_976_100, 113_619_160
	key := record.Key{Point: 1, Trial: 3, Scheduler: "faasflow", Workflow: "faasflow/wordcount", Values: []string{"60/min"}}
	b.Run("flowtwin", func(b *testing.B) {
		prefix := key.Append(nil)
		var row []byte
		b.ReportAllocs()
		for b.Loop() {
			row = i.AppendRow(append(row[:0], prefix...))
		}
		b.SetBytes(int64(len(row)))
	})
	b.Run("encoding-csv", func(b *testing.B) {
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		integer := func(n int64) string { return strconv.FormatInt(n, 10) }
		seconds := func(t engine.Time) string { return strconv.FormatFloat(float64(t)/1e9, 'f', -1, 64) }
		length := 0
		b.ReportAllocs()
		for b.Loop() {
			out.Reset()
			row := []string{integer(int64(key.Point)), integer(int64(key.Trial)), key.Scheduler, key.Workflow, key.Values[0], integer(i.Number), integer(int64(i.Client)), "1", i.Outcome.String(), integer(int64(i.Attempts))}
			for _, t := range []engine.Time{i.Intended, i.Sent, i.Started, i.Ended, i.Latency()} {
				row = append(row, seconds(t))
			}
			for _, t := range i.Phases {
				row = append(row, seconds(t))
			}
			for _, t := range []engine.Time{i.CriticalTime, i.FetchTime, i.PutTime} {
				row = append(row, seconds(t))
			}
			for _, n := range []int64{int64(i.Tasks), int64(i.ColdStarts), int64(i.Messages), int64(i.Conflicts), i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten, i.ResentBytes} {
				row = append(row, integer(n))
			}
			row = append(row, strconv.FormatFloat(i.ContainerGBSeconds(), 'g', -1, 64), strconv.FormatFloat(i.Cost, 'g', -1, 64))
			if err := w.Write(row); err != nil {
				b.Fatal(err)
			}
			w.Flush()
			length = out.Len()
		}
		b.SetBytes(int64(length))
	})
}
