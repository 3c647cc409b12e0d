package images

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
)

// redis is an image of the distribution's redis-server and its libraries.
func (b *builder) redis(ctx context.Context) (recipe, error) {
	if err := b.local(); err != nil {
		return recipe{}, err
	}
	// Debian's package redis-server is a service, which would run and stay. The
	// program itself is in redis-tools too, and is a server by its name.
	server, err := exec.LookPath("redis-server")
	if err != nil {
		if server, err = b.need(ctx, "redis-check-rdb", "redis-tools"); err != nil {
			return recipe{}, err
		}
	}
	if server, err = filepath.EvalSymlinks(server); err != nil {
		return recipe{}, err
	}
	out, err := (&exec.Cmd{Path: server, Args: []string{"redis-server", "--version"}}).Output()
	if err != nil {
		return recipe{}, fmt.Errorf("asking %s for its version: %w", server, err)
	}
	version, err := redisVersion(string(out))
	if err != nil {
		return recipe{}, fmt.Errorf("%s is no server: %w", server, err)
	}
	needs, err := libraries(ctx, server)
	if err != nil {
		return recipe{}, err
	}
	changes := []string{`CMD ["redis-server", "--protected-mode", "no"]`, "ENV PATH=/usr/local/bin:/usr/bin:/bin", "WORKDIR /data", "EXPOSE 6379"}
	hash, err := sum(changes, append([]string{server}, needs...)...)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		tag: version, hash: hash, inside: "Redis " + version + " of this machine's packages", serves: "Redis " + version, changes: changes,
		files: func(ctx context.Context) (archive, error) {
			a := archive{}
			a.addFile("/usr/local/bin/redis-server", server, 0o755)
			a.mkdir("/tmp", 0o1777)
			a.mkdir("/data", 0o777)
			return a, a.addLibraries(ctx, server)
		},
	}, nil
}

var redisSays = regexp.MustCompile(`^Redis server v=([0-9]+(?:\.[0-9]+)*) `)

// redisVersion reads what redis-server --version prints.
func redisVersion(text string) (string, error) {
	found := redisSays.FindStringSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("it says %q", limit(firstLine(text)))
	}
	return found[1], nil
}
