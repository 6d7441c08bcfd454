package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// fetchBytes is how much of a partition one request reads: about one batch of a busy producer. A larger batch
	// comes whole when its partition is asked for alone.
	fetchBytes = 64 << 10
	fetchWait  = 500 // milliseconds: what is asked for is there already
)

// Why a place has no record although nothing is known to have removed it: such a place is asked for again.
const (
	whyBeyondEnd = "the offset lies beyond the end of the log"
	whyNoTopic   = "the topic does not exist"
)

// fetcher reads single records, wherever they lie. Consuming would read on from there, a megabyte for each record
// wanted; so it asks the leaders itself, one small Fetch request for all partitions of a broker at a time.
type fetcher struct {
	client *kgo.Client
	adm    *kadm.Client
	unzip  kgo.Decompressor
}

func (s *Sink) newFetcher() (*fetcher, error) {
	cl, err := s.client()
	if err != nil {
		return nil, err
	}
	return &fetcher{client: cl, adm: kadm.NewClient(cl), unzip: kgo.DefaultDecompressor()}, nil
}

// cursor walks the places wanted in one partition, in order.
type cursor struct {
	topic     string
	id        kadm.TopicID
	partition int32
	leader    int32
	offsets   []int64 // still wanted, ascending
	start     int64   // of the log
	end       int64
	alone     bool // ask for this partition in a request of its own: its next batch is large
	tries     int  // without progress
}

// records looks up places, which are sorted. A place it could say nothing about now is found with a why and not lost.
func (f *fetcher) records(ctx context.Context, places []place) map[place]*found {
	all := make(map[place]*found, len(places))
	cursors := f.cursors(ctx, places, all)
	for len(cursors) > 0 && ctx.Err() == nil {
		f.step(ctx, cursors, all)
		cursors = slices.DeleteFunc(cursors, func(c *cursor) bool {
			if c.tries < 3 {
				return len(c.offsets) == 0
			}
			c.settle(all, len(c.offsets), found{why: "the broker answered without the record"})
			return true
		})
	}
	return all
}

// settle says of the first n offsets wanted that there is no record.
func (c *cursor) settle(all map[place]*found, n int, because found) {
	for _, offset := range c.offsets[:n] {
		at := place{c.topic, c.partition, offset}
		if all[at] == nil {
			all[at] = &because
		}
	}
	c.offsets = c.offsets[n:]
}

// cursors finds leaders and extents, and settles what lies outside the logs.
func (f *fetcher) cursors(ctx context.Context, places []place, all map[place]*found) []*cursor {
	var cursors []*cursor
	for _, p := range places {
		n := len(cursors)
		if n == 0 || cursors[n-1].topic != p.topic || cursors[n-1].partition != p.partition {
			cursors = append(cursors, &cursor{topic: p.topic, partition: p.partition})
			n++
		}
		cursors[n-1].offsets = append(cursors[n-1].offsets, p.offset)
	}
	var names []string
	for _, c := range cursors {
		names = append(names, c.topic)
	}
	names = slices.Compact(names)
	details, err := f.adm.ListTopicsWithInternal(ctx, names...)
	starts, err2 := f.adm.ListStartOffsets(ctx, names...)
	ends, err3 := f.adm.ListEndOffsets(ctx, names...)
	err = errors.Join(err, err2, err3)
	return slices.DeleteFunc(cursors, func(c *cursor) bool {
		if err == nil {
			c.locate(details, starts, ends, all)
		} else {
			c.settle(all, len(c.offsets), found{why: err.Error()})
		}
		return len(c.offsets) == 0
	})
}

func (c *cursor) locate(details kadm.TopicDetails, starts, ends kadm.ListedOffsets, all map[place]*found) {
	d, ok := details[c.topic]
	p, okPartition := d.Partitions[c.partition]
	start, okStart := starts.Lookup(c.topic, c.partition)
	end, okEnd := ends.Lookup(c.topic, c.partition)
	err := errors.Join(d.Err, p.Err, start.Err, end.Err)
	switch {
	case !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition) || d.Err == nil && !okPartition:
		c.settle(all, len(c.offsets), found{why: whyNoTopic})
		return
	case err != nil || !okStart || !okEnd:
		c.settle(all, len(c.offsets), found{why: fmt.Sprintf("partition cannot be read at present: %v", err)})
		return
	}
	c.id, c.leader, c.start, c.end = d.ID, p.Leader, start.Offset, end.Offset
	below, _ := slices.BinarySearch(c.offsets, c.start)
	c.settle(all, below, found{lost: true, why: "the log had passed it: the first offset left is " + fmt.Sprint(c.start)})
	inside, _ := slices.BinarySearch(c.offsets, c.end)
	beyond := slices.Clone(c.offsets[inside:])
	c.offsets = c.offsets[:inside]
	rest := cursor{topic: c.topic, partition: c.partition, offsets: beyond}
	rest.settle(all, len(beyond), found{why: whyBeyondEnd})
}

// step asks every leader once, all at the same time.
func (f *fetcher) step(ctx context.Context, cursors []*cursor, all map[place]*found) {
	type group struct {
		leader  int32
		members []*cursor
	}
	var groups []*group
	shared := make(map[int32]*group)
	for _, c := range cursors {
		g := shared[c.leader]
		if g == nil || c.alone {
			g = &group{leader: c.leader}
			groups = append(groups, g)
			if !c.alone {
				shared[c.leader] = g
			}
		}
		g.members = append(g.members, c)
	}
	var (
		wg      sync.WaitGroup
		answers = make([][]answer, len(groups))
	)
	for i, g := range groups { // one per broker, and one per large batch
		wg.Go(func() { answers[i] = f.ask(ctx, g.leader, g.members) })
	}
	wg.Wait()
	for i := range answers {
		for _, a := range answers[i] {
			a.take(all)
		}
	}
}

// answer is what a broker said about one partition.
type answer struct {
	*cursor
	records []*kgo.Record
	next    int64 // the log was read up to here
	err     error
}

func (f *fetcher) ask(ctx context.Context, leader int32, members []*cursor) []answer {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = fetchWait, 1, 16<<20, -1
	byPlace := make(map[place]*cursor)
	for _, c := range members {
		byPlace[place{topic: c.topic, partition: c.partition}] = c
		i := slices.IndexFunc(req.Topics, func(t kmsg.FetchRequestTopic) bool { return t.Topic == c.topic })
		if i < 0 {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = c.topic, c.id
			req.Topics, i = append(req.Topics, t), len(req.Topics)
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = c.partition, c.offsets[0], fetchBytes
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, f.client.Broker(int(leader)))
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	var answers []answer
	if err == nil {
		for i := range resp.Topics {
			answers = append(answers, f.read(&resp.Topics[i], members, byPlace)...)
		}
	}
	for _, c := range byPlace { // what the answer leaves out
		answers = append(answers, answer{cursor: c, err: cmpErr(err, errors.New("not in the broker's answer"))})
	}
	return answers
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (f *fetcher) read(t *kmsg.FetchResponseTopic, members []*cursor, open map[place]*cursor) []answer {
	topic := t.Topic
	for _, c := range members {
		if topic == "" && c.id == t.TopicID {
			topic = c.topic
		}
	}
	var answers []answer
	for i := range t.Partitions {
		at := place{topic: topic, partition: t.Partitions[i].Partition}
		c := open[at]
		if c == nil {
			continue
		}
		delete(open, at)
		read, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: c.offsets[0], Topic: topic, Partition: c.partition, IsolationLevel: kgo.ReadUncommitted(),
		}, &t.Partitions[i], f.unzip, nil)
		answers = append(answers, answer{cursor: c, records: read.Records, next: next, err: read.Err})
	}
	return answers
}

// take settles what the answer tells. Offsets the log was read past without a record have none: compacted.
func (a answer) take(all map[place]*found) {
	if len(a.records) == 0 && a.next <= a.offsets[0] {
		a.tries++
		a.cursor.alone = true
		if a.err != nil && a.tries >= 3 {
			a.settle(all, len(a.offsets), found{why: a.err.Error()})
		}
		return
	}
	a.cursor.tries, a.cursor.alone = 0, false
	for _, r := range a.records {
		if _, ok := slices.BinarySearch(a.offsets, r.Offset); ok {
			all[place{a.topic, a.partition, r.Offset}] = newFound(r)
		}
	}
	passed, _ := slices.BinarySearch(a.offsets, a.next)
	a.settle(all, passed, found{lost: true, why: "the log no longer holds it: compacted"})
}
