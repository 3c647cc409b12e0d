package images

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// need returns where a command is. One that is missing is installed, if this
// is Debian or its kin and the user is root.
func (b *builder) need(ctx context.Context, command, debian string) (string, error) {
	if at, err := exec.LookPath(command); err == nil {
		return at, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("there is no %s here, and no apt-get to install it with: install the package that brings it (Debian calls it %s)", command, debian)
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("there is no %s here: sudo apt-get install %s", command, debian)
	}
	b.progress(fmt.Sprintf("installing %s, which brings %s", debian, command))
	if err := b.apt(ctx, "update", "-qq"); err != nil {
		return "", err
	}
	if err := b.apt(ctx, "install", "-y", "-qq", "--no-install-recommends", debian); err != nil {
		return "", err
	}
	at, err := exec.LookPath(command)
	if err != nil {
		return "", fmt.Errorf("the package %s was installed, but there is no %s", debian, command)
	}
	return at, nil
}

func (b *builder) apt(ctx context.Context, args ...string) error {
	c := run(ctx, "apt-get", args...)
	c.Dir = b.temp
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return output(c)
}

// run returns a command that is interrupted with the context, and killed only
// if it goes on: what installs packages is not to stop in the middle.
func run(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 20 * time.Second
	return c
}

// output runs a command whose output is of interest only if it fails.
func output(c *exec.Cmd) error {
	out, err := c.CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w: %s", filepath.Base(c.Path), strings.Join(c.Args[1:], " "), err, telling(out))
}

// telling is the line of a failed command's output that says why.
func telling(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(out, nil))), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "E: ") || strings.Contains(line, "ERROR") || strings.HasPrefix(line, "Error: ") {
			return limit(line)
		}
	}
	return limit(lines[len(lines)-1])
}

func limit(line string) string {
	const most = 300
	if len(line) > most {
		return line[:most] + "..."
	}
	return line
}

// unpack brings a Debian package's files into a directory, without installing
// it: no right is needed for that, and nothing of the system changes.
func (b *builder) unpack(ctx context.Context, debian string) (string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("there is no apt-get here to get the package %s with", debian)
	}
	b.progress("downloading the package " + debian)
	dir, err := os.MkdirTemp(b.temp, debian)
	if err != nil {
		return "", err
	}
	download := func() error {
		c := run(ctx, "apt-get", "download", "-qq", debian)
		c.Dir = dir
		return output(c)
	}
	if err = download(); err != nil && os.Getuid() == 0 {
		if err = b.apt(ctx, "update", "-qq"); err == nil {
			err = download()
		}
	}
	if err != nil {
		return "", err
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(packages) != 1 {
		return "", fmt.Errorf("apt-get download %s left no package", debian)
	}
	return dir, output(run(ctx, "dpkg-deb", "-x", packages[0], dir))
}
