package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const soup = `{"name": "soup.json", "schemaVersion": "1.6", "workflow": {
 "specification": {
  "tasks": [
   {"name": "cook", "id": "cook", "parents": [], "children": ["serve"], "inputFiles": ["leek"], "outputFiles": ["pot"]},
   {"name": "serve", "id": "serve", "parents": ["cook"], "children": [], "inputFiles": ["pot"]}],
  "files": [{"id": "leek", "sizeInBytes": 700}, {"id": "pot", "sizeInBytes": 5000}]},
 "execution": {"makespanInSeconds": 4, "executedAt": "2026-01-01T00:00:00Z", "tasks": [
  {"id": "cook", "runtimeInSeconds": 1.5}, {"id": "serve", "runtimeInSeconds": 2}]}}}`

func TestImportedWfFormatRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in.json", soup)
	if out := must(t, "import", "wfformat", "in.json"); out != "soup.yaml: 2 functions; use it as workflows: [soup.yaml]\n" {
		t.Errorf("import says %q", out)
	}
	write(t, "scenario.yaml", "name: s\nworkflows: [soup.yaml]\nload: {clients: 1, limit: 3}\nschedulers: [mastersp, faasflow]\n")
	if out := must(t, "run", "scenario.yaml"); !regexp.MustCompile(`mastersp +3 +3\.5\d* s`).MatchString(out) {
		t.Errorf("the output is\n%s", out)
	}
}

func TestBrokenWfFormatLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a cycle":      {strings.Replace(soup, `"parents": []`, `"parents": ["serve"]`, 1), "in.json:4:4: cook: it is part of a cycle: cook → serve → cook"},
		"broken UTF-8": {strings.Replace(soup, "leek", "l\xffek", 1), "in.json:4:"},
		"a file cut":   {soup[:200], "in.json:4:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "in.json", test.text)
			before := tree(t, ".")
			status, stdout, stderr := flowtwin("import", "wfformat", "in.json")
			oneError(t, status, stdout, stderr, test.want)
			if after := tree(t, "."); !maps.Equal(before, after) {
				t.Errorf("files were left: %v", slices.Sorted(maps.Keys(after)))
			}
		})
	}
}

const azureCounts = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,app,f,http,6,0,3\no,app,g,timer,1,1,1\no,app,h,timer,0,0,1\n"

func TestImportedAzureTraceRuns(t *testing.T) {
	for name, test := range map[string]struct{ text, flags, want string }{
		"2019, uniform":     {azureCounts, "", "azure: 3 functions, 13 arrivals; run them with: flowtwin run azure/scenario.yaml\n"},
		"2019, equidistant": {azureCounts, "--placement equidistant --shift 0.5", "azure: 3 functions, 13 arrivals; "},
		"2019, Poisson":     {azureCounts, "--placement poisson --functions 1 --seed 3", "azure: 1 functions, "},
		"2019, a part":      {azureCounts, "--from 1min --for 1min", "azure: 1 functions, 1 arrivals; "},
		"2021":              {"app,func,end_timestamp,duration\na,f,100.5,0.5\na,g,50,10\na,f,90,2\n", "", "azure: 2 functions, 3 arrivals; "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "in.csv", test.text)
			if out := must(t, append([]string{"import", "azure", "in.csv"}, strings.Fields(test.flags)...)...); !strings.HasPrefix(out, test.want) {
				t.Errorf("import says %q, want %q", out, test.want)
			}
			must(t, "run", "azure/scenario.yaml")
			files := tree(t, ".")
			sent := strings.Count(files["out/azure/invocations.csv"], ",mastersp,")
			if rows := strings.Count(files["azure/arrivals.csv"], "\n") - 1; sent != rows || rows < 1 {
				t.Errorf("%d invocations of %d arrivals", sent, rows)
			}
		})
	}
}

func TestArrivalsThatNoScenarioCanNameAreNoted(t *testing.T) {
	if tooLarge(512<<20) != "" {
		t.Error("512 MiB are not too large")
	}
	want := "note: arrivals.csv takes 600 MiB, and flowtwin run reads up to 512 MiB: take less, with --functions, or --from and --for\n"
	if note := tooLarge(600 << 20); note != want {
		t.Errorf("%q", note)
	}
}

func TestBadAzureImportLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in.csv", azureCounts)
	write(t, "bad.csv", azureCounts+"o,app,f,http,1,x,3\n")
	before := tree(t, ".")
	for line, want := range map[string]string{
		"import azure":                                          "at least one argument is expected: the files of the trace",
		"import azure nothing.csv":                              "nothing.csv",
		"import azure .":                                        "it is no file that can be read twice",
		"import azure bad.csv":                                  `bad.csv:5:16: "x" is not a number of calls`,
		"import azure in.csv --placement middle":                `--placement: there is no placement "middle": there are uniform, poisson, equidistant`,
		"import azure in.csv --shift 0.5":                       "--shift goes with --placement equidistant",
		"import azure in.csv --from soon":                       "--from soon: it is a time",
		"import azure in.csv --for -1s":                         "--for -1s: it is a time",
		"import azure in.csv --functions -1":                    "--functions -1: it cannot be negative",
		"import azure in.csv --from 1h":                         "there is no call in the part of the trace that is asked for",
		"import azure in.csv --out in.csv":                      "in.csv exists: name another directory with --out",
		"import azure in.csv --placement equidistant --shift 1": "--shift 1: it is a fraction",
	} {
		t.Run(line, func(t *testing.T) {
			status, stdout, stderr := flowtwin(strings.Fields(line)...)
			oneError(t, status, stdout, stderr, want)
		})
	}
	if after := tree(t, "."); !maps.Equal(before, after) {
		t.Errorf("files were left: %v", slices.Sorted(maps.Keys(after)))
	}
}

func TestInterruptedAzureImportLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in.csv", "HashOwner,HashApp,HashFunction,Trigger,1,2,3\n"+strings.Repeat("o,app,f,http,10000000,10000000,10000000\n", 100))
	c := process("import", "azure", "in.csv")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if begun, _ := filepath.Glob(".writing-*/arrivals.csv"); len(begun) > 0 {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatal("nothing is written after a minute")
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	// An error is no surprise: the status is not 0.
	_ = c.Wait()
	if status := c.ProcessState.ExitCode(); status != exitInterrupted || stderr.String() != "flowtwin: interrupted\n" {
		t.Errorf("the status is %d: %s", status, &stderr)
	}
	if left := slices.Sorted(maps.Keys(tree(t, "."))); !slices.Equal(left, []string{"./", "in.csv"}) {
		t.Errorf("%v was left", left)
	}
}

func TestImportedV2Runs(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("tea", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "templates_info.yaml", "templates:\n- {template_name: split, cpus: 0.2}\n")
	write(t, "tea/workflow_info.yaml", `workflow_name: tea
templates:
  split: {blocks: {b: {type: NORMAL, output_datas: {cup: {type: FOREACH, dest: {brew: {b: {cup}}}}}}}}
  brew: {blocks: {b: {type: NORMAL, input_datas: {cup: {type: NORMAL}}, output_datas: {tea: {type: MERGE, dest: {serve: {b: {cups}}}}}}}}
  serve: {blocks: {b: {type: SWITCH, input_datas: {cups: {type: LIST}}, output_datas: {ok: {type: NORMAL}},
    conditions: {ok==1: {virtual.start: {drink: {b: {start}}}}, default: {virtual.start: $USER}}}}}
  drink: {blocks: {b: {type: NORMAL, input_datas: {start: {type: NORMAL}}}}}
`)
	if out := must(t, "import", "faasflow", "tea"); out != "tea.yaml: 6 functions; use it as workflows: [tea.yaml]\n" {
		t.Errorf("import says %q", out)
	}
	write(t, "scenario.yaml", "name: s\nworkflows: [tea.yaml]\nload: {clients: 1, limit: 3}\nschedulers: [mastersp, faasflow]\ntasks: true\n")
	must(t, "run", "scenario.yaml")
	if tasks := tree(t, ".")["out/s/tasks.csv"]; strings.Count(tasks, ",brew,0/1,") != 6 || strings.Contains(tasks, ",drink,") {
		t.Errorf("the tasks are\n%s", tasks)
	}
}
