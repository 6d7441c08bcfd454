package processor

import (
	"context"
	"errors"
	"fmt"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

// checkCount asks for the seal of another partition when this one has none: partitions that were added while no process
// ran hold keys whose state is elsewhere, and must not be judged, although nothing is known of them. A cluster where
// everything is new has no seals. While seals there must be cannot be read, nothing is proven: the error is one to try
// again after.
func (w *worker) checkCount(ctx context.Context, id int32, own *topics.Seal) error {
	p := w.proc
	if own.Sequence > 0 || p.countKnown.Load() {
		p.countKnown.Store(true)
		return nil
	}
	at, err := p.adm.FetchOffsets(ctx, p.config.App)
	if err != nil {
		return fmt.Errorf("fetch offsets: %w", err)
	}
	var unread []error
	for _, o := range at[p.config.Topics.Input] {
		if o.At < 0 || o.Err != nil || o.Partition >= p.cluster.partitions {
			continue
		}
		seal, err := p.committedSeal(ctx, o.Partition)
		switch {
		case err != nil:
			unread = append(unread, err) // another partition's seal will do
		case seal.Sequence == 0: // that partition says what is wrong with it
		case seal.Partitions != p.cluster.partitions:
			return stopf(id, CauseCount, remedyCount,
				"the partition was added to an input topic of %d partitions: it now has %d",
				seal.Partitions, p.cluster.partitions)
		default:
			p.countKnown.Store(true)
			return nil
		}
	}
	if len(unread) > 0 {
		return fmt.Errorf("look how many partitions it was built with: %w", errors.Join(unread...))
	}
	return nil
}

// committedSeal reads the last committed seal of a partition; its sequence is 0 where there is none. What is open now
// is nothing to wait for here.
func (p *Processor) committedSeal(ctx context.Context, partition int32) (topics.Seal, error) {
	topic := p.config.Topics.Changelog
	stable, err := readlog.StableBounds(ctx, p.adm, topic, partition)
	if err != nil {
		return topics.Seal{}, err
	}
	r := readlog.Reader{Kafka: p.baseOptions(), Topic: topic, StallAfter: p.config.StallAfter}
	return r.LastSeal(ctx, partition, stable[partition])
}
