package scenarios

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.yaml faasflow/*.yaml dataflower/*.yaml studies/*.yaml
var shipped embed.FS

// Shipped returns the text of a scenario that ships with flowtwin, by its path
// below scenarios, without the ending.
func Shipped(name string) ([]byte, bool) {
	data, err := shipped.ReadFile(name + ".yaml")
	return data, err == nil
}

// ShippedNames lists the scenarios that ship with flowtwin.
func ShippedNames() []string {
	var names []string
	// The file system is part of the program: walking it cannot fail.
	_ = fs.WalkDir(shipped, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimSuffix(path, ".yaml"))
		}
		return nil
	})
	return names
}
