// Package metrics defines what is measured, in one place: the metrics of the
// FaaSFlow and DataFlower papers, and what a user of a platform asks for.
package metrics

import (
	"github.com/flowtwin/flowtwin/results/record"
)

// Metric is a number that every invocation has, or every trial.
type Metric struct {
	// Name is used in files and on the command line, Unit is "s", "B", "1/min",
	// "GB·s", "$" or "" for a count.
	Name, Unit string
	// About says what it is, and which paper or artefact defines it so.
	About string
	// Of returns the value of an invocation; nil for a metric of trials.
	Of func(*record.Invocation) float64
	// OfTrial returns the value of a trial, of one workflow.
	OfTrial func(*record.Trial) float64
}

// All returns the metrics in the order in which they are reported.
func All() []Metric {
	return append([]Metric{
		{
			Name: "latency", Unit: "s",
			About: "end-to-end latency, from the intended send time until the gateway knows of the end (artefact: the gateway's timer)",
			Of:    func(i *record.Invocation) float64 { return seconds(i.Latency()) },
		},
		{
			Name: "scheduling_overhead", Unit: "s",
			About: "latency minus the measured time of the functions on the critical path (FaaSFlow, section 5.2; experiment schedule_overhead)",
			Of:    func(i *record.Invocation) float64 { return seconds(i.Latency() - i.CriticalTime) },
		},
		{
			Name: "data_overhead", Unit: "s",
			About: "sum of all fetch and put times of all functions, parallel ones added up (FaaSFlow, section 5.3; experiment data_overhead)",
			Of:    func(i *record.Invocation) float64 { return seconds(i.FetchTime + i.PutTime) },
		},
		{
			Name: "hop_overhead", Unit: "s",
			About: "mean time to trigger a function on another node: from when the agent there knows of the end (or of an output that is announced and not streamed) that triggers it, " +
				"to when an idle warm container takes it up; of invocations that had such a hop",
			Of: (*record.Invocation).HopOverhead,
		},
		{
			Name: "throughput", Unit: "1/min",
			About:   "invocations completed while the load lasted, per minute, without the warm-up",
			OfTrial: func(t *record.Trial) float64 { return t.Throughput },
		},
		{
			Name: "completed", About: "invocations that completed",
			OfTrial: func(t *record.Trial) float64 { return float64(t.Completed) },
		},
		{
			Name: "failed", About: "invocations that failed",
			OfTrial: func(t *record.Trial) float64 { return float64(t.Failed) },
		},
		{
			Name: "timed_out", About: "invocations whose client gave up",
			OfTrial: func(t *record.Trial) float64 { return float64(t.TimedOut) },
		},
		{
			Name: "cold_starts", About: "function instances that waited for a container to be started",
			OfTrial: func(t *record.Trial) float64 { return float64(t.ColdStarts) },
		},
		{
			Name: "container_gb_s", Unit: "GB·s",
			About: "memory × time of the containers that ran an invocation's functions, while they did",
			Of:    (*record.Invocation).ContainerGBSeconds,
		},
		bytes("bytes_remote_read", "read from the remote store", func(i *record.Invocation) int64 { return i.RemoteRead }),
		bytes("bytes_remote_written", "written to the remote store", func(i *record.Invocation) int64 { return i.RemoteWritten }),
		bytes("bytes_local_read", "read from nodes' memory", func(i *record.Invocation) int64 { return i.LocalRead }),
		bytes("bytes_local_written", "written to nodes' memory", func(i *record.Invocation) int64 { return i.LocalWritten }),
		bytes("bytes_resent", "uploaded in vain because of a write conflict, on top of those written", func(i *record.Invocation) int64 { return i.ResentBytes }),
		count("messages", "control messages", func(i *record.Invocation) int { return i.Messages }),
		count("conflicts", "puts that the store refused because of another", func(i *record.Invocation) int { return i.Conflicts }),
		count("tasks", "function instances that ran", func(i *record.Invocation) int { return i.Tasks }),
		{
			Name: "cost", Unit: "$", About: "what a provider would charge, at the profile's price",
			Of: func(i *record.Invocation) float64 { return i.Cost },
		},
	}, Phases()...)
}

// Phases returns the metrics that make up the latency: along the chain of
// function instances that determined the end of the invocation.
func Phases() []Metric {
	about := [record.Phases]string{
		record.Control:   "control messages, engines, and database operations of the control plane",
		record.Queue:     "waiting for one of the containers there are",
		record.ColdStart: "waiting for a container that had to be started",
		record.Fetch:     "reading inputs",
		record.Compute:   "the functions' own time",
		record.Put:       "writing outputs",
		record.Transfer:  "outputs that were posted being on their way through the broker",
		record.HoldBack:  "waiting for a container that was held back",
	}
	var all []Metric
	for p := range record.Phases {
		all = append(all, Metric{
			Name: "phase_" + p.String(), Unit: "s", About: "part of the latency: " + about[p],
			Of: func(i *record.Invocation) float64 { return seconds(i.Phases[p]) },
		})
	}
	return all
}

// Find returns the metric of a name.
func Find(name string) (Metric, bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

func bytes(name, about string, of func(*record.Invocation) int64) Metric {
	return Metric{Name: name, Unit: "B", About: "bytes " + about, Of: func(i *record.Invocation) float64 { return float64(of(i)) }}
}

func count(name, about string, of func(*record.Invocation) int) Metric {
	return Metric{Name: name, About: about, Of: func(i *record.Invocation) float64 { return float64(of(i)) }}
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
