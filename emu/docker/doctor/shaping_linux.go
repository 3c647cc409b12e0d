package doctor

import (
	"fmt"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
)

// Apart tries the kernel in a network namespace of its own, which takes root.
func Apart() (Shaping, error) {
	type result struct {
		s   Shaping
		err error
	}
	done := make(chan result, 1)
	go func() {
		// The thread is never unlocked: it ends with the goroutine, and the
		// namespace with it.
		runtime.LockOSThread()
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			done <- result{err: fmt.Errorf("making a network namespace: %w", err)}
			return
		}
		s, err := Here()
		done <- result{s, err}
	}()
	r := <-done
	return r.s, r.err
}

// Here tries the kernel in the network namespace of this thread, and removes
// what it makes.
func Here() (Shaping, error) {
	var s Shaping
	device := &netlink.Ifb{LinkAttrs: netlink.LinkAttrs{Name: "flowtwin-probe"}}
	on := 1 // The loopback interface is the first of each namespace.
	if err := netlink.LinkAdd(device); err != nil {
		s.IFB = err.Error()
	} else {
		defer func() { _ = netlink.LinkDel(device) }()
		link, err := netlink.LinkByName(device.Name)
		if err != nil {
			return s, fmt.Errorf("finding the IFB device: %w", err)
		}
		on = link.Attrs().Index
	}
	queue := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: on, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
	if err := netlink.QdiscAdd(queue); err != nil {
		s.HTB = err.Error()
		return s, nil
	}
	if err := netlink.QdiscDel(queue); err != nil {
		return s, fmt.Errorf("removing the queue: %w", err)
	}
	return s, nil
}
