package simulate

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wiring is what watches the requests of a process.
type wiring struct{ p *process }

func (x wiring) sending(r *request) (cut bool) {
	if !watched[r.key] {
		return false
	}
	defer x.p.world.guard("a request")
	name := r.name()
	x.p.reach(wirePoint(name, sending), -1)
	t := x.p.world.spring(name, true)
	if t == nil || x.p.dead.Load() {
		return false
	}
	x.p.world.history.addf(x.p.who, "FAULT: %s: %s", name, t.wire.What)
	x.p.world.tally(Fault{name, t.wire.What.String()})
	x.p.world.noteFault()
	switch t.wire.What {
	case SeveredBefore:
		return true
	case Refused:
		x.p.world.refuse(r, t.wire.Err)
	case Failed, Unanswered, SeveredAfter:
		r.fault = t.wire
	}
	return false
}

func (x wiring) sent(r *request) {
	if watched[r.key] {
		x.p.reach(wirePoint(r.name(), sent), -1)
	}
}

func (x wiring) answered(r *request, answer []byte) ([]byte, fate) {
	if !watched[r.key] {
		return answer, deliver
	}
	defer x.p.world.guard("an answer")
	x.p.reach(wirePoint(r.name(), answered), -1)
	if r.fault == nil {
		return answer, deliver
	}
	switch r.fault.What {
	case Failed:
		changed, err := r.fail(answer, r.fault.Err)
		if err != nil {
			x.p.world.violated("%s: %v", r.name(), err)
			return answer, deliver
		}
		return changed, deliver
	case Unanswered:
		return nil, lose
	default:
		return nil, sever
	}
}

// refuse lets the broker answer the request, which is about to be sent, with an error and not act on it.
func (w *world) refuse(r *request, with *kerr.Error) {
	commit := r.name() == "Commit"
	h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{r.key}, Err: with, When: func(body kmsg.Request) bool {
		end, ok := body.(*kmsg.EndTxnRequest)
		return !ok || end.Commit == commit
	}})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals = append(w.refusals, h)
}
