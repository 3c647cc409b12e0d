package images

import (
	"strings"
	"testing"
)

func TestTheVersionOfRedisIsRead(t *testing.T) {
	if v, err := redisVersion("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=9a3b\n"); err != nil || v != "7.0.15" {
		t.Errorf("%q, %v", v, err)
	}
	// A redis-check-rdb that is called by its own name is no server.
	for _, text := range []string{"", "Usage: redis-check-rdb <rdb-file-name>", "Redis server v= sha"} {
		if v, err := redisVersion(text); err == nil {
			t.Errorf("%q has the version %q", text, v)
		}
	}
}

func TestTheVersionOfJavaIsRead(t *testing.T) {
	for text, want := range map[string]int{
		"IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\nMODULES=\"java.base\"\n": 17,
		"JAVA_VERSION=\"21\"\n":                 21,
		"JAVA_VERSION=\"25.0.1-ea\"\r\n":        25,
		"JAVA_VERSION=\"1.8.0_402\"\nOS_ARCH=x": 1, // Before 9 the second number counted: too old anyway.
	} {
		if _, major, err := javaVersion(text); err != nil || major != want {
			t.Errorf("%q is of version %d, %v; want %d", text, major, err, want)
		}
	}
	for _, text := range []string{"", "JAVA_VERSION=17", "JAVA_VERSION=\"\"", "JAVA_VERSION=\"x\"", "JAVA_VERSION=\"99999999999999999999\""} {
		if v, _, err := javaVersion(text); err == nil {
			t.Errorf("%q has the version %q", text, v)
		}
	}
}

// An engine answers a request well, and says in its messages that the work has
// failed.
func TestAnErrorAmongTheEnginesMessagesIsFound(t *testing.T) {
	var said []string
	note := func(status string) { said = append(said, status) }
	if err := follow(strings.NewReader(`{"status":"one"}`+"\r\n"+`{"status":"two","progressDetail":{}}`), note); err != nil || strings.Join(said, ",") != "one,two" {
		t.Errorf("%v, %q", err, said)
	}
	for text, want := range map[string]string{
		`{"status":"one"}{"errorDetail":{"message":"no space"},"error":"no space left"}`: "no space left",
		`{"status":"one"}{"stat`: "reading the Docker engine's messages",
		`nonsense`:               "reading the Docker engine's messages",
	} {
		if err := follow(strings.NewReader(text), note); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q", text, err, want)
		}
	}
}

func TestTheLineThatSaysWhyIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"Reading lists...\nE: Unable to locate package x\nbye": "E: Unable to locate package x",
		"[INFO] a\n[ERROR] b\n[ERROR] c":                       "[ERROR] b",
		"one\ntwo\n":                                           "two",
		"":                                                     "",
	} {
		if got := telling([]byte(text)); got != want {
			t.Errorf("of %q, %q was chosen, want %q", text, got, want)
		}
	}
}

func FuzzVersions(f *testing.F) {
	f.Add("JAVA_VERSION=\"17.0.15\"\n")
	f.Add("Redis server v=7.0.15 sha=0\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, major, err := javaVersion(text); err == nil && major < 0 {
			t.Errorf("%q is of version %d", text, major)
		}
		if v, err := redisVersion(text); err == nil && !strings.Contains(text, v) {
			t.Errorf("%q is of version %q", text, v)
		}
	})
}
