// Package daemontest has what tests need of a Docker engine. They run against
// a real one, and are skipped only where none answers.
package daemontest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// Connect returns a client, which is closed with the test.
func Connect(t *testing.T) *client.Client {
	t.Helper()
	c, err := daemon.Connect(t.Context())
	if err != nil {
		t.Skipf("this needs a Docker engine: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Cluster returns a name that no other test or run has. All that carries it as
// the label of its cluster is removed with the test.
func Cluster(t *testing.T, c *client.Client) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text())[:12]
	Cleanup(t, func(ctx context.Context) error {
		_, err := sweep.Sweep(ctx, c, sweep.Which{Cluster: name})
		return err
	})
	return name
}

// Cleanup has something done after the test, when its own context has ended.
func Cleanup(t *testing.T, f func(context.Context) error) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := f(ctx); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
}

// Network makes a network without a way out for a cluster, and returns its
// name and the first three numbers of its addresses.
func Network(t *testing.T, c *client.Client, cluster string) (name, prefix string) {
	t.Helper()
	labels, err := sweep.Labels(cluster, -1)
	if err != nil {
		t.Fatal(err)
	}
	number := make([]byte, 1)
	for range 20 { // Others choose at the same time.
		rand.Read(number)
		prefix = fmt.Sprintf("198.19.%d.", number[0])
		_, err = c.NetworkCreate(t.Context(), "flowtwin-"+cluster, network.CreateOptions{
			Internal: true, Labels: labels, IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: prefix + "0/24"}}},
		})
		if err == nil {
			return "flowtwin-" + cluster, prefix
		}
	}
	t.Fatal(err)
	return "", ""
}

// Sleeper makes an image whose program sleeps until it is killed, and returns
// its name. It is removed with the test.
func Sleeper(t *testing.T, c *client.Client) string {
	t.Helper()
	version, err := c.ServerVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source := "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "sleeper", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+version.Arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "sleeper"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	if err := w.WriteHeader(&tar.Header{Name: "sleeper", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := "flowtwin/sleeper:" + strings.ToLower(rand.Text())[:12]
	answer, err := c.ImageImport(t.Context(), image.ImportSource{Source: &packed, SourceName: "-"}, name,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/sleeper"]`}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	if _, err := io.Copy(io.Discard, answer); err != nil {
		t.Fatal(err)
	}
	Cleanup(t, func(ctx context.Context) error {
		_, err := c.ImageRemove(ctx, name, image.RemoveOptions{Force: true})
		return err
	})
	return name
}
