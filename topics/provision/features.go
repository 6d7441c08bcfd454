package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TransactionVersion is the level of the feature transaction.version that the whole cluster has: 2 from Kafka 4.0 on
// (KIP-890 part 2: every transaction has an epoch of its own, so a delayed message cannot end up in a later one), 0
// where the brokers do not know the feature. The lowest answer of any broker counts.
func TransactionVersion(ctx context.Context, adm *kadm.Client) (int16, error) {
	answers, err := adm.ApiVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask the brokers for their features: %w", err)
	}
	lowest, answered := int16(0), false
	var errs []error
	for _, broker := range answers.Sorted() {
		if broker.Err != nil {
			errs = append(errs, fmt.Errorf("broker %d: %w", broker.NodeID, broker.Err))
			continue
		}
		level := int16(0)
		for _, f := range broker.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" {
				level = f.MaxVersionLevel
			}
		}
		if !answered || level < lowest {
			lowest, answered = level, true
		}
	}
	if !answered {
		errs = append(errs, errors.New("no broker answered"))
		return 0, fmt.Errorf("ask the brokers for their features: %w", errors.Join(errs...))
	}
	return lowest, nil
}
