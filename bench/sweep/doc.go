// Command sweep measures how the job does while one thing is varied.
//
//	go run ./bench/sweep principals                 10^4 to 10^7 keys, and 10^7 all alike, with state from before
//	go run ./bench/sweep partitions                 1 to 32
//	go run ./bench/sweep hotkey                     one key with 30 % of all events, against none
//	go run ./bench/sweep transactions               how long and how large they may be: throughput and latency
//	go run ./bench/sweep rules                      8, 100, 1,000: copies of the built-in ones with other thresholds
//	go run ./bench/sweep memory -duration 1h        resident size at a constant rate
//	go run ./bench/sweep latency -peer streams      at several rates, and the highest rate that holds
//
// Every point is measured in turn within a round (A B C A B C), for a machine is another one a minute later; what is
// put in relation is put so within a round. Results go to the terminal and, with -report, to a folder as JSON and as a
// page. Flags come after the name of the scenario; `sweep rules -h` shows them.
package main
