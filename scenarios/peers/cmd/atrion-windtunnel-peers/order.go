package main

// inOrder calls work for 0 to n-1 on the given number of goroutines, and emit
// with every result in that order, as soon as those before it are out.
func inOrder[T any](n, parallel int, work func(i int) T, emit func(T) error) error {
	// A place of its own for every result; a worker may run ahead of the
	// slowest by twice their number, not further.
	type slot struct {
		i   int
		out chan T
	}
	todo := make(chan slot)
	waiting := make(chan chan T, 2*parallel)
	go func() {
		defer close(waiting)
		defer close(todo)
		for i := range n {
			out := make(chan T, 1)
			waiting <- out
			todo <- slot{i, out}
		}
	}()
	for range parallel {
		go func() {
			for s := range todo {
				s.out <- work(s.i)
			}
		}()
	}
	for out := range waiting {
		if err := emit(<-out); err != nil {
			return err
		}
	}
	return nil
}
