package sink

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Database is where a sink stores: the layer of its statements. There are two, Postgres (see [Config].Pool) and
// [Memory], and one suite of tests that holds for both.
type Database interface {
	// transact calls do with the statements of one transaction. All that they did is done when it returns nil, and
	// nothing of it after an error of do; after any other error it is one or the other.
	transact(ctx context.Context, do func(statements) error) error
}

// statements are what a sink asks of its database.
type statements interface {
	// otherTopic finds a stored position of a topic of this name with another id.
	otherTopic(ctx context.Context, topic string, id topicID) (other topicID, found bool, err error)
	// addPositions stores positions of partitions that have none.
	addPositions(ctx context.Context, topic string, id topicID, partitions []int32, next []int64) error
	// positions reads positions; partitions without one are left out.
	positions(ctx context.Context, id topicID, partitions []int32) (map[int32]int64, error)
	// fenceAndLock moves the positions of a batch, partitions in order, then locks the alerts with these ids, in order,
	// and tells what is known of them. A position that does not stand where the batch expects it is a fencedError.
	fenceAndLock(ctx context.Context, id topicID, b batch, ids []string) (map[string]stored, error)
	// write stores what a plan holds, and rejected records.
	write(ctx context.Context, id topicID, topic string, p *plan, rejected []located) error

	// takePending locks some evidence that is due to be copied, at most limit, in the order of alert and place. What
	// another transaction has locked is left out.
	takePending(ctx context.Context, limit int) ([]wanted, error)
	// storedBytes tells how much evidence is stored of these alerts, and keeps others from adding to it.
	storedBytes(ctx context.Context, ids []string) (map[string]int64, error)
	// settle writes what became of evidence that was taken.
	settle(ctx context.Context, all []settlement) error
	// countPending counts evidence that waits, up to a limit.
	countPending(ctx context.Context, limit int) (int64, error)
}

// settlement is what became of one piece of evidence; status pending: it is put off.
type settlement struct {
	*wanted
	found  *found
	status string
}

// postgres is the real database. Its transactions act as the sink's role.
type postgres struct{ pool *pgxpool.Pool }

func (p postgres) transact(ctx context.Context, do func(statements) error) error {
	return named(ctx, p.pool, inTx(ctx, p.pool, RoleSink, func(tx pgx.Tx) error { return do(postgresTx{tx}) }))
}

// postgresTx are the statements of one transaction there.
type postgresTx struct{ tx pgx.Tx }

// inTx runs do in a transaction that acts as role, and commits.
func inTx(ctx context.Context, pool *pgxpool.Pool, role string, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+role); err != nil {
			return fmt.Errorf("take on role %s: %w", role, err)
		}
		return do(tx)
	})
}
