package importer

import "bytes"

// archives are what files that are packed begin with.
var archives = []struct{ start, name, with string }{
	{"\x1f\x8b", "gzip", "gunzip"},
	{"PK\x03\x04", "zip", "unzip"},
	{"Rar!", "RAR", "unrar"},
	{"\xfd7zXZ", "xz", "unxz"},
	{"BZh", "bzip2", "bunzip2"},
	{"\x28\xb5\x2f\xfd", "zstd", "unzstd"},
	{"7z\xbc\xaf", "7z", "7z"},
}

// archiveOf says how to unpack a file that is packed, "" if it is not.
// Published traces come so.
func archiveOf(data []byte) string {
	for _, a := range archives {
		if bytes.HasPrefix(data, []byte(a.start)) {
			return "the file is packed (" + a.name + "): unpack it first, with " + a.with
		}
	}
	return ""
}
