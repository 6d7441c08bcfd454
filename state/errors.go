package state

import (
	"errors"
	"fmt"
)

var (
	// ErrLeaseLost is returned where a lease has been released: nothing was read or written.
	ErrLeaseLost = errors.New("lease lost")
	// ErrClosed is returned once Close has begun.
	ErrClosed = errors.New("state store is closed")
	// ErrLeased is returned by Drop for a partition that somebody holds.
	ErrLeased = errors.New("partition is in use")
	// ErrNewerFormat is returned by Open for a folder that a newer version has written.
	ErrNewerFormat = errors.New("state folder has a newer format")
	// ErrStaleStage is returned by Apply when the partition has moved on since the stage was begun.
	ErrStaleStage = errors.New("stage is out of date")
	// ErrDamaged is returned where the state of a partition cannot be read from the disk any more, or is not what was
	// written: by a tail restore whose changes agree with their seals while the state under them does not, and by every
	// read that fails a checksum. Use a full restore.
	ErrDamaged = errors.New("state on disk is damaged: restore in full")
	// ErrBroken is returned where the damage cannot be limited to partitions: the store must be set aside.
	ErrBroken = errors.New("the state on disk is damaged as a whole")
	// ErrTailTooLong is returned by a tail restore that cannot check what it has read within its memory bound: use a full
	// one.
	ErrTailTooLong = errors.New("tail cannot be verified within its bound: restore in full")
)

// ForeignRecordError says that a changelog holds a record that no seal accounts for: another program wrote to the
// topic, or a record was altered. Nothing from that seal on has been applied.
type ForeignRecordError struct {
	Partition Partition
	Offset    int64  // of the record, or of the first one of the stretch that does not agree; -1: not known
	Key       []byte // of the record, where it could be named
	Why       string
}

func (e *ForeignRecordError) Error() string {
	at := "an unknown offset"
	if e.Offset >= 0 {
		at = fmt.Sprintf("offset %d", e.Offset)
	}
	if e.Key != nil {
		at += fmt.Sprintf(" (key %q)", e.Key)
	}
	return fmt.Sprintf("changelog of partition %s: foreign record at %s: %s; stop whoever else writes to this topic, "+
		"then rebuild the partition from its input", e.Partition, at, e.Why)
}

// SumError says that a full restore does not add up to the sum in the last seal: records are missing or altered.
type SumError struct {
	Partition Partition
	Sequence  uint64 // of the last seal
	Records   int64  // live records restored
}

func (e *SumError) Error() string {
	return fmt.Sprintf("changelog of partition %s: %d live records do not have the sum that seal %d states: "+
		"records are missing or altered; rebuild the partition from its input", e.Partition, e.Records, e.Sequence)
}
