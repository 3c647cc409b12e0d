package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	networks "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/flowtwin/flowtwin/emu/docker/faults"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/sibling"
	"github.com/flowtwin/flowtwin/emu/docker/subnets"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/function/command"
	"github.com/flowtwin/flowtwin/emu/remote"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Ports of a node, below those that the kernel gives to clients.
const (
	meshPort    = 7070 // where its peers reach it
	harnessPort = 7071 // where the harness does
	probePort   = 7072 // where its bandwidth is measured
	redisPort   = 6379
	couchPort   = 5984
)

const storeUser = "flowtwin"

// cluster is the containers that stay from trial to trial.
type cluster struct {
	world    *World
	id       string
	token    string
	password string // of the store
	network  *testcontainers.DockerNetwork
	subnet   netip.Prefix
	machines []*machine
	couch    testcontainers.Container
	kafka    testcontainers.Container // nil until something is streamed
	watch    *faults.Watch
}

// machine is a pod.
type machine struct {
	id      engine.NodeID
	address netip.Addr
	node    testcontainers.Container
	redis   testcontainers.Container // nil on others than workers
	remote  *remote.Node             // nil while it is killed
}

// newCluster makes a network for a cluster without machines.
func newCluster(ctx context.Context, w *World) (*cluster, error) {
	prepareEnvironment()
	id := make([]byte, 4)
	_, _ = rand.Read(id) // Never fails.
	c := &cluster{world: w, id: hex.EncodeToString(id), token: rand.Text(), password: rand.Text()}
	labels, err := sweep.Labels(c.id, -1)
	if err != nil {
		return nil, err
	}
	taken, err := subnets.Routes()
	if err != nil {
		return nil, err
	}
	free, users := subnets.Free(taken)
	for _, subnet := range free {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		making, cancel := c.making(ctx)
		c.network, err = networks.New(making, networks.WithInternal(), networks.WithLabels(labels),
			networks.WithIPAM(&network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet}}}))
		cancel()
		switch {
		case err == nil:
			c.subnet = subnet
			c.watch = faults.NewWatch(w.engine, map[string]string{sweep.LabelCluster: c.id}, nameOf)
			return c, nil
		case !strings.Contains(err.Error(), "overlap"): // Others make networks at the same time.
			return nil, fmt.Errorf("a network for the cluster cannot be made: %w", err)
		}
	}
	return nil, fmt.Errorf("there is no network /%d left in %s for the cluster (%s): "+
		"flowtwin clean removes those of runs that were killed, docker network ls shows the others", subnets.Bits, subnets.All, strings.Join(users, ", "))
}

// making is the context of what is made: if that is given up, it is not known
// whether there is something to remove. So it is made even when ctx ends.
func (c *cluster) making(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), c.world.options.StartTime)
}

// nameOf names the containers whose end nobody expects. Those of functions
// come and go.
func nameOf(labels map[string]string) string {
	switch role := labels[sibling.LabelRole]; role {
	case sibling.Function:
		return ""
	case "node":
		return "node " + labels[sweep.LabelNode]
	default:
		return "the " + role + " of node " + labels[sweep.LabelNode]
	}
}

// prepareEnvironment tells testcontainers what it cannot find out: its own
// helper for cleaning up, whose image may not be at hand, is not needed, as
// everything carries labels; and where a file says that this is a container,
// it is the engine's host all the same.
func prepareEnvironment() {
	log.SetDefault(silent{})
	for name, value := range map[string]string{"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "localhost"} {
		if _, set := os.LookupEnv(name); !set {
			_ = os.Setenv(name, value) // Never fails for such names.
		}
	}
}

// at returns an address of the cluster's by its number.
func (c *cluster) at(number int) netip.Addr {
	a := c.subnet.Addr().As4()
	n := uint32(a[2])<<8 | uint32(a[3])
	n += uint32(number)
	return netip.AddrFrom4([4]byte{a[0], a[1], byte(n >> 8), byte(n)})
}

// firstNode is the number of the first node's address: what comes before is the
// network's, and the host's.
const firstNode = 16

// grow brings up what is missing.
func (c *cluster) grow(ctx context.Context, workers int, broker bool) error {
	var fresh []*machine
	for id := engine.NodeID(len(c.machines)); int(id) < workers+int(scenarios.FirstWorker); id++ {
		m := &machine{id: id, address: c.at(firstNode + int(id))}
		fresh = append(fresh, m)
	}
	var what []string
	if len(fresh) > 0 {
		what = append(what, fmt.Sprintf("%d nodes", len(fresh)))
	}
	broker = broker && c.kafka == nil
	if broker {
		what = append(what, "Kafka")
	}
	if len(what) > 0 {
		c.world.options.Progress("starting " + strings.Join(what, " and "))
	}
	began := time.Now()
	earlier := c.machines
	c.machines = append(c.machines, fresh...) // All that is started below looks at them.
	var starts parallel
	if broker && len(earlier) > 0 { // Otherwise the storage node brings it.
		starts.do(func() error { return c.startBroker(ctx) })
	}
	for _, m := range earlier {
		if m.node != nil && m.remote == nil { // An earlier trial has killed it.
			starts.do(func() error { return c.revive(ctx, m) })
		}
	}
	for _, m := range fresh {
		starts.do(func() error { return c.raise(ctx, m, broker) })
	}
	if err := starts.wait(); err != nil {
		return err
	}
	if len(what) > 0 {
		c.world.note("start of "+strings.Join(what, " and "), fmt.Sprintf("%.1f s", time.Since(began).Seconds()))
	}
	return nil
}

// raise starts a machine, and its services as soon as there is a network for
// them to share.
func (c *cluster) raise(ctx context.Context, m *machine, broker bool) error {
	if err := c.start(ctx, m); err != nil {
		return err
	}
	var services parallel
	services.do(func() error { return c.reach(ctx, m) })
	switch {
	case m.id >= scenarios.FirstWorker:
		services.do(func() error { return c.startMemory(ctx, m) })
	case m.id == scenarios.StorageNode:
		services.do(func() error { return c.startStore(ctx) })
		if broker {
			services.do(func() error { return c.startBroker(ctx) })
		}
	}
	err := services.wait()
	if err != nil && ctx.Err() == nil {
		// What shares the network of a node fails in its own way if that has ended.
		if why := c.ended(ctx, m.node, fmt.Sprintf("node %d", m.id)); why != nil {
			return why
		}
	}
	return err
}

// parallel does several things at the same time.
type parallel struct {
	work sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (p *parallel) do(what func() error) {
	p.work.Go(func() {
		err := what()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.errs = append(p.errs, err)
	})
}

// wait waits until all is done. Of several errors it returns the first.
func (p *parallel) wait() error {
	p.work.Wait()
	for _, err := range p.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// run starts a container of a node.
func (c *cluster) run(ctx context.Context, m *machine, role, image string, options ...testcontainers.ContainerCustomizer) (testcontainers.Container, error) {
	labels, err := sweep.Labels(c.id, int(m.id))
	if err != nil {
		return nil, err
	}
	labels[sibling.LabelRole] = role
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	making, cancel := c.making(ctx)
	defer cancel()
	one, err := testcontainers.Run(making, image, append([]testcontainers.ContainerCustomizer{
		testcontainers.WithLabels(labels),
		testcontainers.WithName(fmt.Sprintf("flowtwin-%s-%d-%s", c.id, m.id, role)),
		testcontainers.WithLogger(silent{}),
		testcontainers.WithNoStart(),
	}, options...)...)
	if err == nil {
		if err = one.Start(ctx); err != nil { // It has been made, but does not do what it is to.
			said := strings.TrimPrefix(err.Error(), "started hook: wait until ready: ")
			if errors.Is(err, context.DeadlineExceeded) {
				said = fmt.Sprintf("it has not come up within %s", c.world.options.StartTime)
			}
			err = fmt.Errorf("%s; %s", said, c.tail(one))
		}
	}
	if ctx.Err() != nil {
		return one, ctx.Err()
	}
	if err != nil {
		return one, fmt.Errorf("the %s of node %d (image %s) cannot be started: %w", role, m.id, image, err)
	}
	return one, nil
}

// silent keeps testcontainers from telling what it does.
type silent struct{}

// Printf implements log.Logger.
func (silent) Printf(string, ...any) {}

// in says that a container shares the network of a pod.
func in(m *machine) testcontainers.CustomizeRequestOption {
	return testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
		h.NetworkMode = container.NetworkMode("container:" + m.node.GetContainerID())
	})
}

const engineSocket = "/var/run/docker.sock"

// start starts the pod of a machine.
func (c *cluster) start(ctx context.Context, m *machine) (err error) {
	m.node, err = c.run(ctx, m, "node", c.world.images[images.Node].Name,
		testcontainers.WithCmd("node", "--listen", fmt.Sprintf("%s:%d", m.address, harnessPort)),
		testcontainers.WithEnv(map[string]string{"FLOWTWIN_TOKEN": c.token, command.InImage: c.world.options.Command}),
		networks.WithNetwork(nil, c.network),
		testcontainers.WithEndpointSettingsModifier(func(all map[string]*network.EndpointSettings) {
			for _, one := range all {
				one.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: m.address}
			}
		}),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
			h.CapAdd = append(h.CapAdd, "NET_ADMIN")
			// Any kernel has it, and it follows a limit that changes at once.
			h.Sysctls = map[string]string{"net.ipv4.tcp_congestion_control": "reno"}
			if m.id >= scenarios.FirstWorker { // It starts function containers.
				h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: hostSocket(c.world.engine.DaemonHost()), Target: engineSocket})
			}
		}))
	return err
}

// hostSocket is where the engine listens on its host.
func hostSocket(daemon string) string {
	if path, ok := strings.CutPrefix(daemon, "unix://"); ok {
		return path
	}
	return engineSocket
}

// startMemory starts the Redis of a worker.
func (c *cluster) startMemory(ctx context.Context, m *machine) (err error) {
	m.redis, err = c.run(ctx, m, "redis", c.world.images[images.Redis].Name, in(m),
		testcontainers.WithCmd(images.RedisCommand("--bind", "127.0.0.1", "--port", fmt.Sprint(redisPort))...),
		testcontainers.WithWaitStrategy(wait.ForLog("Ready to accept connections").WithPollInterval(pollEvery).WithStartupTimeout(c.world.options.StartTime)))
	return err
}

const pollEvery = 10 * time.Millisecond

// startStore starts the CouchDB of the storage node.
func (c *cluster) startStore(ctx context.Context) (err error) {
	m := c.machines[scenarios.StorageNode]
	image := c.world.images[images.CouchDB]
	env := map[string]string{"COUCHDB_USER": storeUser, "COUCHDB_PASSWORD": c.password}
	options := []testcontainers.ContainerCustomizer{in(m)}
	if image.Flowtwin {
		env = map[string]string{"FLOWTWIN_PASSWORD": c.password}
		options = append(options, testcontainers.WithCmd(
			"couchserver", "--listen", fmt.Sprintf("%s:%d", m.address, couchPort), "--user", storeUser, "--password-env", "FLOWTWIN_PASSWORD"))
	}
	if c.couch, err = c.run(ctx, m, "couchdb", image.Name, append(options, testcontainers.WithEnv(env))...); err != nil {
		return err
	}
	return c.until(ctx, c.couch, "the store", func(ctx context.Context) error {
		s, err := store.Open(ctx, store.Options{URL: c.storeURL()})
		if err != nil {
			return err
		}
		return s.Close()
	})
}

// storeURL is where the store is, with its administrator's name and password.
func (c *cluster) storeURL() string {
	return fmt.Sprintf("http://%s:%s@%s:%d/", storeUser, c.password, c.machines[scenarios.StorageNode].address, couchPort)
}

// startBroker starts the Kafka of the storage node.
func (c *cluster) startBroker(ctx context.Context) (err error) {
	const message = 16 << 20 // bytes; topics have limits of their own
	m := c.machines[scenarios.StorageNode]
	env := map[string]string{}
	for _, variable := range images.KafkaEnvironment(m.address.String(), message) {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	c.kafka, err = c.run(ctx, m, "kafka", c.world.images[images.Kafka].Name, in(m), testcontainers.WithEnv(env),
		testcontainers.WithWaitStrategy(wait.ForLog(images.KafkaReady).WithPollInterval(pollEvery).WithStartupTimeout(c.world.options.StartTime)))
	return err
}

func (c *cluster) brokers() []string {
	return []string{fmt.Sprintf("%s:%d", c.machines[scenarios.StorageNode].address, images.KafkaPort)}
}

// revive starts a machine again that has been killed. It is empty.
func (c *cluster) revive(ctx context.Context, m *machine) error {
	ids := []string{m.node.GetContainerID()}
	if m.redis != nil { // Which shares the network of the new one.
		ids = append(ids, m.redis.GetContainerID())
	}
	if err := faults.Start(ctx, c.world.engine, ids...); err != nil {
		return err
	}
	return c.reach(ctx, m)
}

// endTime is how long a cluster, or a trial on it, may take to end.
const endTime = time.Minute

// reach connects the harness with the node of a machine.
func (c *cluster) reach(ctx context.Context, m *machine) error {
	return c.until(ctx, m.node, fmt.Sprintf("node %d", m.id), func(ctx context.Context) (err error) {
		m.remote, err = remote.Dial(ctx, fmt.Sprintf("node %d", m.id), fmt.Sprintf("%s:%d", m.address, harnessPort), c.token)
		return err
	})
}

// until tries something until it works, or what it is about has ended, or takes
// too long.
func (c *cluster) until(ctx context.Context, one testcontainers.Container, what string, try func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, c.world.options.StartTime)
	defer cancel()
	for pause := pollEvery; ; pause = min(2*pause, time.Second) {
		err := try(limited)
		if err == nil {
			return nil
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s has not come up within %s: %w; %s", what, c.world.options.StartTime, err, c.tail(one))
		case <-time.After(pause):
		}
		if err := c.ended(limited, one, what); err != nil {
			return err
		}
	}
}

// ended returns an error if a container has ended: none is to.
func (c *cluster) ended(ctx context.Context, one testcontainers.Container, what string) error {
	if state, err := one.State(ctx); err == nil && state.Status == container.StateExited {
		return fmt.Errorf("%s has ended with status %d; %s", what, state.ExitCode, c.tail(one))
	}
	return nil
}

// tail is the end of what a container has printed.
func (c *cluster) tail(one testcontainers.Container) string {
	// The context of what has failed is of no use here.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return faults.Tail(ctx, c.world.engine, one.GetContainerID())
}

// remove removes everything that has the cluster's label.
func (c *cluster) remove() error {
	// The context of a run that was interrupted is of no use here.
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	c.watch.Close()
	for _, m := range c.machines {
		if m.remote != nil {
			m.remote.Close()
		}
	}
	if _, err := sweep.Sweep(ctx, c.world.engine, sweep.Which{Cluster: c.id}); err != nil {
		return fmt.Errorf("the cluster cannot be removed whole (flowtwin clean removes the rest): %w", err)
	}
	return nil
}
