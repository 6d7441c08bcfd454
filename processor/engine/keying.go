package engine

import "tocsin/topics"

// Rules by principal are judged in the partition a record lies in, so all events of a principal must lie in one. Of
// every checkEvery offsets one is looked at. The choice depends on the log alone, and what is found influences no
// verdict.
const checkEvery = 64

// MisKeyed is a record that does not lie where its event's key belongs.
type MisKeyed struct {
	Partition  int32 // where it lies
	Belongs    int32 // where the expected key would have brought it
	Offset     int64
	RecordTime int64 // of the record, Unix ns
}

// checkedKey prepares the check of a record: keyHash is the hash of the key it should have.
func (p *Prepared) checkedKey(template topics.KeyTemplate, e *topics.Event, s *Scratch) {
	if p.rec.Offset%checkEvery != 0 || template.IsZero() {
		return
	}
	s.key = template.Append(s.key[:0], e)
	p.keyHash, p.keyChecked = topics.KeyHash(s.key), true
}

// checkKey compares the partition.
func (p *Partition) checkKey(pr *Prepared, fx *Effects) {
	if !pr.keyChecked {
		return
	}
	fx.KeysChecked++
	belongs := topics.PartitionOf(pr.keyHash, p.cfg.Partitions)
	if belongs == p.cfg.Partition {
		return
	}
	fx.MisKeyed = append(fx.MisKeyed, MisKeyed{
		Partition: p.cfg.Partition, Belongs: belongs, Offset: pr.rec.Offset, RecordTime: pr.rec.Timestamp,
	})
}
