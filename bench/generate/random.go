package generate

import (
	"math"
	"math/bits"
)

// random is splitmix64: a few nanoseconds to seed, so that every record can have its own.
type random struct{ state uint64 }

func newRandom(seed, stream uint64) random {
	r := random{seed ^ mix(stream+0x9e3779b97f4a7c15)}
	r.next()
	return r
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// below is uniform in [0, n).
func (r *random) below(n int64) int64 {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int64(hi)
}

// unit is uniform in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// chance is true with probability p.
func (r *random) chance(p float64) bool { return p > 0 && r.unit() < p }

// zipf samples ranks 1…n with probability ∝ rank^−s by rejection-inversion (Hörmann and Derflinger,
// "Rejection-inversion to generate variates from monotone discrete distributions", 1996): constant time and memory for
// any n.
type zipf struct {
	n, s                  float64
	integralX1, integralN float64
	threshold             float64
}

func newZipf(n int64, s float64) zipf {
	z := zipf{n: float64(n), s: s}
	z.integralX1 = z.integral(1.5) - 1
	z.integralN = z.integral(z.n + 0.5)
	z.threshold = 2 - z.inverse(z.integral(2.5)-z.weight(2))
	return z
}

func (z *zipf) weight(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

func (z *zipf) integral(x float64) float64 {
	l := math.Log(x)
	return expm1over((1-z.s)*l) * l
}

func (z *zipf) inverse(x float64) float64 {
	t := max(x*(1-z.s), -1)
	return math.Exp(log1pover(t) * x)
}

// rank draws one.
func (z *zipf) rank(r *random) int64 {
	for {
		u := z.integralN + r.unit()*(z.integralX1-z.integralN)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.threshold || u >= z.integral(k+0.5)-z.weight(k) {
			return int64(k)
		}
	}
}

func expm1over(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Expm1(x) / x
	}
	return 1 + x*0.5*(1+x/3)
}

func log1pover(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Log1p(x) / x
	}
	return 1 - x*(0.5-x/3)
}
