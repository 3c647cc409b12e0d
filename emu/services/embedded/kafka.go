package embedded

import (
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is a server of Kafka's protocol, with one broker.
type Kafka struct {
	cluster *kfake.Cluster
}

// StartKafka starts a server. Topics are made on request only.
func StartKafka() (*Kafka, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(string, string) (net.Listener, error) {
		return net.Listen("tcp", loopback)
	}))
	if err != nil {
		return nil, fmt.Errorf("starting the embedded Kafka: %w", err)
	}
	return &Kafka{cluster}, nil
}

// Brokers are the hosts and ports of the server.
func (k *Kafka) Brokers() []string { return k.cluster.ListenAddrs() }

// Served names the server.
func (k *Kafka) Served() string { return "kfake, Kafka protocol" }

// Close stops the server; what it held is gone.
func (k *Kafka) Close() error {
	k.cluster.Close()
	return nil
}
