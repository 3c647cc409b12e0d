package images_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/services/store"
)

// cluster is a network without a way out, and the containers in it.
type cluster struct {
	docker                *client.Client
	name, network, prefix string
}

func newCluster(t *testing.T) cluster {
	t.Helper()
	docker := daemontest.Connect(t)
	c := cluster{docker: docker, name: daemontest.Cluster(t, docker)}
	c.network, c.prefix = daemontest.Network(t, docker, c.name)
	return c
}

// start starts a container at an address of the cluster's, waits until its
// log has a line, and says how long that took.
func (c cluster) start(t *testing.T, config container.Config, address, line string) (string, time.Duration) {
	t.Helper()
	labels, err := sweep.Labels(c.name, 0)
	if err != nil {
		t.Fatal(err)
	}
	config.Labels = labels
	start := time.Now()
	made, err := c.docker.ContainerCreate(t.Context(), &config, &container.HostConfig{NetworkMode: container.NetworkMode(c.network)},
		&network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			c.network: {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: address}},
		}}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.docker.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	for text := ""; ; time.Sleep(50 * time.Millisecond) {
		if text = c.log(t, made.ID); strings.Contains(text, line) {
			return made.ID, time.Since(start)
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("the log has no %q:\n%s", line, text)
		}
	}
}

func (c cluster) log(t *testing.T, id string) string {
	t.Helper()
	r, err := c.docker.ContainerLogs(t.Context(), id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, r); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// build makes one of our images, and requires that doing it again does nothing.
func build(t *testing.T, docker *client.Client, kind images.Kind) images.Made {
	t.Helper()
	say := func(text string) { t.Log(text) }
	first, err := images.Build(t.Context(), docker, kind, say)
	if err != nil {
		t.Fatal(err)
	}
	again, err := images.Build(t.Context(), docker, kind, say)
	if err != nil {
		t.Fatal(err)
	}
	if again.New || again.Name != first.Name {
		t.Errorf("after %+v, the same was built again as %+v", first, again)
	}
	found, err := images.Resolve(t.Context(), docker, []images.Kind{kind}, images.Options{Names: map[images.Kind]string{kind: first.Name}, NoPull: true}, say)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(found[kind].Served, "(image "+first.Name+")") {
		t.Errorf("what serves is called %q", found[kind].Served)
	}
	t.Logf("%s, %.1f MB: %s", first.Name, float64(first.Size)/1e6, found[kind].Served)
	return first
}

func TestOnEngineRedisAnswers(t *testing.T) {
	c := newCluster(t)
	made := build(t, c.docker, images.Redis)
	_, took := c.start(t, container.Config{Image: made.Name, Cmd: images.RedisCommand()}, c.prefix+"10", "Ready to accept connections")
	t.Logf("ready in %s", took)
	r := redis.NewClient(&redis.Options{Addr: c.prefix + "10:6379"})
	defer r.Close()
	if err := r.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Get(t.Context(), "key").Result(); err != nil || v != "value" {
		t.Errorf("the key has %q, %v", v, err)
	}
	if info := r.Info(t.Context(), "server").Val(); !strings.Contains(info, "redis_version:"+strings.TrimPrefix(made.Name, "flowtwin/redis:")) {
		t.Errorf("the server of %s says %q", made.Name, info)
	}
}

// A broker is up well within the ten seconds that a cluster has, and takes
// messages of the size that it was told to.
func TestOnEngineKafkaTakesMessages(t *testing.T) {
	c := newCluster(t)
	made := build(t, c.docker, images.Kafka)
	const largest = 4 << 20
	host := c.prefix + "20"
	_, took := c.start(t, container.Config{Image: made.Name, Env: images.KafkaEnvironment(host, largest)}, host, images.KafkaReady)
	t.Logf("ready in %s", took)
	address := fmt.Sprintf("%s:%d", host, images.KafkaPort)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	k := kafka.Client{Addr: kafka.TCP(address)}
	start := time.Now()
	answer, err := k.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "data", NumPartitions: 1, ReplicationFactor: 1}}})
	if err == nil {
		err = answer.Errors["data"]
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a topic takes %s", time.Since(start))
	w := kafka.Writer{Addr: k.Addr, Topic: "data", RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, BatchBytes: largest}
	defer w.Close()
	message := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	if err := w.WriteMessages(ctx, kafka.Message{Value: message}); err != nil {
		t.Fatal(err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{address}, Topic: "data", MaxBytes: largest, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	m, err := r.ReadMessage(ctx)
	if err != nil || !bytes.Equal(m.Value, message) {
		t.Errorf("of %d bytes, %d came back, %v", len(message), len(m.Value), err)
	}
}

// One image is everything that is flowtwin's own: its commands run in it, and
// it serves as a CouchDB.
func TestOnEngineANodeIsFlowtwin(t *testing.T) {
	c := newCluster(t)
	made := build(t, c.docker, images.Node)
	if made.New { // It is of a flowtwin that was compiled for this test.
		daemontest.Cleanup(t, func(ctx context.Context) error {
			_, err := sweep.Sweep(ctx, c.docker, sweep.Which{Cluster: c.name})
			_, failed := c.docker.ImageRemove(ctx, made.Name, image.RemoveOptions{})
			return errors.Join(err, failed)
		})
	}
	c.start(t, container.Config{Image: made.Name, Cmd: []string{"list", "schedulers"}}, c.prefix+"30", "faasflow")

	host := c.prefix + "31"
	id, took := c.start(t, container.Config{Image: made.Name, Env: []string{"PASSWORD=secret"},
		Cmd: []string{"couchserver", "--listen", host + ":5984", "--user", "admin", "--password-env", "PASSWORD"}}, host, "ready")
	t.Logf("ready in %s", took)
	server, err := store.Open(t.Context(), store.Options{URL: "http://admin:secret@" + host + ":5984/"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := server.Database(t.Context(), "db"); err != nil {
		t.Error(err)
	}

	// Whoever a program in it is, it can keep files in /tmp.
	at, err := c.docker.ContainerStatPath(t.Context(), id, "/tmp")
	if err != nil {
		t.Fatal(err)
	}
	if at.Mode.Perm() != 0o777 || at.Mode&fs.ModeSticky == 0 {
		t.Errorf("/tmp has the mode %s", at.Mode)
	}
}
