package main

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
)

// stranger speaks the protocol of docs/functions.md and knows nothing else of
// flowtwin. It fails a task whose input is not what was posted.
const stranger = `package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"time"
)

func ask(method, path string, body []byte) []byte {
	r, err := http.NewRequest(method, os.Getenv("FLOWTWIN_RUNTIME")+path, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		panic(path + ": " + answer.Status)
	}
	return data
}

func main() {
	for {
		var task struct{ Function string }
		if err := json.Unmarshal(ask("GET", "/task", nil), &task); err != nil {
			panic(err)
		}
		switch said := []byte("posted by a stranger"); task.Function {
		case "say":
			time.Sleep(300 * time.Millisecond) // Beside which nobody is late.
			ask("POST", "/output/word", said)
		case "hear":
			if heard := ask("GET", "/input/say.word", nil); !bytes.Equal(heard, said) {
				ask("POST", "/failed", heard)
				continue
			}
			ask("POST", "/output/echo", said)
		}
		ask("POST", "/done", nil)
	}
}
`

// A program of the user's own, in an image of the user's own, does the work of
// functions.
func TestOnEngineAProgramInAnImageDoesTheWork(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a cluster")
	}
	docker := daemontest.Connect(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"stranger.go": stranger,
		"talk.yaml":   "name: talk\nfunctions:\n  say: {compute: 1ms, outputs: {word: 20}}\n  hear: {inputs: [say.word], compute: 1ms, outputs: {echo: 20}}\n",
		"test.yaml": "name: test\nworkflows: [talk.yaml]\ncluster: {workers: 2}\nload: {clients: 1, limit: 3}\n" +
			"schedulers: [faasflow, dataflower]\nprofile: ideal\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "stranger")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, filepath.Join(dir, "stranger.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	all := imagestest.Build(t, docker)
	own := extended(t, docker, all[images.Node], program)
	out := filepath.Join(dir, "out")
	args := []string{
		"run", filepath.Join(dir, "test.yaml"), "--backend", "docker", "--limit", "0", "--no-pull", "--compute", "real", "--command", "/stranger", "--out", out,
		"--image", "node=" + own, "--image", "redis=" + all[images.Redis], "--image", "kafka=" + all[images.Kafka], "--image", "couchdb=" + all[images.Node],
	}
	status, stdout, stderr := flowtwin(args...)
	if status != 0 {
		t.Fatalf("status %d\n%s\n%s", status, stdout, stderr)
	}
	data, err := os.ReadFile(filepath.Join(out, "invocations.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), ",completed,"); n != 6 {
		t.Errorf("%d of 6 invocations have completed:\n%s\n%s", n, data, stderr)
	}
}

// extended makes an image of another with a program in it.
func extended(t *testing.T, c *client.Client, base, program string) string {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var files bytes.Buffer
	archive := tar.NewWriter(&files)
	if err := archive.WriteHeader(&tar.Header{Name: filepath.Base(program), Mode: 0o755, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	made, err := c.ContainerCreate(t.Context(), &container.Config{Image: base}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	daemontest.Cleanup(t, func(ctx context.Context) error {
		return c.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true})
	})
	if err := c.CopyToContainer(t.Context(), made.ID, "/", &files, container.CopyToContainerOptions{}); err != nil {
		t.Fatal(err)
	}
	name := "flowtwin-test/" + daemontest.Cluster(t, c) + ":1"
	if _, err := c.ContainerCommit(t.Context(), made.ID, container.CommitOptions{Reference: name}); err != nil {
		t.Fatal(err)
	}
	daemontest.Cleanup(t, func(ctx context.Context) error {
		_, err := c.ImageRemove(ctx, name, image.RemoveOptions{Force: true})
		return err
	})
	return name
}
