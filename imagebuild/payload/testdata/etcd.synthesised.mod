module payload

go 1.25.0

require (
	go.etcd.io/etcd/server/v3 v3.6.16
	go.etcd.io/etcd/etcdctl/v3 v3.6.16
)

exclude example.org/bad v0.1.0

replace example.org/old => example.org/new v1.1.0
