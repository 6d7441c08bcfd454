package sink

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
)

// topicID is Kafka's id of a topic: another one for each time a topic is made. In Postgres it is a uuid.
type topicID [16]byte

// String gives the form Postgres shows.
func (t topicID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", t[:4], t[4:6], t[6:8], t[8:10], t[10:])
}

// span is what there is of a partition: from the first offset up to, and without, end.
type span struct{ start, end int64 }

// describe asks the cluster for the topic's id and the extent of each partition.
func describe(ctx context.Context, adm *kadm.Client, topic string) (topicID, map[int32]span, error) {
	id, err := topicIDOf(ctx, adm, topic)
	if err != nil {
		return id, nil, err
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return id, nil, fmt.Errorf("list first offsets of %s: %w", topic, err)
	}
	// The high watermark, not the last stable offset: a position is never beyond either, and it is the safer bound.
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return id, nil, fmt.Errorf("list last offsets of %s: %w", topic, err)
	}
	spans := make(map[int32]span)
	for partition, start := range starts[topic] {
		end := ends[topic][partition]
		if start.Err == nil && end.Err == nil {
			spans[partition] = span{start.Offset, end.Offset}
		}
	}
	return id, spans, nil
}

func topicIDOf(ctx context.Context, adm *kadm.Client, topic string) (topicID, error) {
	details, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return topicID{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	d := details[topic]
	if d.Err != nil {
		return topicID{}, fmt.Errorf("describe topic %s: %w", topic, d.Err)
	}
	return topicID(d.ID), nil
}

// claim gives the position of each partition: the stored one, or for a partition that is new here the start of its
// log, which is stored. It fails with ErrTopicRecreated when positions of another topic of that name are stored.
func (s *store) claim(ctx context.Context, id topicID, partitions []int32, spans map[int32]span) (
	map[int32]int64, error,
) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	partitions = slices.Sorted(slices.Values(partitions)) // one order for everybody: no deadlock
	starts := make([]int64, len(partitions))
	for i, p := range partitions {
		starts[i] = spans[p].start
	}
	var positions map[int32]int64
	err := s.db.transact(ctx, func(q statements) error {
		other, found, err := q.otherTopic(ctx, s.topic, id)
		if err != nil {
			return err
		}
		if found {
			return recreatedError(s.topic, other, id)
		}
		if err := q.addPositions(ctx, s.topic, id, partitions, starts); err != nil {
			return err
		}
		if positions, err = q.positions(ctx, id, partitions); err != nil {
			return err
		}
		return s.probe(PointClaimed)
	})
	return positions, err
}

// reread gives the positions others have moved.
func (s *store) reread(ctx context.Context, id topicID, partitions []int32) (positions map[int32]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err = s.db.transact(ctx, func(q statements) error {
		positions, err = q.positions(ctx, id, partitions)
		return err
	})
	return positions, err
}

// otherTopic implements statements.
func (t postgresTx) otherTopic(ctx context.Context, topic string, id topicID) (other topicID, found bool, err error) {
	rows, err := t.tx.Query(ctx, `
		SELECT topic_id FROM sink_offsets WHERE topic = $1 AND topic_id <> $2 LIMIT 1`, topic, id)
	if err != nil {
		return other, false, fmt.Errorf("read positions: %w", err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	if err != nil || len(others) == 0 {
		return other, false, wrap("read positions", err)
	}
	return others[0], true, nil
}

// addPositions implements statements.
func (t postgresTx) addPositions(
	ctx context.Context, topic string, id topicID, partitions []int32, next []int64,
) error {
	_, err := t.tx.Exec(ctx, `
		INSERT INTO sink_offsets (topic_id, partition, topic, next, log_start)
		SELECT $1, partition, $2, start, start FROM unnest($3::integer[], $4::bigint[]) AS t (partition, start)
		ON CONFLICT DO NOTHING`, id, topic, partitions, next)
	return wrap("store positions", err)
}

// positions implements statements.
func (t postgresTx) positions(ctx context.Context, id topicID, partitions []int32) (map[int32]int64, error) {
	rows, err := t.tx.Query(ctx, `
		SELECT partition, next FROM sink_offsets WHERE topic_id = $1 AND partition = ANY($2)`, id, partitions)
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	positions := make(map[int32]int64)
	var (
		partition int32
		next      int64
	)
	_, err = pgx.ForEachRow(rows, []any{&partition, &next}, func() error {
		positions[partition] = next
		return nil
	})
	return positions, wrap("read positions", err)
}
