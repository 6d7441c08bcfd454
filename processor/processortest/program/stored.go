package program

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tocsin/topics"
)

// Stored is nil when the database holds the highest revision of every alert of the topic, and nothing else.
func (a *Application) Stored(ctx context.Context, alerts []topics.Alert) error {
	type row struct {
		revision int
		count    int64
	}
	want := map[string]row{}
	for i := range alerts {
		if alerts[i].Revision > want[alerts[i].ID].revision {
			want[alerts[i].ID] = row{alerts[i].Revision, alerts[i].Count}
		}
	}
	conn, err := pgx.Connect(ctx, a.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, `SELECT id, revision, count FROM alerts`)
	if err != nil {
		return err
	}
	got := map[string]row{}
	var id string
	var r row
	if _, err := pgx.ForEachRow(rows, []any{&id, &r.revision, &r.count}, func() error {
		got[id] = r
		return nil
	}); err != nil {
		return err
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d alerts stored, %d in the topic", len(got), len(want))
	}
	for id, w := range want {
		if got[id] != w {
			return fmt.Errorf("alert %s: stored %v, in the topic %v", id, got[id], w)
		}
	}
	return nil
}
