package container

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Command launches containers as child processes: a program and its arguments.
type Command []string

// Launch implements Launcher.
func (c Command) Launch(_ context.Context, number uint64, f *workflow.Function, env []string) (Process, error) {
	p := &child{gone: make(chan struct{})}
	p.cmd = exec.Command(c[0], c[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("container %d, of %s: %w", number, f.Name, err)
	}
	go func() {
		_ = p.cmd.Wait() // How it ended is told by its connection.
		close(p.gone)
	}()
	return p, nil
}

type child struct {
	cmd  *exec.Cmd
	gone chan struct{}
}

// Gone implements Process.
func (p *child) Gone() <-chan struct{} { return p.gone }

// Kill implements Process.
func (p *child) Kill() error {
	_ = p.cmd.Process.Kill() // It may have ended.
	<-p.gone
	return nil
}
