package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
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
