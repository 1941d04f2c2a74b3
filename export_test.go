package atrion

import "time"

// Amended waits until all routes are under the law they should be under.
func (e *Engine) Amended() { e.sys.Amend(time.Minute) }
