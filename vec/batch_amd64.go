//go:build amd64 && !purego && !noasm

package vec

// callMax bounds one call of assembly, which cannot be preempted.
const callMax = 1024

// fewest is the number of elements from which a vector is quicker than scalar
// code, whatever it holds besides.
const fewest = 3

func tanhBatch(dst, x []float64) {
	level := Active()
	if level == Portable {
		tanhPortable(dst, x)
		return
	}
	for len(x) >= 4 {
		n := min(len(x), callMax)
		if level == AVX512 && n >= 8 {
			tanhAVX512(&dst[0], &x[0], n)
		} else {
			tanhAVX2(&dst[0], &x[0], n)
		}
		dst, x = dst[n:], x[n:]
	}
	if len(x) < fewest {
		tanhPortable(dst, x)
		return
	}
	var v [4]float64
	copy(v[:], x)
	tanhAVX2(&v[0], &v[0], 4)
	copy(dst, v[:len(x)])
}

// skip is how many elements are done by scalar code when a kernel gives up on
// a vector: enough to get past whatever number of vectors it had in hand.
const skip = 24

func expBatch(dst, x []float64) {
	level := Active()
	if level == Portable {
		expPortable(dst, x)
		return
	}
	for len(x) >= 4 {
		n := min(len(x), callMax)
		var done int
		if level == AVX512 && n >= 8 {
			done = expAVX512(&dst[0], &x[0], n)
		} else {
			done = expAVX2(&dst[0], &x[0], n)
		}
		if done < n {
			end := min(done+skip, n)
			expPortable(dst[done:end], x[done:end])
			done = end
		}
		dst, x = dst[done:], x[done:]
	}
	var v [4]float64
	copy(v[:], x)
	if len(x) < fewest || expAVX2(&v[0], &v[0], 4) < 4 {
		expPortable(dst, x)
		return
	}
	copy(dst, v[:len(x)])
}

func lnBatch(dst, x []float64) {
	level := Active()
	if level == Portable {
		lnPortable(dst, x)
		return
	}
	for len(x) >= 4 {
		n := min(len(x), callMax)
		var done int
		if level == AVX512 && n >= 8 {
			done = lnAVX512(&dst[0], &x[0], n)
		} else {
			done = lnAVX2(&dst[0], &x[0], n)
		}
		if done < n {
			end := min(done+skip, n)
			lnPortable(dst[done:end], x[done:end])
			done = end
		}
		dst, x = dst[done:], x[done:]
	}
	v := [4]float64{1, 1, 1, 1}
	copy(v[:], x)
	if len(x) < fewest || lnAVX2(&v[0], &v[0], 4) < 4 {
		lnPortable(dst, x)
		return
	}
	copy(dst, v[:len(x)])
}
