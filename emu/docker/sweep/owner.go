package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Owner is a process that made something: its number alone would not do,
// because numbers are given again.
type Owner struct {
	PID int
	// Start is when it started, in the kernel's clock ticks since the machine's
	// start, 0 where the system does not tell.
	Start uint64
	// Namespace is the process namespace in which its number holds, 0 where the
	// system has none.
	Namespace uint64
	// Boot names the machine's start, "" where the system does not tell.
	Boot string
}

// String writes an owner as a label has it.
func (o Owner) String() string {
	return fmt.Sprintf("%d.%d.%d@%s", o.PID, o.Start, o.Namespace, o.Boot)
}

var ownerForm = regexp.MustCompile(`^([1-9][0-9]{0,9})\.([0-9]{1,19})\.([0-9]{1,19})@([0-9a-f-]{0,64})$`)

// ParseOwner reads the label of an owner.
func ParseOwner(text string) (Owner, error) {
	part := ownerForm.FindStringSubmatch(text)
	if part == nil {
		return Owner{}, fmt.Errorf("%q names no owner as <pid>.<start>.<namespace>@<boot>", text)
	}
	// The form leaves nothing that does not fit but a number of ten digits.
	pid, err := strconv.ParseInt(part[1], 10, 32)
	if err != nil {
		return Owner{}, fmt.Errorf("%q names no owner: %w", text, err)
	}
	start, err := strconv.ParseUint(part[2], 10, 64)
	if err != nil {
		return Owner{}, fmt.Errorf("%q names no owner: %w", text, err)
	}
	namespace, err := strconv.ParseUint(part[3], 10, 64)
	if err != nil {
		return Owner{}, fmt.Errorf("%q names no owner: %w", text, err)
	}
	return Owner{int(pid), start, namespace, part[4]}, nil
}

// Self is this process.
func Self() (Owner, error) {
	o := Owner{PID: os.Getpid()}
	var err error
	if o.Boot, o.Namespace, err = here(); err != nil {
		return Owner{}, err
	}
	if o.Boot == "" {
		return o, nil
	}
	o.Start, err = startOf(o.PID)
	return o, err
}

// here names the machine's start and this process's namespace. Both are empty
// on a system without /proc.
func here() (boot string, namespace uint64, err error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("finding out when this machine was started: %w", err)
	}
	link, err := os.Readlink("/proc/self/ns/pid")
	if err == nil {
		namespace, err = parseNamespace(link)
	}
	if err != nil {
		return "", 0, fmt.Errorf("finding out in which process namespace this is: %w", err)
	}
	return strings.TrimSpace(string(text)), namespace, nil
}

// parseNamespace reads the kernel's name of a process namespace, such as
// pid:[4026531836].
func parseNamespace(link string) (uint64, error) {
	number, ok := strings.CutPrefix(link, "pid:[")
	number, closed := strings.CutSuffix(number, "]")
	if !ok || !closed {
		return 0, fmt.Errorf("the kernel calls it %q", link)
	}
	return strconv.ParseUint(number, 10, 64)
}

// Dead reports whether an owner is gone for certain. One in another process
// namespace of this machine, such as in a container, cannot be seen from here
// and counts as alive.
func (o Owner) Dead() (bool, error) {
	boot, namespace, err := here()
	switch {
	case err != nil:
		return false, err
	case o.Boot != boot:
		return true, nil
	case boot == "":
		// Without /proc, that there is a process of the number has to do.
		p, err := os.FindProcess(o.PID)
		return err != nil || errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone), nil
	case o.Namespace != namespace:
		return false, nil
	}
	start, err := startOf(o.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH):
		return true, nil
	case err != nil:
		return false, err
	}
	return start != o.Start, nil
}

// startOf is when a process started, in clock ticks since the machine did. A
// process that has ended and was not yet waited for is none.
func startOf(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("finding out when process %d started: %w", pid, err)
	}
	state, start, err := parseStat(string(text))
	if err != nil {
		return 0, fmt.Errorf("finding out when process %d started: %w", pid, err)
	}
	if state == "Z" || state == "X" {
		return 0, fmt.Errorf("process %d has ended: %w", pid, fs.ErrNotExist)
	}
	return start, nil
}

// parseStat reads /proc/PID/stat. The second field is the program's name in
// parentheses, and may have spaces and parentheses itself.
func parseStat(text string) (state string, start uint64, err error) {
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	const at = 22 - 3 // Fields are numbered from 1, and the state is the third.
	if len(fields) <= at {
		return "", 0, fmt.Errorf("the kernel's line has %d fields after the name", len(fields))
	}
	start, err = strconv.ParseUint(fields[at], 10, 64)
	return fields[0], start, err
}
