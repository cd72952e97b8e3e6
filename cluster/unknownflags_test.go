package cluster

import "testing"

const misspelt = `cluster: {name: single}
network: {gateway: 10.77.0.2, dns: [10.77.0.3]}
nodes: [{name: node1, roles: [etcd, control-plane, worker], address: 10.77.0.11/24}]
kubernetes:
  extraArgs:
    kubelet:
      max-pods: "200"
      max-podz: "100"
    etcd:
      "snapshot-cuont": "5"
`

const misspeltError = `cluster.yaml sets flags that the programs of this image do not have
cluster.yaml:8:7: kubelet has no flag "max-podz"
    8 |       max-podz: "100"
      |       ^^^^^^^^
hint: ` + "`kubelet --help`" + ` lists what there is
cluster.yaml:10:7: etcd has no flag "snapshot-cuont"
   10 |       "snapshot-cuont": "5"
      |       ^^^^^^^^^^^^^^^^
hint: did you mean "snapshot-count"? ` + "`etcd --help`" + ` lists what there is`

func TestRefuseFlags(t *testing.T) {
	if _, err := Parse("cluster.yaml", []byte(misspelt), nil); err != nil {
		t.Fatal(err)
	}
	l := Loaded{Path: "cluster.yaml", Data: []byte(misspelt)}
	err := l.RefuseFlags([]UnknownFlag{
		{Program: "etcd", Flag: "snapshot-cuont", Known: []string{"name", "snapshot-count"}},
		{Program: "kubelet", Flag: "max-podz", Known: []string{"v"}},
	})
	if err == nil || err.Error() != misspeltError {
		t.Errorf("got\n%v\nwant\n%s", err, misspeltError)
	}
}
