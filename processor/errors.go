package processor

import (
	"errors"
	"fmt"

	"tocsin/topics"
)

// ErrFenced is returned by [Processor.Run] when another process uses the same instance name: the group has given this
// member's place to it. Two processes with one name would take the partitions from each other for ever, so this one
// ends.
var ErrFenced = errors.New("another process uses the same instance name")

// ErrTopics is wrapped by every error that says the cluster is not what the processor needs: a topic is missing, has
// another partition count, was created anew, or has the wrong settings. The text names the remedy.
var ErrTopics = errors.New("the cluster is not set up for the processor")

// Cause says why a partition is stopped. It is a metric label and part of [PartitionHealth].
type Cause string

// The causes.
const (
	CauseNone       Cause = ""
	CauseBehind     Cause = "behind"       // the seal is behind the committed offset: state was lost
	CauseAhead      Cause = "ahead"        // the seal is ahead of the committed offset: somebody moved offsets
	CauseNoOffset   Cause = "no_offset"    // a seal, but no committed offset
	CauseNoSeal     Cause = "no_seal"      // a committed offset, but no seal
	CauseTopicID    Cause = "topic_id"     // the input topic is not the one the state was built from
	CauseCount      Cause = "count"        // the partition count is not the one the state was built with
	CauseTruncated  Cause = "truncated"    // the changelog ends before the position: records were lost
	CauseChangelog  Cause = "changelog"    // the changelog does not add up: a foreign record, or a hash that differs
	CauseOutOfRange Cause = "out_of_range" // the committed offset is not in the log any more
	CauseBackwards  Cause = "backwards"    // an input offset came twice within one assignment
	CauseState      Cause = "state"        // the state cannot be read
	CauseFormat     Cause = "format"       // the state is in a format that this build does not read
	CauseInternal   Cause = "internal"     // the engine failed: a bug
)

// StopError stops one partition; the others go on. It is what [Processor.Health] and the log show.
type StopError struct {
	Partition int32
	Cause     Cause
	Detail    string // what is wrong, with the numbers
	Remedy    string // what to do about it
	Err       error  // what was found, or nil
}

// Error implements error.
func (e *StopError) Error() string {
	text := fmt.Sprintf("partition %d stopped (%s): %s", e.Partition, e.Cause, e.Detail)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap gives what was found.
func (e *StopError) Unwrap() error { return e.Err }

const remedyPlan = "run `tocsin offsets plan` to see the ways out, then `tocsin offsets apply`"

const remedyCount = "start under a new application id (keys have moved between partitions, so the old state cannot" +
	" be used)"

const remedyFormat = "run the build that wrote it, or a newer one, on every process: the partition goes on where it" +
	" stopped; nothing is lost (deploy/docs/upgrade.md)"

// stopFormat stops a partition whose state takes another build; nil when err is something else.
func stopFormat(partition int32, err error) *StopError {
	var format *topics.FormatError
	if !errors.As(err, &format) {
		return nil
	}
	return &StopError{Partition: partition, Cause: CauseFormat, Err: err, Remedy: remedyFormat,
		Detail: "its state is written in a format that this build does not read"}
}

func stopf(partition int32, cause Cause, remedy, format string, args ...any) *StopError {
	return &StopError{Partition: partition, Cause: cause, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}
