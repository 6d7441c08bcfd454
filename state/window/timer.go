package window

import "tocsin/topics"

// Due gives the record time after which the key's next timer fires (strictly after); 0 when none is set.
func (k *Key) Due(grace int64) int64 {
	var due int64
	for _, e := range k.episodes {
		if d := e.due(grace); d != 0 && (due == 0 || d < due) {
			due = d
		}
	}
	return due
}

// Fire fires the timers that are due at exactly this record time, which Due gave, and returns the revisions, in order
// of opening. recordTime is that of the record which revealed that they are due. The slice is valid until the next
// call.
func (k *Key) Fire(due, grace, recordTime int64) []Emission {
	if k.memory == nil {
		k.memory = new(Memory)
	}
	k.memory.events = k.memory.events[:0]
	for _, e := range k.episodes {
		if e.due(grace) != due {
			continue
		}
		if e.Closed = due == e.Growth+e.Cooldown+grace; e.Closed {
			k.emit(e, CauseClosed)
			k.memory.events[len(k.memory.events)-1].State = topics.StateClosed
		} else {
			k.emit(e, CauseRefresh)
		}
	}
	k.dirty, k.lastWrite = true, recordTime
	return k.memory.events
}
