package images

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// compiled makes a Go program that prints its arguments and something of its
// own.
func compiled(t *testing.T, says string, environment ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/flowtwin-" + strings.ToLower(t.Name()) + "\n",
		"main.go": "package main\n\nimport (\n\t\"fmt\"\n\t_ \"net\"\n\t\"os\"\n)\n\nfunc main() { fmt.Println(os.Args[1:], \"" + says + "\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "go", "build", "-o", "program", ".")
	c.Dir, c.Env = dir, append(os.Environ(), environment...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "program")
}

// prints runs an image and returns what it prints.
func prints(t *testing.T, docker *client.Client, cluster, name string, args ...string) string {
	t.Helper()
	labels, err := sweep.Labels(cluster, 0)
	if err != nil {
		t.Fatal(err)
	}
	made, err := docker.ContainerCreate(t.Context(), &container.Config{Image: name, Cmd: args, Labels: labels, Tty: true}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	ended, failed := docker.ContainerWait(t.Context(), made.ID, container.WaitConditionNextExit)
	if err := docker.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case err := <-failed:
		t.Fatal(err)
	}
	r, err := docker.ContainerLogs(t.Context(), made.ID, container.LogsOptions{ShowStdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text := make([]byte, 1000)
	n, _ := r.Read(text)
	return strings.TrimSpace(string(text[:n]))
}

// A program of somebody's own is in its image with all that it needs, is told
// that it is in one, and is no flowtwin to others. A newer one takes its place.
func TestOnEngineImagesOfPrograms(t *testing.T) {
	docker := daemontest.Connect(t)
	cluster := daemontest.Cluster(t, docker)
	const label = LabelProgram + "=example.com/flowtwin-testonengineimagesofprograms"
	there := func() []image.Summary {
		all, err := docker.ImageList(context.WithoutCancel(t.Context()), image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	daemontest.Cleanup(t, func(ctx context.Context) error {
		_, err := sweep.Sweep(ctx, docker, sweep.Which{Cluster: cluster})
		for _, i := range there() {
			_, failed := docker.ImageRemove(ctx, i.ID, image.RemoveOptions{})
			err = errors.Join(err, failed)
		}
		return err
	})
	for says, environment := range map[string]string{"static": "CGO_ENABLED=0", "dynamic": "CGO_ENABLED=1"} {
		program := compiled(t, says, environment)
		made, err := BuildProgram(t.Context(), docker, program, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := inspectFile(program); err != nil || p.static() != (says == "static") {
			t.Errorf("the %s program is %+v, %v", says, p, err)
		}
		if again, err := BuildProgram(t.Context(), docker, program, nil); err != nil || again.New || !made.New || again.Name != made.Name {
			t.Errorf("after %+v, the same was built as %+v, %v", made, again, err)
		}
		if got, want := prints(t, docker, cluster, made.Name, "node"), "["+ContainerFlag+" node] "+says; got != want {
			t.Errorf("the %s program prints %q, want %q", says, got, want)
		}
		found, err := Resolve(t.Context(), docker, []Kind{Node, CouchDB}, Options{Names: map[Kind]string{Node: made.Name}, NoPull: true}, nil)
		if err != nil || !found[Node].Flowtwin || found[CouchDB].Flowtwin && found[CouchDB].Name != made.Name {
			t.Errorf("with it, these serve: %+v, %v", found, err)
		}
		if name, err := ours(t.Context(), docker, Node, ""); err != nil || name == made.Name {
			t.Errorf("it was taken for flowtwin: %s, %v", name, err)
		}
	}
	if n := len(there()); n != 2 {
		t.Fatalf("there are %d images of both", n)
	}
	// The containers of the test use both: what is used stays.
	b, end, err := newBuilder(t.Context(), docker, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	remove := func(recent time.Duration, want int) {
		t.Helper()
		if err := b.removeOlder(t.Context(), strings.TrimPrefix(label, LabelProgram+"="), recent); err != nil {
			t.Error(err)
		}
		if n := len(there()); n != want {
			t.Errorf("%d images are left, want %d", n, want)
		}
	}
	remove(0, 2)
	if _, err := sweep.Sweep(t.Context(), docker, sweep.Which{Cluster: cluster}); err != nil {
		t.Fatal(err)
	}
	remove(time.Hour, 2)
	remove(0, 0)
}

func TestOnEngineWhatIsNoProgramIsRefused(t *testing.T) {
	docker := daemontest.Connect(t)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh here")
	}
	for name, want := range map[string]string{text: "it is no program for linux/", shell: "it is no Go program", "/nowhere": "it is no program for linux/"} {
		if _, err := BuildProgram(t.Context(), docker, name, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of %s: %v, want %q", name, err, want)
		}
	}
}
