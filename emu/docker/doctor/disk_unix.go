//go:build linux || darwin

package doctor

import "syscall"

// freeDisk is how many bytes a user may still write to the disk of a file.
func freeDisk(name string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(name, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
