// Package program builds the program and runs it as its users do: in processes of its own, by configuration file and
// signals. Nothing of it is linked into the test, so that a process can be killed, paused and left to itself.
//
// An [Application] is what processes have in common: names, brokers, database. It says too what became of their work:
// [Application.Unread], [Application.OpenTransactions], [Application.Stored].
package program
