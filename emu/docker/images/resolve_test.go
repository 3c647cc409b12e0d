package images

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	spec "github.com/moby/docker-image-spec/specs-go/v1"
)

// shelf is an engine with images.
type shelf struct {
	client.ImageAPIClient
	images   map[string]map[string]string // labels, by name
	registry map[string]bool              // what can be pulled
	// dead: the registry says nothing.
	dead   bool
	pulled []string
}

func (s *shelf) ImageInspect(_ context.Context, name string, _ ...client.ImageInspectOption) (image.InspectResponse, error) {
	labels, ok := s.images[name]
	if !ok {
		return image.InspectResponse{}, errdefs.ErrNotFound
	}
	var i image.InspectResponse
	i.ID, i.Size, i.Config = "sha256:"+name, 1000, &spec.DockerOCIImageConfig{}
	i.Config.Labels = labels
	return i, nil
}

func (s *shelf) ImageList(_ context.Context, o image.ListOptions) ([]image.Summary, error) {
	var all []image.Summary
	for name, labels := range s.images {
		if o.Filters.MatchKVList("label", labels) {
			all = append(all, image.Summary{RepoTags: []string{name}, Created: int64(len(name))})
		}
	}
	return all, nil
}

func (s *shelf) ImagePull(ctx context.Context, name string, _ image.PullOptions) (io.ReadCloser, error) {
	s.pulled = append(s.pulled, name)
	if s.dead {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !s.registry[name] {
		return nil, errors.New("dial tcp: lookup registry: no such host\nsecond line")
	}
	s.images[name] = nil
	return io.NopCloser(strings.NewReader(`{"status":"Pulling"}{"status":"done"}`)), nil
}

var (
	ourNode  = map[string]string{LabelKind: "node", LabelServes: "flowtwin", LabelInside: "this program"}
	ourRedis = map[string]string{LabelKind: "redis", LabelServes: "Redis 7.0.15", LabelInside: "Redis 7.0.15 of packages"}
	ourKafka = map[string]string{LabelKind: "kafka", LabelServes: "Apache Kafka 3.9.1"}
)

// What the user names serves before the official image, that before ours, and
// ours before anything is pulled.
func TestWhichImageServes(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   Kind
		shelf  shelf
		o      Options
		served string // or the error
		pulled bool
	}{
		{"the user's", Redis, shelf{images: map[string]map[string]string{"mine": nil, "redis:7.4-alpine": nil}}, Options{Names: map[Kind]string{Redis: "mine"}},
			"what was named as Redis (image mine)", false},
		{"the user's, which is ours", Redis, shelf{images: map[string]map[string]string{"mine": ourRedis}}, Options{Names: map[Kind]string{Redis: "mine"}},
			"Redis 7.0.15 (image mine)", false},
		{"the user's, pulled", Redis, shelf{images: map[string]map[string]string{}, registry: map[string]bool{"mine": true}}, Options{Names: map[Kind]string{Redis: "mine"}},
			"what was named as Redis (image mine)", true},
		{"the user's, which does not exist", Redis, shelf{images: map[string]map[string]string{"redis:7.4-alpine": nil}}, Options{Names: map[Kind]string{Redis: "mine"}},
			"no image mine, which was named for redis, is here, and it cannot be pulled: dial tcp: lookup registry: no such host", true},
		{"the user's, not to be pulled", Redis, shelf{}, Options{Names: map[Kind]string{Redis: "mine"}, NoPull: true},
			"no image mine, which was named for redis, is here: docker pull mine", false},
		{"the official one", Kafka, shelf{images: map[string]map[string]string{"apache/kafka:3.9.1": nil, "flowtwin/kafka:3.9.1": ourKafka}}, Options{},
			"Apache Kafka 3.9.1 (image apache/kafka:3.9.1)", false},
		{"ours", Kafka, shelf{images: map[string]map[string]string{"flowtwin/kafka:3.9.0": ourKafka, "flowtwin/kafka:3.9.1": ourKafka}}, Options{},
			"Apache Kafka 3.9.1 (image flowtwin/kafka:3.9.1)", false},
		{"ours of another version", Kafka, shelf{images: map[string]map[string]string{"flowtwin/kafka:3.9.0": ourKafka}}, Options{NoPull: true},
			"no image for kafka: make one with flowtwin images build kafka, or docker pull apache/kafka:3.9.1", false},
		{"one of ours that somebody gave another name", Redis, shelf{images: map[string]map[string]string{"else/redis:1": ourRedis}}, Options{NoPull: true},
			"no image for redis: make one", false},
		{"the official one, pulled", Redis, shelf{images: map[string]map[string]string{}, registry: map[string]bool{"redis:7.4-alpine": true}}, Options{},
			"Redis 7.4 (image redis:7.4-alpine)", true},
		{"none, and no registry", Redis, shelf{}, Options{},
			"no image for redis: make one with flowtwin images build redis (redis:7.4-alpine cannot be pulled: dial tcp: lookup registry: no such host)", true},
		{"none, and a registry that says nothing", Redis, shelf{dead: true}, Options{Patience: 20 * time.Millisecond},
			"its registry has not answered for 20ms", true},
		{"a node's in place of CouchDB", CouchDB, shelf{images: map[string]map[string]string{"flowtwin/node:abc": ourNode}}, Options{},
			"flowtwin couchserver, CouchDB protocol (image flowtwin/node:abc)", false},
		{"CouchDB itself", CouchDB, shelf{images: map[string]map[string]string{"flowtwin/node:abc": ourNode, "couchdb:3.5": nil}}, Options{},
			"Apache CouchDB 3.5 (image couchdb:3.5)", false},
		{"no CouchDB", CouchDB, shelf{}, Options{NoPull: true}, "flowtwin images build node, or docker pull couchdb:3.5", false},
		{"the newest node's", Node, shelf{images: map[string]map[string]string{"flowtwin/node:abc": ourNode, "flowtwin/node:abcd": ourNode}}, Options{},
			"flowtwin (image flowtwin/node:abcd)", false},
		{"no node's", Node, shelf{}, Options{}, "no image of this flowtwin: make it with flowtwin images build node", false},
		{"an unknown kind", Redis, shelf{}, Options{Names: map[Kind]string{"postgres": "x"}}, `there is no image of kind "postgres": there are node, redis, kafka, couchdb`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := Resolve(t.Context(), &test.shelf, []Kind{test.kind}, test.o, nil)
			i := found[test.kind]
			if err != nil {
				if !strings.Contains(err.Error(), test.served) || strings.Contains(err.Error(), "\n") {
					t.Errorf("the error is %q, want one line with %q", err, test.served)
				}
			} else if i.Served != test.served {
				t.Errorf("what serves is %q, want %q", i.Served, test.served)
			}
			if pulled := len(test.shelf.pulled) > 0; pulled != test.pulled {
				t.Errorf("pulled is %v, want %v", pulled, test.pulled)
			}
			if isNode := test.kind == Node || strings.Contains(i.Served, "couchserver"); err == nil && i.Flowtwin != isNode {
				t.Errorf("flowtwin itself: %v, want %v", i.Flowtwin, isNode)
			}
		})
	}
}

func TestAnInterruptedPullIsNoMissingRegistry(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := Resolve(ctx, &shelf{dead: true}, []Kind{Redis}, Options{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want an interruption", err)
	}
}
