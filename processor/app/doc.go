// Package app puts the parts together: it reads the configuration, opens what the parts need, starts the roles of the
// process, serves health and metrics, and takes everything down again in the reverse order, each step with a bound on
// its time.
//
// What it guarantees: a configuration is used only when all of it is known and right ([Load] reports every fault at
// once); Run returns when all its roles have ended, with the first error that made one end; nothing it opened is left
// open.
//
// What the caller must do: give it a context that ends on a signal, and the environment (arguments, variables, standard
// streams) as values. The commands are in processor/cmd/tocsin.
package app
