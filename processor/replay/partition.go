package replay

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/engine"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

const (
	chunkRecords = 256
	timersAtOnce = 20_000
	expireLimit  = 200
)

// partition replays one partition.
type partition struct {
	r      *replay
	lease  *state.Lease
	eng    *engine.Partition
	fx     engine.Effects
	chunk  []*kgo.Record
	taken  int // records since the state was applied
	result PartitionResult
}

func (r *replay) partition(ctx context.Context, id int32) (PartitionResult, error) {
	s := r.stretches[id]
	lease, err := r.store.Acquire(ctx, state.Partition{ID: id}, "replay")
	if err != nil {
		return PartitionResult{}, err
	}
	defer lease.Release()
	p := &partition{r: r, lease: lease, result: PartitionResult{Partition: id, From: s.From, To: s.To}}
	p.eng = r.Engine.NewPartition(engine.PartitionConfig{
		Partition: id, Partitions: r.count, TopicID: r.topicID, Start: s.From,
		Loader: processor.LeaseLoader{Lease: lease}, CacheBytes: 64 << 20,
	})
	reader := readlog.Reader{
		Kafka: r.Kafka, Topic: r.Topic, TopicID: r.topicID, StallAfter: r.StallAfter,
		Progress: func(_ int32, next int64, _ int) { p.progress(next) },
		Broken:   p.setAside,
	}
	if err := reader.Read(ctx, map[int32]readlog.Range{id: s}, p.add); err != nil {
		return p.result, err
	}
	if err := p.finish(); err != nil {
		return p.result, err
	}
	r.left -= s.To - s.From
	return p.result, nil
}

// add collects records until there are enough to prepare them together.
func (p *partition) add(r *kgo.Record) error {
	p.chunk = append(p.chunk, r)
	if len(p.chunk) < chunkRecords {
		return nil
	}
	return p.judge()
}

// judge does what the live processor does: prepare, advance, step.
func (p *partition) judge() error {
	records, prepared := p.r.preparer.Prepare(p.r.Engine, p.chunk, helpers())
	for i := range records {
		if err := p.advance(records[i].Timestamp); err != nil {
			return fmt.Errorf("offset %d: %w", records[i].Offset, err)
		}
		if err := p.eng.Step(&prepared[i], &p.fx); err != nil {
			return fmt.Errorf("offset %d: %w", records[i].Offset, err)
		}
		p.taken++
		p.result.Records++
		p.r.result.Records++
		if p.taken >= p.r.ApplyEvery {
			if err := p.apply(); err != nil {
				return err
			}
		}
	}
	clear(p.chunk)
	p.chunk = p.chunk[:0]
	return nil
}

func (p *partition) advance(recordTime int64) error {
	for {
		done, err := p.eng.Advance(recordTime, timersAtOnce, &p.fx)
		if err != nil || done {
			return err
		}
		if err := p.apply(); err != nil { // what the live processor commits, with the offset still before the record
			return err
		}
	}
}

// setAside gives the verdict on a batch that cannot be read.
func (p *partition) setAside(_ int32, offsets readlog.Range, why error) error {
	if err := p.judge(); err != nil {
		return err
	}
	p.eng.SetAside(offsets.From, offsets.To-1, topics.ReasonDecompress, why.Error(), &p.fx)
	p.result.Records += offsets.To - offsets.From
	p.r.result.Records += offsets.To - offsets.From
	return nil
}

// apply writes what has changed to the store and the alerts to their writer.
func (p *partition) apply() error {
	stage := p.r.store.NewStage()
	defer stage.Discard()
	expired, err := p.lease.Expired(p.eng.ExpireBefore(), expireLimit)
	if err == nil {
		err = p.eng.Expire(expired)
	}
	if err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	err = p.eng.Changes(func(groupKey []byte, old window.Index, c window.Change) error {
		_, err := stage.Change(p.lease, groupKey, old, c)
		return err
	})
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	seal, err := stage.Seal(p.lease, p.eng.SealFields())
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	// There is no changelog; the input offset stands in for its position.
	err = stage.Apply(map[state.Partition]state.ChangelogPosition{
		p.lease.Partition(): {TopicID: p.r.topicID, Next: seal.Next},
	})
	if err != nil {
		return err
	}
	p.eng.Committed(seal)
	p.taken = 0
	return p.write()
}

// write hands out the alerts and counts.
func (p *partition) write() error {
	for i := range p.fx.Alerts {
		if _, err := p.r.alerts.Write(p.fx.Alerts[i].Value); err != nil {
			return fmt.Errorf("write alerts: %w", err)
		}
		if err := p.r.alerts.WriteByte('\n'); err != nil {
			return fmt.Errorf("write alerts: %w", err)
		}
	}
	p.result.Alerts += int64(len(p.fx.Alerts))
	p.result.Counts.Add(&p.fx.Counts)
	p.fx.Reset()
	return nil
}

func (p *partition) finish() error {
	if err := p.judge(); err != nil {
		return err
	}
	if err := p.apply(); err != nil {
		return err
	}
	p.result.RecordTime = p.eng.RecordTime()
	digest, err := p.r.store.Digest(p.lease.Partition(), p.r.Engine.Live(p.result.RecordTime))
	if err != nil {
		return err
	}
	p.result.Digest = digest
	return nil
}

func (p *partition) progress(next int64) {
	if p.r.Progress == nil {
		return
	}
	s := p.r.stretches[p.result.Partition]
	p.r.Progress(Progress{
		Partition: p.result.Partition, Next: next, Until: s.To, Records: p.r.result.Records,
		Left: p.r.left - (min(next, s.To) - s.From),
	})
}
