// Package payload makes the programs of an image that are no distro packages: kube, etcd, CNI plugins, CoreDNS ...
//
// Start with Plan, which says purely what is needed and where it comes from, and Build, which makes one item in a
// content-addressed cache folder. Probe finds the tools that a plan depends on. Sources are Go modules at exact
// versions (verified by the checksum database), downloads and local files (both verified by sha256).
//
// It does not place anything in an image: Result lists files with their paths and the caller copies them. Container
// images are assembled from ClassOCI files by package oci.
package payload
