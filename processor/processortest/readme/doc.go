// Command readme runs what the documentation tells its readers to run: every shell block of README.md and of the
// pages in deploy/docs, in order, in a fresh clone of the checkout, with an empty home folder, on a terminal of a
// hundred columns. It fails when a command does, when what a page shows is not what was printed, and when a page
// names a command or a flag of the program that does not exist.
//
// How a page says what is what:
//
//	```sh                     is run, with everything before it on the page in the same shell
//	```text                   is what the block before it printed; see [shows]
//	<!-- not run: reason -->  before a block: it is not run, and the reason is printed
//	<!-- given: commands -->  before a block: what its reader has and a machine has not, run before it
//	<!-- indented: reason --> anywhere: why the commands in indented blocks of this page are shown and not run
//
// Each page has a clone and a shell of its own; the shell ends with the first command that fails, and what still runs
// in its background is stopped at the end of the page. Only what is committed is looked at. The caches of Go and
// Kafka's jars are those of the checkout, and a program that was built is lent to the next page that builds it, for
// a reader's download or linker shows nothing. What was run and printed is kept, a
// file a page, in .cache/transcripts.
package main
