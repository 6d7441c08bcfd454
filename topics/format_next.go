//go:build tocsin_next_format

package topics

// newestValueFormat of a build with this tag is a format that no release writes: it exists so that an upgrade from one
// format to the next can be tested before there is a reason for one. See package window for what differs.
const newestValueFormat = 2
