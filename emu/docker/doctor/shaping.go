package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// Shaping is what a kernel can do to limit bandwidth; an empty field means
// that it can, others say why not.
type Shaping struct {
	HTB string `json:"htb"` // limits what a node sends
	IFB string `json:"ifb"` // lets what a node receives be limited
}

func (s Shaping) check() Check {
	c := Check{Name: "shaping", State: OK, Found: "the kernel has HTB and IFB"}
	var lacks []string
	if s.HTB != "" {
		lacks = append(lacks, "HTB: "+s.HTB)
	}
	if s.IFB != "" {
		lacks = append(lacks, "IFB: "+s.IFB)
	}
	if len(lacks) > 0 {
		c.State, c.Found = Note, strings.Join(lacks, "; ")
		c.Advice = "load the kernel's modules (sudo modprobe -a sch_htb ifb); without them bandwidth is not limited by the kernel"
	}
	return c
}

// shaping tries the kernel that containers run on: in a container of the
// node's image that may change its own network, else here, if root.
func shaping(ctx context.Context, docker *client.Client, node string) Check {
	if node != "" {
		s, err := inContainer(ctx, docker, node)
		if err != nil {
			return Check{Name: "shaping", State: Unknown, Found: err.Error()}
		}
		return s.check()
	}
	if !strings.HasPrefix(docker.DaemonHost(), "unix://") || os.Getuid() != 0 {
		return Check{Name: "shaping", State: Unknown, Found: "not tried: that takes root, or the node's image", Advice: "flowtwin images build node"}
	}
	s, err := Apart()
	if err != nil {
		return Check{Name: "shaping", State: Unknown, Found: err.Error()}
	}
	return s.check()
}

// inContainer runs flowtwin doctor --shaping in a short-lived container.
func inContainer(ctx context.Context, docker *client.Client, node string) (Shaping, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	labels, err := sweep.Labels("doctor", -1)
	if err != nil {
		return Shaping{}, err
	}
	made, err := docker.ContainerCreate(ctx, &container.Config{Image: node, Cmd: []string{"doctor", "--shaping"}, Labels: labels},
		&container.HostConfig{NetworkMode: "none", CapAdd: []string{"NET_ADMIN"}}, nil, nil, "")
	if err != nil {
		return Shaping{}, fmt.Errorf("trying HTB in a container: %w", err)
	}
	defer func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		_ = docker.ContainerRemove(limited, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}()
	ended, failed := docker.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
	if err := docker.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return Shaping{}, fmt.Errorf("trying HTB in a container: %w", err)
	}
	select {
	case err := <-failed:
		return Shaping{}, fmt.Errorf("trying HTB in a container: %w", err)
	case <-ended:
	}
	log, err := docker.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return Shaping{}, fmt.Errorf("trying HTB in a container: %w", err)
	}
	defer log.Close()
	var out, complaint bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &complaint, log); err != nil {
		return Shaping{}, fmt.Errorf("trying HTB in a container: %w", err)
	}
	var s Shaping
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return Shaping{}, errors.Join(fmt.Errorf("trying HTB in a container: it answers %q", out.String()+complaint.String()), err)
	}
	return s, nil
}
