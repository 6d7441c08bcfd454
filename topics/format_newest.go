//go:build !tocsin_next_format

package topics

const newestValueFormat = 1
