// Package run is what the measuring programs share: a broker to measure against, the processor as a process of its own,
// and what a process and the machine have used.
//
// A measuring program starts itself once more as the process to be measured: its main must look into the environment
// first (see [Processor.Command]).
package run
