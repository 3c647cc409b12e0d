package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/emu/shape"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// servers are the services of a trial.
type servers struct {
	trial *scenarios.Trial
	// name is the trial's own, so that it shares a real server with nobody.
	name     string
	options  *Options
	couch    *embedded.CouchDB // nil if there is a real one
	couchURL string
	links    links
	// gate is closed while the services are stopped. patience is how long one is
	// waited for.
	gate     *shape.Gate
	patience time.Duration
	// The harness's own way to the store, which no link limits.
	direct *store.Server
	seeder *access.Access
	// The broker, where data are streamed.
	kafka   *embedded.Kafka // nil if there is a real one
	brokers []string
}

// links are the buckets of all nodes.
type links struct {
	rates         []float64
	out, in       []*shape.Bucket // by node, nil without a limit
	capOut, capIn *shape.Bucket
}

func newLinks(t *scenarios.Trial) links {
	c := &t.Cluster
	var l links
	for _, m := range append([]scenarios.Machine{c.Gateway, c.Storage}, c.Workers...) {
		rate := m.Link
		if rate == units.Unlimited {
			rate = t.Profile.Network.Link
		}
		l.rates = append(l.rates, float64(rate))
		l.out, l.in = append(l.out, bucket(float64(rate))), append(l.in, bucket(float64(rate)))
	}
	l.capOut, l.capIn = bucket(float64(c.StorageCap)*scenarios.PayloadShare), bucket(float64(c.StorageCap)*scenarios.PayloadShare)
	return l
}

// bucket returns nil for a rate without limit.
func bucket(rate float64) *shape.Bucket {
	if rate == float64(units.Unlimited) {
		return nil
	}
	return shape.NewBucket(rate)
}

// slow divides the bandwidth of a node's link.
func (l *links) slow(n engine.NodeID, factor float64) {
	for _, b := range [...]*shape.Bucket{l.out[n], l.in[n]} {
		if b != nil {
			b.SetRate(l.rates[n] / factor)
		}
	}
}

// dial returns how a machine opens connections to the services of the storage
// node.
func (s *servers) dial(m *machine) services.Dial {
	link := s.links.toStorage(m.id)
	link.Gates = []*shape.Gate{m.gate, m.storage, s.gate}
	return link.Dial(services.Direct)
}

// toStorage is what connections from a node to the services of the storage
// node pass.
func (l *links) toStorage(from engine.NodeID) shape.Link {
	const storage = scenarios.StorageNode
	if from == storage {
		return shape.Link{} // They leave it by no link.
	}
	return shape.Link{
		Out: limits(l.out[from], l.in[storage], l.capIn),
		In:  limits(l.in[from], l.out[storage], l.capOut),
	}
}

func limits(all ...*shape.Bucket) []*shape.Bucket {
	var set []*shape.Bucket
	for _, b := range all {
		if b != nil {
			set = append(set, b)
		}
	}
	return set
}

// startServers starts or finds the services of a trial. If it fails, stop is
// to be called nevertheless.
func startServers(ctx context.Context, o *Options, t *scenarios.Trial) (*servers, error) {
	id := make([]byte, 6)
	_, _ = rand.Read(id) // Never fails.
	s := &servers{trial: t, name: "flowtwin-" + hex.EncodeToString(id), options: o, couchURL: o.CouchDB, links: newLinks(t), patience: node.Detect(t)}
	s.gate = shape.NewGate(s.patience)
	var err error
	if o.CouchDB == "" {
		if s.couch, err = embedded.StartCouchDB("flowtwin", rand.Text()); err != nil {
			return s, err
		}
		s.couchURL = s.couch.URL()
	}
	if s.direct, err = store.Open(ctx, store.Options{URL: s.couchURL}); err != nil {
		return s, err
	}
	if t.Streams() {
		if s.brokers = o.Kafka; len(o.Kafka) == 0 {
			if s.kafka, err = embedded.StartKafka(); err != nil {
				return s, err
			}
			s.brokers = s.kafka.Brokers()
		}
	}
	if s.seeder, err = access.Open(ctx, t, scenarios.StorageNode, access.Services{Name: s.name, CouchDB: s.couchURL}, access.Options{}); err != nil {
		return s, err
	}
	return s, s.seeder.Seed(ctx, o.Work.Bodies)
}

// stop ends the services and removes what the trial has left in those that
// stay.
func (s *servers) stop() error {
	// The context of a run that was interrupted is of no use here.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	if s.kafka != nil {
		errs = append(errs, s.kafka.Close())
	}
	if s.seeder != nil {
		if s.couch == nil {
			errs = append(errs, s.direct.DeleteDatabase(ctx, s.name))
		}
		errs = append(errs, s.seeder.Close())
	}
	if s.direct != nil {
		errs = append(errs, s.direct.Close())
	}
	if s.couch != nil {
		errs = append(errs, s.couch.Close())
	}
	return errors.Join(errs...)
}
