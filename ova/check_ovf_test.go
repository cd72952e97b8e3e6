package ova

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/golden"
)

// spoilt is one change to the descriptor, and the finding that is to follow from it; "" for none.
type spoilt struct {
	old, new string // the first of old is replaced
	want     string
}

// checkSpoilt makes an archive of each changed descriptor that fits it otherwise.
func checkSpoilt(t *testing.T, cases map[string]spoilt) {
	t.Helper()
	for name, c := range cases {
		all := entries(t, func(s string) string {
			if !strings.Contains(s, c.old) {
				t.Errorf("%s: %q is not in the descriptor", name, c.old)
			}
			n := 1
			if strings.HasSuffix(c.old, "Section>") {
				n = -1 // both tags
			}
			return strings.Replace(s, c.old, c.new, n)
		})
		got := lines(mustCheck(t, pack(t, all, asIs)).Findings)
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

func TestDocumentFindings(t *testing.T) {
	checkSpoilt(t, map[string]spoilt{
		"namespace":       {`http://schemas.dmtf.org/ovf/envelope/1"`, `http://schemas.dmtf.org/ovf/envelope/2"`, `element "Envelope" is of unknown namespace`},
		"no namespace":    {`xmlns:vmw="http://www.vmware.com/schema/ovf"`, ``, `attribute "osType" is of unknown namespace "vmw"`},
		"root":            {`<Envelope`, `<Envelope_`, `XML syntax error`},
		"DTD":             {`<Envelope`, `<!DOCTYPE x [<!ENTITY a "b">]><Envelope`, `there is a document type`},
		"attribute twice": {`ovf:size="1000"`, `ovf:size="1000" ovf:size="1000"`, `attribute "size" is there twice`},
		"second root":     {`</Envelope>`, `</Envelope><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"/>`, `there is a second root element`},
		"text after":      {`</Envelope>`, `</Envelope>x`, `there is text outside the root element`},
		"cut":             {`</Envelope>`, ``, `unexpected EOF`},
		"encoding":        {`UTF-8`, `UTF-16`, `encoding "UTF-16"`},
		"deep":            {`<References>`, strings.Repeat("<References>", 40), `nested deeper than 32`},
		"wide":            {`<References>`, strings.Repeat("<Info/>", 11000) + `<References>`, `more than 20000 tokens`},
		"attributes":      {`<References>`, `<Info ` + manyAttributes() + `/><References>`, `more than 32 attributes`},
		"large":           {`</Envelope>`, `</Envelope>` + strings.Repeat(" ", maxDescriptor), `it was not read`},
	})
}

func TestFileAndDiskFindings(t *testing.T) {
	checkSpoilt(t, map[string]spoilt{
		"size":            {`ovf:size="1000"`, `ovf:size="1001"`, `file "node.vmdk" has size "1001", and 1000 bytes in the archive`},
		"no size":         {` ovf:size="1000"`, ``, `has size ""`},
		"size with plus":  {`ovf:size="1000"`, `ovf:size="+1000"`, `has size "+1000"`},
		"href":            {`ovf:href="node.vmdk"`, `ovf:href="disk.vmdk"`, `file "disk.vmdk" is not in the archive`},
		"compression":     {`ovf:size="1000"`, `ovf:size="1000" ovf:compression="gzip"`, `has compression "gzip", want none`},
		"chunks":          {`ovf:size="1000"`, `ovf:size="1000" ovf:chunkSize="7"`, `has chunkSize "7", want none`},
		"file twice":      {`<File `, `<File ovf:href="node.vmdk" ovf:id="file1" ovf:size="1000"/><File `, `file identifier "file1" is empty or not unique`},
		"plain attribute": {`ovf:href="node.vmdk"`, `href="node.vmdk"`, `file "" is not in the archive`},
		"fileRef":         {`ovf:fileRef="file1"`, `ovf:fileRef="file2"`, `disk "vmdisk1" refers to file "file2", which is not in the References`},
		"no fileRef":      {`ovf:fileRef="file1"`, ``, `no disk refers to file "file1"`},
		"no units":        {` ovf:capacityAllocationUnits="byte * 2^20"`, ``, `disk "vmdisk1": capacity has units "", want such as`},
		"odd units":       {`ovf:capacityAllocationUnits="byte * 2^20"`, `ovf:capacityAllocationUnits="MegaBytes"`, `units "MegaBytes"`},
		"capacity":        {`ovf:capacity="2048"`, `ovf:capacity="0"`, `capacity "0" is out of range`},
		"huge capacity":   {`ovf:capacity="2048"`, `ovf:capacity="9223372036854775807"`, `is out of range`},
		"property":        {`ovf:capacity="2048"`, `ovf:capacity="${size}"`, `capacity "${size}" is out of range`},
		"odd capacity":    {`ovf:capacityAllocationUnits="byte * 2^20"`, `ovf:capacityAllocationUnits="byte * 2^10"`, ``}, // 2 MiB: right, as far as can be told from here
		"not whole MiB":   {`ovf:capacity="2048" ovf:capacityAllocationUnits="byte * 2^20"`, `ovf:capacity="2047" ovf:capacityAllocationUnits="byte"`, `capacity of 2047 bytes is not a multiple of 1 MiB`},
		"format":          {`#streamOptimized`, `#sparse`, `has format`},
		"disk twice":      {`<Disk `, `<Disk ovf:diskId="vmdisk1"/><Disk `, `disk identifier "vmdisk1" is empty or not unique`},
		"network twice":   {`<Network `, `<Network ovf:name="VM Network"/><Network `, `network name "VM Network" is empty or not unique`},
		"other network":   {`<rasd:Connection>VM Network`, `<rasd:Connection>None`, `network "None" is not in the NetworkSection`},
	})
}

func TestSystemFindings(t *testing.T) {
	const data = `<Property ovf:key="guestinfo.ignition.config.data" ovf:type="string" ovf:userConfigurable="true" ovf:value="">`
	checkSpoilt(t, map[string]spoilt{
		"name":           {`<Name>node`, `<Name>other`, `virtual machine has identifier "node" and name "other"`},
		"osType":         {`vmw:osType="other4xLinux64Guest"`, `vmw:osType="otherGuest"`, `guest identifier "otherGuest" is not one of a 64-bit system`},
		"no osType":      {` vmw:osType="other4xLinux64Guest"`, ``, `guest identifier "" is not`},
		"transport":      {` ovf:transport="com.vmware.guestInfo"`, ` ovf:transport="iso"`, `transport is "iso", want "com.vmware.guestInfo"`},
		"no transport":   {` ovf:transport="com.vmware.guestInfo"`, ``, `transport is ""`},
		"version":        {`vmx-15`, `vmx-10`, `hardware version 10 is not one of [13 14`},
		"odd version":    {`vmx-15`, `vmx-015`, `hardware version "vmx-015" is not vmx- and a number`},
		"BIOS":           {`vmw:key="firmware" vmw:value="efi"`, `vmw:key="firmware" vmw:value="bios"`, `Secure Boot needs EFI firmware, not "bios"`},
		"no firmware":    {`<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>`, ``, `firmware is "", want "efi"`},
		"Secure Boot":    {`vmw:value="true"`, `vmw:value="yes"`, `Secure Boot is "yes", want true or false`},
		"key twice":      {`<vmw:Config `, `<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="bios"/><vmw:Config `, `setting "firmware" is there twice`},
		"required":       {`<vmw:Config ovf:required="false" `, `<vmw:Config `, `setting "firmware" is not marked as not required`},
		"lsilogic":       {`VirtualSCSI`, `lsilogic`, `SCSI controller is "lsilogic", want "VirtualSCSI"`},
		"spelling":       {`VirtualSCSI`, `virtualscsi`, `SCSI controller is "virtualscsi", want`},
		"E1000":          {`VmxNet3`, `E1000`, `network adapter is "E1000", want "VmxNet3"`},
		"CPU units":      {`hertz * 10^6`, `hertz`, `allocation units are "hertz", want "hertz * 10^6"`},
		"no CPU":         {`<rasd:ResourceType>3<`, `<rasd:ResourceType>4<`, `there are 0 processor items, want 1`},
		"CPUs":           {`<rasd:VirtualQuantity>2<`, `<rasd:VirtualQuantity>0<`, `quantity "0" is not between 1 and 256`},
		"memory":         {`<rasd:VirtualQuantity>4096<`, `<rasd:VirtualQuantity>-1<`, `quantity "-1" is not between`},
		"no adapter":     {`<rasd:ResourceType>10<`, `<rasd:ResourceType>17<`, `there are 2 disks and 0 network adapters`},
		"instance":       {`<rasd:InstanceID>2<`, `<rasd:InstanceID>1<`, `instance identifier "1" is empty or not unique`},
		"no instance":    {`<rasd:InstanceID>1</rasd:InstanceID>`, ``, `instance identifier "" is empty`},
		"parent":         {`<rasd:Parent>3<`, `<rasd:Parent>2<`, `disk "vmdisk1" is on device "2", which is not a SCSI controller`},
		"unit":           {`<rasd:AddressOnParent>0<`, `<rasd:AddressOnParent>7<`, `disk "vmdisk1" has address "7" on its controller`},
		"host resource":  {`ovf:/disk/vmdisk1`, `ovf:/disk/vmdisk2`, `device refers to disk "ovf:/disk/vmdisk2", which is not in the DiskSection`},
		"bare resource":  {`ovf:/disk/vmdisk1`, `vmdisk1`, `device refers to disk "vmdisk1", which`},
		"unknown type":   {`<rasd:ResourceType>6<`, `<rasd:ResourceType>99<`, `device of type "99" is not marked as not required`},
		"govmomi":        {`<rasd:Address>0<`, `<rasd:Address>x<`, `govmomi makes no virtual machine of it: unsupported item name="SCSI controller 0"`},
		"CD drive":       {`</System>`, `</System><Item><rasd:InstanceID>9</rasd:InstanceID><rasd:ResourceType>15</rasd:ResourceType></Item>`, `device of type "15" is not marked as not required`},
		"fixed property": {data, strings.Replace(data, "true", "false", 1), `has userConfigurable "false", want "true": nobody could set it`},
		"property type":  {data, strings.Replace(data, `"string"`, `"int"`, 1), `has type "int", want "string"`},
		"property value": {data, strings.Replace(data, `value=""`, `value="{}"`, 1), `has a value of 2 bytes: every machine`},
		"no property":    {`ovf:key="guestinfo.ignition.config.data"`, `ovf:key="guestinfo.other"`, `there is no property "guestinfo.ignition.config.data"`},
		"no product":     {`ProductSection>`, `Section_>`, `VirtualSystem has 0 ProductSection elements, want 1`},
		"no disks":       {`DiskSection>`, `Section_>`, `govmomi makes no virtual machine of it: runtime error`},
		"boot order":     {`</vssd:VirtualSystemType>`, `</vssd:VirtualSystemType><vmw:BootOrderSection/>`, `BootOrderSection must not be there`},
		"ExtraConfig":    {`</System>`, `</System><vmw:ExtraConfig vmw:key="disk.EnableUUID" vmw:value="TRUE"/>`, `ExtraConfig must not be there`},
		"nvram":          {`</System>`, `</System><vmw:Config ovf:required="false" vmw:key="nvram" vmw:value="x"/>`, `"nvram" must not be there`},
		"collection":     {`<VirtualSystem `, `<VirtualSystemCollection/><VirtualSystem `, `VirtualSystemCollection must not be there`},
		"two systems":    {`<VirtualSystem `, `<VirtualSystem/><VirtualSystem `, `Envelope has 2 VirtualSystem elements, want 1`},
	})
}

func manyAttributes() string {
	var b strings.Builder
	for i := range maxAttributes + 1 {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

// TestForeignDescriptors reads the descriptors that govmomi is tested with, from many products of twenty years. None is
// like ours, so each has findings, which point into it; and how many of each kind there are is known: a rule that is lost,
// or finds what is not there, changes it.
func TestForeignDescriptors(t *testing.T) {
	kinds := map[string]int{}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/vmware/govmomi").Output()
	if err != nil {
		t.Fatal(err)
	}
	var count int
	err = filepath.WalkDir(filepath.Join(strings.TrimSpace(string(out)), "ovf", "fixtures"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".ovf") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		count++
		c := newChecker(mustOpen(t, pack(t, []entry{{"x.ovf", string(content)}}, asIs)))
		if c.descriptor("x.ovf"); c.found.Count() == 0 || c.err != nil {
			t.Errorf("%s: no finding, %v", path, c.err)
		}
		for _, f := range c.found.Sorted(0) {
			if f.Offset < 0 || f.Offset > blockSize+int64(len(content)) {
				t.Errorf("%s: %s: that is outside of it", path, f)
			}
			kinds[varying.ReplaceAllString(f.Text, "*")]++
		}
		return nil
	})
	if err != nil || count < 500 {
		t.Errorf("%d descriptors, %v", count, err)
	}
	var table strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&table, "%6d  %s\n", kinds[kind], kind)
	}
	golden.Check(t, "testdata/foreign.txt", table.String())
}

// varying is what differs between findings of one kind.
var varying = regexp.MustCompile(`"([^"\\]|\\.)*"|-?\d+|(govmomi makes no virtual machine of it|node.*line \*|XML syntax error).*|are \[".*`)

// TestDescriptorOffsets looks where findings point to: at the element in the archive.
func TestDescriptorOffsets(t *testing.T) {
	for element, change := range map[string][2]string{
		"<File ":                  {`ovf:size="1000"`, `ovf:size="1001"`},
		"<Disk ":                  {`#streamOptimized`, `#sparse`},
		"<Item>":                  {`VmxNet3`, `E1000`},
		"<VirtualHardwareSection": {`vmw:value="efi"`, `vmw:value="bios"`},
		"<Property ":              {`ovf:userConfigurable="true"`, `ovf:userConfigurable="false"`},
	} {
		all := entries(t, func(s string) string { return strings.Replace(s, change[0], change[1], 1) })
		b := pack(t, all, asIs)
		for _, f := range mustCheck(t, b).Findings {
			if !strings.HasPrefix(string(b[f.Offset:]), element) {
				t.Errorf("%s points at %.20q, want %s", f, b[f.Offset:], element)
			}
		}
	}
}
