// Package vendored is a folder with everything that building an image takes from a network: package archives, Go modules
// laid out as a module proxy, downloads, keys, and an index with the digest of each file. An operator carries it to where
// there is no network.
//
// Start with Write, which makes one or brings one up to date, and Open, which gives a build what is in it. Check says what
// is wrong with one. It fetches nothing and knows neither specs nor locks: package imagebuild says what belongs in.
package vendored
