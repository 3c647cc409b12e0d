package sweep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Temporary directories are known by their prefix, and say in a file whose
// they are.
const (
	tempPrefix = "flowtwin-"
	ownerFile  = ".owner"
)

// MakeTemp makes a directory for temporary files of this process's, with what
// it is for in its name. Who makes it removes it; if that does not happen,
// SweepTemp does later.
func MakeTemp(what string) (string, error) {
	owner, err := Self()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", tempPrefix+what+"-")
	if err != nil {
		return "", fmt.Errorf("making a temporary directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(owner.String()), 0o600); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("making a temporary directory: %w", err)
	}
	return dir, nil
}

// FindTemp returns the temporary directories whose makers are dead, or all
// that MakeTemp has made. Others with such a name are none of them.
func FindTemp(all bool) ([]Thing, error) {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("looking for temporary directories: %w", err)
	}
	var found []Thing
	for _, dir := range dirs {
		t := Thing{Kind: "directory", Name: dir}
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, ownerFile))
		if err != nil {
			continue
		}
		owner, err := ParseOwner(string(text))
		if err != nil {
			continue
		}
		t.Owner = owner.String()
		dead, err := owner.Dead()
		if err != nil {
			return nil, err
		}
		if dead || all {
			found = append(found, t)
		}
	}
	return found, nil
}

// SweepTemp removes what FindTemp finds, and returns what it has removed.
func SweepTemp(all bool) ([]Thing, error) {
	found, failed := FindTemp(all)
	var removed []Thing
	for _, t := range found {
		if err := os.RemoveAll(t.Name); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		removed = append(removed, t)
	}
	return removed, failed
}
