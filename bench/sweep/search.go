package main

// The bounds of a search, in events a second.
const (
	leastRate = 500
	mostRate  = 2_000_000
)

// highest looks for the highest rate that holds: from a first guess it doubles until a rate does not hold (or halves
// until one does), and then bisects until the lowest that does not is at most so much more than the highest that does.
// 0: not even the least holds. That a rate which holds is above one that does not is taken for impossible.
func highest(from int, precision float64, holds func(rate int) (bool, error)) (int, error) {
	low, high := 0, 0 // holds; does not, or 0: unknown
	for rate := from; low == 0 || high == 0; {
		ok, err := holds(rate)
		switch {
		case err != nil:
			return 0, err
		case ok:
			low = rate
			rate *= 2
			if low >= mostRate {
				return low, nil
			}
		default:
			high = rate
			rate /= 2
			if low == 0 && rate < leastRate {
				return 0, nil
			}
		}
	}
	for float64(high) > float64(low)*(1+precision) {
		middle := (low + high) / 2
		if middle == low {
			break
		}
		ok, err := holds(middle)
		switch {
		case err != nil:
			return 0, err
		case ok:
			low = middle
		default:
			high = middle
		}
	}
	return low, nil
}
