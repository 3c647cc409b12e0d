//go:build unix

package rundir_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// TestChild is a process that the tests below start, and kill.
func TestChild(t *testing.T) {
	dir := os.Getenv("FLOWTWIN_TEST_DIR")
	if dir == "" {
		t.Skip("it is started by other tests")
	}
	world := disturbed{before: func(_ context.Context, trial *scenarios.Trial) error {
		if os.Getenv("FLOWTWIN_TEST_HANG") == fmt.Sprint(index(trial)) {
			fmt.Println("hanging")
			time.Sleep(time.Hour)
		}
		return nil
	}}
	if os.Getenv("FLOWTWIN_TEST_FULL") != "" {
		// To a process, a file that may not grow is as a full disk is.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 30_000, Max: 30_000}); err != nil {
			t.Fatal(err)
		}
	}
	o := options(dir)
	o.Parallel = 1
	_, err := rundir.Execute(context.Background(), plan(t, scenario), world, o)
	fmt.Printf("the error is %v\n", err)
}

func child(dir string, settings ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(append(os.Environ(), "FLOWTWIN_TEST_DIR="+dir), settings...)
	return c
}

func TestProcessThatIsKilledLeavesAReadableRun(t *testing.T) {
	whole := t.TempDir()
	execute(t, whole)
	want := files(t, whole)
	for _, at := range []int{0, 3, trials - 1} {
		dir := t.TempDir()
		c := child(dir, fmt.Sprint("FLOWTWIN_TEST_HANG=", at))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, 7)
		if _, err := out.Read(said); err != nil || string(said) != "hanging" {
			t.Errorf("the process said %q, %v", said, err)
		}
		// The trials before are being written.
		for range 200 {
			if m, _, err := rundir.Read(dir); err == nil && m.Done == at {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil {
			t.Error("the process was not killed")
		}
		m, _, err := rundir.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if m.Done != at || m.Status != "partial" {
			t.Errorf("%d trials, %s; want %d, partial", m.Done, m.Status, at)
		}
		if _, err := rundir.Resume(context.Background(), dir, sim.World{}, options(""), reload); err != nil {
			t.Fatal(err)
		}
		same(t, dir, want)
	}
}

func TestFullDiskIsOneClearErrorAndLosesNothingBefore(t *testing.T) {
	whole := t.TempDir()
	execute(t, whole)
	want := files(t, whole)
	dir := t.TempDir()
	out, err := child(dir, "FLOWTWIN_TEST_FULL=1").Output()
	if err != nil {
		t.Fatal(errors.Join(err, errors.New(string(out))))
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if !strings.HasPrefix(string(line), "the error is write "+dir+string(filepath.Separator)) || !strings.HasSuffix(string(line), ": file too large") {
		t.Errorf("%s", line)
	}
	m, run, err := rundir.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Done == 0 || m.Status != "partial" || len(run.Series) == 0 {
		t.Errorf("%d trials, %s, %d series; want some trials, partial", m.Done, m.Status, len(run.Series))
	}
	if _, err := rundir.Resume(context.Background(), dir, sim.World{}, options(""), reload); err != nil {
		t.Fatal(err)
	}
	same(t, dir, want)
}
