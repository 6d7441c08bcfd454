package state

import "errors"

func (r *Restore) startFull() error { return errors.New("not built yet") }
