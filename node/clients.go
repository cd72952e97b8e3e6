package node

// ClientCertificate is as whom a program of a worker calls the API server.
type ClientCertificate struct {
	Name         string // of the file under PKIDir
	User         string // common name
	Organization []string
}

// ClientCertificates are those of the programs that run on a node in a cluster with this CNI. They come with its config, and control planes give it new
// ones: both take from here what they say.
func ClientCertificates(n Node, cni string) []ClientCertificate {
	if !n.Has(Worker) {
		return nil
	}
	all := []ClientCertificate{
		{Name: CertProxy, User: "system:kube-proxy"},
		{Name: CertKubelet, User: "system:node:" + n.Name, Organization: []string{"system:nodes"}},
	}
	if cni == CNIFlannel {
		all = append(all, ClientCertificate{Name: CertFlannel, User: FlannelUser + ":" + n.Name, Organization: []string{FlannelUser}})
	}
	return all
}
