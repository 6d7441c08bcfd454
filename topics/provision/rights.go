package provision

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/topics"
)

// RightsClientOptions are options that the client of [Missing] must have: newer versions of the request tell nothing
// about a group that does not exist yet.
func RightsClientOptions() []kgo.Opt {
	v := kversion.Tip()
	v.SetMaxKeyVersion(int16(kmsg.DescribeGroups), 5)
	return []kgo.Opt{kgo.MaxVersions(v)}
}

// Missing asks the brokers which of the rights the client's user does not have, and gives their places in rights. The
// brokers say what a user may do with a topic or group, so nothing is tried out but what has no effect: a creation that
// is only validated, a description. A right that cannot be asked for counts as there, and so do all of them where the
// brokers do not tell.
//
// With an error the answer is not complete.
//
// The name of a right with Prefix is asked for as it is, so name one of the resources instead where you know it.
func Missing(ctx context.Context, cl *kgo.Client, rights []topics.Right) (missing []int, err error) {
	a := asking{cl: cl, adm: kadm.NewClient(cl), may: make(map[resource]permitted)}
	err = errors.Join(a.topics(ctx, rights), a.groups(ctx, rights))
	for i := range rights {
		ok, hasErr := a.has(ctx, &rights[i])
		if !ok {
			missing = append(missing, i)
		}
		err = errors.Join(err, hasErr)
	}
	return missing, err
}

type resource struct {
	kind topics.ResourceType
	name string
}

// permitted is what the brokers told about a resource.
type permitted struct {
	told      bool  // operations is known
	hidden    bool  // not even Describe
	absent    bool  // it does not exist, and its absence may be seen
	operation int32 // a bit for each
}

type asking struct {
	cl  *kgo.Client
	adm *kadm.Client
	may map[resource]permitted
}

func names(rights []topics.Right, kind topics.ResourceType) (all []string) {
	for _, r := range rights {
		if r.Type == kind && !slices.Contains(all, r.Name) {
			all = append(all, r.Name)
		}
	}
	return all
}

// told makes sense of a field that has a value of its own for "not asked for".
func told(operations int32) permitted {
	return permitted{told: operations != math.MinInt32, operation: operations}
}

func (a *asking) topics(ctx context.Context, rights []topics.Right) error {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range names(rights, topics.ResourceTopic) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	if len(req.Topics) == 0 {
		return nil
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return fmt.Errorf("ask for the rights on topics: %w", err)
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		p := permitted{}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil:
			p = told(t.AuthorizedOperations)
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			p.hidden = true
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			p.absent = true
		}
		a.may[resource{topics.ResourceTopic, *t.Topic}] = p
	}
	return nil
}

func (a *asking) groups(ctx context.Context, rights []topics.Right) error {
	groups := names(rights, topics.ResourceGroup)
	if len(groups) == 0 {
		return nil
	}
	// A cluster that has had no group yet makes room for them first.
	for {
		err := a.describeGroups(ctx, groups)
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			return err
		}
		pause := time.NewTimer(visibleEvery)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (a *asking) describeGroups(ctx context.Context, groups []string) error {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups, req.IncludeAuthorizedOperations = groups, true
	for _, shard := range a.cl.RequestSharded(ctx, req) {
		if asked, ok := shard.Req.(*kmsg.DescribeGroupsRequest); ok && errors.Is(shard.Err, kerr.GroupAuthorizationFailed) {
			for _, g := range asked.Groups { // refused already when its coordinator was looked for
				a.may[resource{topics.ResourceGroup, g}] = permitted{hidden: true}
			}
			continue
		}
		if shard.Err != nil {
			return fmt.Errorf("ask for the rights on groups: %w", shard.Err)
		}
		for _, g := range shard.Resp.(*kmsg.DescribeGroupsResponse).Groups {
			p := permitted{}
			switch err := kerr.ErrorForCode(g.ErrorCode); {
			case err == nil:
				p = told(g.AuthorizedOperations)
			case errors.Is(err, kerr.GroupAuthorizationFailed):
				p.hidden = true
			default:
				return fmt.Errorf("ask for the rights on group %s: %w", g.Group, err)
			}
			a.may[resource{topics.ResourceGroup, g.Group}] = p
		}
	}
	return nil
}

// codes are the bits of the answers (KIP-430).
var codes = map[topics.Operation]kmsg.ACLOperation{
	topics.OpRead: kmsg.ACLOperationRead, topics.OpWrite: kmsg.ACLOperationWrite,
	topics.OpCreate: kmsg.ACLOperationCreate, topics.OpDelete: kmsg.ACLOperationDelete,
	topics.OpDescribe: kmsg.ACLOperationDescribe, topics.OpDescribeConfigs: kmsg.ACLOperationDescribeConfigs,
	topics.OpAlterConfigs: kmsg.ACLOperationAlterConfigs,
}

func (a *asking) has(ctx context.Context, r *topics.Right) (bool, error) {
	if r.Type == topics.ResourceTransactionID {
		return a.hasTransactionID(ctx, r.Name)
	}
	p, asked := a.may[resource{r.Type, r.Name}]
	switch {
	case !asked:
		return true, nil
	case r.Operation == topics.OpCreate:
		if !p.hidden && !p.absent {
			return true, nil // it is there
		}
		return a.mayCreate(ctx, r.Name)
	case p.told:
		return p.operation&(1<<codes[r.Operation]) != 0, nil
	case p.hidden && r.Operation.Allows(topics.OpDescribe):
		return false, nil
	case r.Operation == topics.OpDescribeConfigs:
		return a.mayDescribeConfigs(ctx, r.Name)
	}
	return true, nil
}

// mayCreate has a creation validated.
func (a *asking) mayCreate(ctx context.Context, topic string) (bool, error) {
	answer, err := a.adm.ValidateCreateTopics(ctx, -1, -1, nil, topic)
	both := errors.Join(err, answer[topic].Err) // the client makes an error of some refusals
	if errors.Is(both, kerr.TopicAuthorizationFailed) || errors.Is(both, kerr.ClusterAuthorizationFailed) {
		return false, nil
	}
	if err != nil {
		err = fmt.Errorf("ask for the right to create topic %s: %w", topic, err)
	}
	return true, err
}

func (a *asking) mayDescribeConfigs(ctx context.Context, topic string) (bool, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	one := kmsg.NewDescribeConfigsRequestResource()
	one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	one.ConfigNames = []string{"cleanup.policy"}
	req.Resources = append(req.Resources, one)
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return true, fmt.Errorf("ask for the right to describe the settings of topic %s: %w", topic, err)
	}
	for _, r := range resp.Resources {
		if errors.Is(kerr.ErrorForCode(r.ErrorCode), kerr.TopicAuthorizationFailed) {
			return false, nil
		}
	}
	return true, nil
}

// hasTransactionID asks for a description, which Write allows; more cannot be asked for without taking the id over.
func (a *asking) hasTransactionID(ctx context.Context, id string) (bool, error) {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	for _, shard := range a.cl.RequestSharded(ctx, req) {
		err := shard.Err
		if resp, ok := shard.Resp.(*kmsg.DescribeTransactionsResponse); ok && err == nil {
			for _, s := range resp.TransactionStates {
				err = errors.Join(err, kerr.ErrorForCode(s.ErrorCode))
			}
		}
		if errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
			return false, nil
		}
	}
	return true, nil // brokers before Kafka 3.0 cannot be asked
}
