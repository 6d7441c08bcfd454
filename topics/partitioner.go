package topics

import "encoding/binary"

// PartitionOf gives the partition that Kafka's own producers choose for a record whose key has this hash, with their
// default partitioner (org.apache.kafka.clients.producer.internals.BuiltInPartitioner): the hash without its sign,
// modulo the number of partitions.
func PartitionOf(keyHash uint32, partitions int32) int32 {
	return int32(keyHash&0x7fffffff) % partitions
}

// KeyHash gives the hash of a record key that is not null: Austin Appleby's 32-bit MurmurHash2 with the seed that Kafka
// uses (org.apache.kafka.common.utils.Utils).
func KeyHash(key []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
		r           = 24
	)
	h := seed ^ uint32(len(key))
	b := key
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>r) * m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
