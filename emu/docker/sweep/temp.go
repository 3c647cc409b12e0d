package sweep

import (
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
