package images

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what an image is for.
type Kind string

// The kinds of images that a cluster needs.
const (
	Node    Kind = "node"    // the flowtwin program
	Redis   Kind = "redis"   // the memory of a node
	Kafka   Kind = "kafka"   // the broker of the storage node
	CouchDB Kind = "couchdb" // the store of the storage node
)

// Kinds are all kinds, in the order in which they are listed.
func Kinds() []Kind { return []Kind{Node, Redis, Kafka, CouchDB} }

// Built are the kinds that Build makes. Where there is no CouchDB, the node's
// image serves in its place.
func Built() []Kind { return []Kind{Node, Redis, Kafka} }

// ParseKind returns the kind of a name. The error names those that there are.
func ParseKind(name string) (Kind, error) {
	if kind := Kind(name); slices.Contains(Kinds(), kind) {
		return kind, nil
	}
	return "", fmt.Errorf("there is no image of kind %q: there are %s", name, join(Kinds()))
}

func join(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// KafkaVersion is the version of the official image and of ours.
const KafkaVersion = "3.9.1"

// Official is the official image of a kind, "" for a node.
func (k Kind) Official() string {
	switch k {
	case Redis:
		return "redis:7.4-alpine"
	case Kafka:
		return "apache/kafka:" + KafkaVersion
	case CouchDB:
		return "couchdb:3.5"
	}
	return ""
}

// product is what a kind's official image serves.
func (k Kind) product() string {
	switch k {
	case Redis:
		return "Redis"
	case Kafka:
		return "Apache Kafka"
	case CouchDB:
		return "Apache CouchDB"
	}
	return "flowtwin"
}

// repository is where our images of a kind are.
func (k Kind) repository() string { return "flowtwin/" + string(k) }

// The labels of our images.
const (
	// LabelKind tells our images from all others.
	LabelKind = "flowtwin.image"
	// LabelInside says what is inside, in words, LabelServes what a report is to
	// call it.
	LabelInside = "flowtwin.inside"
	LabelServes = "flowtwin.serves"
	// LabelRecipe is a hash of all that an image is made of.
	LabelRecipe = "flowtwin.recipe"
)

// RedisCommand is the command of a container of Redis that keeps nothing on
// disk, with more settings, for the official image and ours.
func RedisCommand(settings ...string) []string {
	return append([]string{"redis-server", "--protected-mode", "no", "--save", "", "--appendonly", "no"}, settings...)
}

// KafkaPort is where a broker with KafkaEnvironment listens.
const KafkaPort = 9092

// KafkaEnvironment are the variables of a container with one broker that
// clients reach at a host, for the official image and ours. All that it needs
// is set, because both drop their defaults as soon as one variable is given. A
// message may have up to the given number of bytes. The broker has said
// KafkaReady once it serves.
func KafkaEnvironment(host string, message int) []string {
	return []string{
		"CLUSTER_ID=Zmxvd3R3aW4tY2x1c3Rlcg",
		"KAFKA_NODE_ID=1",
		"KAFKA_PROCESS_ROLES=broker,controller",
		fmt.Sprintf("KAFKA_LISTENERS=PLAINTEXT://%s:%d,CONTROLLER://localhost:9093", host, KafkaPort),
		fmt.Sprintf("KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://%s:%d", host, KafkaPort),
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"KAFKA_INTER_BROKER_LISTENER_NAME=PLAINTEXT",
		"KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
		"KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093",
		"KAFKA_LOG_DIRS=/tmp/kraft-combined-logs",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE=false",
		fmt.Sprintf("KAFKA_MESSAGE_MAX_BYTES=%d", message),
		fmt.Sprintf("KAFKA_REPLICA_FETCH_MAX_BYTES=%d", message),
		// A broker of an emulated cluster lives for minutes: it is to start soon,
		// not to become fast after hours.
		"KAFKA_HEAP_OPTS=-Xms256m -Xmx512m",
		"KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
	}
}

// KafkaReady is in the log of a broker that serves.
const KafkaReady = "Kafka Server started"
