package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/flowtwin/flowtwin/emu/services"
)

// Descriptor says where a datum is in the broker. It travels in control
// messages from the producer to the consumers' nodes as soon as the first
// chunk is there.
type Descriptor struct {
	Key       services.Key `json:"key"`
	Topic     string       `json:"topic"`
	Partition int          `json:"partition"`
	// Offset is that of the first chunk; the others follow without a gap.
	Offset int64 `json:"offset"`
	Chunks int   `json:"chunks"`
	// Size is that of the whole datum, in bytes.
	Size int64 `json:"size"`
}

// Validate says what is wrong with a descriptor.
func (d *Descriptor) Validate() error {
	if err := d.Key.Validate(); err != nil {
		return err
	}
	switch {
	case !validTopic(d.Topic):
		return fmt.Errorf("%q is no name of a topic", d.Topic)
	case d.Partition < 0:
		return fmt.Errorf("partition %d is negative", d.Partition)
	case d.Offset < 0:
		return fmt.Errorf("offset %d is negative", d.Offset)
	case d.Size < 0:
		return fmt.Errorf("size %d is negative", d.Size)
	case d.Chunks < 1 || int64(d.Chunks) > max(d.Size, 1):
		return fmt.Errorf("%d bytes cannot be %d chunks", d.Size, d.Chunks)
	}
	return nil
}

// ParseDescriptor reads the JSON of a descriptor.
func ParseDescriptor(text []byte) (Descriptor, error) {
	var d Descriptor
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return Descriptor{}, fmt.Errorf("descriptor of a datum: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Descriptor{}, errors.New("descriptor of a datum: something follows it")
	}
	if err := d.Validate(); err != nil {
		return Descriptor{}, fmt.Errorf("descriptor of a datum: %w", err)
	}
	return d, nil
}

// chunkName is the key of a chunk's message. Its checksum covers the name, so
// chunks that are exchanged are found out.
func chunkName(datum string, index int) string { return datum + "#" + strconv.Itoa(index) }

// abortName is the key of the message that tells readers that the rest of a
// datum will not come.
func abortName(datum string) string { return datum + "#aborted" }

// validTopic reports whether Kafka allows a name.
func validTopic(name string) bool {
	if name == "" || len(name) > 249 || name == "." || name == ".." {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
