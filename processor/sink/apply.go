package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// storeAll stores a batch whole, in as many pieces and tries as it takes. It returns only errors that end Run.
func (c *consumer) storeAll(ctx context.Context, b batch, stored func()) error {
	for len(b) > 0 {
		var refused *contentError
		err := c.storeOnce(ctx, b, stored)
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused) && b.len() > 1:
			first, second := b.halves()
			if err := c.storeAll(ctx, first, stored); err != nil {
				return err
			}
			b = second
		case errors.As(err, &refused):
			c.setAside(b, refused) // and once more, into alert_rejects
		default:
			return err
		}
	}
	return nil
}

// setAside marks the one entry of b.
func (c *consumer) setAside(b batch, refused *contentError) {
	for i := range b {
		for _, e := range b[i].entries {
			e.rejected = &rejection{sqlstate: refused.sqlstate, err: refused.err}
		}
	}
}

// storeOnce stores b in one transaction, trying until that works. It returns errors of content and of ctx.
func (c *consumer) storeOnce(ctx context.Context, b batch, stored func()) error {
	refused := func(err error) bool {
		var content *contentError
		return errors.As(err, &content)
	}
	return c.retry(ctx, storing, "store alerts", refused, func() error {
		for {
			id, current := c.current(b)
			if len(current) == 0 {
				return nil
			}
			err := c.tryStore(ctx, id, current, stored)
			if !errors.Is(err, errFenced) {
				return err
			}
			c.metrics.fenced.Inc()
			if err := c.follow(ctx, id, current); err != nil {
				return err
			}
		}
	})
}

func (c *consumer) tryStore(ctx context.Context, id topicID, b batch, stored func()) error {
	begin := c.cfg.Now()
	res, err := c.store.apply(ctx, id, b)
	if err != nil {
		return err
	}
	c.metrics.batch.Observe(c.cfg.Now().Sub(begin).Seconds())
	for _, p := range b {
		c.move(p.partition, p.expected, p.next)
	}
	c.count(b, res)
	if res.evidence > 0 {
		stored()
	}
	return nil
}

// follow takes over the positions others have moved, in the client too. What of the batch they have not stored is read
// again.
func (c *consumer) follow(ctx context.Context, id topicID, b batch) error {
	partitions := make([]int32, len(b))
	for i := range b {
		partitions[i] = b[i].partition
	}
	positions, err := c.store.reread(ctx, id, partitions)
	if err != nil {
		return fmt.Errorf("read positions again: %w", err)
	}
	offsets := make(map[int32]kgo.EpochOffset)
	for i := range b { // at least one has moved, or the fence would have held
		p := b[i].partition
		next, ok := positions[p]
		if !ok {
			return fmt.Errorf("partition %d has no stored position any more: restart the sink to begin anew", p)
		}
		if next != b[i].expected {
			c.move(p, b[i].expected, next)
			offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: next}
			c.cfg.Log.Warn("the position of a partition was moved by somebody else: going on from there",
				"topic", c.cfg.Topic, "partition", p, "from", b[i].expected, "to", next)
		}
	}
	if len(offsets) == 0 {
		return errFenced
	}
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.cfg.Topic: offsets})
	return nil
}

func (c *consumer) count(b batch, res result) {
	c.metrics.applied.Add(float64(res.applied))
	c.metrics.duplicates.Add(float64(res.duplicates))
	if res.rejected == 0 {
		return
	}
	for _, p := range b {
		for _, e := range p.entries {
			if e.rejected != nil {
				c.metrics.rejects.WithLabelValues(rejectReason(e.rejected.sqlstate)).Inc()
				c.cfg.Log.Error("an alert record could not be stored and was set aside in alert_rejects",
					"topic", c.cfg.Topic, "partition", p.partition, "offset", e.offset, "error", e.rejected.err)
			}
		}
	}
}
