package narrate

import "tocsin/processor/app/terminal"

// Condition is how a running process fares.
type Condition struct {
	Status          string // OK, WARNING, FAILING
	Address         string
	Live            bool // only whether it is alive was asked
	Wrong, Warnings []string
	Workers         int
	Partitions      int
	Lag, Unstored   int64
}

// Health tells how a running process fares: what is wrong first.
func Health(c Condition, o Options) string {
	p := o.page()
	style := map[string]terminal.Style{"OK": terminal.Green, "WARNING": terminal.Yellow, "FAILING": terminal.Red}[c.Status]
	p.Title(style, c.Status, "tocsin at "+c.Address, "")
	for _, s := range c.Wrong {
		p.Item(terminal.Red, "-", s)
	}
	for _, s := range c.Warnings {
		p.Item(terminal.Yellow, "!", capital(s))
	}
	switch {
	case len(c.Wrong) > 0 && c.Partitions == 0:
	case c.Live:
		p.Text(2, "It is alive. Whether it is ready was not asked.")
	case c.Workers > 0:
		p.Text(2, "It judges "+number(int64(c.Partitions), "partition")+" with "+number(int64(c.Workers), "worker")+"; "+
			number(c.Lag, "record")+" not judged yet, "+number(c.Unstored, "alert revision")+" not stored yet.")
	default:
		p.Text(2, "It judges no events, which is not its role; "+number(c.Unstored, "alert revision")+" not stored yet.")
	}
	return p.String()
}
