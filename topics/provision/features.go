package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrOldBroker is wrapped by the error for a broker that is too old.
var ErrOldBroker = errors.New("the brokers are too old")

// topicIDs is the version of the Metadata request from which on brokers give topics ids (KIP-516, Kafka 2.8): without
// one a topic that was made anew could not be told from the one before.
const topicIDs = 10

// CheckAge asks the brokers for the versions they speak. The error wraps ErrOldBroker when one of them is older than
// Kafka 2.8.
func CheckAge(ctx context.Context, adm *kadm.Client) error {
	answers, err := adm.ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("ask the brokers for their versions: %w", err)
	}
	for _, broker := range answers.Sorted() {
		if broker.Err != nil {
			continue // one that is down is no reason to wait
		}
		if v, ok := broker.KeyMaxVersion(int16(kmsg.Metadata)); ok && v < topicIDs {
			return fmt.Errorf("%w: broker %d speaks version %d of the Metadata request, %d is needed (Kafka 2.8; 4.0 without"+
				" kafka.allow_transaction_v1): upgrade the cluster, or name another in kafka.brokers", ErrOldBroker,
				broker.NodeID, v, topicIDs)
		}
	}
	return nil
}

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
