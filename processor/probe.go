package processor

import (
	"context"

	"tocsin/topics/readlog"
)

// probeBatch says whether an error of a fetch means a batch that cannot be read, and finds its offsets. The client does
// not always say where the batch ends, and would ask for it for ever.
func (w *worker) probeBatch(ctx context.Context, s *session, id int32, why error) (brokenBatch, bool, error) {
	at, ok := s.cl.UncommittedOffsets()[s.input][id]
	if !ok {
		at, ok = s.cl.CommittedOffsets()[s.input][id]
	}
	if !ok { // nothing read, and begun at the start of the log: at another place only fixStarts lets it begin
		at.Offset = 0
	}
	probing, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.proc.config.EndTimeout)
	defer cancel()
	b, broken, err := readlog.BrokenBatch(probing, s.cl,
		readlog.BatchAt{Topic: s.input, TopicID: s.inputID, Partition: id, Offset: at.Offset}, why)
	if !broken || err != nil {
		return brokenBatch{}, broken, err
	}
	return brokenBatch{first: b.From, next: b.To, epoch: b.Epoch, err: why}, true, nil
}
