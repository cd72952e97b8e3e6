package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"slipway/cluster"
	"slipway/imagebuild"
	"slipway/imagebuild/qcow2"
	"slipway/ova"
	"slipway/pack"
)

// packers make the spec's outputs of the finished disk.
func packers(spec *cluster.Spec) map[string]imagebuild.Packer {
	machine := specMachine(spec)
	return map[string]imagebuild.Packer{
		"qcow2": packer(pack.QCOW2, pack.Options{Compression: qcow2.Zlib}),
		"ova":   packer(pack.OVA, pack.Options{Machine: machine}),
	}
}

func packer(f pack.Format, o pack.Options) imagebuild.Packer {
	return imagebuild.Packer{
		Key: fmt.Sprintf("%s %d %+v", f, o.Compression, o.Machine),
		Write: func(ctx context.Context, job imagebuild.PackJob) (imagebuild.Artefact, error) {
			o := o
			o.Force, o.Progress, o.Machine.Time = true, job.Progress, time.Unix(job.Epoch, 0)
			res, err := pack.File(ctx, job.Raw, job.Out, f, o)
			return imagebuild.Artefact{Kind: string(f), Path: res.Path, Size: res.Size, SHA256: res.SHA256}, err
		},
	}
}

// specMachine is the machine in the OVA: what all nodes have in common. What differs is set when they are deployed.
func specMachine(spec *cluster.Spec) ova.Package {
	m := spec.MachineOf(cluster.Node{})
	return ova.Package{
		Name:    spec.Cluster.Name,
		Product: ova.Product{Name: fmt.Sprintf("Slipway node of %s", spec.Cluster.Name), Vendor: "Slipway", Version: spec.Kubernetes.Version},
		Hardware: ova.Hardware{
			Version: spec.VSphere.Hardware, CPUs: m.CPUs, MemoryMiB: int64(m.Memory / cluster.MiB),
			Networks: []string{cmp.Or(m.Network, "VM Network")}, SecureBoot: spec.VSphere.SecureBoot,
		},
	}
}
