package sink

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Errors that end [Sink.Run]. Each comes with a message that names the ways out.
var (
	// ErrTopicRecreated: the alerts topic has another id than the one the stored positions belong to.
	ErrTopicRecreated = errors.New("the alerts topic is not the one the stored positions belong to")
	// ErrTruncated: the alerts topic no longer holds the next record to store.
	ErrTruncated = errors.New("the alerts topic no longer reaches back to the stored position")
	// ErrBeyondEnd: the stored position lies behind the end of the alerts topic.
	ErrBeyondEnd = errors.New("the stored position lies beyond the end of the alerts topic")
	// ErrReplaced: another sink has joined the group under the same name.
	ErrReplaced = errors.New("another sink runs under the name of this one")
	// ErrNotFound: there is no such alert, or it is not of the organisation that asks.
	ErrNotFound = errors.New("no such alert")
)

// errFenced says that somebody else has moved the position of a partition.
var errFenced = errors.New("the position was moved by somebody else")

// errChanged says that somebody else wrote one of the alerts between reading and writing it.
var errChanged = errors.New("an alert was changed by somebody else meanwhile")

func recreatedError(topic string, stored, now topicID) error {
	return fmt.Errorf("%w: topic %s has id %s, the stored positions are of id %s: it was deleted and made again, or "+
		"this is another cluster. If it is the wrong cluster or database, correct the configuration. To store the new "+
		"topic from its beginning (alerts already stored are recognised by their ids), run in the database: DELETE FROM "+
		"sink_offsets WHERE topic = '%s' AND topic_id = '%s';", ErrTopicRecreated, topic, now, stored,
		quoteSQL(topic), stored)
}

func truncatedError(topic string, id topicID, partition int32, next, logStart int64) error {
	return fmt.Errorf("%w: topic %s partition %d begins at offset %d, the next to store is %d: %d offsets are gone. "+
		"Alerts of theirs that are not stored can be made again with tocsin replay over the time in question. To go on "+
		"without them, run in the database: UPDATE sink_offsets SET next = %d WHERE topic_id = '%s' AND partition = %d "+
		"AND next = %d;", ErrTruncated, topic, partition, logStart, next, logStart-next, logStart, id, partition, next)
}

func beyondEndError(topic string, id topicID, partition int32, next, end int64) error {
	return fmt.Errorf("%w: topic %s partition %d ends at offset %d, the next to store is %d: the cluster has lost "+
		"records, or the position was changed by hand. To store what is written from now on, run in the database: UPDATE "+
		"sink_offsets SET next = %d WHERE topic_id = '%s' AND partition = %d AND next = %d;", ErrBeyondEnd, topic,
		partition, end, next, end, id, partition, next)
}

func quoteSQL(s string) string { return strings.ReplaceAll(s, "'", "''") }

// contentState returns the SQLSTATE when err is Postgres refusing a value for what it is: data exceptions (22),
// violated constraints (23), and values beyond what it can hold (54, e.g. too long for an index). Trying the same
// again gives the same answer; anything else may pass.
func contentState(err error) (string, bool) {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || len(refused.Code) != 5 {
		return "", false
	}
	switch refused.Code[:2] {
	case "22", "23", "54":
		return refused.Code, true
	}
	return "", false
}

// withRemedy adds what to do to the errors of a database that was not prepared.
func withRemedy(err error) error {
	var refused *pgconn.PgError
	var known *GrantError
	if !errors.As(err, &refused) || errors.As(err, &known) {
		return err
	}
	switch refused.Code {
	case "42501": // insufficient_privilege
		return fmt.Errorf("%w (the login lacks a right: grant it the roles, see tocsin migrate)", err)
	case "42P01", "42703", "22023", "42704": // undefined table, column, role
		return fmt.Errorf("%w (the database is not migrated: run tocsin migrate up)", err)
	}
	return err
}
