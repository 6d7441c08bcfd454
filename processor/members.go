package processor

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// InstanceName is the name of a process for [Config.Instance] when none is configured: the host's name and a hash of
// the folder that holds its data, so that two processes on one host differ and a restart does not.
func InstanceName(host, dataDir string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(dataDir)) // never fails
	return fmt.Sprintf("%s-%08x", host, h.Sum32())
}

// surplusMembers picks the members of this instance whose number is not used any more: their processes ran with more
// workers than this one does.
func surplusMembers(members []string, prefix string, workers int) []string {
	var surplus []string
	for _, id := range members {
		number, ok := strings.CutPrefix(id, prefix)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(number); err == nil && n >= workers {
			surplus = append(surplus, id)
		}
	}
	return surplus
}

// removeSurplus makes members of this instance leave whose workers do not exist any more. A static member that is
// just gone keeps its partitions for the session timeout. Failing to is not fatal, only slow.
func (p *Processor) removeSurplus(ctx context.Context, workers int) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	group := p.config.App
	described, err := p.adm.DescribeGroups(ctx, group)
	if err != nil {
		p.config.Log.Warn("cannot look for members left over from a run with more workers", "error", err)
		return
	}
	var members []string
	for _, m := range described[group].Members {
		if m.InstanceID != nil {
			members = append(members, *m.InstanceID)
		}
	}
	surplus := surplusMembers(members, p.config.App+"-"+p.config.Instance+"-", workers)
	if len(surplus) == 0 {
		return
	}
	left, err := p.adm.LeaveGroup(ctx, kadm.LeaveGroup(group).Reason("fewer workers").InstanceIDs(surplus...))
	if err == nil {
		err = left.Error()
	}
	if err != nil {
		p.config.Log.Warn("members left over from a run with more workers stay until their session ends",
			"members", surplus, "error", err)
		return
	}
	p.config.Log.Info("removed members left over from a run with more workers", "members", surplus)
}
