// Package deployment checks what is in deploy without the machines it is for: the manifests against the schemas of
// Kubernetes, the compose file against that of the Compose Specification, both against the settings and limits of the
// program, and the root file system of the image by running it.
//
// testdata holds the schemas: see its README.
package deployment
