//go:build amd64 && !purego && !noasm

package vec

// callMax bounds one call of assembly, which cannot be preempted.
const callMax = 1024

func tanhBatch(dst, x []float64) {
	switch Active() {
	case AVX512:
		for len(x) > 0 {
			n := min(len(x), callMax)
			tanhAVX512(&dst[0], &x[0], n)
			dst, x = dst[n:], x[n:]
		}
	case AVX2:
		for len(x) >= 4 {
			n := min(len(x), callMax)
			tanhAVX2(&dst[0], &x[0], n)
			dst, x = dst[n:], x[n:]
		}
		if len(x) > 0 {
			var v [4]float64
			copy(v[:], x)
			tanhAVX2(&v[0], &v[0], 4)
			copy(dst, v[:len(x)])
		}
	default:
		tanhPortable(dst, x)
	}
}

// skip is how many elements are done by scalar code when a kernel gives up on
// a vector: enough to get past whatever number of vectors it had in hand.
const skip = 24

func expBatch(dst, x []float64) {
	switch Active() {
	case AVX512:
		for len(x) > 0 {
			n := min(len(x), callMax)
			done := expAVX512(&dst[0], &x[0], n)
			if done < n {
				done = expSome(dst[:n], x[:n], done)
			}
			dst, x = dst[done:], x[done:]
		}
	case AVX2:
		for len(x) >= 4 {
			n := min(len(x), callMax)
			done := expAVX2(&dst[0], &x[0], n)
			if done < n {
				done = expSome(dst[:n], x[:n], done)
			}
			dst, x = dst[done:], x[done:]
		}
		if len(x) > 0 {
			var v [4]float64
			copy(v[:], x)
			if expAVX2(&v[0], &v[0], 4) == 4 {
				copy(dst, v[:len(x)])
			} else {
				expPortable(dst, x)
			}
		}
	default:
		expPortable(dst, x)
	}
}

// expSome does some elements from done on and returns how many are done then.
func expSome(dst, x []float64, done int) int {
	end := min(done+skip, len(x))
	expPortable(dst[done:end], x[done:end])
	return end
}

func lnBatch(dst, x []float64) {
	switch Active() {
	case AVX512:
		for len(x) > 0 {
			n := min(len(x), callMax)
			done := lnAVX512(&dst[0], &x[0], n)
			if done < n {
				done = lnSome(dst[:n], x[:n], done)
			}
			dst, x = dst[done:], x[done:]
		}
	case AVX2:
		for len(x) >= 4 {
			n := min(len(x), callMax)
			done := lnAVX2(&dst[0], &x[0], n)
			if done < n {
				done = lnSome(dst[:n], x[:n], done)
			}
			dst, x = dst[done:], x[done:]
		}
		if len(x) > 0 {
			v := [4]float64{1, 1, 1, 1}
			copy(v[:], x)
			if lnAVX2(&v[0], &v[0], 4) == 4 {
				copy(dst, v[:len(x)])
			} else {
				lnPortable(dst, x)
			}
		}
	default:
		lnPortable(dst, x)
	}
}

// lnSome is expSome for Ln.
func lnSome(dst, x []float64, done int) int {
	end := min(done+skip, len(x))
	lnPortable(dst[done:end], x[done:end])
	return end
}
