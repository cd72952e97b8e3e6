package ova

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// diskFormat is the OVF name of streamOptimized VMDK files.
const diskFormat = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"

// Addresses on the virtual buses. Unit 7 of a SCSI bus is its controller; network adapters begin at unit 7 of their bus.
const (
	controllerUnit = 7
	adapterUnit    = 7
	firstInstance  = 4 // after CPUs, memory and controller
)

//go:embed descriptor.ovf.tmpl
var descriptorTemplate string

// descriptor is what the template sees.
type descriptor struct {
	Package
	Hardware
	Disks                        []diskItem
	Networks                     []string // each once
	Adapters                     []adapterItem
	Format, KeyData, KeyEncoding string
}

type diskItem struct {
	Disk
	FileID, DiskID, Label string
	Unit, Instance        int
}

type adapterItem struct {
	Network, Label string
	Unit, Instance int
}

// CapacityMiB is the capacity in the unit that the descriptor gives it in.
func (d diskItem) CapacityMiB() int64 { return d.Capacity / mib }

// Descriptor is the OVF descriptor of p, as Write puts it first into the archive.
func (p Package) Descriptor() ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("rendering OVF descriptor: %w", err)
	}
	t, err := template.New("descriptor").Option("missingkey=error").Funcs(template.FuncMap{"xml": escape}).Parse(descriptorTemplate)
	if err != nil {
		return nil, fmt.Errorf("parsing template of OVF descriptor: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p.items()); err != nil {
		return nil, fmt.Errorf("rendering OVF descriptor: %w", err)
	}
	return out.Bytes(), nil
}

// items numbers disks and adapters.
func (p Package) items() descriptor {
	d := descriptor{Package: p, Hardware: p.Hardware.withDefaults(), Format: diskFormat, KeyData: KeyData, KeyEncoding: KeyEncoding}
	instance := firstInstance
	for i, disk := range p.Disks {
		unit := i
		if unit >= controllerUnit {
			unit++
		}
		d.Disks = append(d.Disks, diskItem{disk, fmt.Sprintf("file%d", i+1), fmt.Sprintf("vmdisk%d", i+1), fmt.Sprintf("Hard disk %d", i+1), unit, instance})
		instance++
	}
	for i, name := range p.Hardware.Networks {
		if !slices.Contains(d.Networks, name) {
			d.Networks = append(d.Networks, name)
		}
		d.Adapters = append(d.Adapters, adapterItem{name, fmt.Sprintf("Network adapter %d", i+1), adapterUnit + i, instance})
		instance++
	}
	return d
}

func escape(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}
