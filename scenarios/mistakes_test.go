package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/scenarios"
)

// sensible is a scenario without mistakes, a key in each line.
const sensible = `name: s
workflows: [faasflow/wordcount]
load: {clients: 1, limit: 10}
schedulers: [faasflow]
`

// with returns the sensible scenario with lines of its own: in place of those
// of the same key, or from line 5 on.
func with(lines ...string) string {
	text := strings.Split(strings.TrimSuffix(sensible, "\n"), "\n")
	for _, line := range lines {
		key, _, _ := strings.Cut(line, ":")
		at := slices.IndexFunc(text, func(other string) bool { return strings.HasPrefix(other, key+":") })
		if at < 0 {
			text = append(text, line)
		} else {
			text[at] = line
		}
	}
	return strings.Join(text, "\n") + "\n"
}

// parse reads a scenario. Files that it names are in testdata.
func parse(text string, settings ...string) (*scenarios.Plan, error) {
	return scenarios.Parse("s.yaml", []byte(text), "testdata", scenarios.Options{Settings: settings})
}

// mistake is a scenario and all that is said of it.
type mistake struct{ text, want string }

func check(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, m := range mistakes {
		_, err := parse(m.text)
		if got := fmt.Sprint(err); got != m.want {
			t.Errorf("%s\ngot:  %s\nwant: %s", m.text, strings.ReplaceAll(got, "\n", "\n      "), strings.ReplaceAll(m.want, "\n", "\n      "))
		}
	}
}

func TestMistakesInKeysAndNames(t *testing.T) {
	check(t, []mistake{
		{with(`trails: 5`), `s.yaml:5:1: unknown key "trails": did you mean "trials"?`},
		{with(`wrkflows: [faasflow/wordcount]`), `s.yaml:5:1: unknown key "wrkflows": did you mean "workflows"?`},
		{with(`colour: red`), `s.yaml:5:1: unknown key "colour": possible are name, title, workflows, cluster, load, schedulers, axes, trials, seed, timeout, profile, overrides, faults, figures, tasks`},
		{with(`load: {clients: 1, limt: 10}`), `s.yaml:3:20: load: unknown key "limt": did you mean "limit"?`},
		{with(`name: `), `s.yaml:1:1: name: it has no value: a text is expected`},
		{with(`name: a/b`), `s.yaml:1:7: name: "a/b" cannot be the name of a run directory: use letters, digits, dashes and dots`},
		{with(`name: ..`), `s.yaml:1:7: name: ".." cannot be the name of a run directory: use letters, digits, dashes and dots`},
		{with(`name: "a\tb"`), `s.yaml:1:7: name: "a\tb" cannot be the name of a run directory: use letters, digits, dashes and dots`},
		{with(`trials: 0`), `s.yaml:5:9: trials: 0 trials: it must be between 1 and 100000`},
		{with(`trials: 1000000000`), `s.yaml:5:9: trials: 1000000000 trials: it must be between 1 and 100000`},
		{with(`trials: many`), `s.yaml:5:9: trials: "many" is not a whole number`},
		{with(`seed: -1`), `s.yaml:5:7: seed: "-1" is not a whole number of at least 0`},
	})
}

func TestMistakesInWorkflows(t *testing.T) {
	check(t, []mistake{
		{with(`workflows: []`), `s.yaml:2:12: workflows: name at least one workflow; see flowtwin list workflows`},
		{with(`workflows: [faasflow/wordcuont]`), `s.yaml:2:13: workflows[0]: there is no built-in workflow "faasflow/wordcuont": did you mean "faasflow/wordcount"?`},
		{with(`workflows: [wordcount]`), `s.yaml:2:13: workflows[0]: there is no built-in workflow "wordcount": there are faasflow/cycles, faasflow/epigenomics, faasflow/genome, faasflow/soykb, faasflow/video, faasflow/recognizer, faasflow/fileprocessing, faasflow/wordcount, dataflower/recognizer, dataflower/svd, dataflower/video, dataflower/wordcount, dataflower/wordcount-fanout-{2,4,8,12,16}, dataflower/wordcount-datasize-{1,2,4,8,16}, dataflower/wordcount-cores-{0.1,0.2,0.3,0.4,0.5}`},
		{with(`workflows: [{use: faasflow/wordcount, generate: genome}]`), `s.yaml:2:13: workflows[0]: name a workflow with use, or generate one`},
		{with(`workflows: [{name: x}]`), `s.yaml:2:13: workflows[0]: name a workflow with use, or generate one`},
		{with(`workflows: [{generate: genome}]`), `s.yaml:2:13: workflows[0]: generate and functions belong together: {generate: genome, functions: 1000}`},
		{with(`workflows: [{generate: gnome, functions: 100}]`), `s.yaml:2:13: workflows[0]: there is no generator "gnome": did you mean "genome"?`},
		{with(`workflows: [{generate: genome, functions: 1000000000}]`), `s.yaml:2:13: workflows[0]: genome cannot have 1000000000 functions: ask for 10 to 1000000`},
		{with(`workflows: [{generate: genome, functions: 5}]`), `s.yaml:2:13: workflows[0]: genome cannot have 5 functions: ask for 10 to 1000000`},
		{with(`workflows: [faasflow/wordcount, faasflow/wordcount]`), `s.yaml:2:33: workflows[1]: there are two workflows called faasflow/wordcount: give one a name of its own`},
		{with(`workflows: [faasflow/wordcount, {use: faasflow/video, name: faasflow/wordcount}]`), `s.yaml:2:33: workflows[1]: there are two workflows called faasflow/wordcount: give one a name of its own`},
		{with(`workflows: [{use: faasflow/wordcount, name: "a\nb"}]`), `s.yaml:2:45: workflows[0].name: "a\nb": a name has no control characters`},
		{with(`workflows: [missing.yaml]`), `s.yaml:2:13: workflows[0]: open testdata/missing.yaml: no such file or directory`},
		{with(`workflows: [cycle.yaml]`), `testdata/cycle.yaml:4:6: functions.b: it is part of a cycle: b → c → b`},
		{with(`workflows: [huge.yaml]`), `s.yaml:2:13: workflows[0]: an invocation has about 3e+07 function instances, more than 20000000: use smaller lists`},
		{with(`workflows: [binary.yaml]`), `s.yaml:2:13: workflows[0]: testdata/binary.yaml:1:8: byte 0xff is not UTF-8: it is not a text file`},
		{with(`workflows: [{use: faasflow/wordcount, load: {clients: 0}}]`), `s.yaml:2:45: workflows[0].load: say clients, for a closed loop, or arrivals: constant, poisson or trace`},
		{with(`workflows: [{use: faasflow/wordcount, load: {rat: 5}}]`), `s.yaml:2:46: workflows[0].load: unknown key "rat": did you mean "rate"?`},
		{with(`workflows: [{use: faasflow/wordcount, load: 5}]`), `s.yaml:2:45: workflows[0].load: a mapping (key: value) is expected, not "5"`},
	})
}

func TestMistakesInTheCluster(t *testing.T) {
	check(t, []mistake{
		{with(`cluster: {workers: 0}`), `s.yaml:5:20: cluster.workers: 0 workers: a cluster has between 1 and 10000`},
		{with(`cluster: {workers: -3}`), `s.yaml:5:20: cluster.workers: -3 workers: a cluster has between 1 and 10000`},
		{with(`cluster: {workers: 9223372036854775807}`), `s.yaml:5:20: cluster.workers: 9223372036854775807 workers: a cluster has between 1 and 10000`},
		{with(`cluster: {workers: []}`), `s.yaml:5:20: cluster.workers: a cluster needs at least one worker`},
		{with(`cluster: {workers: [{count: 2}, {count: 0}]}`), `s.yaml:5:41: cluster.workers[1].count: 0 workers: a cluster has between 1 and 10000`},
		{with(`cluster: {workers: [{cores: 0, memory: 0}]}`), `s.yaml:5:29: cluster.workers[0].cores: 0 cores: it must be above 0 and at most 1000000
s.yaml:5:40: cluster.workers[0].memory: a machine needs some memory`},
		{with(`cluster: {workers: many}`), `s.yaml:5:20: cluster.workers: "many" is not a whole number`},
		{with(`cluster: {cores: 0}`), `s.yaml:5:18: cluster.cores: 0 cores: it must be above 0 and at most 1000000`},
		{with(`cluster: {cores: -1, memory: 0B}`), `s.yaml:5:18: cluster.cores: -1 cores: it must be above 0 and at most 1000000
s.yaml:5:30: cluster.memory: a machine needs some memory`},
		{with(`cluster: {link: 0MB/s}`), `s.yaml:5:17: cluster.link: "0MB/s": it must be above 0: a bandwidth looks like 50MB/s, 300MiB/s, 1Gbit/s or unlimited`},
		{with(`cluster: {link: 50}`), `s.yaml:5:17: cluster.link: "50": it has no unit: a bandwidth looks like 50MB/s, 300MiB/s, 1Gbit/s or unlimited`},
		{with(`cluster: {storage: {cores: 0, cap: -1MB/s}, gateway: {cores: -1}}`), `s.yaml:5:28: cluster.storage.cores: 0 cores: it must be above 0 and at most 1000000
s.yaml:5:36: cluster.storage.cap: "-1MB/s": it is negative: a bandwidth looks like 50MB/s, 300MiB/s, 1Gbit/s or unlimited
s.yaml:5:62: cluster.gateway.cores: -1 cores: it must be above 0 and at most 1000000`},
		{with(`cluster: {host_cores: -1}`), `s.yaml:5:23: cluster.host_cores: -1 cores: it must be between 0 (nothing is shared) and 1000000`},
	})
}

func TestMistakesInLoads(t *testing.T) {
	check(t, []mistake{
		{with(`load: {}`), `s.yaml:3:7: load: say when the load ends: duration, or limit (a number of invocations)
s.yaml:3:7: load: say clients, for a closed loop, or arrivals: constant, poisson or trace`},
		{with(`load: {clients: 1}`), `s.yaml:3:7: load: say when the load ends: duration, or limit (a number of invocations)`},
		{with(`load: {clients: -1, limit: 5}`), `s.yaml:3:17: load.clients: -1: it must be between 0 (none) and 1000000`},
		{with(`load: {clients: 10000000, limit: 5}`), `s.yaml:3:17: load.clients: 10000000: it must be between 0 (none) and 1000000`},
		{with(`load: {clients: 1, limit: -5}`), `s.yaml:3:27: load.limit: -5: it must be between 0 (no limit) and 1000000000`},
		{with(`load: {clients: 1, limit: 5000000000}`), `s.yaml:3:27: load.limit: 5000000000: it must be between 0 (no limit) and 1000000000`},
		{with(`load: {clients: 1, limit: 5, at_least: -1}`), `s.yaml:3:40: load.at_least: -1: it must be between 0 and 1000000000`},
		{with(`load: {clients: 1, limit: 5, warmup_count: -1}`), `s.yaml:3:44: load.warmup_count: -1: it must be between 0 and 1000000000`},
		{with(`load: {clients: 1, limit: 5, warmup_count: 5}`), `s.yaml:3:44: load.warmup_count: a warm-up of 5 leaves nothing of a limit of 5`},
		{with(`load: {clients: 1, duration: 10s, warmup: 10s}`), `s.yaml:3:43: load.warmup: a warm-up of 10s leaves nothing of a load that ends after 10s`},
		{with(`load: {clients: 2, stagger: 5s, duration: 10s, warmup: 15s}`), `s.yaml:3:56: load.warmup: a warm-up of 15s leaves nothing of a load that ends after 15s`},
		{with(`load: {clients: 1, arrivals: poisson, rate: 1/s, limit: 5}`), `s.yaml:3:30: load.arrivals: a load with clients is a closed loop, one with arrivals an open one: choose`},
		{with(`load: {clients: 1, rate: 1/s, limit: 5}`), `s.yaml:3:17: load.clients: rate, burst, ramp and trace belong to an open loop: clients send when they are answered`},
		{with(`load: {clients: 1000, stagger: 1000h, limit: 5}`), `s.yaml:3:32: load.stagger: the last client would start after 3.6e+09 s: times end at 87600h`},
		{with(`load: {arrivals: poisson, limit: 5}`), `s.yaml:3:7: load.rate: a load with arrivals needs a rate above 0, such as 60/min`},
		{with(`load: {arrivals: poisson, rate: 0/s, limit: 5}`), `s.yaml:3:33: load.rate: a load with arrivals needs a rate above 0, such as 60/min`},
		{with(`load: {arrivals: poisson, rate: -1/s, limit: 5}`), `s.yaml:3:33: load.rate: "-1/s": it is negative: a rate looks like 10/s, 60/min or 2/h`},
		{with(`load: {arrivals: poisson, rate: 1/s}`), `s.yaml:3:7: load: say when the load ends: duration, or limit (a number of invocations)`},
		{with(`load: {arrivals: poisson, rate: 60, limit: 5}`), `s.yaml:3:33: load.rate: "60": it has no unit: a rate looks like 10/s, 60/min or 2/h`},
		{with(`load: {arrivals: poison, rate: 1/s, limit: 5}`), `s.yaml:3:18: load.arrivals: "poison" is no kind of arrivals: there are constant, poisson and trace`},
		{with(`load: {arrivals: poisson, rate: 1/s, limit: 5, stagger: 1s}`), `s.yaml:3:7: load: stagger and at_least belong to a closed loop: say clients`},
		{with(`load: {arrivals: poisson, rate: 1/s, limit: 5, at_least: 1}`), `s.yaml:3:7: load: stagger and at_least belong to a closed loop: say clients`},
		{with(`load: {arrivals: poisson, rate: 1/s, limit: 5, trace: trace.csv}`), `s.yaml:3:55: load.trace: a trace is used with arrivals: trace`},
		{with(`load: {arrivals: poisson, rate: 1000000/s, duration: 1h}`), `s.yaml:3:33: load.rate: that makes about 3.6e+09 invocations of each workflow, more than 1000000000: lower the rate or the duration`},
		{with(`load: {arrivals: poisson, rate: 1/s, duration: 2000000h}`), `s.yaml:3:33: load.rate: that makes about 7.2e+09 invocations of each workflow, more than 1000000000: lower the rate or the duration
s.yaml:3:48: load.duration: 2000000h: times end at 87600h`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, burst: {rate: 5/s}}`), `s.yaml:3:56: load.burst: the key "for" is missing`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, burst: {rate: 5/s, for: 0s}}`), `s.yaml:3:73: load.burst.for: a burst must last for longer than 0`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, burst: {rate: 5/s, at: 6s, for: 5s, every: 10s}}`), `s.yaml:3:92: load.burst.every: bursts that begin 6s into each period and last for 5s do not fit into 10s`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, burst: {rate: 0/s, for: 5s, every: 5s}}`), `s.yaml:3:63: load.burst.rate: with bursts of rate 0 and nothing between them there are no arrivals`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, burst: {rate: 5/s, for: 5s}, ramp: [{rate: 1/s, for: 1s}]}`), `s.yaml:3:56: load.burst: a load has a burst or a ramp, not both`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, ramp: [{rate: 1/s, for: 0s}]}`), `s.yaml:3:73: load.ramp[0].for: a step must last for longer than 0`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, ramp: [{for: 1s}]}`), `s.yaml:3:56: load.ramp[0]: say rate, such as 15/min, or share, such as 25% of the load's rate`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, ramp: [{for: 1s, rate: 1/s, share: 25%}]}`), `s.yaml:3:56: load.ramp[0]: say rate, such as 15/min, or share, such as 25% of the load's rate`},
		{with(`load: {arrivals: constant, rate: 1/s, limit: 5, ramp: [{rate: 1/s, for: 80000h}, {rate: 1/s, for: 80000h}]}`), `s.yaml:3:99: load.ramp[1].for: the ramp ends after 5.76e+08 s: times end at 87600h`},
	})
}

func TestMistakesInTraces(t *testing.T) {
	check(t, []mistake{
		{with(`load: {arrivals: trace}`), `s.yaml:3:7: load.trace: arrivals: trace needs the name of a CSV file`},
		{with(`load: {arrivals: trace, trace: missing.csv}`), `s.yaml:3:32: load.trace: open testdata/missing.csv: no such file or directory`},
		{with(`load: {arrivals: trace, trace: ../testdata}`), `s.yaml:3:32: load.trace: testdata: it is a directory: name a file in it`},
		{with(`load: {arrivals: trace, trace: broken.csv}`), `testdata/broken.csv:3:1: "soon" is not a time in seconds, from 0 to 3.1536e+08
testdata/broken.csv:4:1: "-1" is not a time in seconds, from 0 to 3.1536e+08
testdata/broken.csv:5:1: wrong number of fields
testdata/broken.csv:6:1: "NaN" is not a time in seconds, from 0 to 3.1536e+08
testdata/broken.csv:7:1: "1e30" is not a time in seconds, from 0 to 3.1536e+08`},
		{with(`load: {arrivals: trace, trace: headless.csv}`), `testdata/headless.csv:1:1: a header line with a column time is expected (seconds since the start), and maybe a column workflow`},
		{with(`load: {arrivals: trace, trace: quote.csv}`), `testdata/quote.csv:3:6: extraneous or missing " in quoted-field`},
		{with(`load: {arrivals: trace, trace: binary.yaml}`), `testdata/binary.yaml:1:1: a header line with a column time is expected (seconds since the start), and maybe a column workflow`},
		{with(`load: {arrivals: trace, trace: trace.csv, rate: 1/s}`), `s.yaml:3:32: load.trace: rate, burst and ramp belong to arrivals that are constant or poisson: a trace has its own times`},
		{with(`load: {arrivals: trace, trace: trace.csv}`, `workflows: [faasflow/wordcount, chain.yaml]`), `s.yaml:3:32: load.trace: testdata/trace.csv has no arrivals of chain`},
	})
}

func TestMistakesInSchedulers(t *testing.T) {
	check(t, []mistake{
		{with(`schedulers: []`), `s.yaml:4:13: schedulers: name at least one scheduler; see flowtwin list schedulers`},
		{with(`schedulers: [faasfow]`), `s.yaml:4:14: schedulers[0]: there is no scheduler "faasfow": there are mastersp, faasflow, dataflower`},
		{with(`schedulers: [workersp+hsh+remote]`), `s.yaml:4:14: schedulers[0]: there is no placement "hsh": there are hash, faasflow, faasflow-improved, spread, dataflower`},
		{with(`schedulers: [{control: nobody, placement: hash, data: remote}]`), `s.yaml:4:14: schedulers[0]: there is no control scheme "nobody": there are mastersp, workersp, dataflower`},
		{with(`schedulers: [{preset: faasflow, data: nowhere}]`), `s.yaml:4:14: schedulers[0]: there is no data rule "nowhere": there are remote, faastore, pipe`},
		{with(`schedulers: [{control: workersp}]`), `s.yaml:4:14: schedulers[0]: there is no placement "": there are hash, faasflow, faasflow-improved, spread, dataflower`},
		{with(`schedulers: [faasflow, faasflow]`), `s.yaml:4:24: schedulers[1]: there are two schedulers called faasflow: give one a name of its own`},
		{with(`schedulers: [mastersp, mastersp+hash+remote]`), `s.yaml:4:24: schedulers[1]: there are two schedulers called mastersp: give one a name of its own`},
		{with(`schedulers: [{preset: faasflow, partition: {headroom: -1}}]`), `s.yaml:4:44: schedulers[0].partition: placement parameters: headroom is -1, out of range`},
		{with(`schedulers: [{preset: mastersp, partition: {headroom: 0.5}}]`), `s.yaml:4:44: schedulers[0].partition: these are parameters of the placements faasflow and faasflow-improved`},
		{with(`schedulers: [faasflow]`, `workflows: [{generate: genome, functions: 6000}]`), `s.yaml:4:14: schedulers[0]: FaaSFlow's partition as in the artefact takes the square of the number of functions; genome has 6000, more than 5000: use placement faasflow-improved`},
	})
}

func TestMistakesInPlacementTables(t *testing.T) {
	check(t, []mistake{
		{with(`schedulers: [{control: workersp, placement: explicit, data: remote}]`), `s.yaml:4:14: schedulers[0].table: workflow faasflow/wordcount is not in the placement table`},
		{with(`schedulers: [{control: workersp, placement: explicit, data: remote, table: {chain: {a: 0, b: 8, c: 1}}}]`, `workflows: [chain.yaml]`), `s.yaml:4:76: schedulers[0].table: function a of workflow chain is on worker-0: there are worker-1 to worker-7
s.yaml:4:76: schedulers[0].table: function b of workflow chain is on worker-8: there are worker-1 to worker-7
s.yaml:4:76: schedulers[0].table: the placement table names function c, which workflow chain does not have`},
		{with(`schedulers: [{control: workersp, placement: explicit, data: remote, table: {chain: {a: first}}}]`, `workflows: [chain.yaml]`), `s.yaml:4:88: schedulers[0].table.chain.a: "first" is not a whole number`},
		{with(`schedulers: [{preset: faasflow, table: {chain: {a: 1}}}]`), `s.yaml:4:40: schedulers[0].table: a table belongs to placement: explicit`},
	})
}

func TestMistakesInProfilesAndOverrides(t *testing.T) {
	check(t, []mistake{
		{with(`profile: ideel`), `s.yaml:5:10: profile: there is no profile "ideel": did you mean ideal? (there are dataflower-testbed, faasflow-testbed, ideal, and files ending in .yaml)`},
		{with(`profile: missing.yaml`), `s.yaml:5:10: profile: open testdata/missing.yaml: no such file or directory`},
		{with(`profile: chain.yaml`), `testdata/chain.yaml:2:1: unknown key "functions": possible are name, description, engine, network, store, memory, broker, disk, pressure, container, invocation, couchdb, mastersp, gateway, dispatch, pool, price, sources`},
		{with(`overrides: {store: {gt: 2ms}}`), `s.yaml:5:25: store: unknown key "gt": did you mean "get"?`},
		{with(`overrides: {store: {get: 2}}`), `s.yaml:5:26: store.get: "2": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`},
		{with(`overrides: {store: 5}`), `s.yaml:5:20: overrides.store: a mapping is expected: constants of the profile and their values`},
		{with(`overrides: {store: [5]}`), `s.yaml:5:20: overrides.store: a mapping is expected: constants of the profile and their values`},
		{with(`overrides: 5`), `s.yaml:5:12: overrides: a mapping is expected: constants of the profile and their values`},
		{with(`overrides: {invocation: {task_retries: -1}, container: {cold_start: {uniform: [2s, 1s]}}}`), `s.yaml:5:40: invocation.task_retries: -1: it must be between 0 and 1000000
s.yaml:5:69: container.cold_start: the upper end 1e+09 is below the lower end 2e+09`},
		{with(`overrides: {store: {put: 5000h}}`), `s.yaml:5:26: store.put: 5000h: it must be at most 1000h`},
		{with(`timeout: 100000h`), `s.yaml:5:10: timeout: 100000h: times end at 87600h`},
	})
}

func TestMistakesInFaults(t *testing.T) {
	check(t, []mistake{
		{with(`faults: [{at: 1s}]`), `s.yaml:5:10: faults[0]: a fault is one of kill, pause, partition, slow_link, stop_service, crash_function: there are 0`},
		{with(`faults: [{kill: worker-1}]`), `s.yaml:5:10: faults[0]: the key "at" is missing`},
		{with(`faults: [{at: 1s, kill: worker-1, pause: worker-2}]`), `s.yaml:5:10: faults[0]: a fault is one of kill, pause, partition, slow_link, stop_service, crash_function: there are 2`},
		{with(`faults: [{at: 1s, kill: worker-8}]`), `s.yaml:5:25: faults[0].kill: there is no "worker-8" that this can happen to: there are worker-1 to worker-7`},
		{with(`faults: [{at: 1s, kill: gateway}]`), `s.yaml:5:25: faults[0].kill: there is no "gateway" that this can happen to: there are worker-1 to worker-7`},
		{with(`faults: [{at: 1s, slow_link: nowhere, factor: 0.5}]`), `s.yaml:5:30: faults[0].slow_link: there is no "nowhere" that this can happen to: there are gateway, storage and worker-1 to worker-7
s.yaml:5:47: faults[0].factor: 0.5: it must be between 1 and 1000000`},
		{with(`faults: [{at: 1s, kill: worker-1, factor: 5, from: [gateway]}]`), `s.yaml:5:43: faults[0].factor: factor says how slow a slow_link is: this is none
s.yaml:5:52: faults[0].from: from says what a partition cuts off from: this is none`},
		{with(`faults: [{at: 1s, partition: worker-1, from: [gateway, cloud]}]`), `s.yaml:5:56: faults[0].from[1]: there is no "cloud" that this can happen to: there are gateway, storage and worker-1 to worker-7`},
		{with(`faults: [{at: 1s, stop_service: storage}]`), `s.yaml:5:33: faults[0].stop_service: there is no "storage" that this can happen to: there are store and worker-1 to worker-7`},
		{with(`faults: [{at: 1s, crash_function: count}]`), `s.yaml:5:35: faults[0].crash_function: "count": name it as workflow:function, with one of the workflows faasflow/wordcount`},
		{with(`faults: [{at: 1s, crash_function: "faasflow/wordcount:cuont"}]`), `s.yaml:5:35: faults[0].crash_function: faasflow/wordcount has no function "cuont"`},
		{with(`faults: [{at: 1s, crash_function: "choice:which"}]`, `workflows: [choice.yaml]`), `s.yaml:5:35: faults[0].crash_function: which is a function of kind switch, which has no container`},
		{with(`faults: [{at: 1000000h, kill: worker-1}]`), `s.yaml:5:15: faults[0].at: 1000000h: times end at 87600h`},
	})
}

func TestMistakesInAxes(t *testing.T) {
	check(t, []mistake{
		{with(`axes: {load.rat: [1, 2]}`), `s.yaml:5:19: load: unknown key "rat": did you mean "rate"?
s.yaml:5:22: load: unknown key "rat": did you mean "rate"?`},
		{with(`axes: {lod.rate: [1/s, 2/s]}`), `s.yaml:5:19: unknown key "lod": did you mean "load"?
s.yaml:5:24: unknown key "lod": did you mean "load"?`},
		{with(`axes: {load..limit: [1, 2]}`), `s.yaml:5:22: axes."load..limit"[0]: path "load..limit": a key is empty
s.yaml:5:25: axes."load..limit"[1]: path "load..limit": a key is empty`},
		{with(`axes: {load.limit: [1, x, y]}`), `s.yaml:5:24: load.limit: "x" is not a whole number
s.yaml:5:27: load.limit: "y" is not a whole number`},
		{with(`axes: {load.limit: [10, 20, 10]}`), `s.yaml:5:20: axes."load.limit": there are two values called "10": results could not be told apart`},
		{with(`axes: {load.limit: []}`), `s.yaml:5:20: axes."load.limit": the axis has no values`},
		{with(`axes: {load.limit: 5}`), `s.yaml:5:20: axes."load.limit": a list of values is expected, or a mapping from labels to what they set`},
		{with(`axes: {size: {small: 5}}`), `s.yaml:5:22: axes.size.small: a mapping is expected: the paths that small sets, and their values`},
		{with(`axes: {size: {small: {load.limit: 10}, large: {load.limt: 20}}}`), `s.yaml:5:59: load: unknown key "limt": did you mean "limit"?`},
		{with(`axes: {"workflows[3]": [faasflow/video]}`), `s.yaml:5:25: axes."workflows[3]"[0]: workflows has 1 items: there is no item [3]`},
		{with(`axes: {load.clients.x: [1]}`), `s.yaml:5:25: axes."load.clients.x"[0]: load.clients is "1", not a mapping: it has no key "x"`},
		{with(`axes: {trials: [1, 2]}`), `s.yaml:5:17: axes.trials[0]: trials is one for the whole scenario: it cannot be varied
s.yaml:5:20: axes.trials[1]: trials is one for the whole scenario: it cannot be varied`},
		{with(`axes: {cluster.workers: [2, 0, 4, -1]}`), `s.yaml:5:29: cluster.workers: 0 workers: a cluster has between 1 and 10000
s.yaml:5:35: cluster.workers: -1 workers: a cluster has between 1 and 10000`},
		{with(`axes: {workflows: [[faasflow/video], [faasflow/vide]]}`), `s.yaml:5:39: workflows[0]: there is no built-in workflow "faasflow/vide": did you mean "faasflow/video"?`},
	})
}

func TestMistakesInFigures(t *testing.T) {
	check(t, []mistake{
		{with(`figures: [lateny]`), `s.yaml:5:11: figures[0]: there is no figure "lateny": did you mean "latency"?`},
		{with(`figures: [{kind: bars, metric: latenzy}]`), `s.yaml:5:32: figures[0].metric: there is no metric "latenzy": did you mean "latency"?`},
		{with(`figures: [{kind: bars, metric: beauty}]`), `s.yaml:5:32: figures[0].metric: there is no metric "beauty": there are latency, scheduling_overhead, data_overhead, hop_overhead, throughput, completed, failed, timed_out, cold_starts, container_gb_s, bytes_remote_read, bytes_remote_written, bytes_local_read, bytes_local_written, bytes_resent, messages, conflicts, tasks, cost, phase_control, phase_queue, phase_cold_start, phase_fetch, phase_compute, phase_put, phase_transfer, phase_hold_back`},
		{with(`figures: [gantt]`), `s.yaml:5:11: figures[0]: the figure gantt needs the function instances: add tasks: true`},
		{with(`figures: [{kind: cdf, metric: cost, x: load.limit}, {kind: gantt, log: true}]`, `tasks: true`), `s.yaml:5:31: figures[0].metric: the figure cdf has no metric to choose
s.yaml:5:40: figures[0].x: the figure cdf has no x to choose
s.yaml:5:72: figures[1].log: the figure gantt has no log to choose`},
		{with(`figures: [latency-by-rate]`), `s.yaml:5:11: figures[0]: the figure is drawn along an axis of numbers with equal units, and there is none`},
		{with(`figures: [{kind: bars, panels: load.rate}, {kind: cdf, panels: load.limit}]`, `axes: {load.limit: [1, 2]}`), `s.yaml:5:32: figures[0].panels: there is no axis "load.rate"
s.yaml:5:64: figures[1].panels: the figure cdf has no panels to choose`},
		{with(`figures: [{kind: latency-by-rate, x: load.rate}]`, `axes: {load.limit: [1, 2]}`), `s.yaml:5:38: figures[0].x: there is no axis "load.rate"`},
		{with(`figures: [{kind: latency-by-rate, x: profile}]`, `axes: {profile: [ideal, faasflow-testbed]}`), `s.yaml:5:38: figures[0].x: the values of profile are not numbers with equal units`},
		{with(`figures: [latency, {kind: latency}]`), `s.yaml:5:20: figures[1]: there is a figure of this kind and metric already`},
		{with(`tasks: maybe`), `s.yaml:5:8: tasks: "maybe" is neither true nor false`},
	})
}

// Who makes several mistakes hears of all of them at once: what cannot be read,
// what makes no sense, and what is wrong in files that the scenario names.
func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	check(t, []mistake{
		{with("workflows: [cycle.yaml, faasflow/vido]", "load: {arrivals: poisson, rate: -1/s, limit: 5}", "schedulers: [faasfow]", "profile: missing.yaml",
			"cluster: {workers: 0}", "trails: 5", "axes: {seed: [1, x], timeout: [1s, 2]}", "faults: [{at: 1s}]", "figures: [lateny]"),
			`s.yaml:2:25: workflows[1]: there is no built-in workflow "faasflow/vido": did you mean "faasflow/video"?
s.yaml:3:33: load.rate: "-1/s": it is negative: a rate looks like 10/s, 60/min or 2/h
s.yaml:4:14: schedulers[0]: there is no scheduler "faasfow": there are mastersp, faasflow, dataflower
s.yaml:5:10: profile: open testdata/missing.yaml: no such file or directory
s.yaml:6:20: cluster.workers: 0 workers: a cluster has between 1 and 10000
s.yaml:7:1: unknown key "trails": did you mean "trials"?
s.yaml:8:18: seed: "x" is not a whole number of at least 0
s.yaml:8:36: timeout: "2": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h
s.yaml:9:10: faults[0]: a fault is one of kill, pause, partition, slow_link, stop_service, crash_function: there are 0
s.yaml:10:11: figures[0]: there is no figure "lateny": did you mean "latency"?
testdata/cycle.yaml:4:6: functions.b: it is part of a cycle: b → c → b`},
	})
}

// What could not be read is not reported again as missing.
func TestConsequencesOfMistakesAreNotReported(t *testing.T) {
	check(t, []mistake{
		{with("load: {clients: x, limit: y}"), `s.yaml:3:17: load.clients: "x" is not a whole number
s.yaml:3:27: load.limit: "y" is not a whole number`},
		{with("load: {clients: 1, duration: 10}"), `s.yaml:3:30: load.duration: "10": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`},
		{"name: s\nworkflows: [faasflow/wordcount]\nlaod: {clients: 1, limit: 1}\nschedulers: [faasflow]\n",
			"s.yaml:1:1: the key \"load\" is missing\ns.yaml:3:1: unknown key \"laod\": did you mean \"load\"?"},
		{with("workflows: [faasflow/vido]", `faults: [{at: 1s, crash_function: "faasflow/video:split"}]`, "schedulers: [{control: workersp, placement: explicit, data: remote, table: {}}]"),
			`s.yaml:2:13: workflows[0]: there is no built-in workflow "faasflow/vido": did you mean "faasflow/video"?`},
	})
}

// A scenario that is too large to be run is refused before anything starts.
func TestLimits(t *testing.T) {
	check(t, []mistake{
		{with("axes: {seed: [" + numbers(400) + "], load.limit: [" + numbers(400) + "]}"),
			"s.yaml:5:7: axes: the values of the axes make more than 100000 combinations"},
		{with("trials: 100000", "axes: {seed: ["+numbers(20)+"]}"),
			"s.yaml:5:9: trials: 20 points × 100000 trials are 2000000 runs, more than 1000000: vary less at a time, or do fewer trials"},
		{with("load: {clients: 1, limit: 1000000}", "trials: 2000"),
			"s.yaml:3:7: load: all runs together would send about 2e+09 invocations, more than 1e+09: lower the load, vary less at a time, or do fewer trials"},
		{with("load: {clients: 100, duration: 10000h, limit: 500000000}", "trials: 3"),
			"s.yaml:3:7: load: all runs together would send about 1.5e+09 invocations, more than 1e+09: lower the load, vary less at a time, or do fewer trials"},
		{with("load: {arrivals: constant, rate: 1000/s, duration: 10h}", "schedulers: [mastersp]", "workflows: [{generate: genome, functions: 10000}]"),
			"s.yaml:3:7: load: all runs together would run about 3.6e+11 function instances, more than 1e+11: lower the load, vary less at a time, or do fewer trials"},
		{with("load: {clients: 1, limit: 500000000}", "tasks: true"),
			"s.yaml:5:8: tasks: tasks.csv would have about 5e+09 rows, more than 1e+09: leave it out, or lower the load, vary less at a time, or do fewer trials"},
		{with("cluster: {workers: 10000}", "axes: {seed: ["+numbers(1001)+"]}"),
			"s.yaml:5:20: cluster.workers: the points have more than 10000000 workers in all: vary less at a time"},
	})
}

// numbers lists the numbers from 1 to n.
func numbers(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i+1))
	}
	return strings.Join(list, ", ")
}

// FaaSFlow's partition is not given what it would not come to an end with; the
// better one, which the error names, takes it.
func TestTheImprovedPartitionTakesAMillionFunctions(t *testing.T) {
	check(t, []mistake{{
		with("workflows: [{generate: genome, functions: 1000000}]", "schedulers: [faasflow, {preset: faasflow, placement: faasflow-improved, name: improved}]"),
		"s.yaml:4:14: schedulers[0]: FaaSFlow's partition as in the artefact takes the square of the number of functions; " +
			"genome has 1000000, more than 5000: use placement faasflow-improved",
	}})
}

// What is no scenario file at all ends in one clear error.
func TestFilesThatAreNoScenarios(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.yaml")
	for name, data := range map[string]string{garbage: "\x7fELF\x02\x01\x00\xff", filepath.Join(dir, "empty.yaml"): "", filepath.Join(dir, "list.yaml"): "- a\n- b\n"} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(dir, "missing.yaml")
	for name, want := range map[string]string{
		missing:                          missing + ": there is no such file, and no scenario of that name ships with flowtwin; see flowtwin list scenarios",
		dir:                              dir + ": it is a directory: name a file in it",
		garbage:                          garbage + ":1:8: byte 0xff is not UTF-8: it is not a text file",
		filepath.Join(dir, "empty.yaml"): strings.ReplaceAll("F:1:1: the key \"name\" is missing\nF:1:1: the key \"workflows\" is missing\nF:1:1: the key \"load\" is missing\nF:1:1: the key \"schedulers\" is missing", "F", filepath.Join(dir, "empty.yaml")),
		filepath.Join(dir, "list.yaml"):  filepath.Join(dir, "list.yaml") + ":1:1: a mapping (key: value) is expected, not a list",
	} {
		if _, err := scenarios.Load(name, scenarios.Options{}); err == nil || err.Error() != want {
			t.Errorf("%s\ngot:  %v\nwant: %s", name, err, want)
		}
	}
}
