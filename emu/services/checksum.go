package services

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

var (
	// ErrNotFound says that a service does not have what was asked for.
	ErrNotFound = errors.New("not found")
	// ErrDamaged says that what a service returned is not what was put under
	// that name.
	ErrDamaged = errors.New("damaged")
)

// TrailerSize is how many bytes a checksum adds to a payload.
const TrailerSize = 8

// magic tells a trailer from the end of any other data, and its version.
var magic = [4]byte{'f', 't', 'w', 1}

// Trailer returns what is stored behind a payload: four bytes that mark it,
// then, big endian, the CRC-32C of the object's name, a zero byte and the
// payload. A payload under another's name is thus found out too.
func Trailer(name string, payload []byte) [TrailerSize]byte {
	var t [TrailerSize]byte
	copy(t[:], magic[:])
	binary.BigEndian.PutUint32(t[len(magic):], checksum(name, payload))
	return t
}

// Open returns the payload of a stored object, which shares its memory. If it
// is not what was stored under that name, the error is [ErrDamaged].
func Open(name string, object []byte) ([]byte, error) {
	if len(object) < TrailerSize {
		return nil, fmt.Errorf("object %s of %d bytes has no checksum: %w", name, len(object), ErrDamaged)
	}
	payload, trailer := object[:len(object)-TrailerSize], object[len(object)-TrailerSize:]
	if [4]byte(trailer) != magic {
		return nil, fmt.Errorf("object %s of %d bytes has no checksum: %w", name, len(object), ErrDamaged)
	}
	got, want := checksum(name, payload), binary.BigEndian.Uint32(trailer[len(magic):])
	if got != want {
		return nil, fmt.Errorf("object %s of %d bytes has checksum %08x, not %08x: %w", name, len(object), got, want, ErrDamaged)
	}
	return payload[:len(payload):len(payload)], nil
}

func checksum(name string, payload []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // Made once by the library.
	sum := crc32.Update(0, table, []byte(name))
	sum = crc32.Update(sum, table, []byte{0})
	return crc32.Update(sum, table, payload)
}
