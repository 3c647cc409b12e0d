package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// What the image of Kafka is made of, besides jars, a Java runtime and a
// shell. Scripts, their places and the variables that they take are those of
// the official image.
const (
	// modules are the parts of Java that a broker uses.
	modules = "java.base,java.desktop,java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.sql,java.xml," +
		"jdk.crypto.ec,jdk.management,jdk.unsupported"

	defaults = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=/tmp/kraft-combined-logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`
	runScript = `#!/bin/sh
/etc/kafka/docker/configure && exec /etc/kafka/docker/launch
`
	configureScript = `#!/bin/sh
export CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
exec /etc/kafka/docker/java kafka.docker.KafkaDockerWrapper setup \
  --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config
`
	launchScript = `#!/bin/sh
exec /etc/kafka/docker/java kafka.Kafka /opt/kafka/config/server.properties
`
	// The shared archive has the classes of a broker ready to use. A virtual
	// machine that finds it not to fit does without.
	javaScript = `#!/bin/sh
[ ! -f ` + sharedArchive + ` ] || shared="-Xshare:auto -XX:SharedArchiveFile=` + sharedArchive + `"
exec /opt/java/bin/java ${KAFKA_HEAP_OPTS--Xms1G -Xmx1G} ${KAFKA_JVM_PERFORMANCE_OPTS--XX:+UseSerialGC -XX:-UsePerfData} $shared $KAFKA_OPTS "$@"
`
	sharedArchive = "/opt/kafka/kafka.jsa"

	// trainScript starts a broker once, and archives the classes that it loads.
	trainScript = `set -e
KAFKA_OPTS=-XX:DumpLoadedClassList=/tmp/setup /etc/kafka/docker/configure
KAFKA_OPTS=-XX:DumpLoadedClassList=/tmp/broker /etc/kafka/docker/launch >/tmp/log 2>&1 &
until grep -q '` + KafkaReady + `' /tmp/log; do
  kill -0 $! || { cat /tmp/log; exit 1; }
  sleep 0.2
done
kill $!
wait $! || true
awk '!seen[$0]++' /tmp/setup /tmp/broker >/tmp/classes
KAFKA_OPTS="-Xshare:dump -XX:SharedClassListFile=/tmp/classes -XX:SharedArchiveFile=` + sharedArchive + `" /etc/kafka/docker/java
`
)

// applets are what scripts, and people who look into a container, need.
var applets = []string{"sh", "awk", "cat", "env", "grep", "kill", "ls", "ps", "sleep", "tail"}

// kafka is an image of Apache Kafka's own jars, on a Java runtime.
func (b *builder) kafka(ctx context.Context) (recipe, error) {
	if err := b.local(); err != nil {
		return recipe{}, err
	}
	jars, err := b.kafkaJars(ctx)
	if err != nil {
		return recipe{}, err
	}
	java, err := b.findJava(ctx)
	if err != nil {
		return recipe{}, err
	}
	shell, err := b.staticShell(ctx)
	if err != nil {
		return recipe{}, err
	}
	var classPath []string
	for _, jar := range jars {
		classPath = append(classPath, "/opt/kafka/libs/"+filepath.Base(jar))
	}
	changes := []string{
		`ENTRYPOINT ["/etc/kafka/docker/run"]`, "EXPOSE 9092", "WORKDIR /opt/kafka",
		"ENV PATH=/opt/java/bin:/bin LANG=C.UTF-8 CLASSPATH=" + strings.Join(classPath, ":"),
	}
	texts := slices.Concat(changes, applets, []string{modules, defaults, runScript, configureScript, launchScript, javaScript, trainScript, java.home, java.version})
	hash, err := sum(texts, append([]string{shell}, jars...)...)
	if err != nil {
		return recipe{}, err
	}
	files := func(ctx context.Context) (archive, error) {
		a := archive{}
		runtimeDir, err := b.makeRuntime(ctx, java)
		if err != nil {
			return nil, err
		}
		if err := a.addRuntime(ctx, runtimeDir); err != nil {
			return nil, err
		}
		for _, jar := range jars {
			a.addFile("/opt/kafka/libs/"+filepath.Base(jar), jar, 0o644)
		}
		a.addFile("/bin/busybox", shell, 0o755)
		for _, applet := range applets {
			a.link("/bin/"+applet, "busybox")
		}
		for name, text := range map[string]string{"run": runScript, "configure": configureScript, "launch": launchScript, "java": javaScript} {
			a.add("/etc/kafka/docker/"+name, []byte(text), 0o755)
		}
		a.add("/etc/kafka/docker/server.properties", []byte(defaults), 0o644)
		// The set-up wants these; the jars log to the container's own log.
		a.add("/etc/kafka/docker/log4j.properties", nil, 0o644)
		a.add("/etc/kafka/docker/tools-log4j.properties", nil, 0o644)
		a.mkdir("/opt/kafka/config", 0o777)
		a.mkdir("/mnt/shared/config", 0o755)
		a.mkdir("/tmp", 0o1777)
		shared, err := b.train(ctx, a, changes)
		if err != nil {
			return nil, err
		}
		a.add(sharedArchive, shared, 0o644)
		return a, nil
	}
	return recipe{
		tag: KafkaVersion, hash: hash, inside: "Apache Kafka " + KafkaVersion + " of its Maven artifacts, Java " + java.version,
		serves: "Apache Kafka " + KafkaVersion, changes: changes, files: files,
	}, nil
}

// kafkaProject has Maven bring Kafka, and a logger that writes to a
// container's log.
const kafkaProject = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>flowtwin</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + KafkaVersion + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// kafkaJars returns Kafka's jars from the user's cache, where Maven brings
// them once for all.
func (b *builder) kafkaJars(ctx context.Context) ([]string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding where to keep Kafka's jars: %w", err)
	}
	dir := filepath.Join(cache, "flowtwin", "kafka-"+KafkaVersion)
	list := func() ([]string, error) {
		jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
		if err == nil && !slices.ContainsFunc(jars, func(jar string) bool { return filepath.Base(jar) == "kafka_2.13-"+KafkaVersion+".jar" }) {
			err = fmt.Errorf("%s has no Kafka in it: remove it", dir)
		}
		slices.Sort(jars)
		return jars, err
	}
	if _, err := os.Stat(dir); err == nil {
		return list()
	}
	maven, err := b.need(ctx, "mvn", "maven")
	if err != nil {
		return nil, err
	}
	b.progress("fetching Kafka " + KafkaVersion + " with Maven, some 50 MB")
	project, jars := filepath.Join(b.temp, "pom.xml"), filepath.Join(b.temp, "jars")
	if err := os.WriteFile(project, []byte(kafkaProject), 0o600); err != nil {
		return nil, err
	}
	c := run(ctx, maven, "-q", "-B", "-C", "-f", project,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+jars)
	c.Env = append(os.Environ(), "MAVEN_OPTS=-XX:-UsePerfData -Djava.io.tmpdir="+b.temp)
	if err := output(c); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	if err := move(jars, dir); err != nil {
		return nil, fmt.Errorf("keeping Kafka's jars: %w", err)
	}
	return list()
}

// move puts a directory in its place at once, or leaves the place to another
// that was quicker. The two may be on different disks.
func move(from, to string) error {
	beside, err := os.MkdirTemp(filepath.Dir(to), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	if err := os.CopyFS(filepath.Join(beside, "files"), os.DirFS(from)); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(beside, "files"), to); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// java is a Java installation of this machine.
type java struct {
	home, version string
	jlink         string // "" if it cannot make runtimes
}

// findJava finds one that Kafka runs on.
func (b *builder) findJava(ctx context.Context) (java, error) {
	command, err := b.need(ctx, "java", "default-jre-headless")
	if err != nil {
		return java{}, err
	}
	at, err := filepath.EvalSymlinks(command)
	if err != nil {
		return java{}, err
	}
	j := java{home: filepath.Dir(filepath.Dir(at))}
	text, err := os.ReadFile(filepath.Join(j.home, "release"))
	if err != nil {
		return java{}, fmt.Errorf("%s is of no Java installation that can be copied: %w", command, err)
	}
	major := 0
	if j.version, major, err = javaVersion(string(text)); err != nil {
		return java{}, fmt.Errorf("%s: %w", j.home, err)
	}
	if major < 11 || major > 23 {
		return java{}, fmt.Errorf("%s is Java %s, and Kafka %s runs on Java 11 to 23: put another java first in PATH", j.home, j.version, KafkaVersion)
	}
	linker := filepath.Join(j.home, "bin", "jlink")
	if _, err := os.Stat(linker); err == nil {
		if _, err := os.Stat(filepath.Join(j.home, "jmods", "java.base.jmod")); err == nil {
			j.jlink = linker
		}
	}
	return j, nil
}

var javaSays = regexp.MustCompile(`(?m)^JAVA_VERSION="(([0-9]+)[0-9a-zA-Z.+_-]*)"\r?$`)

// javaVersion reads the file release of a Java installation.
func javaVersion(release string) (version string, major int, err error) {
	found := javaSays.FindStringSubmatch(release)
	if found == nil {
		return "", 0, errors.New("its file release names no version")
	}
	if major, err = strconv.Atoi(found[2]); err != nil {
		return "", 0, fmt.Errorf("its file release names the version %s", limit(found[1]))
	}
	return found[1], major, nil
}

// makeRuntime returns a directory with the parts of Java that Kafka needs, or
// with all of it where there is no jlink.
func (b *builder) makeRuntime(ctx context.Context, j java) (string, error) {
	if j.jlink == "" {
		return j.home, nil
	}
	b.progress("making a Java runtime with jlink")
	dir := filepath.Join(b.temp, "runtime")
	return dir, output(run(ctx, j.jlink, "--add-modules", modules, "--output", dir,
		"--strip-debug", "--no-header-files", "--no-man-pages", "-J-XX:-UsePerfData"))
}

// addRuntime adds a Java runtime with the libraries that it needs.
func (a archive) addRuntime(ctx context.Context, dir string) error {
	own := archive{}
	if err := own.addTree("/opt/java", dir); err != nil {
		return err
	}
	for name, f := range own {
		a[name] = f
		if filepath.Ext(f.source) != ".so" && filepath.Base(f.source) != "java" {
			continue
		}
		needs, err := libraries(ctx, f.source)
		if err != nil {
			// Parts of Java that have to do with screens need libraries that a
			// machine without one lacks, and no broker uses them.
			continue
		}
		for _, library := range needs {
			if !strings.HasPrefix(library, dir+string(filepath.Separator)) {
				a.addFile(library, library, 0o755)
			}
		}
	}
	return nil
}

// staticShell returns a busybox that needs no library.
func (b *builder) staticShell(ctx context.Context) (string, error) {
	if at, err := exec.LookPath("busybox"); err == nil {
		if p, err := inspectFile(at); err == nil && p.static() && p.arch == runtime.GOARCH {
			return at, nil
		}
	}
	dir, err := b.unpack(ctx, "busybox-static")
	if err != nil {
		return "", fmt.Errorf("it needs a static busybox (Debian's package busybox-static): %w", err)
	}
	for _, at := range []string{"bin/busybox", "usr/bin/busybox"} {
		if at = filepath.Join(dir, at); fileExists(at) {
			return at, nil
		}
	}
	return "", errors.New("there is no busybox in the package busybox-static")
}

func fileExists(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// train starts a broker in an image without a shared archive, which is then
// made of the classes that it has loaded.
func (b *builder) train(ctx context.Context, files archive, changes []string) ([]byte, error) {
	b.progress("starting the broker once, to archive its classes")
	labels, err := sweep.Labels("images", -1)
	if err != nil {
		return nil, err
	}
	id, err := b.load(ctx, "", files, changes, map[string]string{LabelKind: "training"})
	if err != nil {
		return nil, err
	}
	defer func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, _ = b.client.ImageRemove(limited, id, image.RemoveOptions{Force: true})
	}()
	made, err := b.client.ContainerCreate(ctx, &container.Config{
		Image: id, Entrypoint: []string{"/bin/sh", "-c", trainScript}, Env: KafkaEnvironment("localhost", 1<<20), Labels: labels,
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		return nil, fmt.Errorf("trying the image out: %w", err)
	}
	defer func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = b.client.ContainerRemove(limited, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}()
	limited, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	ended, failed := b.client.ContainerWait(limited, made.ID, container.WaitConditionNextExit)
	if err := b.client.ContainerStart(limited, made.ID, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("trying the image out: %w", err)
	}
	select {
	case err := <-failed:
		return nil, fmt.Errorf("trying the image out: %w", err)
	case status := <-ended:
		if status.StatusCode != 0 {
			return nil, fmt.Errorf("the broker does not start in its image (status %d): %s", status.StatusCode, b.lastWords(ctx, made.ID))
		}
	}
	packed, _, err := b.client.CopyFromContainer(ctx, made.ID, sharedArchive)
	if err != nil {
		return nil, fmt.Errorf("taking the archive of classes: %w: %s", err, b.lastWords(ctx, made.ID))
	}
	defer packed.Close()
	return onlyFile(packed)
}

// lastWords is the line of a container's log that says why it has failed.
func (b *builder) lastWords(ctx context.Context, id string) string {
	log, err := b.client.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "100"})
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, log); err != nil {
		return err.Error()
	}
	return telling(text.Bytes())
}

// onlyFile returns the contents of the one file of a tar.
func onlyFile(r io.Reader) ([]byte, error) {
	t := tar.NewReader(r)
	h, err := t.Next()
	if err != nil {
		return nil, err
	}
	if h.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("%s is no file", h.Name)
	}
	return io.ReadAll(t)
}
