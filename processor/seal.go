package processor

import "tocsin/topics"

// checkSeal compares a partition's last seal with what the group has committed for it, once the changelog has been
// applied up to its end. Both were written by the same transaction, so they agree, or something outside of the
// processor has changed one of them: the partition then stops, and an operator decides. A partition that has neither
// is new.
func checkSeal(partition int32, seal *topics.Seal, committed int64, inputID [16]byte, partitions int32) error {
	sealed := seal.Sequence > 0
	switch {
	case !sealed && committed < 0:
		return nil // new
	case !sealed:
		return stopf(partition, CauseNoSeal, remedyPlan,
			"the group has committed input offset %d, but the changelog holds no seal: the state is lost", committed)
	case seal.InputTopicID != inputID:
		return stopf(partition, CauseTopicID,
			"restore the topic, or start under a new application id to judge the new topic from its beginning",
			"the state was built from the input topic with id %x, but its id is now %x: it was deleted and created anew",
			seal.InputTopicID, inputID)
	case seal.Partitions != partitions:
		return stopf(partition, CauseCount, remedyCount,
			"the state was built with %d partitions of the input topic, but it now has %d", seal.Partitions, partitions)
	case seal.Partition != partition:
		return stopf(partition, CauseChangelog, remedyPlan,
			"its changelog holds a seal of partition %d: records were copied between partitions", seal.Partition)
	case committed < 0:
		return stopf(partition, CauseNoOffset, remedyPlan,
			"the state has judged up to input offset %d, but the group has no committed offset: it has expired or was deleted",
			seal.Next)
	case seal.Next < committed:
		return stopf(partition, CauseBehind, remedyPlan,
			"the state has judged up to input offset %d, but the group has committed %d: state was lost, or somebody moved the "+
				"offsets forward", seal.Next, committed)
	case seal.Next > committed:
		return stopf(partition, CauseAhead, remedyPlan,
			"the state has judged up to input offset %d, but the group has committed %d: somebody moved the offsets back",
			seal.Next, committed)
	}
	return nil
}
