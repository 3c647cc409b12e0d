package function

import (
	"encoding/binary"
	"hash/fnv"
)

// Payload makes size bytes that stand for a datum: always the same for a key,
// and such that no store can compress them.
func Payload(size int64, k *Key) []byte {
	h := fnv.New64a()
	h.Write([]byte(k.Owner()))
	h.Write([]byte{0})
	h.Write([]byte(k.Name()))
	b := make([]byte, size+7)[:size] // Room for whole words.
	x := h.Sum64()
	for at := int64(0); at < size; at += 8 { // Splitmix64.
		x += 0x9e3779b97f4a7c15
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(b[at:at+8:at+8], z^z>>31)
	}
	return b
}
