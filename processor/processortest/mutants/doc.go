// Mutants proves that the tests see what they are there for. Each file in testdata is a fault, as somebody could make
// it: a patch of a few lines with a header that names the test which must fail. The program puts the faults into the
// code one at a time, builds that test with them, runs it, and wants to see it fail for the reason stated. A mutant
// that survives, does not compile, or is only noticed because a test ran out of time, is an error.
//
//	make mutants                      all of them
//	make mutants TABLE=1              and writes bench/results/mutants.md
//	make mutants PART=2/3             every third, from the second on
//	go run ./processor/processortest/mutants -only poll-ahead -v
//
// Nothing is copied and nothing in the tree is changed: the compiler is given other text for the patched files (go
// build -overlay).
//
// # A patch
//
//	breaks: what would go wrong in production
//	test:   TOCSIN_SEEDS=3 ./processor TestEndOutcomes/offset_commit_refused   (variables, package, -run)
//	sees:   a regular expression that the output of the failed test must match
//	--- processor/worker.go
//	@@ func (w *worker) commit
//	 	context
//	-	what is there
//	+	what is there instead
//
// A hunk applies where its lines stand behind the line that begins with the text after the @@. They must stand there
// once: line numbers do not matter, so patches survive changes around them. Take no more context than is needed for
// that. A plain test of this package sees to it that all patches apply.
package main
